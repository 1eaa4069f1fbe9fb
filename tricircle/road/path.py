# SPDX-License-Identifier: Apache-2.0
"""Which path does an upstream see? Pure.

Services are WSGI: they decode a path once and only then split it, so that ``%2F`` is a slash to them. We decode once,
split, refuse what could climb, match on the decoded segments and send on a path made from the same segments: what the
table decided about is what the service is asked.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes

from tricircle.errors import InvalidRequestError

#: What a path segment may hold unencoded (RFC 3986, pchar).
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"
#: Nothing to decode, nothing to encode.
_PLAIN = re.compile(r"/[A-Za-z0-9/!$&'()*+,;=:@._~-]*")
#: How often a path may be encoded beyond what is decoded.
_ROUNDS = 4
_SLASHES = re.compile(r"[/\\]")
_ASCII = "".join(map(chr, range(128)))


@dataclass(frozen=True, slots=True)
class Path:
    """A path as it is matched (``segments``, decoded) and as it is sent on (``text``, encoded; a last slash is
    kept)."""

    segments: tuple[str, ...]
    text: str

    @property
    def has_last_slash(self) -> bool:
        """Whether the client ended the path with a slash."""
        return self.text.endswith("/")

    def behind(self, count: int) -> "Path":
        """The path without its first ``count`` segments; ``/`` when nothing is left."""
        text, start = self.text, 0
        for _ in range(count):
            start = text.find("/", start + 1)
            if start < 0:
                return Path((), "/")
        return Path(self.segments[count:], text[start:])


def _climbs(decoded: str) -> bool:
    """Whether somebody on the way could take a part of a path for ``.`` or ``..``.

    Services decode once. A proxy before them may decode again, take ``\\`` for a slash or cut a part at ``;``: nothing
    that OpenStack calls by a path looks like that, so none of it is worth the risk.
    """
    for _ in range(_ROUNDS):
        again = unquote(decoded)
        if again == decoded:
            return any(part.partition(";")[0] in (".", "..") for part in _SLASHES.split(decoded))
        decoded = again
    # Encoded so often only to hide something, or to keep us busy.
    return True


def ascii_target(raw: bytes) -> str:
    """A path or a query as it came, with bytes that nobody should have sent as they are percent-encoded.

    >>> ascii_target("/caf\u00e9%2F".encode())
    '/caf%C3%A9%2F'
    """
    return raw.decode() if raw.isascii() else quote(raw, safe=_ASCII)


def canonical(raw: str) -> Path:
    """The one path that a percent-encoded ``raw`` means. Empty segments are dropped.

    >>> canonical("/compute//v2.1/servers/a%2Faction").segments
    ('compute', 'v2.1', 'servers', 'a', 'action')

    :raises InvalidRequestError: for ``.`` and ``..``, control characters and what is not UTF-8
    """
    if _PLAIN.fullmatch(raw) and "//" not in raw and "/." not in raw:
        return Path(tuple(part for part in raw.split("/") if part), raw)
    try:
        decoded = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError("The path of the request is not UTF-8.") from error
    if any(char < " " or char == "\x7f" for char in decoded):
        raise InvalidRequestError("The path of the request holds control characters.")
    segments = tuple(part for part in decoded.split("/") if part)
    if _climbs(decoded):
        raise InvalidRequestError("The path of the request holds '.' or '..'.")
    text = "".join("/" + quote(part, safe=_SEGMENT_SAFE) for part in segments)
    return Path(segments, text + "/" if decoded.endswith("/") or not segments else text)
