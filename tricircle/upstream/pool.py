# SPDX-License-Identifier: Apache-2.0
"""How does one HTTP call reach an upstream, and what do we know when it fails?

Headers go out and come back as they are; bodies are bytes or streams; redirects are answers like others; nothing is
unpacked. What fails is sorted into *not sent* (the caller may try again) and *sent, no answer* (it may have
happened).
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.observe import metrics
from tricircle.observe.events import BreakerClosed, BreakerOpened, happened
from tricircle.upstream.breaker import Breaker, BreakerState
from tricircle.upstream.reply import Call, Headers, Reply, Target

#: What we send as ``Host``: every link that an upstream builds begins with it, and is found again by its bytes.
LINK_HOST = "tricircle-upstream.invalid"
#: Methods that change nothing: without an answer they may simply be asked again.
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: A call that had less than this left when it began says nothing about the upstream when it comes too late.
_FAIR_WAIT_S = 0.25
#: By so much the whole outlives waiting for a connection, so that "not sent" and "no answer" are told apart.
_GRACE_S = 0.02
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
_UNREACHABLE = "A service behind this API cannot be reached. Please try again later."
_NO_ANSWER = "A service behind this API did not answer in time."
_UNKNOWN = "A service behind this API did not answer; the request may or may not have been carried out."
_GARBLED = "A service behind this API sent an answer that cannot be read."


class Pools:
    """Connections and breakers of all upstreams of one process (one event loop).

    :param settings: timeouts, limits and trust
    :param clock: seconds that only grow, for the breakers
    """

    def __init__(self, settings: UpstreamSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._breakers: dict[Target, Breaker] = {}
        self._session: aiohttp.ClientSession | None = None

    def is_open(self, target: Target) -> bool:
        """Whether the breaker of ``target`` is open: a call would be refused at once."""
        breaker = self._breakers.get(target)
        return breaker is not None and breaker.is_open

    def state(self, target: Target) -> BreakerState:
        """What the breaker of ``target`` says, for operators."""
        breaker = self._breakers.get(target)
        return BreakerState.CLOSED if breaker is None else breaker.state

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        """What ``target`` answers to ``call``, whatever the status.

        A connection that the upstream had closed meanwhile is replaced once, for idempotent methods with a body that
        can be sent again.

        :raises UnavailableError: not sent (refused, no connection in time, breaker open), or a safe method got no
            answer
        :raises OutcomeUnknownError: a method that changes something was sent and no answer came
        :raises BadUpstreamAnswerError: what came back is not HTTP
        """
        breaker = self._breakers.get(target)
        if breaker is None:
            settings = self._settings
            breaker = self._breakers[target] = Breaker(
                failures=settings.breaker_failures, probe_s=settings.breaker_probe_s, clock=self._clock
            )
        remaining_s = deadline.remaining_s()
        if remaining_s <= 0.0:
            raise UnavailableError(_NO_ANSWER)
        if not breaker.allow():
            metrics.upstream_refused(target.label)
            raise UnavailableError(_UNREACHABLE)
        started = time.perf_counter()
        try:
            reply = await self._ask(target, call, remaining_s)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed(target, breaker, error, remaining_s)
            metrics.upstream_failed(target.label, type(error).__name__)
            _raise_for(error, call)
        except BaseException:
            breaker.give_up()
            raise
        if breaker.succeed():
            happened(BreakerClosed(target=target.label))
        metrics.upstream_answered(target.label, reply.status, time.perf_counter() - started)
        return reply

    @staticmethod
    def _failed(target: Target, breaker: Breaker, error: Exception, remaining_s: float) -> None:
        if isinstance(error, TimeoutError) and remaining_s < _FAIR_WAIT_S:
            breaker.give_up()
        elif breaker.fail():
            happened(BreakerOpened(target=target.label, reason=type(error).__name__))

    async def _ask(self, target: Target, call: Call, remaining_s: float) -> Reply:
        if isinstance(call.body, bytes | None) and not call.is_streamed:
            timeout = aiohttp.ClientTimeout(
                total=remaining_s + _GRACE_S,
                connect=remaining_s,
                sock_connect=self._settings.connect_timeout_s,
            )
            response = await self._request(target, call, timeout, call.body)
            body = await response.read()
            return Reply(status=response.status, headers=_answer_headers(response, is_stream=False), body=body)
        return await self._ask_streamed(target, call, remaining_s)

    async def _ask_streamed(self, target: Target, call: Call, remaining_s: float) -> Reply:
        """Like :meth:`_ask`, but bounded by silence, not by the whole: image data may take its time."""
        idle_s = self._settings.stream_idle_s
        timeout = aiohttp.ClientTimeout(
            total=None, connect=remaining_s, sock_connect=self._settings.connect_timeout_s, sock_read=idle_s
        )
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(remaining_s) as silence:
            body = call.body

            async def paced(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
                silence.reschedule(loop.time() + idle_s)
                async for chunk in chunks:
                    yield chunk
                    silence.reschedule(loop.time() + idle_s)
                silence.reschedule(loop.time() + max(idle_s, remaining_s))

            data = body if isinstance(body, bytes | None) else paced(body)
            response = await self._request(target, call, timeout, data)
        if not call.is_streamed:
            async with asyncio.timeout(idle_s):
                whole = await response.read()
            return Reply(status=response.status, headers=_answer_headers(response, is_stream=False), body=whole)

        async def close() -> None:
            response.close()

        return Reply(
            status=response.status,
            headers=_answer_headers(response, is_stream=True),
            body=_chunks(response),
            close=close,
        )

    async def _request(
        self, target: Target, call: Call, timeout: aiohttp.ClientTimeout, data: bytes | AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        session = self._session
        if session is None:
            session = self._session = self._open()
        headers: CIMultiDict[str] = CIMultiDict()
        headers.add("host", LINK_HOST)
        is_stream = not isinstance(data, bytes | None)
        for name, value in call.headers:
            # A body held in memory may have been rewritten: its length is counted anew.
            if name in _HOP_BY_HOP or name == b"host" or (name == b"content-length" and not is_stream):
                continue
            headers.add(name.decode("latin-1"), _text(value))
        return await session.request(
            call.method,
            URL(target.url + call.path, encoded=True),
            data=data,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        )

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=settings.connections_per_target,
            keepalive_timeout=settings.idle_s or None,
            force_close=not settings.idle_s,
            ssl=_trust(settings),
            ttl_dns_cache=30,
        )
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=False,
        )


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BadUpstreamAnswerError(_GARBLED) from error
    finally:
        response.close()


def _answer_headers(response: aiohttp.ClientResponse, *, is_stream: bool) -> Headers:
    """The end-to-end headers; the length of a stream stays, so that a client sees how much is to come."""
    found: Headers = []
    for name, value in response.raw_headers:
        lower = name.lower()
        if lower in _HOP_BY_HOP or (lower == b"content-length" and not is_stream):
            continue
        found.append((lower, value))
    return found


def _raise_for(error: Exception, call: Call) -> NoReturn:
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        raise UnavailableError(_UNREACHABLE) from error
    if isinstance(error, aiohttp.ClientResponseError):
        raise BadUpstreamAnswerError(_GARBLED) from error
    if call.method in SAFE:
        raise UnavailableError(_NO_ANSWER) from error
    raise OutcomeUnknownError(_UNKNOWN) from error


def _trust(settings: UpstreamSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _text(value: bytes) -> str:
    """A header value as the client library wants it: it encodes as UTF-8, so UTF-8 bytes survive unchanged."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
