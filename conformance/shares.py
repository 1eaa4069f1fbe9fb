# SPDX-License-Identifier: Apache-2.0
"""How many servers and volumes did each pod get while a target's tests ran? What is deleted by now counts.

The pods' own tables say, since no API tells of what was deleted together with its project.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import database
from lab.topology import Lab

#: Less than this of all servers or volumes means that placement forgets a pod.
LEAST_PERCENT = 20
_FORM = "%Y-%m-%d %H:%M:%S"
#: What is counted, and in which schema and table of a pod it is. Nova counts what came as far as a cell.
_TABLES = {"servers": ("nova_{pod}", "instances"), "volumes": ("cinder_{pod}", "volumes")}


@dataclass(frozen=True, slots=True)
class Share:
    """One pod's part."""

    pod: str
    servers: int
    volumes: int


@contextmanager
def timed(file: Path) -> Iterator[None]:
    """Write down when a run began and ended."""
    began = datetime.now(UTC)
    try:
        yield
    finally:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps([began.strftime(_FORM), datetime.now(UTC).strftime(_FORM)]) + "\n")


def shares(lab: Lab, file: Path) -> list[Share]:
    """What each pod got in the times that ``file`` names; nothing when there was no run."""
    if not file.exists():
        return []
    times = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    counts = {pod.region: {what: _count(lab, pod.name, what, times) for what in _TABLES} for pod in lab.pods}
    return [Share(pod, **of_pod) for pod, of_pod in counts.items()]


def too_small(found: list[Share]) -> list[str]:
    """Sentences about pods that got next to nothing.

    >>> too_small([Share("Pod1", 50, 90), Share("Pod2", 50, 10)])
    ['Pod2 got 10 % of the volumes']
    """
    told = []
    for what in _TABLES:
        total = sum(_of(share)[what] for share in found)
        told += [
            f"{share.pod} got {_of(share)[what] * 100 // total} % of the {what}"
            for share in found
            if total and _of(share)[what] * 100 < total * LEAST_PERCENT
        ]
    return told


def _of(share: Share) -> Mapping[str, int]:
    return {"servers": share.servers, "volumes": share.volumes}


def _count(lab: Lab, pod: str, what: str, times: list[list[str]]) -> int:
    schema, table = _TABLES[what]
    within = " OR ".join(f"created_at BETWEEN '{began}' AND '{ended}'" for began, ended in times)
    rows = database.run(lab, f"SELECT COUNT(*) FROM {table} WHERE {within}", schema=schema.format(pod=pod))
    return int(rows[0][0])
