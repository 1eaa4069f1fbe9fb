# SPDX-License-Identifier: Apache-2.0
"""How is an answer still read that came before a connection broke?

A server that refuses an upload answers and hangs up without reading on. Our next write then finds the connection
broken, and the event loop throws it away with the answer that is waiting in it. So a second descriptor of the socket
is kept during an upload. Not over TLS, whose state is gone.
"""

import asyncio
import os


class Spare:
    """The second descriptor of one socket, while there is one."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = -1

    def keep(self, transport: asyncio.Transport) -> None:
        """Keep one of this connection's socket, unless it is a TLS connection."""
        if transport.get_extra_info("ssl_object") is None:
            self._descriptor = os.dup(transport.get_extra_info("socket").fileno())

    def read(self) -> bytes:
        """What waits in the socket; empty when there is nothing, or nothing more."""
        try:
            return b"" if self._descriptor < 0 else os.read(self._descriptor, 65536)
        except OSError:
            return b""

    def drop(self) -> None:
        """Close it, if there is one."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
