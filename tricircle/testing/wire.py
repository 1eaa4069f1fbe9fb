# SPDX-License-Identifier: Apache-2.0
"""What does a broken service, or something before it, put on the wire instead of an answer?

Each function takes the head and the body of the right answer and yields pieces. An empty piece is a pause.
"""

import json
import re
from collections.abc import Iterator

from tricircle.testing.ailments import Wire

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TYPE = re.compile(rb"content-type: *[^\r]+", re.IGNORECASE)
_STATUS = re.compile(rb"\AHTTP/1.1 [^\r]+")
_FLOOD = b" " * 65536


def dripping_head(head: bytes, body: bytes) -> Iterator[bytes]:
    """All of it, one byte at a time."""
    for byte in head + body:
        yield bytes((byte,))


def dripping_body(head: bytes, body: bytes) -> Iterator[bytes]:
    """The head at once, the body one byte at a time."""
    yield head
    for byte in body:
        yield bytes((byte,))


def too_long(head: bytes, body: bytes) -> Iterator[bytes]:
    """The head promises more than comes, and the connection stays open."""
    yield _length(head, len(body) + 100) + body
    while True:
        yield b""


def too_short(head: bytes, body: bytes) -> Iterator[bytes]:
    """The head promises less than comes."""
    yield _length(head, len(body) // 2) + body


def cut_head(head: bytes, _body: bytes) -> Iterator[bytes]:
    """Half of the head, and then nothing more."""
    yield head[: len(head) // 2]


def mislabelled(head: bytes, body: bytes) -> Iterator[bytes]:
    """The right answer, called a page."""
    yield _TYPE.sub(b"Content-Type: text/html", head) + body


def truncated(head: bytes, body: bytes) -> Iterator[bytes]:
    """Half of the JSON, as if it were the whole."""
    half = body[: len(body) // 2] or b"{"
    yield _TYPE.sub(b"Content-Type: application/json", _length(head, len(half))) + half


def other_json(head: bytes, _body: bytes) -> Iterator[bytes]:
    """JSON that is no answer of any API."""
    body = json.dumps(["It", "works", "!"]).encode()
    yield _TYPE.sub(b"Content-Type: application/json", _length(head, len(body))) + body


def tls_alert(_head: bytes, _body: bytes) -> Iterator[bytes]:
    """What a TLS server says to who speaks HTTP to it."""
    yield b"\x15\x03\x01\x00\x02\x02\x46"


def endless_body(head: bytes, _body: bytes) -> Iterator[bytes]:
    """White space without end, as fast as it is read: no JSON parser ever objects."""
    yield _LENGTH.sub(b"Connection: close", head)
    while True:
        yield _FLOOD


def endless_head(_head: bytes, _body: bytes) -> Iterator[bytes]:
    """One header without end, as fast as it is read."""
    yield b"HTTP/1.1 200 OK\r\nX-Flood:"
    while True:
        yield _FLOOD


def redirect(status: int, location: str) -> Wire:
    """A page that leads elsewhere."""

    def sent(_head: bytes, _body: bytes) -> Iterator[bytes]:
        page = f'<a href="{location}">over there</a>'.encode()
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Type: text/html\r\n"
        yield f"{head}Content-Length: {len(page)}\r\n\r\n".encode() + page

    return sent


def proxy_page(status: int, *, retry_after: str = "") -> Wire:
    """What a load balancer says that has nobody to ask, or has been asked too often."""

    def sent(head: bytes, _body: bytes) -> Iterator[bytes]:
        page = f"<html><body><h1>{status}</h1>balancer-7.canary.internal</body></html>".encode()
        more = f"\r\nRetry-After: {retry_after}" if retry_after else ""
        head = _STATUS.sub(f"HTTP/1.1 {status} Sorry{more}".encode(), head)
        yield _TYPE.sub(b"Content-Type: text/html", _length(head, len(page))) + page

    return sent


def _length(head: bytes, length: int) -> bytes:
    return _LENGTH.sub(b"Content-Length: %d" % length, head)
