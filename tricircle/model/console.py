# SPDX-License-Identifier: Apache-2.0
"""What is a console: where a pod shows it, and which address of ours stands for that? Pure.

Nova gives a URL with a token in it: a page whose script opens a WebSocket (noVNC, SPICE, WebMKS), or the WebSocket
itself (serial). What names the pod stays with us; what users get is the same page under our address, with a token of
ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tricircle.context import PodId, ProjectId

NOVNC, SPICE, SERIAL, SPICE_DIRECT = "novnc", "spice-html5", "serial", "spice-direct"
#: Types whose pages find their WebSocket beside themselves, and may want the token already for the page.
_BESIDE = frozenset(("rdp-html5", "webmks"))
#: Types that we carry. The others of Nova's history (``xvpvnc``) are no WebSockets.
CARRIED = _BESIDE | {NOVNC, SPICE, SERIAL}
#: Where the scripts of noVNC and SPICE connect when nothing says otherwise.
_USUAL_CHANNEL = "websockify"
#: Characters of the longest folder that is written down.
_LONGEST_BASE = 512
_CHANNEL_SCHEMES: Mapping[str, str] = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PAGE_SCHEMES: Mapping[str, str] = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodConsole:
    """A pod's URL of a console, taken apart.

    :ivar base: the folder of its page, without a slash at the end and without any secret: ``https://10.0.0.5:6080``
    :ivar page: the page in that folder; empty: there is none, or the folder itself
    :ivar query: what else the page is given
    :ivar token: the pod's own token
    :ivar channel: the WebSocket that belongs to it, token included
    """

    base: str
    page: str
    query: tuple[tuple[str, str], ...]
    token: str = field(repr=False)
    channel: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A console that a user was given.

    :ivar id: stands in the addresses of its pages; no secret
    :ivar base: as of :class:`PodConsole`
    """

    id: str
    type: str
    server_id: str
    pod_id: PodId
    project_id: ProjectId
    user_id: str
    base: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedConsole:
    """A console whose token was shown: with what opens it in the pod."""

    console: Console
    token: str = field(repr=False)
    channel: str = field(repr=False)


def taken_apart(type_: str, url: str) -> PodConsole | None:
    """A pod's URL in its parts; None when it is not one that we understand.

    >>> taken_apart("novnc", "http://10.0.0.5:6080/vnc_lite.html?path=%3Ftoken%3Dabc").channel
    'ws://10.0.0.5:6080/?token=abc'
    >>> taken_apart("serial", "ws://10.0.0.5:6083/?token=abc").token
    'abc'
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _CHANNEL_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    if not is_usable or "@" in parts.netloc or not parts.netloc.isascii() or not parts.netloc.isprintable():
        return None
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    path = dict(pairs).get("path", "")
    token = dict(pairs).get("token") or dict(parse_qsl(urlsplit(path).query)).get("token", "")
    if not token:
        return None
    folder, _, page = parts.path.rpartition("/")
    base = f"{_PAGE_SCHEMES[parts.scheme]}://{parts.netloc}{folder}"
    if len(base) > _LONGEST_BASE:
        return None
    scheme = _CHANNEL_SCHEMES[parts.scheme]
    where = path or f"{_USUAL_CHANNEL}?token={quote(token)}"
    if type_ == SERIAL:
        where = f"{parts.path.lstrip('/')}?{parts.query}"
    elif type_ in _BESIDE:
        where = folder.lstrip("/")
    return PodConsole(
        base=base,
        page=page,
        query=tuple((name, value) for name, value in pairs if name not in ("path", "token")),
        token=token,
        channel=f"{scheme}://{parts.netloc}/{where.lstrip('/')}",
    )


def channel_of(opened: OpenedConsole, asked: str) -> str:
    """The pod's WebSocket for a client that asks for ``asked``, a path under the console's folder.

    Only scripts that look beside their page are followed; all others have one place.
    """
    if opened.console.type not in _BESIDE:
        return opened.channel
    return f"{opened.channel.rstrip('/')}/{asked}?token={quote(opened.token)}"


def wants_token(type_: str) -> bool:
    """Whether the pod may want to see its token already when the page is fetched."""
    return type_ in _BESIDE


def users_url(endpoint: str, console_id: str, type_: str, pod: PodConsole, token: str) -> str:
    """What the user gets in the place of the pod's URL.

    :param endpoint: where users reach our console proxy, no slash at the end
    :param token: ours

    >>> pod = taken_apart("novnc", "http://10.0.0.5:6080/vnc_lite.html?path=%3Ftoken%3Dabc")
    >>> users_url("https://c.example", "5f", "novnc", pod, "xyz")
    'https://c.example/5f/vnc_lite.html?path=%3Ftoken%3Dxyz'
    """
    parts = urlsplit(endpoint)
    prefix = parts.path.strip("/")
    if type_ == SERIAL:
        return f"{_CHANNEL_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path}/?token={token}"
    pairs = list(pod.query)
    if type_ == NOVNC:
        pairs.append(("path", f"{prefix}?token={token}"))
    else:
        pairs.append(("token", token))
        if type_ == SPICE and prefix:
            pairs.append(("path", f"{prefix}/{_USUAL_CHANNEL}"))
    return f"{endpoint}/{console_id}/{pod.page}?{urlencode(pairs)}"
