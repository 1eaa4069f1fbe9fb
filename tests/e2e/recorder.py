# SPDX-License-Identifier: Apache-2.0
"""What did a stock client really get to see?

A forward proxy of one client: give the client ``http_proxy`` and every answer it gets passes here, is kept, and can be
searched for words that no tenant may ever read (names of regions, hosts and networks of pods, their addresses). Only
answers are searched: what the client itself wrote is its own business.
"""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from yarl import URL

#: Headers that concern one connection only; the answer's length is set anew by the server.
_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip
#: No test of the walk-through moves more in one answer; a body beyond is kept up to here and marked.
KEPT_BYTES = 64 << 20
_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answer as the client got it. ``is_complete`` is false when the body was cut or too long to keep."""

    method: str
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A word that the client should not have seen, and where it stood (``header <name>`` or ``body``)."""

    method: str
    url: str
    status: int
    where: str
    word: str
    excerpt: str


@dataclass(slots=True)
class _Record:
    exchanges: list[Exchange] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, exchange: Exchange) -> None:
        with self.lock:
            self.exchanges.append(exchange)

    def all(self) -> tuple[Exchange, ...]:
        with self.lock:
            return tuple(self.exchanges)


class Recorder:
    """A recording forward proxy on a port of its own, in a thread of its own. Use as a context manager.

    >>> with Recorder() as recorder:                                   # doctest: +SKIP
    ...     StockClient(python, clouds, recorder.environment())
    ...     assert not recorder.leaks({"Pod1"})
    """

    def __init__(self) -> None:
        self._record = _Record()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=10)
        except BaseException:
            self._halt()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        finally:
            self._halt()

    def environment(self) -> dict[str, str]:
        """What makes a client use this proxy, loopback addresses included."""
        return {"http_proxy": self.url, "HTTP_PROXY": self.url, "no_proxy": "", "NO_PROXY": ""}

    def proxies(self) -> dict[str, str]:
        """The same for ``requests.Session.proxies``."""
        return {"http": self.url}

    def exchanges(self) -> tuple[Exchange, ...]:
        """All answers so far, in the order in which they ended."""
        return self._record.all()

    @property
    def count(self) -> int:
        """How many answers were recorded; a test that found no leak should know that there was something to search."""
        return len(self.exchanges())

    def forget(self) -> None:
        """Start a new record."""
        with self._record.lock:
            self._record.exchanges.clear()

    def leaks(self, words: Iterable[str]) -> list[Leak]:
        """Every place in every recorded answer where one of ``words`` (exact case, plain or percent-encoded) stands."""
        wanted = sorted({word for word in words if word})
        return [leak for exchange in self.exchanges() for leak in find_leaks(exchange, wanted)]

    async def _start(self) -> None:
        # trust_env stays off: the proxy variables of the machine must not send us through yet another proxy.
        self._session = aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)
        )
        self._runner = web.ServerRunner(web.Server(self._carry))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=1)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def _halt(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _carry(self, request: web.BaseRequest) -> web.StreamResponse:
        if not request.raw_path.startswith("http://"):
            # CONNECT or a plain request: nothing that could be recorded, so nothing that may pass unseen.
            return web.Response(
                status=501, text="This proxy records http:// requests in absolute form and nothing else.\n"
            )
        if self._session is None:
            return web.Response(status=503, text="The recorder is stopping.\n")
        # identity: what is recorded must be readable.
        sent = [(k, v) for k, v in request.headers.items() if k.lower() not in {*_HOP_BY_HOP, "accept-encoding"}]
        if request.headers.get("Content-Length") is not None:
            sent.append(("Content-Length", request.headers["Content-Length"]))
        sent.append(("Accept-Encoding", "identity"))
        body = request.content.iter_chunked(_CHUNK) if request.can_read_body else None
        try:
            async with self._session.request(
                request.method, _exact(request.raw_path), headers=sent, data=body, allow_redirects=False
            ) as reply:
                return await self._hand_over(request, reply)
        except aiohttp.ClientConnectorError as error:
            return web.Response(status=502, text=f"The recorder could not connect: {error}\n")

    async def _hand_over(self, request: web.BaseRequest, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in reply.raw_headers)
        answer = web.StreamResponse(status=reply.status, reason=reply.reason)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                answer.headers.add(name, value)
        if (length := reply.headers.get("Content-Length")) is not None:
            answer.content_length = int(length)
        kept, is_complete, held = bytearray(), False, b""
        try:
            # One chunk is held back: when the client has the whole answer, the record already has it too.
            async for chunk in reply.content.iter_chunked(_CHUNK):
                kept += chunk[: KEPT_BYTES - len(kept)]
                if held:
                    await _send(request, answer, held)
                held = chunk
            is_complete = len(kept) < KEPT_BYTES
        finally:
            self._record.add(
                Exchange(
                    method=request.method,
                    url=request.raw_path,
                    status=reply.status,
                    headers=headers,
                    body=bytes(kept),
                    is_complete=is_complete,
                )
            )
        await _send(request, answer, held)
        await answer.write_eof()
        return answer


async def _send(request: web.BaseRequest, answer: web.StreamResponse, chunk: bytes) -> None:
    if not answer.prepared:
        await answer.prepare(request)
    if chunk:
        await answer.write(chunk)


def _exact(url: str) -> URL:
    return URL(url, encoded=True)  # what the client percent-encoded stays as it is


def find_leaks(exchange: Exchange, words: Iterable[str]) -> list[Leak]:
    """Where words stand in one answer; header by header, then the body."""
    places = [(f"header {name}", value) for name, value in exchange.headers]
    places.append(("body", exchange.body.decode("utf-8", errors="replace")))
    found = []
    for word in words:
        for where, text in places:
            if (excerpt := _excerpt(text, word)) is not None:
                found.append(
                    Leak(
                        method=exchange.method,
                        url=exchange.url,
                        status=exchange.status,
                        where=where,
                        word=word,
                        excerpt=excerpt,
                    )
                )
    return found


def _excerpt(text: str, word: str) -> str | None:
    for form in (text, text.replace("\\/", "/"), unquote(text)):
        at = form.find(word)
        if at >= 0:
            return form[max(0, at - 60) : at + len(word) + 60]
    return None


def pod_words(pods: Mapping[str, Iterable[str]], canaries: Iterable[str]) -> set[str]:
    """What no tenant may read: the canaries, and of each pod its region's name and its addresses.

    :param pods: region name -> URLs of its services; of a URL its ``host:port`` counts, since a bare number may stand
        anywhere
    """
    words = set(canaries)
    for region, urls in pods.items():
        words.add(region)
        words |= {url.split("://", 1)[-1].split("/", 1)[0] for url in urls}
    return words
