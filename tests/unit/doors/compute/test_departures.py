# SPDX-License-Identifier: Apache-2.0
"""Is a server gone for its user only when its ports are?"""

import asyncio
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud
from tricircle.model.job import JobType
from tricircle.model.pod import Service


@pytest.fixture
async def server_id(sky: Cloud) -> str:
    """A server in az1 on a network, which its pod has just forgotten; its port is still there."""
    network = sky.network(sky.identities.projects["demo"].id)
    wanted: dict[str, Any] = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": [{"uuid": network}]}
    answer = await sky.ask("POST", "/servers", {"server": {**wanted, "availability_zone": "az1"}})
    assert isinstance(answer.body, bytes)
    made = next(iter(sky.apps["pod1"].nova.servers))
    del sky.apps["pod1"].nova.servers[made]
    assert [port["device_id"] for port in sky.central_ports()] == [made]
    return str(made)


async def test_a_404_waits_for_the_ports(sky: Cloud, server_id: str) -> None:
    before = len(await sky.jobs())
    show = asyncio.create_task(sky.ask("GET", f"/servers/{server_id}"))
    async with asyncio.timeout(10):
        while len(await sky.jobs()) == before:
            assert not show.done()
            await asyncio.sleep(0)
    assert (await sky.jobs())[before:] == [(JobType.SERVER_PORTS, server_id, "pod1")]
    assert not show.done()
    sky.apps["central"].neutron.resources["ports"].clear()
    async with asyncio.timeout(10):
        assert (await show).status == 404


async def test_nothing_to_wait_for_is_answered_at_once(sky: Cloud, server_id: str) -> None:
    sky.apps["central"].neutron.resources["ports"].clear()
    before = await sky.jobs()
    assert (await sky.ask("GET", f"/servers/{server_id}")).status == 404
    assert await sky.jobs() == before


async def test_a_centre_that_is_away_delays_nobody(sky: Cloud, server_id: str) -> None:
    sky.wires.cut.add(("central", Service.NETWORK))
    assert (await sky.ask("GET", f"/servers/{server_id}")).status == 404
