# SPDX-License-Identifier: Apache-2.0
"""``tricircle-console``: carries users to the consoles of their servers, until it is told to stop.

A process of its own, since consoles stay open for hours: a restart of the gateway cuts none, and a restart of this one
nothing else. Start as many as you like, anywhere; those on one machine may share the port. SIGTERM and SIGINT close
every console with "going away" and end the process. Exit codes: 0 stopped as told, 1 could not listen, 64 wrong
settings.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvloop

from tricircle.conf.load import load_or_exit
from tricircle.conf.settings import ConsoleSettings, Settings
from tricircle.consoles.front import Front
from tricircle.observe import logs
from tricircle.observe.exporter import Exporter

PROG = "tricircle-console"
LOG = logging.getLogger(__name__)

Build = Callable[[Settings], AbstractAsyncContextManager[Front]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one console proxy. Returns the exit code; wrong settings end the process with 64."""
    from tricircle.app.console import console_front

    logs.prepare()
    settings = load_or_exit(argv, prog=PROG)
    logs.setup(settings.raw, PROG)
    return run(settings, console_front)


def run(settings: Settings, build: Build) -> int:
    """Serve until a signal ends it. Returns the exit code."""
    return uvloop.run(_serve(settings, build))


async def _serve(settings: Settings, build: Build) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    chosen = settings.console
    async with build(settings) as front, _shown(chosen):
        try:
            server = await front.listen()
        except OSError as error:
            LOG.error("Cannot listen on %s:%s: %s", chosen.host, chosen.port, error)  # noqa: TRY400
            return 1
        LOG.info("Ready: consoles are at port %d of %s", chosen.port, chosen.host)
        await told.wait()
        server.close()
        try:
            async with asyncio.timeout(settings.gateway.stop_timeout_s):
                await server.wait_closed()
        except TimeoutError:
            LOG.warning(
                "Consoles were cut off: they were not closed %s s after the stop", settings.gateway.stop_timeout_s
            )
    return 0


@asynccontextmanager
async def _shown(settings: ConsoleSettings) -> AsyncIterator[None]:
    """``/metrics`` and ``/healthz`` while the block lasts, if somebody wants them."""
    exporter = None
    if settings.metrics_port:
        try:
            exporter = Exporter(settings.metrics_host, settings.metrics_port, lambda: (True, "ok"))
        except OSError as error:
            place = f"{settings.metrics_host}:{settings.metrics_port}"
            LOG.error("no metrics: %s: %s; give this process a [console] metrics_port of its own", place, error)  # noqa: TRY400
    try:
        yield
    finally:
        if exporter is not None:
            await asyncio.to_thread(exporter.close)


if __name__ == "__main__":
    sys.exit(main())
