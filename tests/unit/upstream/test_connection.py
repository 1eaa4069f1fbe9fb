# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as a client: every form of answer, and what may follow on a connection afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.unit.servers import Clock, speaking, target
from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after(seconds)


class Script:
    """A server that sends one prepared answer after the other, over as many connections as it gets."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.connections = 0
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self._answers:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self._answers.pop(0))
            await writer.drain()
            if self.heads[-1].startswith(b"HANGUP"):
                return
        await reader.read()


async def get(pools: Pools, port: int, *, method: str = "GET", path: str = "/") -> tuple[int, bytes]:
    reply = await pools.send(target(port), Call(method=method, path=path), soon())
    assert isinstance(reply.body, bytes)
    return reply.status, reply.body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", (304, b"")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, (200, b"ok")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: y\r\n\r\n", (200, b"ok")),
        (b"HTTP/1.1 299 Odd\r\nX-Empty:\r\nX-Next: 1\r\nContent-Length: 2\r\n\r\nok", (299, b"ok")),
    ],
)
async def test_after_a_complete_answer_the_connection_is_used_again(
    pools: Pools, answer: bytes, expected: tuple[int, bytes]
) -> None:
    server = Script(answer, OK)
    async with speaking(server) as port:
        assert await get(pools, port) == expected
        assert await get(pools, port) == (200, b"ok")
    assert server.connections == 1


async def test_only_headers_of_the_head_of_the_answer_itself_count(pools: Pools) -> None:
    server = Script(
        b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Empty:\r\nX-Next: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n"
    )
    async with speaking(server) as port:
        reply = await pools.send(target(port), Call(method="GET", path="/"), soon())
    assert reply.headers == [(b"x-empty", b""), (b"x-next", b"1")]


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", (200, b"")),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", (200, b"ok")),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok")),
        ("GET", OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", (200, b"ok")),
    ],
)
async def test_after_others_a_new_connection_is_opened(
    pools: Pools, method: str, answer: bytes, expected: tuple[int, bytes]
) -> None:
    server = Script(answer, OK)
    async with speaking(server) as port:
        assert await get(pools, port, method=method) == expected
        assert await get(pools, port) == (200, b"ok")
    assert server.connections == 2


async def test_a_head_answer_tells_the_length_of_what_it_left_out(pools: Pools) -> None:
    async with speaking(Script(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as port:
        reply = await pools.send(target(port), Call(method="HEAD", path="/"), soon())
    assert reply.header(b"content-length") == b"1000"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: %b\r\n" % (b"a" * 1000) * 300 + b"\r\n",
    ],
)
async def test_what_is_not_http_is_refused(pools: Pools, answer: bytes) -> None:
    async with speaking(Script(answer)) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await get(pools, port)


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: 1", b"a\nb", b"a\x00"])
async def test_a_header_cannot_smuggle_another(pools: Pools, value: bytes) -> None:
    server = Script(OK)
    async with speaking(server) as port:
        with pytest.raises(ValueError, match="line break"):
            await pools.send(target(port), Call(method="GET", path="/", headers=[(b"x", value)]), soon())
    assert server.heads == []


async def test_a_path_cannot_smuggle_a_header(pools: Pools) -> None:
    server = Script(OK)
    async with speaking(server) as port:
        await get(pools, port, path="/a b\r\nX-Evil: 1?q=%5Eü")
    assert server.heads[0].split(b"\r\n")[0] == b"GET /a%20b%0D%0AX-Evil:%201?q=%5E%C3%BC HTTP/1.1"
    assert b"\r\nX-Evil" not in server.heads[0]


async def test_an_answer_before_the_end_of_an_upload_ends_the_upload(pools: Pools) -> None:
    connections = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        while await reader.read(65536):
            pass

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65536
            await asyncio.sleep(0)

    async with speaking(refuse) as port:
        call = Call(method="PUT", path="/", body=endless(), is_streamed=False)
        reply = await pools.send(target(port), call, soon())
        assert (reply.status, reply.body) == (413, b"no")
        assert await get(pools, port) == (413, b"no")
    assert connections == 2
    assert sent < 100000


@pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])
def test_a_server_that_refuses_an_upload_and_hangs_up_is_heard(loop_kind: str, clock: Clock) -> None:
    import uvloop

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        # Closed with unread data: the peer gets a reset after the answer.
        writer.transport.abort()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 65536
            await asyncio.sleep(0)

    async def main() -> list[tuple[int, bytes | AsyncIterator[bytes]]]:
        pools = Pools(UpstreamSettings(), clock=clock)
        async with speaking(refuse) as port:
            found = []
            for _ in range(10):
                reply = await pools.send(target(port), Call(method="PUT", path="/", body=body()), soon())
                found.append((reply.status, reply.body))
        await pools.close()
        return found

    run = uvloop.run if loop_kind == "uvloop" else asyncio.run
    assert run(main()) == [(409, b"no")] * 10


async def test_uploads_that_are_hung_up_on_do_not_open_the_breaker(pools: Pools) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 65536
            await asyncio.sleep(0)

    async with speaking(hang_up) as port:
        for _ in range(5):
            with pytest.raises(OutcomeUnknownError):
                await pools.send(target(port), Call(method="PUT", path="/", body=body()), soon())
        assert not pools.is_open(target(port))


async def test_clients_who_fall_silent_in_uploads_do_not_open_the_breaker(pools: Pools) -> None:
    """Or one tenant could take the service away from all."""

    async def listen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with speaking(listen) as port:
        for _ in range(5):
            with pytest.raises(OutcomeUnknownError):
                await pools.send(target(port), Call(method="PUT", path="/", body=body()), soon())
        assert not pools.is_open(target(port))


async def test_a_slow_reader_holds_the_upstream_back(pools: Pools) -> None:
    """A download of 64 MiB whose reader stops: the server cannot send on."""
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1024 * 65536))
        for _ in range(1024):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with speaking(pour) as port:
        reply = await pools.send(target(port), Call(method="GET", path="/", is_streamed=True), soon())
        assert not isinstance(reply.body, bytes)
        first = await anext(reply.body)
        last = -1
        while sent != last:
            last = sent
            await asyncio.sleep(0.1)
        assert sent < 32 * 1024 * 1024
        rest = 0
        async for chunk in reply.body:
            rest += len(chunk)
        assert len(first) + rest == 1024 * 65536


async def test_an_upload_waits_for_a_slow_upstream_but_not_for_ever(pools: Pools) -> None:
    async def deaf(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(30)

    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(10000):
            taken += 65536
            yield b"x" * 65536

    async with speaking(deaf) as port:
        with pytest.raises(OutcomeUnknownError):
            await pools.send(target(port), Call(method="PUT", path="/", body=body()), soon())
    assert taken < 64 * 1024 * 1024


async def test_an_upload_whose_client_breaks_off_breaks_off_too(pools: Pools) -> None:
    ended = asyncio.Event()

    async def count(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("the client went away")

    async with speaking(count) as port:
        with pytest.raises(RuntimeError, match="went away"):
            await pools.send(target(port), Call(method="PUT", path="/", body=body()), soon())
        async with asyncio.timeout(5):
            await ended.wait()
        assert not pools.is_open(target(port))


async def test_those_who_wait_get_connections_in_turn(clock: Clock) -> None:
    pools = Pools(UpstreamSettings(connections_per_target=2), clock=clock)
    running = 0
    most = 0
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most, connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            writer.write(OK)
            await writer.drain()

    async with speaking(count) as port:
        assert await asyncio.gather(*(get(pools, port) for _ in range(20))) == [(200, b"ok")] * 20
        gone = asyncio.ensure_future(get(pools, port))
        await asyncio.sleep(0)
        gone.cancel()
        assert await get(pools, port) == (200, b"ok")
    assert most == 2
    assert connections == 2
    await pools.close()


async def test_idle_connections_are_closed_in_time(clock: Clock) -> None:
    pools = Pools(UpstreamSettings(idle_s=0.1), clock=clock)
    ended = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await reader.read()
        ended.set()

    async with speaking(once) as port:
        await get(pools, port)
        async with asyncio.timeout(5):
            await ended.wait()
    await pools.close()


async def test_what_cannot_be_repeated_takes_no_connection_that_was_idle_for_long(clock: Clock) -> None:
    pools = Pools(UpstreamSettings(idle_s=30.0), clock=clock)
    server = Script(OK, OK, OK)
    async with speaking(server) as port:
        await get(pools, port)
        await asyncio.sleep(1.1)
        await get(pools, port, method="POST")
        assert server.connections == 2
        await get(pools, port, method="POST")
        assert server.connections == 2
    await pools.close()


@pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])
def test_both_kinds_of_loops_carry_it(loop_kind: str, clock: Clock) -> None:
    import uvloop

    async def main() -> list[object]:
        pools = Pools(UpstreamSettings(connect_timeout_s=0.5), clock=clock)
        found: list[object] = []
        async with speaking(Script(OK, OK, b"HTTP/1.1 200 OK\r\n\r\nuntil the end")) as port:
            found += [await get(pools, port), await get(pools, port)]
        with pytest.raises(UnavailableError):
            await get(pools, port)
        await pools.close()
        return found

    run: Callable[[Awaitable[list[object]]], list[object]] = uvloop.run if loop_kind == "uvloop" else asyncio.run  # type: ignore[assignment]
    assert run(main()) == [(200, b"ok")] * 2
