# SPDX-License-Identifier: Apache-2.0
"""The central schema as something that can be lost, put back, and compared.

While tables are away nobody may look for them, so gateway and worker of the lab are stopped; whatever fails, they run
again at the end, on tables that are there.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from lab import database
from lab.process import Supervisor
from lab.services import tricircle
from lab.topology import Lab, load_lab
from tests.functional.network_tables import Tables
from tests.functional.region_world import CONF, ROOT, eventually
from tricircle.conf.load import load
from tricircle.store.held import is_held
from tricircle.store.tables import quarantine

Row = dict[str, Any]
Dump = dict[str, list[Row]]

SCHEMA = "neutron_central"
#: What tells when and by whom a row was written, and not what is known.
_PASSING = ("id", "created_at", "updated_at", "owner", "lease_until")


class Books:
    """The tables of the lab's centre."""

    def __init__(self) -> None:
        settings = load(["--config-file", str(CONF)], prog="test")
        self.tables = Tables(settings.database.connection)
        self.lab: Lab = load_lab(ROOT)
        self.supervisor = Supervisor(self.lab.run, self.lab.logs)

    @contextmanager
    def closed(self, keep: Path) -> Iterator[None]:
        """The doors are closed, and nobody works. When the block fails everything is put back as it was."""
        services = tricircle.services(self.lab)
        names = {service.name for service in services}
        self.dump_schema(keep)
        self.supervisor.stop([one for one in self.supervisor.records() if one.name in names])
        try:
            yield
        except BaseException:
            self.load_schema(keep)
            raise
        finally:
            for service in services:
                self.supervisor.start(service)
            self.supervisor.wait_ready(services)

    def manage(self, *arguments: str) -> tuple[int, str]:
        """A command of tricircle-manage: its exit code and what it said."""
        command = [str(ROOT / ".venv" / "bin" / "tricircle-manage"), "--config-file", str(CONF), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def interrupted_recovery(self) -> None:
        """A recovery that is killed as soon as it has written a routing."""
        command = [str(ROOT / ".venv" / "bin" / "tricircle-manage"), "--config-file", str(CONF), "recover"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            look = "SELECT id FROM tricircle_routings LIMIT 1"
            eventually(lambda: self.tables.run(look), bool, "the first routing")
            running.kill()

    def drop(self) -> None:
        """Lose all tables of ours."""
        code, said = self.manage("db", "downgrade", "base")
        assert code == 0, said
        self.tables.run("DROP TABLE tricircle_alembic_version")
        assert self.tables.run("SHOW TABLES LIKE 'tricircle%%'") == []

    def dump_schema(self, file: Path) -> None:
        """Back up the whole central schema, Neutron's tables included."""
        with file.open("wb") as out:
            self._client("mariadb-dump", "--add-drop-table", "--single-transaction", SCHEMA, stdout=out)

    def dump_tables(self, file: Path) -> None:
        """Back up the tables of ours only."""
        rows = self.tables.run("SHOW TABLES LIKE 'tricircle%%'")
        names = [str(name) for row in rows for name in row.values()]
        with file.open("wb") as out:
            self._client("mariadb-dump", "--add-drop-table", "--single-transaction", SCHEMA, *names, stdout=out)

    def load_schema(self, file: Path) -> None:
        """Put a backup back: what came since is forgotten."""
        with file.open("rb") as read:
            self._client("mariadb", SCHEMA, stdin=read)

    def fall_back(self, backup: Path, *, keep: Path | None) -> None:
        """Put a backup of the whole back; with a file to keep them in, the tables of ours stay as they are."""
        if keep is not None:
            self.dump_tables(keep)
        self.load_schema(backup)
        if keep is not None:
            self.load_schema(keep)

    def recovered(self, backup: Path, keep: Path) -> None:
        """Put a backup of the whole back and recover from it: clean, and what was imported is known from then on.

        :param keep: where the centre as it is now is kept, should this break off
        """
        with self.closed(keep):
            self.fall_back(backup, keep=None)
            code, said = self.manage("recover")
            assert code == 0, said
            code, said = self.manage("recover")
            assert (code, "was unknown" in said) == (0, False), said

    def _client(self, program: str, *arguments: str, **streams: Any) -> None:
        command = [program, "--no-defaults", f"--socket={self.lab.socket}", "--user=lab", *arguments]
        subprocess.run(command, env=database.client_environment(), check=True, timeout=120, **streams)

    def drained(self) -> None:
        """Wait until no job waits. What is to be looked at later (a minute after a server's end) is looked at now.

        Whether ports are plugged in yet is looked at for minutes, and changes nothing that is compared.
        """
        look = "SELECT type, resource_id, not_before, last_error FROM tricircle_jobs WHERE type <> 'port_status'"
        self.tables.run("UPDATE tricircle_jobs SET not_before = created_at WHERE not_before > created_at")
        eventually(lambda: self.tables.run(look), lambda jobs: not jobs, "no jobs", 120)

    def held(self) -> set[tuple[object, ...]]:
        """What is in quarantine and held by a pod: what it is, and the object whose copies may still have it."""
        columns = [quarantine.c[name] for name in ("what", "scope", "value", "kind", "central_id")]
        statement = sa.select(*columns).where(is_held()).distinct()
        rows = self.tables.run(str(statement.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})))
        return {tuple(row.values()) for row in rows}

    def waiting(self) -> set[tuple[object, ...]]:
        """What is still to be done in which pod: type, resource and pod of each job, those for every pod spread out."""
        rows = self.tables.run(
            "SELECT DISTINCT j.type, j.resource_id, r.pod_id FROM tricircle_jobs j JOIN tricircle_routings r "
            "ON r.kind = j.type AND r.central_id = j.resource_id AND j.pod_id IN ('', r.pod_id)"
        )
        return {tuple(row.values()) for row in rows}

    def known(self, project_id: str | None = None) -> Dump:
        """What is written down (of one project), in a form that two books that know the same have in common.

        A revision that is known may be older than what it was recovered from: not every change of an object at the
        centre is one that copies carry. So only whether it is known counts, but for digests. The central region's row
        has an id that nothing refers to. A pod's own flavor or type that nothing uses is known again by its next use.
        So is the home of a project that has never used it: its limits there are not lifted yet.
        """
        pods = self.tables.run("SELECT * FROM tricircle_pods ORDER BY name")
        ends = self.tables.run(
            "SELECT p.name, e.service, e.url, e.prefix, e.min_version, e.max_version FROM tricircle_pod_endpoints e "
            "JOIN tricircle_pods p ON p.id = e.pod_id ORDER BY 1, 2"
        )
        bindings = self.tables.run("SELECT * FROM tricircle_bindings ORDER BY project_id, pod_id")
        bindings = [row for row in bindings if row["are_limits_lifted"]]
        routings = self.tables.run("SELECT * FROM tricircle_routings ORDER BY kind, central_id, pod_id")
        routings = [row for row in routings if _lasting(row)["details"].get("is_ours") is not False]
        if project_id is not None:
            bindings = [row for row in bindings if row["project_id"] == project_id]
            routings = [row for row in routings if row["project_id"] == project_id]
        return {
            "pods": [{**_lasting(pod), "id": pod["id"] if pod["az_name"] else "centre"} for pod in pods],
            "endpoints": ends,
            "bindings": [_lasting(row) for row in bindings],
            "routings": [{**_lasting(row), "revision": _revision(row["revision"])} for row in routings],
        }


def _lasting(row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in _PASSING}
    for name in ("facts", "details", "resources"):
        if isinstance(kept.get(name), str):
            kept[name] = json.loads(kept[name])
    if not kept.get("facts", {}).get("physical_networks"):
        kept.get("facts", {}).pop("physical_networks", None)  # no names, or names that were taken back
    # Seen in the pod a moment ago, or not yet; and what was given to the copy, which is found there.
    for passing in ("status", "dns_name"):
        kept.get("details", {}).pop(passing, None)
    return kept


def _revision(revision: object) -> object:
    return "known" if isinstance(revision, str) and revision.isdigit() else revision
