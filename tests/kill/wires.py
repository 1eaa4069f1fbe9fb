# SPDX-License-Identifier: Apache-2.0
"""Where does one call end on a wire, what does it ask, and does it change anything? HTTP/1.1 and MySQL's protocol."""

import asyncio
import re
from dataclasses import dataclass

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_ENDS = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_STATEMENT = re.compile(rb"[\s(]*(\w+)")
_QUERY = 3
_CHANGES = frozenset({b"INSERT", b"UPDATE", b"DELETE", b"REPLACE"})


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP message as it came."""

    data: bytes

    @property
    def verb(self) -> str:
        """A request's."""
        return self.data[: self.data.index(b" ")].decode("ascii")

    @property
    def path(self) -> str:
        """A request's, without its query."""
        return self.data.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")

    @property
    def is_write(self) -> bool:
        """Whether a request may change something."""
        return self.verb in _WRITING

    @property
    def is_last(self) -> bool:
        """Whether the connection ends behind an answer."""
        return _ENDS.search(self.data.partition(b"\r\n\r\n")[0]) is not None


async def read_request(reader: asyncio.StreamReader) -> Message | None:
    """The next request; None when the client has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return Message(head + await _body(reader, head))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_answer(reader: asyncio.StreamReader, verb: str) -> Message | None:
    """The answer to a request; None when the server hung up before it was whole."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(_STATUS.match(head)[1])  # type: ignore[index]
        if verb == "HEAD" or status in (204, 304):
            return Message(head)
        if _LENGTH.search(head) is None and _CHUNKED.search(head) is None:
            return Message(head + await reader.read())
        return Message(head + await _body(reader, head))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if _CHUNKED.search(head):
        parts: list[bytes] = []
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            parts += [line, await reader.readexactly(size + 2)]
            if size == 0:
                return b"".join(parts)
    length = _LENGTH.search(head)
    return await reader.readexactly(int(length[1])) if length else b""


async def read_packet(reader: asyncio.StreamReader) -> bytes | None:
    """One packet of MySQL's protocol, its head included; None when the other side has hung up."""
    try:
        head = await reader.readexactly(4)
        return head + await reader.readexactly(int.from_bytes(head[:3], "little"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class Session:
    """What one client of a database has done in the transaction that it is in."""

    def __init__(self) -> None:
        self._wrote: list[str] = []

    def command(self, packet: bytes) -> tuple[str, bool] | None:
        """What a packet of the client's asks, and whether it makes a change last; None when it is no command."""
        if packet[3] != 0:
            return None
        text = packet[5:] if packet[4] == _QUERY else b""
        word = _STATEMENT.match(text)
        verb = word[1].upper() if word else b""
        if verb in _CHANGES:
            self._wrote.append(" ".join(text.decode("utf-8", "replace").split()[:3]))
        if verb not in (b"COMMIT", b"ROLLBACK"):
            return verb.decode("ascii"), False
        wrote, self._wrote = self._wrote, []
        return f"{verb.decode()} of {', '.join(wrote)}" if wrote else verb.decode(), bool(wrote) and verb == b"COMMIT"
