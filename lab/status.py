# SPDX-License-Identifier: Apache-2.0
"""Which processes of the lab run, and what do they cost?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.process import Supervisor, crashes, read_stat
from lab.topology import Lab

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process with all its children."""

    name: str
    group: str
    up: bool
    pid: int
    processes: int
    memory: int  # proportional share, in kB
    cpu: float  # seconds since the start
    crashes: str = ""  # of what its monitor started anew


def rows(lab: Lab) -> list[Row]:
    """All processes that were started and not ended."""
    supervisor = Supervisor(lab.run, lab.logs)
    found = []
    for record in supervisor.records():
        up = supervisor.alive(record)
        pids = supervisor.members(record) if up else []
        stats = [stat for pid in pids if (stat := read_stat(pid)) is not None]
        found.append(
            Row(
                name=record.name,
                group=record.group,
                up=up,
                pid=record.pid,
                processes=len(pids),
                memory=sum(_share(pid) for pid in pids),
                cpu=sum(stat.ticks for stat in stats) / _TICKS,
                crashes=crashes(record.pid) if up else "",
            )
        )
    return found


def releases(lab: Lab) -> dict[str, str]:
    """The release of each group that has not the newest one."""
    return {pod.name: str(pod.release) for pod in lab.older_pods}


def table(found: list[Row], older: Mapping[str, str] | None = None) -> str:
    """The rows for a reader, with a total for each group; ``older``: the release of groups with another one."""
    named = older or {}
    lines = [f"{'process':<24} {'state':<6} {'pid':>8} {'MB':>6} {'CPU s':>8}"]
    groups = list(dict.fromkeys(row.group for row in found))
    for group in groups:
        members = [row for row in found if row.group == group]
        for row in members:
            state = "up" if row.up else "DOWN"
            line = f"{row.name:<24} {state:<6} {row.pid:>8} {_mb(row.memory):>6} {row.cpu:>8.1f}"
            lines.append(f"{line}  {row.crashes}" if row.crashes else line)
        memory, cpu = sum(row.memory for row in members), sum(row.cpu for row in members)
        title = f"{group} ({named[group]})" if group in named else group
        lines.append(f"  {title:<22} {'':<6} {'':>8} {_mb(memory):>6} {cpu:>8.1f}")
    total = sum(row.memory for row in found)
    lines.append(f"{'all':<24} {'':<6} {'':>8} {_mb(total):>6}")
    return "\n".join(lines)


def _mb(kilobytes: int) -> int:
    return round(kilobytes / 1024)


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
