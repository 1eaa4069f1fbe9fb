# SPDX-License-Identifier: Apache-2.0
"""How does the lab end: its processes, and if asked its data?"""

from __future__ import annotations

import shutil

from lab.datapath.namespaces import Namespaces
from lab.datapath.plan import data_path
from lab.process import Supervisor
from lab.progress import Progress
from lab.topology import Lab
from lab.turn import turn

_LAST = "infrastructure"


def down(lab: Lab, *, wipe: bool = False) -> None:
    """End every process that was recorded, those that others stand on last.

    With `wipe` the data, the configuration and the logs go too; templates and environment stay.
    """
    with turn(lab):
        _down(lab, wipe, Progress())


def _down(lab: Lab, wipe: bool, progress: Progress) -> None:
    supervisor = Supervisor(lab.run, lab.logs)
    records = supervisor.records()
    with progress.step("ending services") as notes:
        notes.append(_count(supervisor.stop([record for record in records if record.group != _LAST])))
    with progress.step("ending infrastructure") as notes:
        notes.append(_count(supervisor.stop([record for record in records if record.group == _LAST])))
    namespaces = Namespaces(data_path(lab).records)
    if namespaces.recorded():
        with progress.step("deleting namespaces") as notes:
            notes.append(f"{len(namespaces.delete_all())} deleted")
    if wipe:
        with progress.step("deleting data"):
            for path in (lab.etc, lab.var, lab.run, lab.logs):
                shutil.rmtree(path, ignore_errors=True)
            for name in ("clouds.yaml", "openrc", "canaries.json"):
                (lab.state / name).unlink(missing_ok=True)
    progress.end("The lab is down")


def _count(names: list[str]) -> str:
    return f"{len(names)} ended"
