# SPDX-License-Identifier: Apache-2.0
"""How do calls of our processes pass by somebody who may end the caller in the middle of one?

Plain relays on ports of their own, in a thread of the test. What goes over them is not changed. A relay that has
killed the caller goes on speaking with the service: nobody takes a call back that is on the wire.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.kill.trigger import Caller, Party, Trigger, When
from tests.kill.whose import Line
from tests.kill.wires import Session, read_answer, read_packet, read_request

#: How often the kernel is asked whose a connection is before it counts as nobody's.
_LOOKS = 5
_HOST = "127.0.0.1"
#: The longest head of a request.
_LIMIT = 1 << 20
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long answers to a POST are held back, and how many of them: what a slow line does between POST and bind."""

    chance: float = 0.0
    seconds: float = 0.0

    async def pause(self) -> None:
        """Perhaps wait."""
        if random.random() < self.chance:
            await asyncio.sleep(self.seconds)


class Proxies:
    """Relays; :meth:`http` and :meth:`database` open one each and say where it listens.

    :param whose: the process of ours that speaks on a line, if it is one
    """

    def __init__(self, trigger: Trigger, whose: Callable[[Line], Caller | None], delays: Delays) -> None:
        self._trigger = trigger
        self._whose = whose
        self._delays = delays
        self._servers: dict[int, asyncio.Server] = {}
        self._serving: dict[int, Serve] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="relays")
        self._thread.start()

    def http(self, party: Party, url: str, port: int) -> None:
        """Relay to the service at ``url`` from a port of this machine."""
        parts = urlsplit(url)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._http(party, (str(parts.hostname), int(parts.port or 80)), (reader, writer))

        self._listen(serve, port)

    def database(self, socket_path: str, port: int) -> None:
        """Relay to MariaDB behind a Unix socket."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._database(socket_path, (reader, writer))

        self._listen(serve, port)

    @contextmanager
    def refusing(self, port: int) -> Iterator[None]:
        """Nobody listens on a relay's port for a while."""
        server = self._servers[port]
        self._loop.call_soon_threadsafe(server.close)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(server.wait_closed(), self._loop)
            self._listen(self._serving[port], port)

    def close(self) -> None:
        """Hang up everywhere."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cancel_all(self) -> None:
        for server in self._servers.values():
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _listen(self, serve: Serve, port: int) -> None:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.CancelledError):
                await serve(reader, writer)
            writer.close()

        starting = asyncio.start_server(guarded, _HOST, port, limit=_LIMIT)
        self._serving[port] = serve
        self._servers[port] = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)

    def _caller(self, writer: asyncio.StreamWriter) -> Caller | None:
        # The kernel's table is not read at one stroke: a line that moves meanwhile may be missed.
        line = Line(own=writer.get_extra_info("peername")[1], other=writer.get_extra_info("sockname")[1])
        return next((caller for _ in range(_LOOKS) if (caller := self._whose(line)) is not None), None)

    async def _http(self, party: Party, where: tuple[str, int], client: Streams) -> None:
        caller = self._caller(client[1])
        with suppress(OSError):
            server = await asyncio.open_connection(*where, limit=_LIMIT)
            try:
                while await self._http_call(party, caller, client, server):
                    pass
            finally:
                server[1].close()

    async def _http_call(self, party: Party, caller: Caller | None, client: Streams, server: Streams) -> bool:
        """One call; whether the connection goes on."""
        request = await read_request(client[0])
        if request is None:
            return False
        what, is_write = f"{request.verb} {request.path}", request.is_write
        when = None if caller is None else self._trigger.asked(caller, party, what, is_write=is_write)
        if when is When.UNSENT:
            return False
        server[1].write(request.data)
        await server[1].drain()
        if when is When.SENT and caller is not None:
            self._trigger.kill(caller)
        answer = await read_answer(server[0], request.verb)
        if when is When.ANSWERED and caller is not None:
            self._trigger.kill(caller)
        if when is not None or answer is None:
            return False
        if request.verb == "POST":
            await self._delays.pause()
        client[1].write(answer.data)
        await client[1].drain()
        return not answer.is_last

    async def _database(self, socket_path: str, client: Streams) -> None:
        caller = self._caller(client[1])
        with suppress(OSError):
            server = await asyncio.open_unix_connection(socket_path, limit=_LIMIT)
            # What happens at the next thing that the database says.
            ending = _Ending()
            back = asyncio.ensure_future(self._answers(caller, ending, server[0], client[1]))
            try:
                await self._commands(caller, ending, client[0], server[1])
                if ending.when is not None:
                    await back
            finally:
                back.cancel()
                server[1].close()

    async def _commands(
        self, caller: Caller | None, ending: "_Ending", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        session = Session()
        while (packet := await read_packet(reader)) is not None:
            command = session.command(packet)
            when = None
            if command is not None and caller is not None:
                when = self._trigger.asked(caller, Party.DATABASE, command[0], is_write=command[1])
            if when is When.UNSENT:
                return
            ending.when = when if when in (When.ANSWERED, When.LOST) else None
            writer.write(packet)
            await writer.drain()
            if when is When.SENT and caller is not None:
                self._trigger.kill(caller)

    async def _answers(
        self, caller: Caller | None, ending: "_Ending", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(1 << 16):
            if ending.when is When.ANSWERED and caller is not None:
                self._trigger.kill(caller)
            if ending.when is not None:
                writer.close()
                return
            writer.write(data)
            await writer.drain()
        if ending.when is When.ANSWERED and caller is not None:
            self._trigger.kill(caller)


@dataclass(slots=True)
class _Ending:
    """What becomes of a connection to the database when the answer comes; None: it goes on."""

    when: When | None = None
