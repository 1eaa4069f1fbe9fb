# SPDX-License-Identifier: Apache-2.0
"""One HTTP call to an upstream: what goes out, what comes back, and what is known when it fails."""

import asyncio
import gzip
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.unit.authority import Authority
from tests.unit.servers import Clock, serving, speaking, target
from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline, PodId
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import Service
from tricircle.upstream.head import VIA
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call, Target

IN_TIME = 5.0


def soon(seconds: float = IN_TIME) -> Deadline:
    return Deadline.after(seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_the_request_arrives_as_it_was(pools: Pools) -> None:
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await head_of(reader))
        got.append(await reader.readexactly(4))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    headers = [
        (b"x-auth-token", b"secret"),
        (b"x-odd", "ü".encode()),
        (b"x-odd", b"twice"),
        (b"content-length", b"99"),
        (b"connection", b"close"),
        (b"host", b"evil"),
        (b"via", b"1.1 evil"),
    ]
    async with speaking(talk) as port:
        path = "/v2.1/servers/a%2Fb%20c?name=%5Ex&tag=a%2Bb+c"
        reply = await pools.send(
            target(port, "/root"), Call(method="POST", path=path, headers=headers, body=b"body"), soon()
        )
    lines = got[0].decode().split("\r\n")
    assert lines[0] == f"POST /root{path} HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:] if line) == sorted(
        [
            f"host: 127.0.0.1:{port}",
            f"via: {VIA.decode()}",
            "x-auth-token: secret",
            "x-odd: ü",
            "x-odd: twice",
            "content-length: 4",
        ]
    )
    assert got[1] == b"body"
    assert (reply.status, reply.body) == (200, b"ok")


async def test_a_front_that_chooses_by_name_is_called_by_it(pools: Pools) -> None:
    """One address for many services: who is not called by a name there gets an answer of the front's own."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = next(line for line in (await head_of(reader)).split(b"\r\n") if line.lower().startswith(b"host:"))
        status = b"200 OK" if host.split()[1] == b"localhost:%d" % port else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with speaking(talk) as port:
        for name, status in (("localhost", 200), ("127.0.0.1", 503)):
            there = Target(PodId(name), Service.COMPUTE, f"http://someone@{name}:{port}/root", name)
            assert (await pools.send(there, Call(method="GET", path="/"), soon())).status == status


async def test_the_answer_comes_back_as_it_was(pools: Pools) -> None:
    packed = gzip.compress(b"{}")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nX-Two: a\r\nX-TWO: b\r\nSet-Cookie: c=d\r\n"
            b"Content-Encoding: gzip\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n0\r\n\r\n"
            % (len(packed), packed)
        )
        await writer.drain()

    async with speaking(talk) as port:
        reply = await pools.send(target(port), Call(method="GET", path="/"), soon())
    assert reply.status == 302
    assert reply.body == packed
    assert sorted(reply.headers) == [
        (b"content-encoding", b"gzip"),
        (b"location", b"/elsewhere"),
        (b"set-cookie", b"c=d"),
        (b"x-two", b"a"),
        (b"x-two", b"b"),
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_refused_is_not_sent(pools: Pools, method: str) -> None:
    with pytest.raises(UnavailableError):
        await pools.send(target(free_port()), Call(method=method, path="/"), soon())


async def test_a_name_that_does_not_exist_is_not_sent(pools: Pools) -> None:
    nowhere = target(1)
    nowhere = type(nowhere)(pod="p", service=nowhere.service, url="http://no.such.host.invalid:1", label="x")
    with pytest.raises(UnavailableError):
        await pools.send(nowhere, Call(method="POST", path="/"), soon())


@pytest.mark.parametrize(("method", "error"), [("GET", UnavailableError), ("POST", OutcomeUnknownError)])
async def test_silence_ends_at_the_deadline(pools: Pools, method: str, error: type[Exception]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.read()

    async with speaking(talk) as port:
        began = time.monotonic()
        with pytest.raises(error):
            await pools.send(target(port), Call(method=method, path="/"), soon(0.3))
        assert 0.25 < time.monotonic() - began < 2.0


async def test_half_an_answer_is_no_answer(pools: Pools) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with speaking(talk) as port:
        with pytest.raises(OutcomeUnknownError):
            await pools.send(target(port), Call(method="POST", path="/"), soon())
        with pytest.raises(UnavailableError):
            await pools.send(target(port), Call(method="GET", path="/"), soon())


async def test_nonsense_is_a_bad_answer(pools: Pools) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with speaking(talk) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await pools.send(target(port), Call(method="GET", path="/"), soon())


async def test_waiting_for_a_free_connection_counts_as_not_sent(clock: Clock) -> None:
    heads = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heads
        await head_of(reader)
        heads += 1
        await reader.read()

    pools = Pools(UpstreamSettings(connections_per_target=1), clock=clock)
    async with speaking(talk) as port, asyncio.TaskGroup() as group:

        async def ask(expected: type[Exception], seconds: float) -> None:
            with pytest.raises(expected):
                await pools.send(target(port), Call(method="POST", path="/"), soon(seconds))

        group.create_task(ask(OutcomeUnknownError, 0.8))
        group.create_task(ask(UnavailableError, 0.4))
    await pools.close()
    assert heads == 1


async def test_a_connection_that_died_meanwhile_is_replaced_once(pools: Pools) -> None:
    """The first connection answers one request and hangs up in the middle of the second."""
    connections = 0
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, requests
        connections += 1
        first = connections == 1
        while True:
            await head_of(reader)
            requests += 1
            if first and requests == 2:
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    async with speaking(talk) as port:
        for _ in range(2):
            reply = await pools.send(target(port), Call(method="GET", path="/"), soon())
            assert reply.body == b"ok"
    assert (connections, requests) == (2, 3)


async def test_an_unsafe_call_is_never_sent_twice(pools: Pools) -> None:
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await head_of(reader)
            requests += 1
            if requests == 2:
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    async with speaking(talk) as port:
        await pools.send(target(port), Call(method="POST", path="/"), soon())
        with pytest.raises(OutcomeUnknownError):
            await pools.send(target(port), Call(method="POST", path="/"), soon())
    assert requests == 2


async def test_close_after_each_answer_works(pools: Pools) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
        await writer.drain()

    async with speaking(talk) as port:
        for _ in range(5):
            reply = await pools.send(target(port), Call(method="POST", path="/"), soon())
            assert reply.body == b"until the end"


async def test_the_breaker_opens_and_one_probe_closes_it(
    pools: Pools, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tricircle.events")
    port = free_port()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await pools.send(target(port), Call(method="GET", path="/"), soon())
    assert pools.is_open(target(port))

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    with pytest.raises(UnavailableError):
        await pools.send(target(port), Call(method="GET", path="/"), soon())
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        clock.now += 5.0
        assert not pools.is_open(target(port))
        assert (await pools.send(target(port), Call(method="GET", path="/"), soon())).status == 200
        assert not pools.is_open(target(port))
    finally:
        await runner.cleanup()
    said = [record.getMessage() for record in caplog.records if record.name == "tricircle.events"]
    assert said == [
        f"upstream.breaker_opened target={target(port).label} reason=ConnectionRefusedError",
        f"upstream.breaker_closed target={target(port).label}",
    ]


async def test_error_statuses_do_not_open_the_breaker(pools: Pools) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async with serving(answer) as port:
        for _ in range(5):
            assert (await pools.send(target(port), Call(method="GET", path="/"), soon())).status == 503
        assert not pools.is_open(target(port))


async def test_a_caller_that_leaves_says_nothing_about_the_upstream(pools: Pools) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.read()

    async with speaking(talk) as port:
        for _ in range(4):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pools.send(target(port), Call(method="GET", path="/"), soon())
        assert not pools.is_open(target(port))


@pytest.mark.parametrize("earlier_s", [0.0, 0.01])
async def test_a_caller_with_the_same_deadline_is_no_caller_that_leaves(pools: Pools, earlier_s: float) -> None:
    """Whichever of the two ends the call first: nobody answered."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.read()

    async with speaking(talk) as port:
        for _ in range(3):
            assert not pools.is_open(target(port))
            with pytest.raises((TimeoutError, UnavailableError)):
                async with asyncio.timeout(0.4 - earlier_s):
                    await pools.send(target(port), Call(method="GET", path="/"), soon(0.4))
        assert pools.is_open(target(port))


async def test_an_upload_is_streamed_with_its_length(pools: Pools) -> None:
    sizes: list[tuple[str | None, int]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
        sizes.append((request.headers.get("content-length"), size))
        return web.Response(status=204)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    async with serving(answer) as port:
        whole = 64 * 65536
        for headers in ([(b"content-length", str(whole).encode())], []):
            reply = await pools.send(
                target(port), Call(method="PUT", path="/file", headers=headers, body=body(), is_streamed=True), soon()
            )
            assert reply.status == 204
    assert sizes == [(str(whole), whole), (None, whole)]


async def test_an_upload_may_outlive_the_deadline_but_not_silence(pools: Pools) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=204)

    async def slow(gap: float) -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x"
            await asyncio.sleep(gap)

    async with serving(answer) as port:
        reply = await pools.send(
            target(port), Call(method="PUT", path="/f", body=slow(0.15), is_streamed=True), soon(0.3)
        )
        assert reply.status == 204
        with pytest.raises(OutcomeUnknownError):
            await pools.send(target(port), Call(method="PUT", path="/f", body=slow(1.0), is_streamed=True), soon(0.3))


async def test_a_download_is_streamed_and_bounded_by_silence(pools: Pools) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "40"})
        await response.prepare(request)
        for _ in range(4):
            await response.write(b"0123456789")
            await asyncio.sleep(0.15 if request.path == "/steady" else 3.0)
        return response

    async with serving(answer) as port:
        reply = await pools.send(target(port), Call(method="GET", path="/steady", is_streamed=True), soon(0.3))
        assert reply.header(b"content-length") == b"40"
        assert not isinstance(reply.body, bytes)
        assert b"".join([chunk async for chunk in reply.body]) == b"0123456789" * 4
        reply = await pools.send(target(port), Call(method="GET", path="/stuck", is_streamed=True), soon(0.3))
        assert not isinstance(reply.body, bytes)
        with pytest.raises(BadUpstreamAnswerError):
            assert b"".join([chunk async for chunk in reply.body])


async def test_a_download_given_up_closes_its_connection(pools: Pools) -> None:
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin")
        await writer.drain()
        await reader.read()
        gone.set()

    async with speaking(talk) as port:
        reply = await pools.send(target(port), Call(method="GET", path="/", is_streamed=True), soon())
        assert reply.close is not None
        await reply.close()
        async with asyncio.timeout(IN_TIME):
            await gone.wait()


@pytest.mark.parametrize("trusted", [True, False])
async def test_https_needs_a_trusted_authority(tmp_path: Path, clock: Clock, trusted: bool) -> None:
    ours = Authority(tmp_path, "ours")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*ours.issue("127.0.0.1"))
    trust = ours if trusted else Authority(tmp_path, "other")
    pools = Pools(UpstreamSettings(ca_file=str(trust.file)), clock=clock)

    async def answered(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(_reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answered, "127.0.0.1", 0, ssl=server)
    to = target(listening.sockets[0].getsockname()[1], scheme="https")
    try:
        if trusted:
            assert (await pools.send(to, Call(method="GET", path="/"), soon())).body == b"ok"
        else:
            with pytest.raises(UnavailableError):
                await pools.send(to, Call(method="POST", path="/"), soon())
    finally:
        listening.close()
        await pools.close()
