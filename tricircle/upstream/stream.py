# SPDX-License-Identifier: Apache-2.0
"""How does the body of a streamed answer come, and what becomes of its connection?"""

from collections.abc import AsyncIterator

from httptools import HttpParserError, HttpParserUpgrade

from tricircle.errors import BadUpstreamAnswerError
from tricircle.upstream.connection import Connection
from tricircle.upstream.connections import Connections, Origin

GARBLED = "A service behind this API sent an answer that cannot be read."
#: How an exchange that was begun fails on the wire.
FAILURES = (OSError, TimeoutError, HttpParserError, HttpParserUpgrade)


class Stream:
    """The body of a streamed answer, and the connection that it comes over."""

    def __init__(self, connections: Connections, origin: Origin, connection: Connection, idle_s: float) -> None:
        self._connections = connections
        self._origin = origin
        self._connection = connection
        self._idle_s = idle_s
        self._is_closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. :raises BadUpstreamAnswerError: it broke off, or fell silent."""
        try:
            async for chunk in self._connection.chunks(self._idle_s):
                yield chunk
        except FAILURES as error:
            raise BadUpstreamAnswerError(GARBLED) from error
        finally:
            await self.close()

    async def close(self) -> None:
        """Give the connection back if all was read, else close it."""
        if not self._is_closed:
            self._is_closed = True
            self._connections.release(self._origin, self._connection)
