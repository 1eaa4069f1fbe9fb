# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage recover``: what do pods hold, now that the database has forgotten it?

Before the doors open. It may be interrupted and repeated; it changes nothing in a pod. Exit code 1 when something could
not be recovered: the summary says what, and what to do.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict

from tricircle.app.recovery import recover
from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.recovery.report import Did, Report
from tricircle.store import schema

#: Seconds between two lines of progress.
_PROGRESS_S = 1.0
#: Notes that a person reads.
_NOTES = 200
_TITLES = {
    Did.KEPT: "KEPT",
    Did.WRITTEN: "WRITTEN",
    Did.REMOVED: "REMOVED",
    Did.FILED: "FILED",
    Did.IMPORTED: "IMPORTED",
}


class _Progress:
    """Lines for somebody who waits, at most one in a second."""

    def __init__(self) -> None:
        self._shown_at = float("-inf")

    def __call__(self, line: str) -> None:
        if time.monotonic() - self._shown_at >= _PROGRESS_S:
            self._shown_at = time.monotonic()
            sys.stderr.write(f"{line}\n")


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``recover``."""
    command = groups.add_parser(
        "recover",
        help="write down again what pods hold, after the tables were lost or fell behind; before the doors open",
    )
    command.add_argument("--dry-run", action="store_true", help="only show what would be written")
    command.add_argument("--json", action="store_true", help="for programs: the summary as JSON")
    command.set_defaults(run=_run)


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    tables = schema.check(settings.database)
    if not tables.is_right:
        sys.stderr.write("the tables are not those of this release: run tricircle-manage db upgrade first\n")
        return 1
    report = Report(progress=_Progress())
    asyncio.run(recover(settings, report, is_rehearsal=arguments.dry_run))
    sys.stdout.write(_document(report) if arguments.json else _summary(report, is_rehearsal=arguments.dry_run))
    return 1 if report.problems else 0


def _summary(report: Report, *, is_rehearsal: bool) -> str:
    rows = [(pod, noun, *(str(numbers[did] or "") for did in Did)) for pod, noun, numbers in report.rows()]
    text = table(("POD", "WHAT", *(_TITLES[did] for did in Did)), rows)
    text += "".join(f"note: {note}\n" for note in report.notes[:_NOTES])
    if len(report.notes) > _NOTES:
        text += f"note: {len(report.notes) - _NOTES} more; --json shows all\n"
    for problem in report.problems:
        text += f"NOT RECOVERED: {problem.text}\n  -> {problem.remedy}\n"
    if is_rehearsal:
        return text + "nothing was written: this was a rehearsal\n"
    if report.problems:
        return (
            text + f"not everything could be recovered ({len(report.problems)}): do what stands there, run this again\n"
        )
    return text + "everything that the pods hold is written down\n"


def _document(report: Report) -> str:
    counts = [
        {"pod": pod, "what": noun, **{did.value: number for did, number in numbers.items()}}
        for pod, noun, numbers in report.rows()
    ]
    problems = [asdict(problem) for problem in report.problems]
    return json.dumps({"counts": counts, "notes": report.notes, "problems": problems}, indent=2) + "\n"
