# SPDX-License-Identifier: Apache-2.0
"""How does an ASGI app of the fakes get a port, and lose it on command?"""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tricircle.testing.service import CutOffError, Scope


class Listener:
    """Serves an ASGI app on a port of its own at 127.0.0.1. Use as an async context manager.

    ``refuse()`` closes the port, so that connections are refused; ``accept()`` opens the same one again.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
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
        if self._runner is not None:
            await self._runner.cleanup()

    async def accept(self) -> None:
        """Listen."""
        if self._site is None and self._runner is not None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
            await self._site.start()
            self.port = self._runner.addresses[0][1]

    async def refuse(self) -> None:
        """Listen no more, and drop the connections that are open."""
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
                request.transport.abort()
        if exchange.response is None:
            return web.Response(status=500)
        return exchange.response


class _Exchange:
    """One HTTP request as ASGI events."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._has_ended = False
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
        if event["type"] == "http.response.start":
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
