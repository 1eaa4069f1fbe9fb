# SPDX-License-Identifier: Apache-2.0
"""``tricircle-worker``: makes pods agree with the centre, job by job, until it is told to stop.

SIGTERM and SIGINT let running jobs end within ``[worker] stop_timeout_s`` and give the others back; a second one ends
the process at once, and the leases run out by themselves. Start as many workers as you like, anywhere.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import uvloop

from tricircle.conf.load import load_or_exit
from tricircle.conf.settings import Settings
from tricircle.jobs.worker import Worker
from tricircle.observe import logs

PROG = "tricircle-worker"
LOG = logging.getLogger(__name__)

#: Builds a worker with all that it needs, and closes that at the end.
Build = Callable[[Settings], AbstractAsyncContextManager[Worker]]


def run(settings: Settings, build: Build) -> int:
    """Run one worker until a signal ends it. Returns the exit code: 0, or 1 when it was ended the hard way."""
    return uvloop.run(_work(settings, build))


async def _work(settings: Settings, build: Build) -> int:
    task = asyncio.current_task()
    async with build(settings) as worker:

        def on_signal() -> None:
            if worker.is_stopping and task is not None:
                task.cancel()
            worker.stop()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        try:
            await worker.run()
        except asyncio.CancelledError:
            LOG.warning("ended by a second signal; what was running is taken over when its leases run out")
            return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker with the bodies of all jobs. Returns the exit code; wrong settings end the process with 64."""
    from tricircle.app.worker import worker

    logs.prepare()
    settings = load_or_exit(argv, prog=PROG)
    logs.setup(settings.raw, PROG)
    return run(settings, worker)


if __name__ == "__main__":
    sys.exit(main())
