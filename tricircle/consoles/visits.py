# SPDX-License-Identifier: Apache-2.0
"""What does a visitor of the console proxy ask for, and may the page that sent it do so? Pure.

Tokens come as Nova's own proxy takes them: in the query, or in a cookie that an old page has set.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

_CONSOLE_ID = re.compile(r"[0-9a-f]{32}")
#: What pages and their parts are called. Nothing is decoded: a name that needs an escape is none of theirs, and one
#: that begins with a dot is nobody's business.
_FILE = re.compile(r"(?:[\w@+~,-][\w@+~,.-]*(?:/[\w@+~,-][\w@+~,.-]*)*)?/?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is asked for.

    :ivar console_id: from the path; empty: there is none
    :ivar file: the path under the console, without a leading slash
    :ivar token: empty: none was shown
    """

    console_id: str = ""
    file: str = ""
    token: str = field(default="", repr=False)


def visit_of(target: str, cookies: Iterable[str], *, prefix: str) -> Visit | None:
    """What a request is for; None: a path that nobody could have got from us.

    :param target: path and query as they came
    :param prefix: path of the public endpoint, ``/consoles`` or nothing; a load balancer may have taken it away

    >>> visit_of("/?token=abc", [], prefix="").token
    'abc'
    >>> visit_of("/0123456789abcdef0123456789abcdef/core/rfb.js", [], prefix="").file
    'core/rfb.js'
    >>> visit_of("/0123456789abcdef0123456789abcdef/../../etc/passwd", [], prefix="") is None
    True
    """
    path, _, query = target.partition("?")
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        path = path[len(prefix) :]
    try:
        shown = parse_qs(query, max_num_fields=32).get("token", [])
    except ValueError:
        return None
    token = shown[-1] if shown else _cookie_token(cookies)
    first, _, rest = path.lstrip("/").partition("/")
    if path.startswith("//"):
        return None
    if not _CONSOLE_ID.fullmatch(first):
        first, rest = "", path.lstrip("/")
    if not _FILE.fullmatch(rest):
        return None
    return Visit(console_id=first, file=rest, token=token)


def _cookie_token(cookies: Iterable[str]) -> str:
    found = ""
    for part in (part for line in cookies for part in line.split(";")):
        try:
            cookie: SimpleCookie = SimpleCookie(part.strip())
        except CookieError:
            continue
        if "token" in cookie:
            found = cookie["token"].value
    return found


def is_welcome(origins: Collection[str], *, scheme: str, hosts: Collection[str]) -> bool:
    """Whether the page that opens a WebSocket is one of ours, as Nova's proxy judges it; programs name no page.

    Cookies go along with whatever a browser sends here: without this any web site could open a user's console.

    :param origins: all values of the header
    :param scheme: of the public endpoint; the page must have come as safely
    :param hosts: names in lower case

    >>> is_welcome(["https://evil.example"], scheme="https", hosts={"consoles.example"})
    False
    """
    if not origins:
        return True
    if len(origins) > 1:
        return False
    try:
        parts = urlsplit(next(iter(origins)))
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == scheme and host is not None and host.lower() in hosts
