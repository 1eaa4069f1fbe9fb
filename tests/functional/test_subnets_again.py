# SPDX-License-Identifier: Apache-2.0
"""Can a tenant delete a subnet, make another with the same addresses and boot at once, as in any one cloud?

Through the doors, in both pods; a pod hears of the deletion by a job, which may come later than the boot. That it is
waited for then is seen with a copy that nobody removes but the test.
"""

import asyncio
import ipaddress
import uuid

import pytest

from tests.functional.network_world import World
from tests.functional.region_world import ZONES, Json, at_once, eventually
from tests.functional.tenants import Tenant
from tricircle.context import ProjectId
from tricircle.copies.addresses import Addresses
from tricircle.model.routing import Routing

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

_CIDR = "10.62.0.0/24"


def _copies(tenant: Tenant, subnet_id: str) -> list[str]:
    """The pods that have a copy of the subnet."""
    marked = f"tricircle:{subnet_id}"
    return [
        pod for pod, operator in tenant.region.pods.items() if operator.list("network", "subnets", description=marked)
    ]


def _subnet(tenant: Tenant, network: Json, cidr: str) -> str:
    values = {"network_id": network["id"], "ip_version": 4, "cidr": cidr}
    return str(tenant.here.make("network", "subnets", "subnet", **values)["id"])


def _addresses(server: Json) -> list[str]:
    return [one["addr"] for found in server["addresses"].values() for one in found]


@pytest.mark.parametrize("again", [_CIDR, "10.62.0.128/25"])
def test_a_subnet_with_the_addresses_of_a_former_one_is_booted_on_at_once(
    tenant: Tenant, flavor: Json, image_id: str, again: str
) -> None:
    network = tenant.network(_CIDR)
    (former,) = network["subnets"]
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}

    def everywhere() -> list[Json]:
        made = at_once([lambda zone=zone: tenant.booted(zone, **wanted) for zone in ZONES.values()])  # type: ignore[misc]
        return [tenant.active(server_id) for server_id in made]

    for server in everywhere():
        assert server["status"] == "ACTIVE"
        tenant.gone("compute", f"/servers/{server['id']}")
    assert sorted(_copies(tenant, former)) == sorted(ZONES)
    path = f"/subnets/{former}"
    # Ports of servers leave a moment after them.
    eventually(lambda: tenant.here.delete("network", path), lambda status: status == 204, "the subnet is deleted", 60)
    subnet_id = _subnet(tenant, network, again)
    for server in everywhere():
        assert server["status"] == "ACTIVE"
        (address,) = _addresses(server)
        assert ipaddress.ip_address(address) in ipaddress.ip_network(again)
    assert sorted(_copies(tenant, subnet_id)) == sorted(ZONES)
    assert _copies(tenant, former) == []
    # What a pod uses by itself is kept from servers.
    held = {
        ip["ip_address"]
        for port in tenant.here.list("network", "ports", network_id=network["id"], device_owner="network:dhcp")
        for ip in port["fixed_ips"]
    }
    for pod in ZONES:
        (copy,) = tenant.region.pods[pod].list("network", "subnets", description=f"tricircle:{subnet_id}")
        assert {pool["start"] for pool in copy["allocation_pools"]} <= held


async def _network(world: World, number: int) -> tuple[Json, Routing]:
    network = world.network()
    owner = ProjectId(str(network["project_id"]))
    copy = await world.networks.ensure(world.pods[number], str(network["id"]), owner, deadline=world.deadline())
    return network, copy


async def _there(world: World, number: int, copy: Routing, central_id: object, **fields: object) -> Json:
    """A subnet in a pod, as a call of ours makes it that nobody wrote down."""
    pod = world.pods[number]
    owner = await world.reach.owner.project(world.reach.network(pod), world.deadline())
    values = {"network_id": copy.pod_resource_id, "project_id": owner, "description": f"tricircle:{central_id}"}
    return world.inside[number].make("subnets", "subnet", **values, ip_version=4, **fields)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_former_copy_is_waited_for(world: World, number: int) -> None:
    network, copy = await _network(world, number)
    subnet = world.subnet(network)
    former = await _there(world, number, copy, uuid.uuid4(), cidr="10.20.0.0/25", enable_dhcp=False)
    ensured = world.subnets.ensure(world.pods[number], str(subnet["id"]), copy, deadline=world.deadline())
    made = asyncio.ensure_future(ensured)
    done, _ = await asyncio.wait({made}, timeout=2)
    assert not done
    assert await world.call(world.inside[number].delete, "subnets", former["id"]) == 204
    routing = await made
    (there,) = world.marked(number, "subnets", subnet["id"])
    assert (there["id"], there["cidr"]) == (routing.pod_resource_id, subnet["cidr"])


@pytest.mark.parametrize("number", [0, 1])
async def test_a_late_copy_is_adopted_with_its_addresses(world: World, number: int) -> None:
    network, copy = await _network(world, number)
    subnet = world.subnet(network)
    original = await world.reach.central.subnet(str(subnet["id"]), deadline=world.deadline())
    addresses = Addresses(world.reach.central, world.reach.owner)
    piece = await addresses.hold(world.pods[number], original, 1, deadline=world.deadline())
    pools = [{"start": address, "end": address} for address in piece.addresses]
    late = await _there(world, number, copy, subnet["id"], cidr=subnet["cidr"], allocation_pools=pools)
    routing = await world.subnets.ensure(world.pods[number], str(subnet["id"]), copy, deadline=world.deadline())
    assert routing.pod_resource_id == late["id"]
    kept = world.demo.list("ports", network_id=network["id"], device_owner="network:dhcp")
    assert [ip["ip_address"] for port in kept for ip in port["fixed_ips"]] == list(piece.addresses)
