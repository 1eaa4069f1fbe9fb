# SPDX-License-Identifier: Apache-2.0
"""Do fifty boots at once, on ten networks that no pod has yet, make every thing once?"""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.api.doors import test_servers as servers
from tests.api.whole import Plan, Whole

_NETWORKS, _BOOTS = 10, 50


@pytest.fixture
def plan() -> Plan:
    """Three pods in two AZs."""
    zones = {"Pod1": ("az1", "nova", 1000), "Pod2": ("az2", "inner", 1000), "Pod3": ("az2", "nova", 1000)}
    return Plan(zones=zones, request_deadline_s=60.0)


async def _networks(cloud: Whole) -> list[str]:
    """Ten new networks of the tenant, each with a subnet of its own."""
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    made = []
    for number in range(_NETWORKS):
        said = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": f"net{number}"}})
        network_id = str(said.json()["network"]["id"])
        subnet = {"subnet": {"network_id": network_id, "cidr": f"10.0.{number}.0/24", "ip_version": 4}}
        assert (await cloud.tenant.ask("POST", "/network/v2.0/subnets", subnet)).status == 201
        made.append(network_id)
    return made


def _kept(pod_resources: dict[str, dict[str, Any]], noun: str) -> list[str]:
    """The marks of ours on what a pod has."""
    found = [str(one.get("description", "")) for one in pod_resources[noun].values()]
    return [mark for mark in found if mark.startswith("tricircle:")]


async def test_fifty_boots_on_ten_new_networks(cloud: Whole) -> None:
    limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    project = cloud.project_id("demo")
    assert (await cloud.admin.ask("PUT", f"/compute/v2.1/os-quota-sets/{project}", limits)).status == 200
    networks = await _networks(cloud)
    boots = (
        servers.boot(
            cloud,
            cloud.tenant,
            networks=[{"uuid": networks[number % _NETWORKS]}],
            availability_zone=f"az{number % 2 + 1}",
        )
        for number in range(_BOOTS)
    )
    said = await asyncio.gather(*boots)
    assert Counter(one.status for one in said) == {202: _BOOTS}, [one.body for one in said if one.status != 202][:3]

    listed = (await cloud.tenant.ask("GET", f"{servers.SERVERS}/detail")).json()["servers"]
    assert sorted(one["id"] for one in listed) == sorted(one.json()["server"]["id"] for one in said)
    addresses = [(name, one["addr"]) for server in listed for name, held in server["addresses"].items() for one in held]
    assert len(set(addresses)) == len(addresses) == _BOOTS
    for pod in cloud.pods.values():
        for noun in ("networks", "subnets", "ports", "security_groups"):
            assert [mark for mark, times in Counter(_kept(pod.neutron.resources, noun)).items() if times > 1] == []
    central = {port["id"] for port in await servers.central_ports(cloud) if port["device_owner"].startswith("compute")}
    carried = [mark for pod in cloud.pods.values() for mark in _kept(pod.neutron.resources, "ports")]
    assert sorted(carried) == sorted(f"tricircle:{port_id}" for port_id in central)
    assert len(carried) == _BOOTS
