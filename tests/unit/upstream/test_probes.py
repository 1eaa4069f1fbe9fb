# SPDX-License-Identifier: Apache-2.0
"""Who looks whether a service is back, and what does it cost them? And how much may a sick service send?"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from tests.unit.servers import Clock, speaking, target
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.upstream.breaker import BreakerState
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PROBE_S = 5.0


class Patient:
    """A service that answers when it is let; ``heard`` is what it was asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.may_answer = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard.append(head.split(b" HTTP")[0].decode())
            await self.may_answer.wait()
            writer.write(OK)


@pytest.fixture
async def service() -> AsyncIterator[tuple[Patient, int]]:
    patient = Patient()
    async with speaking(patient.talk) as port:
        yield patient, port


async def opened(pools: Pools, clock: Clock, port: int) -> None:
    """The breaker is open, and the next call is a probe."""
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await pools.send(target(port), Call(method="GET", path="/x"), Deadline.after(0.3))
    assert pools.is_open(target(port))
    clock.now += PROBE_S


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_true():
            await asyncio.sleep(0.01)


async def test_who_probes_does_not_wait_and_the_answer_counts(
    pools: Pools, clock: Clock, service: tuple[Patient, int]
) -> None:
    patient, port = service
    await opened(pools, clock, port)
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        await pools.send(target(port), Call(method="GET", path="/y"), Deadline.after(30))
    assert time.monotonic() - started < 5
    assert pools.is_open(target(port))
    patient.may_answer.set()
    await until(lambda: not pools.is_open(target(port)))
    assert patient.heard[-1] == "GET /y"


async def test_a_service_that_is_back_answers_its_probe(
    pools: Pools, clock: Clock, service: tuple[Patient, int]
) -> None:
    patient, port = service
    await opened(pools, clock, port)
    patient.may_answer.set()
    assert (await pools.send(target(port), Call(method="GET", path="/y"), Deadline.after(30))).status == 200
    assert not pools.is_open(target(port))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_is_back_is_asked_within_one_interval_whenever_that_is(
    pools: Pools, clock: Clock, method: str
) -> None:
    """Also right after a probe that was swallowed, and will be for long: the interval runs from probe to probe."""
    is_sick = True

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if is_sick:
                await reader.read()
            writer.write(OK)

    async with speaking(talk) as port:
        await opened(pools, clock, port)
        call = Call(method=method, path="/y", body=None if method == "GET" else b"")
        with pytest.raises(UnavailableError):
            await pools.send(target(port), call, Deadline.after(60))
        is_sick = False
        clock.now += PROBE_S - 0.001
        with pytest.raises(UnavailableError):
            await pools.send(target(port), call, Deadline.after(60))
        clock.now += 0.001
        assert (await pools.send(target(port), call, Deadline.after(60))).status == 200
        assert not pools.is_open(target(port))


async def test_a_change_is_sent_only_to_who_answers(pools: Pools, clock: Clock, service: tuple[Patient, int]) -> None:
    """Otherwise its outcome would be unknown, for the sake of a look."""
    patient, port = service
    await opened(pools, clock, port)
    change = Call(method="POST", path="/y", body=b"{}")
    with pytest.raises(UnavailableError):
        await pools.send(target(port), change, Deadline.after(30))
    assert patient.heard[-1] == "GET /"
    clock.now += PROBE_S
    patient.may_answer.set()
    assert (await pools.send(target(port), change, Deadline.after(30))).status == 200
    assert patient.heard[-2:] == ["GET /", "POST /y"]
    assert not pools.is_open(target(port))


async def test_a_change_is_not_sent_to_who_speaks_no_http(pools: Pools, clock: Clock) -> None:
    """Whatever listens there now: nothing was asked of it, so nothing is unknown."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await reader.read()

    async with speaking(talk) as port:
        for _ in range(3):
            with pytest.raises(BadUpstreamAnswerError):
                await pools.send(target(port), Call(method="GET", path="/x"), Deadline.after(5))
        assert pools.is_open(target(port))
        heard.clear()
        for _ in range(2):
            clock.now += PROBE_S
            with pytest.raises(UnavailableError):
                await pools.send(target(port), Call(method="POST", path="/y", body=b"{}"), Deadline.after(5))
        assert [head.split(b" HTTP")[0] for head in heard] == [b"GET /", b"GET /"], "each look is a probe of its own"


async def test_a_head_without_end_is_no_answer(pools: Pools) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Flood:")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with speaking(talk) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await pools.send(target(port), Call(method="GET", path="/"), Deadline.after(10))


async def test_all_answers_of_a_service_share_its_room(pools: Pools) -> None:
    """Two answers of 40 MB are too much at once, and one after the other they are not."""
    size = 40_000_000

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET / "):
            writer.write(OK)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 1_000_000):
            writer.write(b" " * 1_000_000)
            await writer.drain()
            await asyncio.sleep(0)

    async with speaking(talk) as port:
        call = Call(method="GET", path="/x")
        both = [pools.send(target(port), call, Deadline.after(30)) for _ in range(2)]
        came = await asyncio.gather(*both, return_exceptions=True)
        assert any(isinstance(one, UnavailableError) for one in came)
        for _ in range(2):
            reply = await pools.send(target(port), call, Deadline.after(30))
            assert isinstance(reply.body, bytes)
            assert len(reply.body) == size


async def test_small_answers_end_however_full_the_room_is(pools: Pools) -> None:
    """40 answers of 3.9 MB, all unfinished at once: more than the room, and none is too much."""
    size, count = 3_900_000, 40
    are_sent, all_sent = 0, asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal are_sent
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            writer.write(b" " * 99_999)
            await writer.drain()
        are_sent += 1
        if are_sent == count:
            all_sent.set()
        await all_sent.wait()
        writer.write(b" " * (size // 100_000))
        await writer.drain()

    async with speaking(talk) as port:
        call = Call(method="POST", path="/x", body=b"{}")
        came = await asyncio.gather(*(pools.send(target(port), call, Deadline.after(30)) for _ in range(count)))
        assert {(one.status, len(one.body)) for one in came if isinstance(one.body, bytes)} == {(200, size)}
        assert not pools.is_open(target(port))


class Floods:
    """A service that sends without end to all who ask for something in ``paths``, and ``{}`` to the others."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.heard: list[str] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.heard.append(path)
            if path not in self.paths:
                writer.write(OK)
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                writer.write(b" " * 1_000_000)
                await writer.drain()


async def test_a_list_that_is_too_large_is_no_failure_of_the_service(pools: Pools) -> None:
    """It answers when it is asked for its name, and so it is asked on."""
    floods = Floods("/huge")
    async with speaking(floods.talk) as port:
        for number in range(1, 6):
            with pytest.raises(UnavailableError, match="too large"):
                await pools.send(target(port), Call(method="GET", path="/huge"), Deadline.after(30))
            await until(lambda number=number: floods.heard.count("/") == number)  # type: ignore[misc]
        assert (await pools.send(target(port), Call(method="GET", path="/x"), Deadline.after(5))).status == 200
        assert pools.state(target(port)) is BreakerState.CLOSED
        with pytest.raises(OutcomeUnknownError):
            await pools.send(target(port), Call(method="POST", path="/huge", body=b""), Deadline.after(30))


async def test_a_service_that_sends_without_end_whatever_it_is_asked_is_left_alone(pools: Pools, clock: Clock) -> None:
    floods = Floods("/huge", "/")
    async with speaking(floods.talk) as port, asyncio.timeout(60):
        while not pools.is_open(target(port)):
            with pytest.raises(UnavailableError, match="too large"):
                await pools.send(target(port), Call(method="GET", path="/huge"), Deadline.after(30))
        assert floods.heard.count("/") >= 3
        clock.now += PROBE_S
        with pytest.raises(UnavailableError):
            await pools.send(target(port), Call(method="GET", path="/huge"), Deadline.after(30))
        assert pools.is_open(target(port)), "what it sent to a probe says no more than before"
        floods.paths = ("/huge",)
        clock.now += PROBE_S
        with pytest.raises(UnavailableError):
            await pools.send(target(port), Call(method="GET", path="/huge"), Deadline.after(30))
        await until(lambda: pools.state(target(port)) is BreakerState.CLOSED)
