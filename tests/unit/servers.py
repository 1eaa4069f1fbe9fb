# SPDX-License-Identifier: Apache-2.0
"""Upstreams that answer, stay silent, hang up or speak nonsense, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tricircle.model.pod import Service
from tricircle.upstream.reply import Target

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def target(port: int, path: str = "", scheme: str = "http") -> Target:
    return Target(
        pod="p1", service=Service.COMPUTE, url=f"{scheme}://127.0.0.1:{port}{path}", label=f"Pod1/compute-{port}"
    )


@asynccontextmanager
async def speaking(talk: Talk) -> AsyncIterator[int]:
    """A server that does exactly what ``talk`` says; gives its port."""
    writers: list[asyncio.StreamWriter] = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """An HTTP server with one handler for everything; gives its port."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
