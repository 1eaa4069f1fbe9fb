# SPDX-License-Identifier: Apache-2.0
"""How does a test take a server away from a process, and give it back, without touching the server?"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self


class Gate:
    """A port that leads somewhere else until it is shut."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: str | tuple[str, int]) -> None:
        self._loop = loop
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def open(self) -> Self:
        """Let everybody through."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def shut(self) -> None:
        """Refuse everybody, and break off what goes through."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)

    @contextmanager
    def shut_for_a_while(self) -> Iterator[None]:
        """Shut; open again afterwards."""
        self.shut()
        try:
            yield
        finally:
            self.open()

    async def _open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self._target, str):
                there, to_there = await asyncio.open_unix_connection(self._target)
            else:
                there, to_there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, to_there}
        self._writers |= both
        try:
            await asyncio.gather(_pump(reader, to_there), _pump(there, writer))
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@contextmanager
def gate_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own, for gates."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gates", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
