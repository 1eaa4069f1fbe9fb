# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage job``: what waits to be done, what was given up and why, and may it be tried again?"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.jobs.queue import Queue
from tricircle.model.job import Job
from tricircle.store.engine import create_engine

#: What of an error fits into a line.
_ERROR_LENGTH = 80


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``job list | redo``."""
    group = groups.add_parser("job", help="what is still to be done so that pods agree with the centre")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="jobs that wait, run or were given up, oldest first")
    listing.add_argument("--stopped", action="store_true", help="only those that were given up")
    listing.add_argument("--limit", type=int, default=1000, help="how many at most (default: 1000)")
    listing.set_defaults(run=_list)
    redo = commands.add_parser("redo", help="give jobs that were given up a fresh start; default: all of them")
    redo.add_argument("id", nargs="*", type=int, help="ids as in the list")
    redo.set_defaults(run=_redo)


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    async def rows() -> list[Job]:
        async with _queue(settings) as queue:
            return await (queue.stopped if arguments.stopped else queue.waiting)(arguments.limit)

    titles = ("ID", "TYPE", "RESOURCE", "POD", "STATE", "ATTEMPTS", "FILED", "ERROR")
    sys.stdout.write(table(titles, [_cells(job) for job in asyncio.run(rows())]))
    return 0


def _redo(settings: Settings, arguments: argparse.Namespace) -> int:
    async def count() -> int:
        async with _queue(settings) as queue:
            return await queue.redo(arguments.id or None)

    sys.stdout.write(f"{asyncio.run(count())} jobs will be tried again\n")
    return 0


@asynccontextmanager
async def _queue(settings: Settings) -> AsyncIterator[Queue]:
    engine = create_engine(settings.database)
    try:
        yield Queue(engine)
    finally:
        await engine.dispose()


def _cells(job: Job) -> tuple[str, ...]:
    state = "stopped" if job.failed_at else "waiting"
    filed = f"{job.created_at:%Y-%m-%d %H:%M:%S}" if job.created_at else ""
    error = " ".join((job.last_error or "").split())[:_ERROR_LENGTH]
    return (str(job.id), job.type.value, job.resource_id, job.pod_id, state, str(job.attempts), filed, error)
