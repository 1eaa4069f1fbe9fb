# SPDX-License-Identifier: Apache-2.0
"""How does one process serve one listener, and how does it stop without cutting anybody off?

granian runs in this process's own event loop. A stop (SIGTERM, SIGINT, or the parent's end) closes the listening
socket at once; requests in flight finish; what is left after the bound is cut off.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from oslo_log import log

from tricircle.cmd.processes import Pipes
from tricircle.conf.settings import GatewaySettings, Settings
from tricircle.http.listener import ASGIApp, Receive, Scope, Send

LOG = log.getLogger(__name__)

Build = Callable[[Settings], ASGIApp]
#: A head of a request may be this large; bytes. Tokens of many roles and long queries must fit.
_HEAD_BYTES = 128 * 1024
#: granian's own lines go where all lines go; errors only, for what it says else we say too.
_GRANIAN_LOGS: dict[str, Any] = {
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}},
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens."""

    host: str
    port: int

    def is_free(self) -> bool:
        """Whether we can listen here. Members share their port, so nothing else would notice a second gateway."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError:
                return False
        return True

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def serve(build: Build, settings: Settings, address: Address, pipes: Pipes) -> int:
    """Serve until told to stop. Returns the exit code: 0 stopped as told, 1 could not start or fell over."""
    return uvloop.run(_serve(build, settings, address, pipes))


async def _serve(build: Build, settings: Settings, address: Address, pipes: Pipes) -> int:
    loop = asyncio.get_running_loop()
    life = _Life(build(settings), pipes)
    server = _server(life, settings.gateway, address)
    bound = asyncio.timeout(None)
    is_told = False

    def stop() -> None:
        nonlocal is_told
        loop.remove_reader(pipes.parent)
        if not is_told:
            is_told = True
            bound.reschedule(loop.time() + settings.gateway.stop_timeout_s)
            server.stop()  # type: ignore[no-untyped-call]

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_reader(pipes.parent, stop)
    try:
        async with bound:
            await server.serve()
    except TimeoutError:
        LOG.warning(
            "Requests were cut off: they were not finished %s s after the stop", settings.gateway.stop_timeout_s
        )
    return 0 if is_told and not life.has_failed else 1


def _server(app: ASGIApp, gateway: GatewaySettings, address: Address) -> Server:
    return Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGI,
        # No client of OpenStack speaks HTTP/2, and for it granian has no deadline of heads.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(gateway.head_timeout_s * 1000), max_buffer_size=_HEAD_BYTES
        ),
        websockets=False,
        backlog=gateway.backlog,
        log_level=LogLevels.error,
        log_dictconfig=_GRANIAN_LOGS,
        ssl_cert=Path(gateway.tls_certificate) if gateway.tls_certificate else None,
        ssl_key=Path(gateway.tls_key) if gateway.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


class _Life:
    """The application, with an ear on whether it started."""

    def __init__(self, app: ASGIApp, pipes: Pipes) -> None:
        self._app = app
        self._pipes = pipes
        self.has_failed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def listening(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "lifespan.startup.complete":
                self._pipes.say_ready()
            elif event["type"] == "lifespan.startup.failed":
                self.has_failed = True
            await send(event)

        await self._app(scope, receive, listening)
