# SPDX-License-Identifier: Apache-2.0
"""Why does the central Nova take every rule of a server group? It has the record of a compute service.

Nova takes ``max_server_per_host`` above 1 only where it knows a compute service that is new enough. The centre has
none; so one says once that it is there, as operators let it do (docs/how-to/operate.md). Its record is in the template
of the centre's cell, so a lab pays for it once.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lab import database, ini
from lab.services.processes import environment, pod_code
from lab.services.sections import database_url
from lab.topology import Lab

#: Where the centre's Nova keeps what is in no pod.
SCHEMA = "nova_cell0_central"
#: What such a service is told beside what the central Nova is.
OPTIONS: ini.Section = {"host": "no-hands", "compute_driver": "fake.FakeDriver", "enable_new_services": False}
_SECONDS = 180


class RecordError(Exception):
    """The service did not start; the text is the end of what it said."""


def digest(lab: Lab) -> str:
    """By which recipe the record is made."""
    recipe = repr(sorted(OPTIONS.items())).encode() + pod_code(lab, "compute_once")[0].read_bytes()
    return hashlib.sha256(recipe).hexdigest()[:12]


def is_there(lab: Lab) -> bool:
    """Whether the centre's cell has it. Labs whose data is older have not."""
    known = "SELECT 1 FROM services WHERE `binary` = 'nova-compute' AND deleted = 0 LIMIT 1"
    return bool(database.run(lab, known, schema=SCHEMA))


def make(lab: Lab, schema: str = SCHEMA) -> None:
    """Let a compute service say in a cell's schema that it is there. :raises RecordError: it did not"""
    path = lab.etc / "templates" / f"{schema}-compute.conf"
    ini.write(path, ini.render(_sections(lab, schema, path.parent)))
    command = [str(lab.venv / "bin" / "python"), "-m", "lab.pod.compute_once", "--config-file", str(path)]
    try:
        done = subprocess.run(
            command, env=environment(lab), capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        raise RecordError(f"{' '.join(command)}: not within {_SECONDS} s") from late
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise RecordError(f"{' '.join(command)}:\n{end}")


def _sections(lab: Lab, schema: str, state: Path) -> ini.Sections:
    return {
        "DEFAULT": {**OPTIONS, "transport_url": "fake://", "state_path": state, "use_stderr": True},
        "oslo_concurrency": {"lock_path": state},
        "database": {"connection": database_url(lab, schema)},
    }
