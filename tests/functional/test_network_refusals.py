# SPDX-License-Identifier: Apache-2.0
"""What does a tenant hear at the doors of a network that cannot be where it is asked for? Was no pod touched?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.functional.region_world import Json, Region, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What was answered, read as the service writes it."""

    answer: requests.Response

    def nova(self) -> tuple[int, str]:
        """Status and text of a refusal of Nova's."""
        ((_, said),) = self.answer.json().items()
        assert said["code"] == self.answer.status_code
        return self.answer.status_code, str(said["message"])

    def neutron(self) -> tuple[int, str, str]:
        """Status, type and text of a refusal of Neutron's."""
        said = self.answer.json()["NeutronError"]
        return self.answer.status_code, str(said["type"]), str(said["message"])


@dataclass(frozen=True, kw_only=True)
class Boots:
    """Boots with a flavor and a QoS policy that no pod has seen, and what they left behind."""

    region: Region
    tenant: Tenant
    flavor: Json
    image_id: str

    def refused(self, zone: str, *networks: Json, **nic: object) -> Refused:
        """A boot on these networks, which must fail."""
        nics = [{"uuid": network["id"], **nic} for network in networks]
        answer = self.tenant.boot(zone, flavorRef=self.flavor["id"], imageRef=self.image_id, networks=nics)
        assert answer.status_code >= 400, answer.text
        return Refused(answer=answer)

    def check_untouched(self, pod: str, *networks: Json) -> None:
        """Nothing that the refused boot named came to be in the pod, and nothing is left at the centre."""
        inside = self.region.pods[pod]
        assert not [one for one in inside.list("compute", "flavors") if self.flavor["name"] in one["name"]]
        for network in networks:
            assert not inside.list("network", "networks", description=f"tricircle:{network['id']}"), network["name"]
        assert not inside.list("compute", "servers", all_tenants="1", project_id=self.tenant.project_id)


@pytest.fixture
def boots(region: Region, tenant: Tenant, image_id: str) -> Iterator[Boots]:
    name = unique("fn-refused")
    flavor = region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    yield Boots(region=region, tenant=tenant, flavor=flavor, image_id=image_id)
    assert region.admin.delete("compute", f"/flavors/{flavor['id']}") == 202


def _ports(tenant: Tenant, network: Json) -> list[Json]:
    """What of a network a tenant's servers have."""
    ports = tenant.here.list("network", "ports", network_id=network["id"])
    return [port for port in ports if port["device_owner"] != "network:dhcp"]


def test_an_address_outside_of_the_subnet(boots: Boots, tenant: Tenant) -> None:
    network = tenant.network("10.41.0.0/24")
    status, text = boots.refused("az1", network, fixed_ip="10.99.0.5").nova()
    assert (status, "10.99.0.5 is not a valid ip address for network" in text) == (400, True), text
    boots.check_untouched("Pod1", network)
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.99.0.5"}]}}
    status, kind, _ = Refused(answer=tenant.here("POST", "network", "/ports", body)).neutron()
    assert (status, kind) == (400, "InvalidIpForNetwork")
    subnet = {"subnet_id": network["subnets"][0], "ip_address": "10.99.0.5"}
    body = {"port": {"network_id": network["id"], "fixed_ips": [subnet]}}
    status, kind, _ = Refused(answer=tenant.here("POST", "network", "/ports", body)).neutron()
    assert (status, kind) == (400, "InvalidIpForSubnet")
    assert _ports(tenant, network) == []


def test_a_hint_that_no_pod_satisfies(tenant: Tenant) -> None:
    name = unique()
    body = {"network": {"name": name, "availability_zone_hints": ["nowhere"]}}
    status, kind, text = Refused(answer=tenant.here("POST", "network", "/networks", body)).neutron()
    assert (status, kind, "nowhere" in text) == (404, "AvailabilityZoneNotFound", True)
    assert tenant.here.list("network", "networks", name=name) == []


def test_a_network_that_is_limited_to_another_zone(boots: Boots, tenant: Tenant) -> None:
    network = tenant.network("10.42.0.0/24", availability_zone_hints=["az1"])
    status, text = boots.refused("az2", network).nova()
    assert (status, text.endswith("must be in: az1.") or "az1" in text) == (400, True), text
    boots.check_untouched("Pod2", network)
    assert _ports(tenant, network) == []


def test_quota_exceeded(boots: Boots, tenant: Tenant, region: Region) -> None:
    network = tenant.network("10.43.0.0/24")
    path = f"/quotas/{tenant.project_id}"
    used = region.admin.good("GET", "network", f"{path}/details.json")["quota"]
    limits = {"quota": {what: used[what]["used"] for what in ("port", "network", "subnet")}}
    region.admin.good("PUT", "network", path, limits)
    try:
        status, text = boots.refused("az1", network).nova()
        assert (status, text) == (403, "Maximum number of ports exceeded")
        boots.check_untouched("Pod1", network)
        for collection, body in (
            ("/ports", {"port": {"network_id": network["id"]}}),
            ("/networks", {"network": {"name": "one too many"}}),
            ("/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.44.0.0/24"}}),
        ):
            status, kind, _ = Refused(answer=tenant.here("POST", "network", collection, body)).neutron()
            assert (status, kind) == (409, "OverQuota"), collection
    finally:
        assert region.admin.delete("network", path) == 204


def test_no_room_for_another_pod(boots: Boots, tenant: Tenant, flavor: Json, image_id: str) -> None:
    """Six addresses: the gateway's, the first pod's own, a server's, two ports'. The second pod's two are missing."""
    network = tenant.network("10.45.0.0/29")
    booted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    assert tenant.active(tenant.booted("az1", **booted))["status"] == "ACTIVE"
    for _ in range(2):
        tenant.here.make("network", "ports", "port", network_id=network["id"], security_groups=[])
    before = len(_ports(tenant, network))
    status, text = boots.refused("az2", network).nova()
    assert (status, f"availability zone az2 needs 2 of subnet {network['subnets'][0]}" in text) == (409, True), text
    boots.check_untouched("Pod2", network)
    assert len(_ports(tenant, network)) == before


def test_a_vlan_that_the_pod_uses(boots: Boots, tenant: Tenant, region: Region) -> None:
    network, other = tenant.network("10.46.0.0/24"), tenant.network("10.47.0.0/24")
    whole = region.centre.good("GET", "network", f"/networks/{network['id']}")["network"]
    segment = {name: whole[name] for name in whole if name.startswith("provider:")}
    foreign = region.pods["Pod2"].make("network", "networks", "network", name=unique("foreign"), **segment)
    try:
        # Neither is the network that could be there.
        for asked in ((network,), (other, network)):
            status, text = boots.refused("az2", *asked).nova()
            wanted = f"Network {network['id']} cannot be in availability zone az2. Use another network."
            assert (status, text) == (409, wanted)
            boots.check_untouched("Pod2", network, other)
    finally:
        assert region.pods["Pod2"].delete("network", f"/networks/{foreign['id']}") == 204
    assert (_ports(tenant, network), _ports(tenant, other)) == ([], [])


def test_router_advertisements_stay_in_one_pod(boots: Boots, tenant: Tenant, flavor: Json, image_id: str) -> None:
    network: Json = tenant.here.make("network", "networks", "network", name=unique())
    values: dict[str, Any] = {"ip_version": 6, "cidr": "fd00:48::/64", "ipv6_address_mode": "slaac"}
    tenant.here.make("network", "subnets", "subnet", network_id=network["id"], ipv6_ra_mode="slaac", **values)
    booted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    assert tenant.active(tenant.booted("az1", **booted))["status"] == "ACTIVE"
    status, text = boots.refused("az2", network).nova()
    assert (status, "router advertisements" in text, "it is in az1" in text) == (409, True, True), text
    boots.check_untouched("Pod2", network)
    assert len(_ports(tenant, network)) == 1
