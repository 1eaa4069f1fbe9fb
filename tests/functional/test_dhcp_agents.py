# SPDX-License-Identifier: Apache-2.0
"""Does every DHCP agent that a pod gives a network get an address that nobody else has?

The second pod has a DHCP agent that is switched off until this test gives it a network by Neutron's own API, as
``dhcp_agents_per_network = 2`` would have done.
"""

from collections.abc import Iterator

import pytest

from lab.topology import load_lab
from tests.functional.region_world import ROOT, ZONES, Caller, Json, Region, eventually, ids
from tests.functional.sweeping import Sweeper
from tests.functional.tenants import Tenant

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(load_lab(ROOT).has_packets, reason="OVN answers DHCP itself: there are no agents"),
]

POD = "Pod2"


@pytest.fixture
def agents(region: Region) -> Iterator[list[Json]]:
    """Both DHCP agents of the pod, switched on."""
    inside = region.pods[POD]
    found = inside.list("network", "agents", agent_type="DHCP agent")
    (spare,) = (agent for agent in found if agent["host"].endswith("-spare"))
    inside.good("PUT", "network", f"/agents/{spare['id']}", {"agent": {"admin_state_up": True}})
    yield found
    for network in inside.good("GET", "network", f"/agents/{spare['id']}/dhcp-networks")["networks"]:
        inside.delete("network", f"/agents/{spare['id']}/dhcp-networks/{network['id']}")
    inside.good("PUT", "network", f"/agents/{spare['id']}", {"agent": {"admin_state_up": False}})


def addresses(inside: Caller, network_id: str) -> list[str]:
    """What DHCP agents have of a network in the pod."""
    ports = inside.list("network", "ports", network_id=network_id, device_owner="network:dhcp")
    return sorted(ip["ip_address"] for port in ports for ip in port["fixed_ips"])


def slice_of(tenant: Tenant, network: Json) -> list[str]:
    """What the pod may use of the network by itself, as the centre keeps it."""
    mine = {"network_id": network["id"], "device_owner": "network:dhcp", "binding:host_id": POD}
    (piece,) = tenant.region.centre.list("network", "ports", **mine)
    return sorted(ip["ip_address"] for ip in piece["fixed_ips"])


def test_a_slice_grows_to_hold_all_dhcp_agents_of_a_network(
    region: Region, tenant: Tenant, flavor: Json, image_id: str, agents: list[Json]
) -> None:
    sweeper, inside = Sweeper(), region.pods[POD]
    network = tenant.network("10.36.0.0/28")
    (subnet_id,) = network["subnets"]
    server = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    assert tenant.active(tenant.booted(ZONES[POD], **server))["status"] == "ACTIVE"
    (copy,) = inside.list("network", "networks", description=f"tricircle:{network['id']}")
    (first,) = eventually(lambda: addresses(inside, copy["id"]), lambda found: len(found) == 1, "one agent serves")
    assert slice_of(tenant, network) == [first], "the pod is the subnet's home and has the tenant's gateway"

    path = f"/networks/{copy['id']}/dhcp-agents"
    serving = eventually(lambda: ids(inside.good("GET", "network", path)["agents"]), lambda one: one, "it is chosen")
    (other,) = set(ids(agents)) - set(serving)
    inside.good("POST", "network", f"/agents/{other}/dhcp-networks", {"network_id": copy["id"]})
    assert sweeper.found(sweeper.sweep(POD), subnet_id) == ["differs subnet"]

    both = eventually(lambda: addresses(inside, copy["id"]), lambda found: len(found) == 2, "two agents serve")
    assert first in both
    assert slice_of(tenant, network) == both
    pools = inside.list("network", "subnets", network_id=copy["id"])[0]["allocation_pools"]
    assert sorted(pool["start"] for pool in pools) == sorted(pool["end"] for pool in pools) == both
    assert sweeper.found(sweeper.sweep(POD), subnet_id) == []
