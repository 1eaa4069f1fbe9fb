# SPDX-License-Identifier: Apache-2.0
"""How does an ASGI app of the fakes get a port, and lose it on command?"""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tricircle.testing.service import WIRE, CutOffError, Scope

#: Connections that may wait to be taken by nobody; and how many more than none fill a queue for none.
_PLENTY, _FULL = 128, 3
#: Bytes that may wait to be sent.
_PLENTY_OF_BYTES = 256 * 1024


class Listener:
    """Serves an ASGI app on a port of its own at 127.0.0.1. Use as an async context manager.

    ``refuse()`` closes the port, so that connections are refused; ``hold()`` lets the kernel take connections that
    nobody reads from; ``ignore()`` lets it not even answer those who knock. ``accept()`` opens the same port again.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._deaf: list[socket.socket] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve, handler_cancellation=True))
        await self._runner.setup()
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_deaf()
        if self._runner is not None:
            await self._runner.cleanup()

    async def accept(self) -> None:
        """Listen."""
        self._close_deaf()
        if self._site is None and self._runner is not None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
            await self._site.start()
            self.port = self._runner.addresses[0][1]

    async def hold(self) -> None:
        """Take connections and never read from them."""
        await self.refuse()
        self._be_deaf(_PLENTY)

    async def ignore(self) -> None:
        """Answer nobody who knocks: what a firewall does that drops packets."""
        await self.refuse()
        self._be_deaf(0)
        # The kernel drops who knocks while nobody takes those who did before.
        for _ in range(_FULL):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex(("127.0.0.1", self.port))
            self._deaf.append(knocking)

    def _be_deaf(self, backlog: int) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(backlog)
        self._deaf.append(listening)

    def _close_deaf(self) -> None:
        for one in self._deaf:
            one.close()
        self._deaf.clear()

    async def refuse(self) -> None:
        """Listen no more, and drop the connections that are open."""
        self._close_deaf()
        if self._site is None or self._runner is None:
            return
        await self._site.stop()
        self._site = None
        if self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = _Exchange(request)
        try:
            await self._app(exchange.scope(), exchange.receive, exchange.send)
        except CutOffError:
            if request.transport is not None:
                _close(request.transport, is_flushed=exchange.is_raw)
        if exchange.response is None:
            return web.Response(status=500)
        return exchange.response


class _Exchange:
    """One HTTP request as ASGI events."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._has_ended = False
        self.is_raw = False
        self.response: web.StreamResponse | None = None

    def scope(self) -> Scope:
        url = self._request.rel_url
        return {
            "type": "http",
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": "http",
            "path": url.path,
            "raw_path": url.raw_path.encode(),
            "query_string": url.raw_query_string.encode(),
            "headers": [(name.lower(), value) for name, value in self._request.raw_headers],
        }

    async def receive(self) -> dict[str, Any]:
        if not self._has_ended:
            self._has_ended = True
            return {"type": "http.request", "body": await self._request.read(), "more_body": False}
        # The server cancels the handler when the client goes away; nothing else ever comes.
        await asyncio.get_running_loop().create_future()
        return {"type": "http.disconnect"}

    async def send(self, event: dict[str, Any]) -> None:
        if event["type"] == WIRE:
            self.is_raw = True
            await self._put(event["body"])
        elif event["type"] == "http.response.start":
            self.response = web.StreamResponse(status=event["status"])
            for name, value in event["headers"]:
                self.response.headers[name.decode("latin-1").title()] = value.decode("latin-1")
            if "Content-Length" in self.response.headers:
                self.response.content_length = int(self.response.headers["Content-Length"])
            await self.response.prepare(self._request)
        elif self.response is not None:
            await self.response.write(event.get("body", b""))
            if not event.get("more_body"):
                await self.response.write_eof()

    async def _put(self, data: bytes) -> None:
        """Bytes on the wire, as fast as the other side reads."""
        transport = self._request.transport
        while True:
            if transport is None or transport.is_closing():
                raise CutOffError
            if transport.get_write_buffer_size() <= _PLENTY_OF_BYTES:
                break
            await asyncio.sleep(0.01)
        transport.write(data)


def _close(transport: asyncio.Transport, *, is_flushed: bool) -> None:
    if is_flushed and transport.get_write_buffer_size() <= _PLENTY_OF_BYTES:
        transport.close()
    else:
        transport.abort()


class ThreadedListener:
    """A ``Listener`` with a loop and a thread of its own, for tests that are not asynchronous."""

    def __init__(self, app: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake", daemon=True)
        self._listener = Listener(app)

    def __enter__(self) -> Listener:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listener.__aenter__(), self._loop).result(timeout=10)
        return self._listener

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        done = self._listener.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(done, self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
