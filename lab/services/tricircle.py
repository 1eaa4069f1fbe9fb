# SPDX-License-Identifier: Apache-2.0
"""Which processes are tricircle itself, how is it configured, and what is done before it starts?"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import ini
from lab.service import HttpAnswers, Service, Started
from lab.services.processes import sources
from lab.services.sections import DATABASE_USER, credentials, memcached
from lab.topology import CENTRAL_REGION, HOST, PASSWORD, Lab

WORKERS = 1
GRACE = 10.0


class TricircleError(Exception):
    """A command of tricircle-manage failed; the text is its output."""


def write(lab: Lab) -> Path:
    """Write tricircle.conf; returns the file."""
    database = f"{DATABASE_USER}:{PASSWORD}@localhost/neutron_central?unix_socket={lab.socket}"
    sections: ini.Sections = {
        "DEFAULT": {"debug": False},
        "database": {"connection": f"mysql+asyncmy://{database}"},
        "keystone_authtoken": {
            **credentials(lab, "tricircle"),
            "www_authenticate_uri": lab.central_keystone,
            "memcached_servers": memcached(lab),
            "service_token_roles": "service",
            "service_token_roles_required": True,
        },
        "service_user": credentials(lab, "tricircle"),
        "gateway": {
            "host": HOST,
            "port": lab.port("doors"),
            "admin_host": HOST,
            "admin_port": lab.port("admin-api"),
            "workers": WORKERS,
            "public_endpoint": lab.url("doors"),
            "admin_endpoint": lab.url("admin-api"),
            "central_region": CENTRAL_REGION,
        },
        "central": {
            "compute_url": lab.url("nova"),
            "block_storage_url": lab.url("cinder"),
            "image_url": lab.url("glance"),
            "network_url": lab.url("neutron"),
            "identity_url": lab.url("keystone"),
        },
        # The services of the lab close the connection after every answer.
        "upstream": {},
        "worker": {},
        "console": {
            "host": HOST,
            "port": lab.port("consoles"),
            "public_endpoint": lab.url("consoles"),
            # Nobody listens there: who asks for a token's console goes to the doors.
            "spice_direct_endpoint": f"{lab.url('consoles')}/spice-direct",
        },
    }
    path = lab.etc / "tricircle.conf"
    ini.write(path, ini.render(sections))
    return path


def write_worker(lab: Lab) -> Path:
    """Write what only the lab's own worker is told: workers of tests read tricircle.conf beside it, and a port is for
    one; returns the file.
    """
    path = lab.etc / "tricircle-worker.conf"
    worker = {"metrics_host": HOST, "metrics_port": lab.port("worker-metrics")}
    ini.write(path, ini.render({"worker": worker}))
    return path


def upgrade_tables(lab: Lab) -> None:
    """Bring our tables up to date. Raises TricircleError."""
    _manage(lab, "db", "upgrade")


def sync_catalog(lab: Lab) -> None:
    """Bring the central region's catalog up to date. Raises TricircleError."""
    _manage(lab, "catalog", "sync")


def services(lab: Lab) -> list[Service]:
    """The gateway with all doors and the Admin API, one worker, and the console proxy."""
    path, of_worker = write(lab), write_worker(lab)
    # The code too: whoever changes it gets it running with the next `up`.
    files = (path, *sources(lab, "tricircle"))
    return [
        Service(
            name="tricircle-gateway",
            command=(f"{_programs(lab)}/tricircle-gateway", "--config-file", str(path)),
            environment=_environment(lab),
            probe=HttpAnswers(port=lab.port("doors"), path="/healthz"),
            files=files,
            grace=GRACE,
            nice=0,
            group="tricircle",
        ),
        Service(
            name="tricircle-worker",
            command=(
                f"{_programs(lab)}/tricircle-worker",
                *("--config-file", str(path)),
                *("--config-file", str(of_worker)),
            ),
            environment=_environment(lab),
            probe=Started(),
            files=(*files, of_worker),
            grace=GRACE,
            nice=0,
            group="tricircle",
        ),
        Service(
            name="tricircle-console",
            command=(f"{_programs(lab)}/tricircle-console", "--config-file", str(path)),
            environment=_environment(lab),
            probe=HttpAnswers(port=lab.port("consoles"), path="/healthz"),
            files=files,
            grace=GRACE,
            nice=0,
            group="tricircle",
        ),
    ]


def _manage(lab: Lab, *arguments: str) -> None:
    command = [f"{_programs(lab)}/tricircle-manage", "--config-file", str(write(lab)), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(lab))
    except OSError as error:
        raise TricircleError(f"{command[0]}: {error}; `make setup` makes it") from error
    if done.returncode:
        raise TricircleError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}")


def _programs(lab: Lab) -> Path:
    return lab.root / ".venv" / "bin"


def _environment(lab: Lab) -> dict[str, str]:
    return {
        "PATH": f"{_programs(lab)}:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
