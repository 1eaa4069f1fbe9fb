# SPDX-License-Identifier: Apache-2.0
"""What happens when somebody takes the administrator's role from our service user while everything runs?

The fake Neutrons then say that what belongs to others is not there, as real ones do, to a token that was good a moment
ago. Nothing may be forgotten or deleted because of that.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests import mariadb
from tests.api.doors.test_servers import booted, network
from tests.api.whole import Whole

__all__ = ["network"]  # a fixture

Rows = Callable[[], list[tuple[object, ...]]]
ROLES = ["admin", "service"]


@pytest.fixture
def rows(server: mariadb.Server, database: str, cloud: Whole) -> Rows:
    """What is written down of copies."""

    def read() -> list[tuple[object, ...]]:
        with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT kind, central_id, pod_id, pod_resource_id FROM tricircle_routings ORDER BY id")
            return list(cursor.fetchall())

    return read


def things(cloud: Whole) -> dict[str, set[str]]:
    """Ids of all that the first pod's network service has."""
    return {name: set(found) for name, found in cloud.pods["Pod1"].neutron.resources.items()}


async def filed(cloud: Whole, network_id: str) -> int:
    """A job that looks at a network, by an operator's hand."""
    wanted = {"type": "network", "project_id": cloud.project_id("demo"), "resource": {"network_id": network_id}}
    said = await cloud.operators.ask("POST", "/v1.0/jobs", {"job": {**wanted, "pod_name": "Pod1"}})
    assert said.status == 202, said.body
    return int(said.json()["job"]["id"])


async def job(cloud: Whole, job_id: int, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] = (await cloud.operators.ask("GET", f"/v1.0/jobs/{job_id}")).json()["job"]
            if until(found):
                return found
            await asyncio.sleep(0.05)


async def test_nothing_is_forgotten_while_the_service_user_has_lost_its_role(
    cloud: Whole, network: str, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    await booted(cloud, network, availability_zone="az1")
    await cloud.work_off()
    async with cloud.working():
        # The worker has a token by now.
        await job(cloud, await filed(cloud, network), lambda one: one["status"] == "done")
        known, there = rows(), things(cloud)
        cloud.identities.grant("tricircle", "service", ["service"])
        waiting = await filed(cloud, network)
        said = await job(cloud, waiting, lambda one: bool(one["error"]) or one["status"] == "done")
        assert said["status"] != "done"
        assert "no role 'admin'" in said["error"]
        assert (rows(), things(cloud)) == (known, there)

        body = {"server": {"name": "s", "flavorRef": "1", "imageRef": cloud.image_id, "networks": [{"uuid": network}]}}
        refused = await cloud.tenant.ask("POST", "/compute/v2.1/servers", body)
        assert refused.status == 503, refused.body
        assert b"role" not in refused.body
        assert (rows(), things(cloud)) == (known, there)
        assert "no role 'admin' in its project, only: service" in caplog.text

        cloud.identities.grant("tricircle", "service", ROLES)
        await job(cloud, waiting, lambda one: one["status"] == "done")
        async with asyncio.timeout(30):
            while (await cloud.tenant.ask("POST", "/compute/v2.1/servers", body)).status != 202:
                await asyncio.sleep(0.1)
        assert set(known) <= set(rows())
