# SPDX-License-Identifier: Apache-2.0
"""How are processes of the lab started, recognised, waited for and ended?

Every process leads a session of its own and leaves a record with its id *and* its start time, so that
a process which merely inherited the number is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.service import Service

READY_SECONDS = 240.0  # one that ended is noticed at once; this is for one that hangs
TAIL_LINES = 30
_CRASHES = re.compile(r": monitoring pid \d+ \((\d+ crashes: .*)\)")


class StartError(Exception):
    """A process ended before it was ready, or was not ready in time; the text holds its log's tail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known about a process that was started, possibly by an earlier command."""

    name: str
    pid: int
    started: int  # clock ticks after boot, field 22 of /proc/<pid>/stat
    fingerprint: str
    grace: float
    group: str
    began: float = 0.0  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The fields of /proc/<pid>/stat that matter here."""

    state: str
    session: int
    ticks: int  # CPU time, user and system
    started: int


def read_stat(pid: int) -> Stat | None:
    """What the kernel says about a process, or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may itself hold blanks and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    ticks = int(fields[11]) + int(fields[12])
    state = fields[0]
    if state == "Z" and _has_threads(pid):
        # Only the first thread has ended; the others still hold the sockets.
        state = "S"
    return Stat(state=state, session=int(fields[3]), ticks=ticks, started=int(fields[19]))


def crashes(pid: int) -> str:
    """What the monitor of a program that may crash writes into its name; empty when it says nothing.

    As programs of Open vSwitch and OVN do: "1 crashes: pid 7 died, killed (Aborted)".
    """
    try:
        name = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
    found = _CRASHES.search(name)
    return found[1] if found else ""


def _has_threads(pid: int) -> bool:
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


class Supervisor:
    """Starts and ends the processes of one lab; records in `run`, output in `logs`."""

    def __init__(self, run: Path, logs: Path) -> None:
        self._run = run
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def records(self) -> list[Record]:
        """The records of all processes, running or not, in order of their names."""
        return [Record(**json.loads(path.read_text())) for path in sorted(self._run.glob("*.process"))]

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def alive(self, record: Record) -> bool:
        """Whether the very process of the record still runs."""
        child = self._children.get(record.name)
        if child is not None and child.pid == record.pid and child.poll() is not None:
            return False
        stat = read_stat(record.pid)
        return stat is not None and stat.state != "Z" and stat.started == record.started

    def running(self, name: str) -> Record | None:
        """The record of a process that runs, or None."""
        record = self._record(name)
        return record if record is not None and self.alive(record) else None

    def current(self, service: Service) -> bool:
        """Whether the process runs, and with this very configuration."""
        record = self.running(service.name)
        return record is not None and record.fingerprint == service.fingerprint

    def start(self, service: Service) -> bool:
        """Start a process unless it runs with the same configuration; True when started.

        One that runs with another configuration is ended first.
        """
        if self.current(service):
            return False
        record = self._record(service.name)
        if record is not None:
            self.stop([record])
        self._run.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(service.name).open("ab") as log:
            child = subprocess.Popen(
                ["nice", "-n", str(service.nice), *service.command],
                env=dict(service.environment),
                cwd=self._run,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[service.name] = child
        stat = read_stat(child.pid)
        self._write(
            Record(
                name=service.name,
                pid=child.pid,
                started=stat.started if stat else 0,
                fingerprint=service.fingerprint,
                grace=service.grace,
                group=service.group,
                began=time.time(),
            )
        )
        return True

    def wait_ready(self, services: Iterable[Service], seconds: float = READY_SECONDS) -> None:
        """Poll until all are ready. Raises StartError with the tail of the log of the first that is not."""
        waiting = list(services)
        deadline = time.monotonic() + seconds
        while waiting:
            waiting = [service for service in waiting if not self._settled(service)]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise StartError(self._complaint(waiting[0].name, f"not ready after {seconds:.0f} s"))
            time.sleep(0.1)

    def stop(self, records: Iterable[Record]) -> list[str]:
        """End these processes with everything in their sessions; the names of those that ran.

        SIGTERM to all, SIGKILL to what is left after each one's grace. Records are removed.
        """
        members = {record.name: self._session(record) for record in records}
        by_name = {record.name: record for record in records}
        began = time.monotonic()
        for pids in members.values():
            _signal_all(pids, signal.SIGTERM)
        left = {name: pids for name, pids in members.items() if pids}
        while left:
            elapsed = time.monotonic() - began
            for name in list(left):
                pids = self._session(by_name[name])
                if not pids:
                    del left[name]
                elif elapsed > by_name[name].grace:
                    _signal_all(pids, signal.SIGKILL)
            if left:
                time.sleep(0.05)
        for name in by_name:
            (self._run / f"{name}.process").unlink(missing_ok=True)
            self._children.pop(name, None)
        return [name for name, pids in members.items() if pids]

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """The last lines of a log, or an empty text."""
        try:
            text = self.log(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def members(self, record: Record) -> list[int]:
        """The ids of all processes of the record's session that run."""
        return self._session(record)

    def _settled(self, service: Service) -> bool:
        if self.running(service.name) is None:
            raise StartError(self._complaint(service.name, "ended while starting"))
        return service.probe.ready()

    def _complaint(self, name: str, what: str) -> str:
        return f"{name}: {what}. The end of {self.log(name)}:\n{self.tail(name)}"

    def _record(self, name: str) -> Record | None:
        try:
            return Record(**json.loads((self._run / f"{name}.process").read_text()))
        except FileNotFoundError:
            return None

    def _write(self, record: Record) -> None:
        (self._run / f"{record.name}.process").write_text(json.dumps(asdict(record)) + "\n")

    def _session(self, record: Record) -> list[int]:
        for child in self._children.values():
            child.poll()  # reaps what ended, which would otherwise stay as a zombie
        leader = read_stat(record.pid)
        if leader is not None and leader.started != record.started:
            return []
        # While members of a session live, the kernel gives the leader's number to nobody else.
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and (stat := read_stat(int(entry.name))) is not None
            and stat.session == record.pid
            and stat.state != "Z"
        ]


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
