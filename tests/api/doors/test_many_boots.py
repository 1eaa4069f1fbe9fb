# SPDX-License-Identifier: Apache-2.0
"""Do fifty boots at once, on ten networks that no pod has yet, make every thing once?"""

from collections import Counter

import pytest

from tests.api.doors import crowd
from tests.api.doors import test_servers as servers
from tests.api.whole import Plan, Whole


@pytest.fixture
def plan() -> Plan:
    """Three pods in two AZs."""
    return crowd.PLAN


async def test_fifty_boots_on_ten_new_networks(cloud: Whole) -> None:
    said = await crowd.boots(cloud, await crowd.prepared(cloud))
    wrong = [one.body for one in said if one.status != 202]
    assert Counter(one.status for one in said) == {202: crowd.BOOTS}, wrong[:3]

    listed = (await cloud.tenant.ask("GET", f"{servers.SERVERS}/detail")).json()["servers"]
    assert sorted(one["id"] for one in listed) == sorted(one.json()["server"]["id"] for one in said)
    addresses = [(name, one["addr"]) for server in listed for name, held in server["addresses"].items() for one in held]
    assert len(set(addresses)) == len(addresses) == crowd.BOOTS
    assert crowd.twins(cloud) == []
    central = {port["id"] for port in await servers.central_ports(cloud) if port["device_owner"].startswith("compute")}
    carried = [mark for pod in cloud.pods for mark in crowd.marks(cloud, pod, "ports").elements()]
    assert sorted(carried) == sorted(f"tricircle:{port_id}" for port_id in central)
    assert len(carried) == crowd.BOOTS
