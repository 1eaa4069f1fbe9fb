# SPDX-License-Identifier: Apache-2.0
"""What do tests with real packets share: the region, tenants, servers that can be pinged, and the list of all pings?"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from lab.topology import load_lab
from tests.functional.region_world import ROOT, Json, Region, at_once, unique
from tests.functional.tenants import Tenant
from tests.packets.guests import Cases, Guest

WRITE = "TRICIRCLE_PACKETS"  # "write": the run writes docs/packets.json


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the lab with a data path."""
    for item in items:
        if "tests/packets" in str(item.path):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.packets)


@pytest.fixture(scope="session")
def cases() -> Iterator[Cases]:
    """All pings of the run."""
    made = Cases()
    yield made
    if os.environ.get(WRITE) == "write":
        made.write()


@pytest.fixture(scope="session")
def region() -> Region:
    """The running lab with real packets, its pods registered; without one these tests must fail."""
    assert load_lab(ROOT).has_packets, "no packets in this lab: python -m lab up --fresh --datapath ovn"
    opened = Region()
    opened.registered()
    return opened


@dataclass(kw_only=True)
class Place:
    """A tenant with a network, and a group through which pings pass."""

    tenant: Tenant
    flavor_id: str
    network: Json
    group: Json
    rule: Json
    guests: list[Guest] = field(default_factory=list)

    def allow(self) -> Json:
        """The rule by which its servers may be pinged."""
        values = {"security_group_id": self.group["id"], "direction": "ingress", "ethertype": "IPv4"}
        made: Json = self.tenant.here.make(
            "network", "security-group-rules", "security_group_rule", protocol="icmp", **values
        )
        self.rule = made
        return made

    def boot(self, name: str, zone: str, **fields: object) -> Guest:
        """A server in an AZ; not waited for."""
        wanted: dict[str, object] = {
            "networks": [{"uuid": self.network["id"]}],
            "security_groups": [{"name": self.group["name"]}],
            "imageRef": self.tenant.region.image_id(),
            "flavorRef": self.flavor_id,
            **fields,
        }
        guest = Guest(name=f"{name} ({zone})", zone=zone, server_id=self.tenant.booted(zone, **wanted))
        self.guests.append(guest)
        return guest

    def port(self, guest: Guest, number: int = 0) -> Json:
        """A port of a server, as the tenant sees it."""
        ports: list[Json] = self.tenant.here.list("network", "ports", device_id=guest.server_id)
        return ports[number]

    def address(self, guest: Guest) -> str:
        """The first address of a server."""
        return str(self.port(guest)["fixed_ips"][0]["ip_address"])

    def ready(self, *guests: Guest) -> None:
        """Wait until servers run and have their addresses from DHCP."""
        for guest in guests:
            found = self.tenant.active(guest.server_id)
            assert found["status"] == "ACTIVE", found.get("fault")
            guest.lease(self.port(guest)["mac_address"])


@pytest.fixture(scope="session")
def flavor_id(region: Region) -> Iterator[str]:
    """A small flavor of the centre."""
    name = unique("packets-flavor")
    region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    yield name
    assert region.admin.delete("compute", f"/flavors/{name}") == 202


@pytest.fixture(scope="module")
def place(region: Region, flavor_id: str) -> Iterator[Callable[..., Place]]:
    """Makes tenants with a network each; nothing is left of them."""
    tenants: list[Tenant] = []

    def make(cidr: str = "10.31.0.0/24", **subnet: object) -> Place:
        tenant = Tenant(region)
        tenants.append(tenant)
        here = tenant.here
        network = here.make("network", "networks", "network", name=unique(), mtu=1400)
        values = {"network_id": network["id"], "ip_version": 4, "cidr": cidr, **subnet}
        here.make("network", "subnets", "subnet", **values)
        group = here.make("network", "security-groups", "security_group", name=unique("pinged"))
        made = Place(tenant=tenant, flavor_id=flavor_id, network=network, group=group, rule={})
        made.allow()
        return made

    yield make
    at_once([tenant.sweep for tenant in tenants])
