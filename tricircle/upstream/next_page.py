# SPDX-License-Identifier: Apache-2.0
"""Where does the next page of a list stand? Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from tricircle.upstream.reply import Target


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


def below_root(href: str, target: Target) -> str:
    """A link of an upstream as a path behind the root of its service."""
    parts = urlsplit(href)
    root = urlsplit(target.url).path.rstrip("/")
    path = parts.path.removeprefix(root) if root and parts.path.startswith(root + "/") else parts.path
    return f"{path}?{parts.query}" if parts.query else path
