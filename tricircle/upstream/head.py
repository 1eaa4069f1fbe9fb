# SPDX-License-Identifier: Apache-2.0
"""What stands in the head of a request of ours, and what of an answer's head goes on? Pure: bytes in, bytes out."""

import re
from urllib.parse import quote

from tricircle.upstream.connections import Origin
from tricircle.upstream.reply import Call, Headers

#: What we say of ourselves with every request, so that one that comes back to us is known.
VIA = b"1.1 tricircle-gateway"
#: Methods that change nothing: without an answer they may simply be asked again.
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: Methods without a body need no length; others say 0.
_WITHOUT_BODY = SAFE | {"DELETE"}
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
#: What a request's head must not take over from a caller: it is ours to say.
_OURS = _HOP_BY_HOP | {b"host", b"expect", b"content-length", b"via"}
_VIA_LINE = b"via: " + VIA + b"\r\n"
_UNPRINTABLE = re.compile(rb"[\x00-\x20\x7f-\xff]")


def length_of(call: Call) -> int | None:
    """The length of a streamed body as the client said it; None when it did not, or not in a way that has one
    meaning."""
    said = {value for name, value in call.headers if name == b"content-length"}
    value = said.pop() if len(said) == 1 else b""
    return int(value) if value.isdigit() and len(value) < 20 else None


def head_of(origin: Origin, call: Call, length: int | None) -> bytes:
    """The head of a request, byte for byte.

    :param length: of a streamed body; None: it is sent in chunks
    """
    path = (origin.path + call.path).encode("utf-8")
    if _UNPRINTABLE.search(path):
        path = quote(path, safe="/?&=%:@!$'()*+,;~-._[]").encode("ascii")
    lines = [call.method.encode("ascii"), b" ", path or b"/", b" HTTP/1.1\r\nhost: ", origin.name, b"\r\n", _VIA_LINE]
    body = call.body
    count = 3
    for name, value in call.headers:
        if name in _OURS:
            continue
        lines += (name, b": ", value, b"\r\n")
        count += 1
    if isinstance(body, bytes):
        lines.append(b"content-length: %d\r\n" % len(body))
        count += 1
    elif body is None:
        if call.method not in _WITHOUT_BODY:
            lines.append(b"content-length: 0\r\n")
            count += 1
    else:
        lines.append(b"transfer-encoding: chunked\r\n" if length is None else b"content-length: %d\r\n" % length)
        count += 1
    head = b"".join(lines)
    if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head:
        raise ValueError("a header holds a line break")
    return head + b"\r\n"


def end_to_end(headers: Headers, *, is_stream: bool) -> Headers:
    """The end-to-end headers; the length of a stream stays, so that a client sees how much is to come."""
    return [pair for pair in headers if pair[0] not in _HOP_BY_HOP and (is_stream or pair[0] != b"content-length")]
