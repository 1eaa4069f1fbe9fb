# SPDX-License-Identifier: Apache-2.0
"""What becomes of a change when the database goes away between the pod's yes and what we write down about it?"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import mariadb
from tests.api.doors.test_servers import SERVERS, booted, central_ports, network
from tests.api.doors.test_volumes import VOLUMES, refused
from tests.api.whole import Plan, Whole, whole
from tests.gates import Gate, gate_loop
from tricircle.testing.exchange import Asked, Said

__all__ = ["network"]


@pytest.fixture
def gate(server: mariadb.Server) -> Iterator[Gate]:
    """Before the database of the gateway alone."""
    with gate_loop() as loop:
        yield Gate(loop, ("127.0.0.1", server.port)).open()


@pytest.fixture
async def cloud(gate: Gate, database: str, tmp_path: Path, server: mariadb.Server) -> AsyncIterator[Whole]:
    name = database.rpartition("/")[2]
    with server.connect(name) as connection, connection.cursor() as cursor:
        for table in ("cursors", "jobs", "job_history", "routings", "bindings", "pod_endpoints", "pods"):
            cursor.execute(f"DELETE FROM tricircle_{table}")
    async with whole(Plan(), f"mysql+asyncmy://root@127.0.0.1:{gate.port}/{name}", tmp_path) as running:
        yield running
        gate.open()


def lose_after(gate: Gate, owner: object, name: str) -> None:
    """The database goes away as soon as a fake has carried out a call."""
    carried_out = getattr(owner, name)

    def lose(asked: Asked, *values: Any, **named: Any) -> Said:
        said: Said = carried_out(asked, *values, **named)
        gate.shut()
        return said

    setattr(owner, name, lose)


async def until_good(cloud: Whole, path: str) -> dict[str, Any]:
    until = time.monotonic() + 15
    while (said := await cloud.tenant.ask("GET", path)).status != 200:
        assert said.status == 503, said.body
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    return dict(said.json())


async def test_the_end_of_a_server(cloud: Whole, gate: Gate, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az2")
    assert len(await central_ports(cloud)) == 1
    lose_after(gate, cloud.pods["Pod2"].nova, "_delete")
    assert (await cloud.tenant.ask("DELETE", f"{SERVERS}/{server_id}")).status == 204
    gate.open()
    assert (await until_good(cloud, SERVERS))["servers"] == []


async def test_a_detached_interface(cloud: Whole, gate: Gate, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az2")
    (port,) = await central_ports(cloud)
    lose_after(gate, cloud.pods["Pod2"].nova, "_unplug")
    said = await cloud.tenant.ask("DELETE", f"{SERVERS}/{server_id}/os-interface/{port['id']}")
    assert said.status == 202, said.body


async def test_a_volume_that_was_made(cloud: Whole, gate: Gate) -> None:
    """It has no routing, and is found all the same."""
    assert (await refused(cloud.tenant, availability_zone="az2")).status == 202
    lose_after(gate, cloud.pods["Pod2"].cinder, "_create_volume")
    said = await refused(cloud.tenant, availability_zone="az2", name="made")
    assert said.status == 202, said.body
    gate.open()
    volume_id = said.json()["volume"]["id"]
    assert (await until_good(cloud, f"{VOLUMES}/{volume_id}"))["volume"]["name"] == "made"


async def test_a_boot_that_was_accepted(cloud: Whole, gate: Gate, network: str) -> None:
    await booted(cloud, network, availability_zone="az2")
    lose_after(gate, cloud.pods["Pod2"].nova, "_create")
    server_id = await booted(cloud, network, availability_zone="az2")
    gate.open()
    assert (await until_good(cloud, f"{SERVERS}/{server_id}"))["server"]["id"] == server_id
