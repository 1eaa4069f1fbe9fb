# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage job``: what waits to be done, what was given up and why, and may it be tried again?"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.context import PodId
from tricircle.doors.admin.job_schemas import show_job, show_line
from tricircle.errors import ConflictError, NotFoundError
from tricircle.jobs.desk import Desk, Page
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobStatus, JobType
from tricircle.model.job_view import LIVE, JobFilter, JobView
from tricircle.store.engine import create_engine, transaction
from tricircle.store.pods import PodRows

T = TypeVar("T")

#: What of an error fits into a line.
_ERROR_LENGTH = 80
_MOST = 10_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TITLES = ("ID", "TYPE", "RESOURCE", "POD", "STATUS", "ATTEMPTS", "SINCE", "ERROR")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What the commands work with. ``pods``: names by id."""

    desk: Desk
    queue: Queue
    pods: dict[PodId, str]


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``job list | show | redo | delete | purge``."""
    group = groups.add_parser("job", help="what is still to be done so that pods agree with the centre, and what was")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _register_list(commands.add_parser("list", help="jobs that wait, run or were given up, newest first"))
    show = commands.add_parser("show", help="all about one job, its report and its story included")
    show.add_argument("id", type=int, help="id as in the list")
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(run=_show)
    redo = commands.add_parser("redo", help="give jobs that were given up a fresh start; default: all of them")
    redo.add_argument("id", nargs="*", type=int, help="ids as in the list; also of jobs that wait after a failure")
    redo.set_defaults(run=_redo)
    delete = commands.add_parser("delete", help="remove jobs that do not run now; what they were for stays undone")
    delete.add_argument("id", nargs="+", type=int, help="ids as in the list")
    delete.set_defaults(run=_delete)
    purge = commands.add_parser("purge", help="remove old lines of history; workers do so by themselves after a week")
    purge.add_argument("--older-than", type=_age, required=True, metavar="AGE", help="as in 90m, 12h or 7d")
    purge.set_defaults(run=_purge)


def _register_list(listing: argparse.ArgumentParser) -> None:
    chosen = listing.add_mutually_exclusive_group()
    chosen.add_argument("--stopped", action="store_true", help="only those that were given up")
    chosen.add_argument("--all", action="store_true", help="history, too: jobs that are done or were deleted")
    chosen.add_argument("--status", action="append", choices=[*JobStatus], help="only these; may be repeated")
    listing.add_argument("--type", action="append", choices=[*JobType], help="only these; may be repeated")
    listing.add_argument("--project", metavar="ID", help="only those of this project")
    listing.add_argument("--pod", metavar="NAME", help="only those that are about this pod alone")
    listing.add_argument("--resource", metavar="ID", help="only those about this resource")
    listing.add_argument("--limit", type=_number, default=1000, metavar="N", help="how many at most (default: 1000)")
    listing.add_argument("--marker", type=int, metavar="ID", help="only those older than this job")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_list)


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    async def look(bench: _Bench) -> tuple[Page, dict[PodId, str]]:
        wanted = _wanted(arguments, bench.pods)
        return await bench.desk.find(wanted, marker=arguments.marker, limit=arguments.limit), bench.pods

    page, pods = _with_bench(settings, look)
    if arguments.json:
        follows = page.jobs[-1].id if page.has_more else None
        shown = [show_job(job, pods) for job in page.jobs]
        sys.stdout.write(json.dumps({"jobs": shown, "next_marker": follows}, indent=2) + "\n")
        return 0
    sys.stdout.write(table(_TITLES, [_cells(job, pods) for job in page.jobs]))
    if page.has_more:
        sys.stderr.write(f"there are older ones: add --marker {page.jobs[-1].id}\n")
    return 0


def _show(settings: Settings, arguments: argparse.Namespace) -> int:
    async def look(bench: _Bench) -> tuple[JobView, Sequence[JobView], dict[PodId, str]]:
        view, lines = await bench.desk.get(arguments.id)
        return view, lines, bench.pods

    view, lines, pods = _with_bench(settings, look)
    shown = {**show_job(view, pods), "report": view.report, "folded_into": view.folded_into}
    if arguments.json:
        told = [show_line(line) for line in lines]
        sys.stdout.write(json.dumps({"job": {**shown, "history": told}}, indent=2) + "\n")
        return 0
    rows = [(name, _plain(value)) for name, value in shown.items() if value is not None]
    sys.stdout.write(table(("FIELD", "VALUE"), rows))
    if lines:
        titles = ("ENDED", "STATUS", "ATTEMPTS", "ERROR")
        told_rows = [(_time(line), line.status.value, str(line.attempts), _error(line)) for line in lines]
        sys.stdout.write("\n" + table(titles, told_rows))
    return 0


def _redo(settings: Settings, arguments: argparse.Namespace) -> int:
    async def act(bench: _Bench) -> tuple[int, list[str]]:
        if not arguments.id:
            return await bench.queue.redo(), []
        return await _each(arguments.id, bench.desk.redo)

    count, refusals = _with_bench(settings, act)
    sys.stdout.write(f"{count} jobs will be tried again\n")
    return _refused(refusals)


def _delete(settings: Settings, arguments: argparse.Namespace) -> int:
    async def act(bench: _Bench) -> tuple[int, list[str]]:
        return await _each(arguments.id, bench.desk.delete)

    count, refusals = _with_bench(settings, act)
    sys.stdout.write(f"{count} jobs were removed\n")
    return _refused(refusals)


def _purge(settings: Settings, arguments: argparse.Namespace) -> int:
    async def act(bench: _Bench) -> int:
        return await bench.queue.purge(older_s=arguments.older_than)

    sys.stdout.write(f"{_with_bench(settings, act)} lines of history were removed\n")
    return 0


async def _each(ids: Sequence[int], act: Callable[[int], Awaitable[object]]) -> tuple[int, list[str]]:
    """How many were done, and why the others were not."""
    refusals = []
    for job_id in ids:
        try:
            await act(job_id)
        except (ConflictError, NotFoundError) as error:
            refusals.append(error.message)
    return len(ids) - len(refusals), refusals


def _refused(refusals: Sequence[str]) -> int:
    sys.stderr.writelines(f"{refusal}\n" for refusal in refusals)
    return 1 if refusals else 0


def _with_bench(settings: Settings, act: Callable[[_Bench], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _bench(settings) as bench:
            return await act(bench)

    return asyncio.run(run())


@asynccontextmanager
async def _bench(settings: Settings) -> AsyncIterator[_Bench]:
    engine = create_engine(settings.database)
    try:
        async with transaction(engine) as connection:
            pods = {pod.id: pod.name for pod in await PodRows.list(connection)}
        yield _Bench(desk=Desk(engine), queue=Queue(engine), pods=pods)
    finally:
        await engine.dispose()


def _wanted(arguments: argparse.Namespace, pods: dict[PodId, str]) -> JobFilter:
    """What the options of ``list`` mean. :raises NotFoundError: no such pod."""
    ids = [pod_id for pod_id, name in pods.items() if name == arguments.pod]
    if arguments.pod is not None and not ids:
        raise NotFoundError(f"There is no pod {arguments.pod}. Registered are: {', '.join(pods.values()) or 'none'}.")
    statuses = [JobStatus.STOPPED] if arguments.stopped else arguments.status or LIVE
    return JobFilter(
        statuses=None if arguments.all else {JobStatus(status) for status in statuses},
        types=arguments.type,
        project_ids=None if arguments.project is None else [arguments.project],
        pod_ids=ids or None,
        resource_ids=None if arguments.resource is None else [arguments.resource],
    )


def _cells(job: JobView, pods: dict[PodId, str]) -> tuple[str, ...]:
    pod = pods.get(job.pod_id, job.pod_id)
    return (str(job.id), job.type, job.resource_id, pod, job.status.value, str(job.attempts), _time(job), _error(job))


def _time(job: JobView) -> str:
    """Since when a job stands where it stands."""
    instant = job.finished_at or job.started_at or job.created_at
    return f"{instant:%Y-%m-%d %H:%M:%S}" if instant else ""


def _error(job: JobView) -> str:
    return " ".join((job.error or "").split())[:_ERROR_LENGTH]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(word: str) -> int:
    number = int(word)
    if not 0 < number <= _MOST:
        raise ValueError(word)
    return number


def _age(word: str) -> float:
    match = re.fullmatch(r"(\d{1,9})([smhd])", word)
    if match is None:
        raise ValueError(word)
    return float(match[1]) * _UNITS[match[2]]
