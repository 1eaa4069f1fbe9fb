# SPDX-License-Identifier: Apache-2.0
"""Which connection carries the next exchange: one that is open, a new one, or none yet?

Per origin (scheme, host, port) there is a bound on open connections; who finds none waits in turn. An idle connection
is kept for a while only, so that no request meets one that the other side is just closing.
"""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tricircle.upstream.connection import Connection
from tricircle.upstream.room import Room

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True, eq=False)
class Origin:
    """One server to connect to, with its open connections.

    :ivar name: what it is called by (``Host``): host and port as its URL has them
    :ivar path: what the root of the service has behind host and port, without trailing slash
    :ivar room: for the answers of all its connections
    """

    host: str
    port: int
    is_tls: bool
    name: bytes
    path: str
    room: Room
    idle: list[tuple[Connection, float]] = field(default_factory=list)
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    open: int = 0

    @classmethod
    def of(cls, url: str, *, room: int) -> "Origin":
        """The origin of a service root such as ``https://10.0.0.5:8774/compute``; ``room`` in bytes."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS.get(parts.scheme, 80),
            is_tls=parts.scheme == "https",
            name=parts.netloc.rpartition("@")[2].encode(),
            path=parts.path.rstrip("/"),
            room=Room(room),
        )


class Connections:
    """Open connections of one process.

    :param limit: connections to one origin at most
    :param idle_s: seconds for which an unused one is kept; 0 keeps none
    :param connect_s: seconds for a new one, TLS included
    """

    def __init__(self, *, limit: int, idle_s: float, connect_s: float, trust: ssl.SSLContext) -> None:
        self._limit = limit
        self._idle_s = idle_s
        self._connect_s = connect_s
        self._trust = trust
        self._origins: dict[int, Origin] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def acquire(self, origin: Origin, until: float, idle_s: float) -> Connection:
        """A connection, open or new. To be given back with :meth:`release` or :meth:`discard`.

        :param until: the loop's time after which it is too late
        :param idle_s: do not take one that was idle for longer
        :raises TimeoutError: no connection in time
        :raises OSError: no connection: refused, unknown name, a certificate that is not trusted
        """
        while True:
            connection = self.take(origin, idle_s)
            if connection is not None:
                return connection
            if origin.open < self._limit:
                return await self._dial(origin, until)
            await self._turn(origin, until)

    def take(self, origin: Origin, idle_s: float) -> Connection | None:
        """An open connection that was not idle for longer than ``idle_s``; None when there is none."""
        while origin.idle:
            connection, since = origin.idle.pop()
            if connection.is_alive and connection.loop.time() - since <= idle_s and connection.is_quiet:
                return connection
            self._drop(origin, connection)
        return None

    def release(self, origin: Origin, connection: Connection) -> None:
        """Give a connection back after an exchange; it is kept if another one may follow."""
        if not connection.is_reusable or self._idle_s <= 0.0:
            self.discard(origin, connection)
            return
        loop = connection.loop
        origin.idle.append((connection, loop.time()))
        if self._sweep is None or id(origin) not in self._origins:
            self._origins[id(origin)] = origin
            self._sweep = self._sweep or loop.call_later(self._idle_s, self._close_idle, loop)
        if origin.waiters:
            _wake(origin)

    def discard(self, origin: Origin, connection: Connection) -> None:
        """Close a connection that must not be used again."""
        self._drop(origin, connection)
        _wake(origin)

    def close(self) -> None:
        """Close all idle connections; those in use are closed when they are given back."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle_s = 0.0
        for origin in self._origins.values():
            for connection, _ in origin.idle:
                self._drop(origin, connection)
            origin.idle.clear()

    async def _dial(self, origin: Origin, until: float) -> Connection:
        loop = asyncio.get_running_loop()
        origin.open += 1
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self._connect_s)):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, origin.room),
                    origin.host,
                    origin.port,
                    ssl=self._trust if origin.is_tls else None,
                    server_hostname=origin.host if origin.is_tls else None,
                )
        except BaseException:
            origin.open -= 1
            _wake(origin)
            raise
        return connection

    @staticmethod
    async def _turn(origin: Origin, until: float) -> None:
        """Wait until somebody gives a connection back."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        origin.waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until):
                await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                # It was our turn just when we left: the next one's then.
                _wake(origin)
            raise
        finally:
            if waiter in origin.waiters:
                origin.waiters.remove(waiter)

    @staticmethod
    def _drop(origin: Origin, connection: Connection) -> None:
        origin.open -= 1
        connection.abort()

    def _close_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what was idle for too long; look again while there is something to look at."""
        self._sweep = None
        oldest = loop.time() - self._idle_s
        for key, origin in list(self._origins.items()):
            kept = []
            for connection, since in origin.idle:
                if since < oldest or not connection.is_alive:
                    self._drop(origin, connection)
                else:
                    kept.append((connection, since))
            origin.idle[:] = kept
            if not kept:
                del self._origins[key]
        if self._origins:
            self._sweep = loop.call_later(self._idle_s, self._close_idle, loop)


def _wake(origin: Origin) -> None:
    while origin.waiters:
        waiter = origin.waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
