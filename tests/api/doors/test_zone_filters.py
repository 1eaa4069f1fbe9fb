# SPDX-License-Identifier: Apache-2.0
"""Does a list that is filtered by an AZ hold what shows that AZ, for whom and when the service honours the filter?"""

import pytest

from tests.api.doors.test_servers import SERVERS, booted, network
from tests.api.doors.test_volumes import VOLUMES, create
from tests.api.whole import Whole
from tests.asgi import AsgiClient

__all__ = ["network"]


async def names(client: AsgiClient, query: str, version: str = "2.90") -> set[str]:
    said = await client.having(openstack_api_version=f"compute {version}").ask("GET", f"{SERVERS}?{query}")
    assert said.status == 200, said.body
    return {one["name"] for one in said.json()["servers"]}


@pytest.fixture
async def servers(cloud: Whole, network: str) -> set[str]:
    """One server in each pod, and one in the AZ that an aggregate makes in Pod1."""
    for zone in ("az1", "az2", "az1"):
        await booted(cloud, network, availability_zone=zone, name=zone)
    nova = cloud.pods["Pod1"].nova
    nova.aggregates.stored["1"] = {"availability_zone": "tricircle.fast", "hosts": ["canaryhost-1"]}
    newest = max(nova.servers.values(), key=lambda one: int(one["_number"]))
    newest |= {"_zone": "tricircle.fast", "name": "fast"}
    return {"az1", "az2", "fast"}


async def test_servers_by_what_they_show(cloud: Whole, servers: set[str]) -> None:
    for zone in ("az1", "az2", "fast"):
        assert await names(cloud.tenant, f"availability_zone={zone}") == {zone}
        assert await names(cloud.admin, f"all_tenants=1&availability_zone={zone}", "2.1") == {zone}
    assert await names(cloud.tenant, "availability_zone=a.*t") == {"fast"}
    assert await names(cloud.tenant, "availability_zone=^az") == {"az1", "az2"}
    assert await names(cloud.tenant, "availability_zone=nowhere") == set()


async def test_below_2_83_nova_passes_it_over_for_members(cloud: Whole, servers: set[str]) -> None:
    assert await names(cloud.tenant, "availability_zone=az1", "2.82") == servers


async def test_volumes_by_what_they_show(cloud: Whole) -> None:
    made = {zone: (await create(cloud.tenant, availability_zone=zone))["id"] for zone in ("az1", "az2")}
    for zone, volume_id in made.items():
        said = await cloud.tenant.ask("GET", f"{VOLUMES}?availability_zone={zone}")
        assert [one["id"] for one in said.json()["volumes"]] == [volume_id]
