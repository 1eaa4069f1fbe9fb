# SPDX-License-Identifier: Apache-2.0
"""Which path does an upstream see? Pure.

Services are WSGI: they decode a path once and only then split it, so that ``%2F`` is a slash to them. We decode once,
split, refuse what could climb, match on the decoded segments and send on a path made from the same segments: what the
table decided about is what the service is asked.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from tricircle.errors import InvalidRequestError

#: What a path segment may hold unencoded (RFC 3986, pchar).
_SEGMENT_SAFE = "!$&'()*+,;=:@-._~"
#: Nothing to decode, nothing to encode.
_PLAIN = re.compile(r"/[A-Za-z0-9/!$&'()*+,;=:@._~-]*")


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
    if "." in segments or ".." in segments:
        raise InvalidRequestError("The path of the request holds '.' or '..'.")
    text = "".join("/" + quote(part, safe=_SEGMENT_SAFE) for part in segments)
    return Path(segments, text + "/" if decoded.endswith("/") or not segments else text)
