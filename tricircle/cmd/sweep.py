# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage sweep``: does everything in the pods agree with what is written down? Workers do the work."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from tricircle.audit.schedule import Schedule
from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.errors import NotFoundError
from tricircle.jobs.queue import Queue
from tricircle.model.pod import Pod, PodState
from tricircle.model.sweep import SweepEnd
from tricircle.pods.registry import Registry
from tricircle.store.engine import create_engine

_POLL_S = 0.5
#: How many of one kind of finding a line names.
_SHOWN = 3


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``sweep``."""
    sweep = groups.add_parser(
        "sweep", help="compare pods with what is written down and repair what differs; a worker must be running"
    )
    sweep.add_argument("name", nargs="*", metavar="POD", help="pods to sweep; default: all that are not disabled")
    sweep.add_argument(
        "--wait",
        nargs="?",
        type=float,
        const=3600.0,
        metavar="SECONDS",
        help="wait for the end and show what was found; exit code 1 when a sweep failed, was not whole, or did not end "
        "in time (default: 3600)",
    )
    sweep.add_argument("--json", action="store_true", help="for programs: the reports as JSON")
    sweep.set_defaults(run=_sweep)


def _sweep(settings: Settings, arguments: argparse.Namespace) -> int:
    ends = asyncio.run(_filed(settings, arguments.name, arguments.wait))
    if arguments.json:
        facts = {name: None if end is None else _facts(end) for name, end in ends.items()}
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    elif arguments.wait is None:
        sys.stdout.write(f"sweeps were asked for: {', '.join(ends) or 'no pods'}\n")
    else:
        sys.stdout.write(table(("POD", "FOUND", "KIND", "COUNT", "WHAT IT IS ABOUT"), _rows(ends)))
    if arguments.wait is None:
        return 0
    return 0 if all(end is not None and end.is_whole for end in ends.values()) else 1


async def _filed(settings: Settings, names: Sequence[str], wait_s: float | None) -> dict[str, SweepEnd | None]:
    """How the sweeps ended, by pod; None: not within ``wait_s``, or nobody waits.

    :raises NotFoundError: no such pod
    """
    engine = create_engine(settings.database)
    try:
        registry = Registry(engine, settings.central)
        schedule = Schedule(engine, Queue(engine), registry)
        pods = _chosen(await registry.pods(), names)
        filed = [(pod, await schedule.file(pod.id)) for pod in pods]
        ends: dict[str, SweepEnd | None] = {pod.name: None for pod in pods}
        until = time.monotonic() + (wait_s or 0.0)
        while wait_s is not None and None in ends.values() and time.monotonic() < until:
            await asyncio.sleep(_POLL_S)
            for pod, job_id in filed:
                ends[pod.name] = ends[pod.name] or await schedule.end_of(pod.id, job_id)
        return ends
    finally:
        await engine.dispose()


def _chosen(pods: Sequence[Pod], names: Sequence[str]) -> list[Pod]:
    known = {pod.name: pod for pod in pods if not pod.is_central}
    if unknown := [name for name in names if name not in known]:
        raise NotFoundError(f"There is no pod {unknown[0]}. Registered are: {', '.join(known) or 'none'}.")
    return [pod for pod in known.values() if pod.name in names or (not names and pod.state is not PodState.DISABLED)]


def _facts(end: SweepEnd) -> dict[str, object]:
    return {"status": end.status, "error": end.error, **end.report}


def _rows(ends: Mapping[str, SweepEnd | None]) -> list[tuple[str, str, str, str, str]]:
    """For each pod a line per kind of finding, with the ids that the report names."""
    return [(name, *line) for name, end in ends.items() for line in _lines(end)]


def _lines(end: SweepEnd | None) -> Iterator[tuple[str, str, str, str]]:
    if end is None:
        yield "(not ended)", "", "", "is a worker running? tricircle-manage job list"
        return
    found = _dicts(end.report.get("found"))
    for one in found:
        yield str(one["what"]), str(one["kind"]), str(one["count"]), _named(end.report, one)
    for part, reason in _dict(end.report.get("incomplete")).items():
        yield "(incomplete)", part, "", str(reason)
    if end.error or end.report.get("skipped"):
        yield "(failed)", "", "", str(end.error or end.report["skipped"])
    if not found and end.is_whole:
        yield "(agrees)", "", "", ""


def _named(report: Mapping[str, object], finding: Mapping[str, object]) -> str:
    """The first ids of one kind of finding."""
    same = [
        one
        for one in _dicts(report.get("named"))
        if (one.get("what"), one.get("kind")) == (finding["what"], finding["kind"])
    ]
    shown = [
        f"{one.get('central_id')} ({one['note']})" if one.get("note") else str(one.get("central_id")) for one in same
    ]
    return ", ".join(shown[:3]) + (" ..." if len(shown) > 3 else "")


def _dict(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {}


def _dicts(value: object) -> list[dict[str, object]]:
    return [dict(one) for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
