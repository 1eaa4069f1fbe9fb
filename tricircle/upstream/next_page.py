# SPDX-License-Identifier: Apache-2.0
"""Where does the next page of a list stand? Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def next_page(body: Mapping[str, object], key: str) -> str | None:
    # Cinder names the links of some lists in the singular: volume_type_links.
    links = body.get(f"{key}_links") or body.get(f"{key.removesuffix('s')}_links")
    if isinstance(links, list):
        for link in links:
            if isinstance(link, dict) and link.get("rel") == "next":
                return str(link["href"])
    following = body.get("next")
    if isinstance(following, str):
        return following
    outer = body.get("links")
    if isinstance(outer, dict) and isinstance(outer.get("next"), str):
        return str(outer["next"])
    return None


def page_at(path: str, href: str) -> str:
    """The page of the list at ``path`` that a link leads to. The list stays where it is, whatever its service names
    itself: only the query counts.

    >>> page_at("/v3/types?limit=1", "https://pod1.example/volume/v3/types?limit=1&marker=x")
    '/v3/types?limit=1&marker=x'
    """
    query = urlsplit(href).query
    return path.partition("?")[0] + (f"?{query}" if query else "")
