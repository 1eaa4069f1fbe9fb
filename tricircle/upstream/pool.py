# SPDX-License-Identifier: Apache-2.0
"""How does one HTTP call reach an upstream, and what do we know when it fails?

Headers go out and come back as they are; bodies are bytes or streams; redirects are answers like others; nothing is
unpacked. What fails is sorted into *not sent* (the caller may try again) and *sent, no answer* (it may have
happened).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from httptools import HttpParserError, HttpParserUpgrade

from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline
from tricircle.errors import SERVICE_AWAY, BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.observe import metrics
from tricircle.observe.events import BreakerClosed, BreakerOpened, happened
from tricircle.upstream.breaker import Breaker, BreakerState
from tricircle.upstream.connection import Connection
from tricircle.upstream.connections import Connections, Origin
from tricircle.upstream.head import SAFE, end_to_end, head_of, length_of
from tricircle.upstream.reply import CENTRAL, Call, Reply, Target
from tricircle.upstream.room import AnswerTooLargeError
from tricircle.upstream.stream import FAILURES, GARBLED, Stream
from tricircle.upstream.trust import trust_of

#: Methods that may be sent a second time when the first did not arrive.
_IDEMPOTENT = SAFE | {"PUT", "DELETE"}
#: A call that had less than this left when it began says nothing about the upstream when it comes too late.
_FAIR_WAIT_S = 0.25
#: A call that is cancelled so near to its end was not left by its client: whoever cancels has the same deadline.
_EDGE_S = 0.05
#: A call that cannot be repeated does not go over a connection that was idle for longer: the peer may be closing it.
_UNSAFE_IDLE_S = 1.0
#: Whoever happens to look whether a service is back waits for it no longer; the question itself may take its time.
_PROBE_PATIENCE_S = 0.5
#: Whether a service can answer at all: nobody waits for it, and its answer is small.
_KNOCK = Call(method="GET", path="/")
_KNOCK_S = 5.0
#: How much of a service's answers may be in memory before they are complete; bytes. The largest honest answers are
#: pages of 1000 servers, a few million; the central Neutron has no pages unless it is asked for them.
_POD_ROOM, _CENTRAL_ROOM = 64 * 1024 * 1024, 256 * 1024 * 1024
_NO_ANSWER = "A service behind this API did not answer in time."
_UNKNOWN = "A service behind this API did not answer; the request may or may not have been carried out."
_TOO_LARGE = "The answer is too large. Please ask for less at once, or try again later."


@dataclass(slots=True, eq=False)
class _Upstream:
    """What is remembered of one target. ``knock``: asks whether it answers at all."""

    origin: Origin
    breaker: Breaker
    knock: asyncio.Task[Reply] | None = None


class Pools:
    """Connections and breakers of all upstreams of one process (one event loop).

    :param settings: timeouts, limits and trust
    :param clock: seconds that only grow, for the breakers
    """

    def __init__(self, settings: UpstreamSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._upstreams: dict[Target, _Upstream] = {}
        self._probes: set[asyncio.Task[Reply]] = set()
        self._connections = Connections(
            limit=settings.connections_per_target,
            idle_s=settings.idle_s,
            connect_s=settings.connect_timeout_s,
            trust=trust_of(settings),
        )

    def is_open(self, target: Target) -> bool:
        """Whether the breaker of ``target`` is open: a call would be refused at once."""
        upstream = self._upstreams.get(target)
        return upstream is not None and upstream.breaker.is_open

    def state(self, target: Target) -> BreakerState:
        """What the breaker of ``target`` says, for operators."""
        upstream = self._upstreams.get(target)
        return BreakerState.CLOSED if upstream is None else upstream.breaker.state

    async def close(self) -> None:
        """Close all connections."""
        for probe in self._probes:
            probe.cancel()
        self._connections.close()

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        """What ``target`` answers to ``call``, whatever the status.

        A connection that the upstream had closed meanwhile is replaced once, for idempotent methods with a body that
        can be sent again.

        :raises UnavailableError: not sent (refused, no connection in time, breaker open), or a safe method got no
            answer, or one that there is no room for
        :raises OutcomeUnknownError: a method that changes something was sent and no answer came
        :raises BadUpstreamAnswerError: what came back is not HTTP
        """
        upstream = self._upstreams.get(target) or self._remember(target)
        remaining_s = deadline.remaining_s()
        if remaining_s <= 0.0:
            raise UnavailableError(_NO_ANSWER)
        if not upstream.breaker.allow():
            metrics.upstream_refused(target.label)
            raise UnavailableError(SERVICE_AWAY)
        if upstream.breaker.state is BreakerState.HALF_OPEN:
            return await self._probe(target, upstream, call, remaining_s)
        return await self._send(target, upstream, call, remaining_s)

    async def _probe(self, target: Target, upstream: _Upstream, call: Call, remaining_s: float) -> Reply:
        """As :meth:`send`, to a service that did not answer before: nobody waits long for it.

        A safe call goes on in the background when its caller has been told that nobody is there, and its answer counts.
        Any other is sent only when the service answers to its own name.
        """
        if call.method not in SAFE or call.is_streamed:
            deadline = Deadline.after(remaining_s)
            try:
                await self._send(target, upstream, _KNOCK, min(remaining_s, _PROBE_PATIENCE_S), is_knock=True)
            except (BadUpstreamAnswerError, UnavailableError) as error:
                # Whatever became of the knock, the call itself was not sent: that must not look like a lost answer.
                raise UnavailableError(SERVICE_AWAY) from error
            if (remaining_s := deadline.remaining_s()) == 0.0:
                upstream.breaker.give_up()
                raise UnavailableError(_NO_ANSWER)
            return await self._send(target, upstream, call, remaining_s)
        probe = asyncio.create_task(self._send(target, upstream, call, remaining_s), name=f"probe {target.label}")
        self._probes.add(probe)
        probe.add_done_callback(self._probed)
        try:
            async with asyncio.timeout(_PROBE_PATIENCE_S):
                return await asyncio.shield(probe)
        except TimeoutError as error:
            raise UnavailableError(_NO_ANSWER) from error

    def _probed(self, probe: asyncio.Task[Reply]) -> None:
        self._probes.discard(probe)
        if not probe.cancelled():
            probe.exception()  # it was written down where it happened

    async def _send(
        self, target: Target, upstream: _Upstream, call: Call, remaining_s: float, *, is_knock: bool = False
    ) -> Reply:
        """As :meth:`send`; what happens is the breaker's news, but for the answer to a knock: it proves little."""
        breaker = upstream.breaker
        started = time.perf_counter()
        try:
            reply = await self._ask(upstream.origin, call, remaining_s)
        except _NotSentError as error:
            self._failed(target, breaker, error.cause, remaining_s)
            raise UnavailableError(SERVICE_AWAY) from error.cause
        except AnswerTooLargeError as error:
            self._refused(target, upstream, call, error, remaining_s)
            _raise_for(error, call)
        except FAILURES as error:
            if isinstance(error, ConnectionError | TimeoutError) and not isinstance(call.body, bytes | None):
                # A server that refuses an upload may hang up on it, and it may be the client who fell silent: neither
                # says whether the server is there.
                breaker.give_up()
            else:
                self._failed(target, breaker, error, remaining_s)
            _raise_for(error, call)
        except asyncio.CancelledError:
            if time.perf_counter() - started >= remaining_s - _EDGE_S and isinstance(call.body, bytes | None):
                self._failed(target, breaker, TimeoutError(), remaining_s)
            else:
                breaker.give_up()
            raise
        except BaseException:
            breaker.give_up()
            raise
        if is_knock:
            return reply
        if breaker.succeed():
            happened(BreakerClosed(target=target.label))
        metrics.upstream_answered(target.label, reply.status, time.perf_counter() - started)
        return reply

    def _refused(
        self, target: Target, upstream: _Upstream, call: Call, error: AnswerTooLargeError, remaining_s: float
    ) -> None:
        """There was no room for an answer: is it one tenant's huge list, or a service that sends without end?

        The first is nobody else's business. The second sends without end to a knock too, and only that counts.
        """
        breaker = upstream.breaker
        if call is _KNOCK:
            self._failed(target, breaker, error, remaining_s)
            return
        metrics.upstream_failed(target.label, type(error).__name__)
        if breaker.state is not BreakerState.CLOSED:
            # A look that saw nothing: the next one is due in its time, but for the knock.
            breaker.fail()
        if upstream.knock is None or upstream.knock.done():
            knock = asyncio.create_task(self._send(target, upstream, _KNOCK, _KNOCK_S), name=f"knock {target.label}")
            upstream.knock = knock
            self._probes.add(knock)
            knock.add_done_callback(self._probed)

    def _remember(self, target: Target) -> _Upstream:
        settings = self._settings
        breaker = Breaker(failures=settings.breaker_failures, probe_s=settings.breaker_probe_s, clock=self._clock)
        origin = Origin.of(target.url, room=_CENTRAL_ROOM if target.pod == CENTRAL else _POD_ROOM)
        upstream = self._upstreams[target] = _Upstream(origin, breaker)
        return upstream

    @staticmethod
    def _failed(target: Target, breaker: Breaker, error: Exception, remaining_s: float) -> None:
        reason = type(error).__name__
        metrics.upstream_failed(target.label, reason)
        if isinstance(error, TimeoutError) and remaining_s < _FAIR_WAIT_S:
            breaker.give_up()
        elif breaker.fail():
            happened(BreakerOpened(target=target.label, reason=reason))

    async def _ask(self, origin: Origin, call: Call, remaining_s: float) -> Reply:
        body = call.body
        head = head_of(origin, call, length_of(call))
        is_repeatable = call.method in _IDEMPOTENT and isinstance(body, bytes | None)
        idle_s = self._settings.idle_s if is_repeatable else min(_UNSAFE_IDLE_S, self._settings.idle_s)
        connection = self._connections.take(origin, idle_s)
        if connection is None:
            until = asyncio.get_running_loop().time() + remaining_s
            connection = await self._acquire(origin, until, idle_s)
            return await self._exchange(origin, connection, call, head, until)
        until = connection.loop.time() + remaining_s
        try:
            return await self._exchange(origin, connection, call, head, until)
        except ConnectionError:
            if not (is_repeatable and connection.is_silent):
                raise
        # The upstream had closed the connection when our request came: nothing of it was read.
        connection = await self._acquire(origin, until, 0.0)
        return await self._exchange(origin, connection, call, head, until)

    async def _acquire(self, origin: Origin, until: float, idle_s: float) -> Connection:
        try:
            return await self._connections.acquire(origin, until, idle_s)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise _NotSentError(error) from error

    async def _exchange(self, origin: Origin, connection: Connection, call: Call, head: bytes, until: float) -> Reply:
        """One exchange; the connection is given back or closed, whatever happens."""
        body = call.body
        is_stream = call.is_streamed
        try:
            if isinstance(body, bytes | None):
                data = head if body is None else head + body
                connection.begin(data, is_head_only=call.method == "HEAD", is_streamed=is_stream)
            else:
                connection.begin(head, is_streamed=is_stream)
                idle_s = self._settings.stream_idle_s
                await connection.upload(body, length=length_of(call), idle_s=idle_s)
                # An upload may outlive every deadline; its answer may take as long as a silence.
                until = max(until, asyncio.get_running_loop().time() + idle_s)
            await connection.answer(until)
        except BaseException:
            self._connections.discard(origin, connection)
            raise
        headers = end_to_end(connection.headers, is_stream=is_stream or call.method == "HEAD")
        status = connection.status
        if not is_stream:
            reply = Reply(status=status, headers=headers, body=connection.body())
            self._connections.release(origin, connection)
            return reply
        stream = Stream(self._connections, origin, connection, self._settings.stream_idle_s)
        return Reply(status=status, headers=headers, body=stream.chunks(), close=stream.close)


class _NotSentError(Exception):
    """No connection was had; ``cause`` says why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _raise_for(error: Exception, call: Call) -> NoReturn:
    if isinstance(error, HttpParserError | HttpParserUpgrade):
        raise BadUpstreamAnswerError(GARBLED) from error
    if call.method in SAFE:
        raise UnavailableError(_TOO_LARGE if isinstance(error, AnswerTooLargeError) else _NO_ANSWER) from error
    raise OutcomeUnknownError(_UNKNOWN) from error
