# SPDX-License-Identifier: Apache-2.0
"""How do links of an upstream become links of ours? Pure: bytes in, bytes out.

Services build links from what they are called by, which is the host of the URL that we know them by: these are found
wherever they stand. But a service may name itself otherwise (Nova's ``compute_link_prefix``, Cinder's
``public_endpoint``), and what stands before it may call it otherwise. So where services put links, they are ours
whatever host they name: by what follows the root of the service, which is its version, or the end of a bookmark.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from tricircle.model.pod import Service

_VERSION = re.compile(r"/v\d+(?:\.\d+)?(?=/|$)")
#: What bookmarks end with, which have no version: perhaps the project, then a collection and an id.
_BOOKMARK = re.compile(r"(?:/(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))?/[^/]+/[^/]+$")
#: What headers name that lead to what a service has: not what Glance has, of which Nova tells, too. Keystone's may lead
#: elsewhere, and shall: to logins.
_PLACES: Mapping[Service, re.Pattern[str]] = {
    Service.COMPUTE: re.compile(r"/v2(?:\.1)?/(?!images/)"),
    Service.BLOCK_STORAGE: re.compile(r"/v3/"),
    Service.IMAGE: re.compile(r"/v2/"),
    Service.NETWORK: re.compile(r"/v2\.0/"),
}
#: A link that leads to pages for people, nowhere into the cloud.
_ABOUT = "describedby"


class Links:
    """Rewrites what one upstream says.

    :param service: which service it is
    :param target_url: by what we call it
    :param base: public endpoint and prefix of the door, no slash at the end
    :param aliases: further URLs under which it is known to name itself
    """

    def __init__(self, service: Service, target_url: str, base: bytes, *, aliases: Sequence[str] = ()) -> None:
        self._base = base
        self._pattern = link_pattern(target_url, aliases)
        self._place = _PLACES.get(service)
        self._foreign = re.compile(rb'"href"\s*:\s*"(?!' + re.escape(base) + rb'[/"])https?://')
        #: What links of this door begin with, and what those of all doors do.
        self._own, self._root = base.decode() + "/", base.decode().rpartition("/")[0] + "/"

    def in_text(self, text: bytes) -> bytes:
        """A body with every link of the upstream turned into one of ours."""
        text = relink(text, self._pattern, self._base)
        if self._place is None or self._foreign.search(text) is None:
            return text
        try:
            document = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return text
        is_changed = False
        for link in _links_in(document):
            href = link.get("href")
            if isinstance(href, str) and _leads_past(self._own, href) and link.get("rel") != _ABOUT:
                link["href"] = self._base.decode() + own_path(href, is_bookmark=link.get("rel") == "bookmark")
                is_changed = True
        return msgspec.json.encode(document) if is_changed else text

    def in_header(self, value: bytes) -> bytes:
        """A header that leads somewhere. What is not known to lead to the upstream stays as it is."""
        value = relink(value, self._pattern, self._base)
        place = value.decode("latin-1")
        found = self._place.search(_path(place)) if self._place is not None and _leads_past(self._root, place) else None
        return value if found is None else self._base + own_path(place).encode("latin-1")


def link_pattern(target_url: str, aliases: Sequence[str] = ()) -> re.Pattern[bytes]:
    """What links in answers of a target begin with that name it by its URL, or by one of ``aliases``.

    A service below a path (``http://10.0.0.5/volume``) puts the path into its links, some only into some of them.
    """
    hosts, paths = set(), set()
    for url in (target_url, *aliases):
        host, _, path = url.partition("://")[2].partition("/")
        hosts.add(host.rpartition("@")[2])
        if path.strip("/"):
            paths.add(path.strip("/"))
    host_part = "|".join(re.escape(host) for host in sorted(hosts))
    # Neither a longer name, nor another port, nor a longer segment is meant.
    path_part = "".join(f"(?:/{re.escape(path)}(?![\\w.-]))?" for path in sorted(paths, reverse=True))
    return re.compile(rf"https?://(?i:{host_part})(?![\w.:-]){path_part}".encode())


def relink(text: bytes, pattern: re.Pattern[bytes], base: bytes) -> bytes:
    """``text`` with everything that ``pattern`` finds replaced by ``base``.

    >>> relink(b'"http://10.0.0.5/v2.1/servers"', link_pattern("http://10.0.0.5"), b"https://c/compute")
    b'"https://c/compute/v2.1/servers"'
    """
    return pattern.sub(lambda _: base, text)


def own_path(href: str, *, is_bookmark: bool = False) -> str:
    """What a link says behind the root of its service, whatever that is called and wherever it stands.

    >>> own_path("https://pod1.example/compute/v2.1/servers?limit=1")
    '/v2.1/servers?limit=1'
    >>> own_path("https://pod1.example/compute/servers/7", is_bookmark=True)
    '/servers/7'
    """
    path = _path(href)
    found = None if is_bookmark else _VERSION.search(path)
    found_end = found or _BOOKMARK.search(path)
    query = href.partition("?")[2]
    return (path if found_end is None else path[found_end.start() :]) + (f"?{query}" if query else "")


def _leads_past(ours: str, href: str) -> bool:
    return href.startswith(("http://", "https://")) and not f"{href}/".startswith(ours)


def _path(href: str) -> str:
    try:
        return urlsplit(href).path
    except ValueError:
        return ""


def _links_in(document: object) -> Iterator[dict[str, object]]:
    """Where services put links: in lists called ``links``, or ``servers_links``."""
    left = [document]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, Mapping):
            for key, value in one.items():
                if isinstance(value, list) and (key == "links" or key.endswith("_links")):
                    yield from (link for link in value if isinstance(link, dict))
                if isinstance(value, dict | list):
                    left.append(value)
