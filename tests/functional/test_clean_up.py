# SPDX-License-Identifier: Apache-2.0
"""Do tools that delete all of a network, port by port, come to their end as at a stock Neutron?"""

import pytest

from tests.functional.region_world import ZONES, Caller, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab


def _network(tenant: Tenant, cidr: str) -> Json:
    network = tenant.here.make("network", "networks", "network", name=unique("swept"))
    tenant.here.make("network", "subnets", "subnet", network_id=network["id"], ip_version=4, cidr=cidr)
    return network


def _subnets(caller: Caller, network: Json) -> list[str]:
    return ids(caller.list("network", "subnets", network_id=network["id"]))


def _gone(tenant: Tenant, server_id: str) -> bool:
    return tenant.here("GET", "compute", f"/servers/{server_id}").status_code == 404


@pytest.mark.parametrize("who", ["owner", "administrator"])
def test_every_port_then_subnets_then_the_network(
    region: Region, tenant: Tenant, flavor: Json, image_id: str, who: str
) -> None:
    """A slice is in use while a server is there, and stays; the network goes without complaint, in the pods too."""
    caller: Caller = tenant.here if who == "owner" else region.admin
    network = _network(tenant, "10.71.0.0/24")
    networks = [{"uuid": network["id"]}]
    servers = [
        tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id, networks=networks) for zone in ZONES.values()
    ]
    for server_id in servers:
        assert tenant.active(server_id)["status"] == "ACTIVE"
    slices = caller.list("network", "ports", network_id=network["id"], device_owner="network:dhcp")
    assert len(slices) == len(ZONES)
    for port in slices:
        assert caller.delete("network", f"/ports/{port['id']}") == 204
        now = caller.good("GET", "network", f"/ports/{port['id']}")["port"]
        assert now["fixed_ips"] == port["fixed_ips"]
    for server_id in servers:
        assert tenant.here.delete("compute", f"/servers/{server_id}") == 204
    for server_id in servers:
        eventually(lambda server_id=server_id: _gone(tenant, server_id), bool, f"server {server_id} gone")
    for port in caller.list("network", "ports", network_id=network["id"]):
        assert caller.delete("network", f"/ports/{port['id']}") == 204
    for subnet in _subnets(caller, network):
        assert caller.delete("network", f"/subnets/{subnet}") == 204
    assert caller.delete("network", f"/networks/{network['id']}") == 204
    for pod, operator in region.pods.items():
        eventually(
            lambda operator=operator: ids(
                [one for one in operator.list("network", "networks") if network["id"] in str(one)]
            ),
            lambda left: not left,
            f"no copy in {pod}",
        )
