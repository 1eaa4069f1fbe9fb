# SPDX-License-Identifier: Apache-2.0
"""Sweeps that a test makes itself, without waiting until requests can be no longer under way; the lab's worker does
what they file. And the ledger from the side, to take rows away and look at them.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace

from tests.functional.network_tables import Tables
from tests.functional.region_world import CONF, Json, eventually
from tests.job_runs import job_run
from tricircle.app.rooms import open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.conf.load import load
from tricircle.conf.settings import CentralSettings
from tricircle.context import PodId
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.pods.registry import Registry
from tricircle.store.engine import Engine
from tricircle.upstream.reply import Target

_BUSY = "SELECT type, resource_id FROM tricircle_jobs WHERE not_before <= UTC_TIMESTAMP(6) AND failed_at IS NULL"


class Sweeper:
    """Sweeps, and what the database says."""

    def __init__(self) -> None:
        self.settings = load(["--config-file", str(CONF)], prog="test")
        self.tables = Tables(self.settings.database.connection)

    def pod_id(self, name: str) -> str:
        """The id of a registered pod."""
        return str(self.tables.run("SELECT id FROM tricircle_pods WHERE name = %s", name)[0]["id"])

    def sweep(self, pod_name: str, *, in_flight_s: float = 0.0, down: Collection[Service] = ()) -> Json:
        """One sweep of a pod, now; its report. What it files is not done yet.

        :param down: services of the pod where nobody listens
        """
        self.quiet()
        return asyncio.run(self._sweep(self.pod_id(pod_name), in_flight_s, down))

    def command(self, *words: str) -> tuple[int, str]:
        """Exit code and output of ``tricircle-manage``."""
        told = [sys.executable, "-m", "tricircle.cmd.manage", "--config-file", str(CONF), *words]
        done = subprocess.run(told, capture_output=True, text=True, timeout=180, check=False)
        return done.returncode, done.stdout + done.stderr

    def found(self, report: Mapping[str, object], central_id: object) -> list[str]:
        """What a report says of one object: ``what kind`` each."""
        named = report["named"]
        assert isinstance(named, list)
        return [f"{one['what']} {one['kind']}" for one in named if one["central_id"] == str(central_id)]

    def quiet(self) -> None:
        """Wait until no job is due: everything that was asked for has been done."""
        eventually(lambda: self.tables.run(_BUSY), lambda left: not left, "the queue is empty")

    def rows(self, central_id: object, pod_name: str) -> list[Json]:
        """Routings of a resource in a pod, ``details`` as a mapping."""
        sql = "SELECT * FROM tricircle_routings WHERE central_id = %s AND pod_id = %s"
        found = self.tables.run(sql, str(central_id), self.pod_id(pod_name))
        return [{**row, "details": json.loads(str(row["details"]))} for row in found]

    def row(self, central_id: object, pod_name: str) -> Json:
        """The only one."""
        (found,) = self.rows(central_id, pod_name)
        return found

    def copy_id(self, central_id: object, pod_name: str) -> str:
        """The id of the copy."""
        return str(self.row(central_id, pod_name)["pod_resource_id"])

    def forget(self, central_id: object, pod_name: str) -> None:
        """Take the rows away."""
        sql = "DELETE FROM tricircle_routings WHERE central_id = %s AND pod_id = %s"
        self.tables.run(sql, str(central_id), self.pod_id(pod_name))

    def attempt(self, kind: str, central_id: object, pod_name: str, project_id: object) -> None:
        """What an attempt leaves that died before it could bind: a row whose lease ran out."""
        self.tables.run(
            "INSERT INTO tricircle_routings (central_id, kind, pod_id, project_id, owner, lease_until, details, "
            "resources, created_at) VALUES (%s, %s, %s, %s, 'dead:1', UTC_TIMESTAMP(6) - INTERVAL 1 SECOND, '{}', "
            "'{}', UTC_TIMESTAMP(6))",
            *(str(central_id), kind, self.pod_id(pod_name), str(project_id)),
        )

    async def _sweep(self, pod_id: str, in_flight_s: float, down: Collection[Service]) -> Json:
        rooms = open_rooms(self.settings)
        try:
            registry = _Deserted(rooms.engine, self.settings.central, down)
            reach = replace(rooms.reach, registry=registry)
            sweeps = Sweeps(reach, Inventory(rooms.clients, registry), in_flight_s=in_flight_s)
            return dict(await sweeps.agree(run_of(pod_id)))
        finally:
            await rooms.close()


class _Deserted(Registry):
    """Where the services of pods are; some are where nobody listens."""

    def __init__(self, engine: Engine, central: CentralSettings, down: Collection[Service]) -> None:
        super().__init__(engine, central)
        self._down = down

    def target(self, pod: Pod, service: Service) -> Target:  # type: ignore[override]
        found = Registry.target(pod, service)
        return replace(found, url="http://127.0.0.1:9") if service in self._down else found


def run_of(pod_id: str) -> JobRun:
    """What a worker would tell it."""
    return job_run(JobType.SWEEP, pod_id, PodId(pod_id), "", seconds=120)
