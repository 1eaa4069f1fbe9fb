# SPDX-License-Identifier: Apache-2.0
"""A pod (or whoever stands in front of it) that answers what no server should: nobody is served what was meant for
another one, nothing grows without bound, and every wait ends.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.unit.servers import speaking, target
from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError, TricircleError, UnavailableError
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call, Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSTOLEN"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made = Pools(UpstreamSettings(breaker_failures=1000, stream_idle_s=2.0))
    yield made
    await made.close()


async def body_of(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    try:
        return b"".join([chunk async for chunk in reply.body])
    finally:
        if reply.close is not None:
            await reply.close()


async def get(pools: Pools, port: int, *, method: str = "GET", seconds: float = 5.0, streamed: bool = False) -> bytes:
    call = Call(method=method, path="/", is_streamed=streamed)
    return await body_of(await pools.send(target(port), call, Deadline.after(seconds)))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("GET", OK + STOLEN),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + STOLEN),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nSTOLEN"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n" + STOLEN),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nSTOLEN\r\n0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + STOLEN),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSTOLEN"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"HTTP/1.1 100 Continue\r\n\r\n" + STOLEN),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + STOLEN),
        ("GET", OK + b"\r\n\r\n" + STOLEN),
        ("GET", OK + b"\0\0"),
    ],
)
@pytest.mark.parametrize("pause_s", [0.0, 0.1])
async def test_an_answer_too_many_is_served_to_nobody(
    pools: Pools, method: str, first: bytes, streamed: bool, pause_s: float
) -> None:
    """The second answer comes together with the first, or just when the next request is made."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        while await reader.readuntil(b"\r\n\r\n"):
            if mine == 1:
                writer.write(first)
                await writer.drain()
            else:
                writer.write(OK)

    async with speaking(talk) as port:
        with suppress(TricircleError):
            await get(pools, port, method=method, streamed=streamed, seconds=1.0)
        if pause_s:
            await asyncio.sleep(pause_s)
        assert await get(pools, port) == b"ok"
    assert connections == 2


async def test_what_came_while_nobody_looked_is_no_answer(pools: Pools) -> None:
    """The bytes are in the socket, but the loop had no time to read them before the connection is wanted again."""
    connections = 0
    late: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        late.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    async with speaking(talk) as port:
        assert await get(pools, port) == b"ok"
        # Sent at once by the kernel; the reader of the other end runs in this loop, which does not get its turn.
        os.write(late[0].transport.get_extra_info("socket").fileno(), STOLEN)
        time.sleep(0.05)
        assert await get(pools, port) == b"ok"
    assert connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 6\r\n\r\nok" + STOLEN,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 6\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\nok",
        CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nokXX0\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + STOLEN,
        b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_what_can_be_read_in_two_ways_is_no_answer(pools: Pools, answer: bytes) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer if mine == 1 else OK)

    async with speaking(talk) as port:
        with pytest.raises((BadUpstreamAnswerError, UnavailableError)):
            await get(pools, port, seconds=1.0)
        assert await get(pools, port) == b"ok"
    assert connections == 2


@pytest.mark.parametrize(
    "piece",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
    ],
)
async def test_endless_go_ons_end(pools: Pools, piece: bytes) -> None:
    await _endless(pools, b"", piece * 100)


async def test_endless_headers_end(pools: Pools) -> None:
    await _endless(pools, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 100)


async def test_an_endless_header_ends(pools: Pools) -> None:
    await _endless(pools, b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 10_000)


async def test_an_endless_first_line_ends(pools: Pools) -> None:
    await _endless(pools, b"HTTP/1.1 200 ", b"a" * 10_000)


async def _endless(pools: Pools, beginning: bytes, piece: bytes) -> None:
    """The answer is given up by its size, long before the deadline."""
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        while True:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()

    async with speaking(talk) as port:
        began = time.monotonic()
        with pytest.raises(BadUpstreamAnswerError):
            await get(pools, port, seconds=10.0)
        assert time.monotonic() - began < 5.0
    assert sent < 20_000_000


class Upload:
    """A body in pieces that waits for permission before each but the first."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.go_on = asyncio.Event()

    async def __call__(self) -> AsyncIterator[bytes]:
        for number, piece in enumerate(self.pieces):
            if number:
                await self.go_on.wait()
            yield piece


@pytest.mark.parametrize("streamed", [False, True])
async def test_after_an_early_answer_no_other_request_becomes_the_rest_of_the_body(
    pools: Pools, streamed: bool
) -> None:
    """A pod refuses an upload before its end, its refusal comes in two pieces. The pod still waits for the rest of the
    body: the next request on this connection would be read as that.
    """
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        seen.append(request)
        if not request.startswith(b"PUT"):
            writer.write(OK)
            await reader.read()
            return
        await reader.readexactly(5)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\nref")
        await writer.drain()
        await asyncio.sleep(0.1)
        upload.go_on.set()
        await asyncio.sleep(0.1)
        writer.write(b"use")
        rest = await reader.read(5000)
        seen.append(b"REST " + rest)

    upload = Upload(b"12345", b"67890")
    headers = [(b"content-length", b"1000")]
    call = Call(method="PUT", path="/", headers=headers, body=upload(), is_streamed=streamed)
    async with speaking(talk) as port:
        reply = await pools.send(target(port), call, Deadline.after(5))
        assert (reply.status, await body_of(reply)) == (413, b"refuse")
        assert await get(pools, port) == b"ok"
    assert not [piece for piece in seen if b"GET" in piece and piece.startswith(b"REST")]


@pytest.mark.parametrize(("said", "sent"), [(5, 10), (20, 10)])
async def test_a_body_of_another_length_than_said_takes_nobody_with_it(pools: Pools, said: int, sent: int) -> None:
    """Longer: the rest would be read as a request. Shorter: the next request would be read as the rest."""
    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            requests.append(request)
            if request.startswith(b"PUT"):
                writer.write(OK)
                requests.append(b"BODY " + await reader.readexactly(said))
            else:
                writer.write(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"GET / HTTP/1.1\r\n\r\n"[:sent]

    call = Call(method="PUT", path="/", headers=[(b"content-length", str(said).encode())], body=body())
    async with speaking(talk) as port:
        with pytest.raises(InvalidRequestError):
            await pools.send(target(port), call, Deadline.after(1))
        assert await get(pools, port) == b"ok"
    assert [line[:4] for line in requests if not line.startswith(b"BODY")] in ([b"PUT ", b"GET "], [b"GET "])
    assert not [line for line in requests if line.startswith(b"BODY") and b"HTTP/1.1\r\nhost" in line]
