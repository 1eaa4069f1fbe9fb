# SPDX-License-Identifier: Apache-2.0
"""What do tests with real packets share: the region, tenants, servers that can be pinged, and the list of all pings?"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest

from lab.process import Supervisor, crashes
from lab.topology import load_lab
from tests.functional.region_world import ROOT, Json, Region, at_once, eventually, unique
from tests.functional.tenants import Tenant
from tests.packets.guests import REPORT, Cases, Guest, Report, path

WRITE = "TRICIRCLE_PACKETS"  # "write": the run writes docs/packets.json


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the lab with a data path."""
    for item in items:
        if "tests/packets" in str(item.path):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.packets)


@pytest.fixture(scope="session")
def report() -> Report:
    """All pings of the run."""
    return Report(REPORT if os.environ.get(WRITE) == "write" else None)


@pytest.fixture(scope="module")
def cases(report: Report, request: pytest.FixtureRequest) -> Cases:
    """The pings of the module."""
    return Cases(report, request.path.stem)


@pytest.fixture(scope="session")
def region() -> Region:
    """The running lab with real packets, its pods registered; without one these tests must fail."""
    assert load_lab(ROOT).has_packets, "no packets in this lab: python -m lab up --fresh --datapath ovn"
    opened = Region()
    opened.registered()
    return opened


@pytest.fixture(autouse=True)
def switches_live(region: Region) -> Iterator[None]:
    """A switch that dies is started anew at once, and leaves its servers deaf: nothing else would say why."""
    assert region
    before = _crashes()
    yield
    assert _crashes() == before, "a switch died: python -m lab logs pod<n>-ovn-switch"


def _crashes() -> dict[str, str]:
    lab = load_lab(ROOT)
    records = {record.name: record for record in Supervisor(lab.run, lab.logs).records()}
    return {pod.name: crashes(records[f"{pod.name}-ovn-switch"].pid) for pod in path().pods}


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
        self.rule = self.opened(self.group)
        return self.rule

    def opened(self, group: Json, ethertype: str = "IPv4", **values: object) -> Json:
        """A new rule of a group: pings come in."""
        protocol = {"IPv4": "icmp", "IPv6": "ipv6-icmp"}[ethertype]
        wanted = {"direction": "ingress", "ethertype": ethertype, "protocol": protocol, **values}
        rules = ("network", "security-group-rules", "security_group_rule")
        made: Json = self.tenant.here.make(*rules, security_group_id=group["id"], **wanted)
        return made

    def another_group(self, **values: object) -> Json:
        """A group into which nothing comes."""
        groups = ("network", "security-groups", "security_group")
        made: Json = self.tenant.here.make(*groups, name=unique("closed"), **values)
        return made

    def into(self, guest: Guest, *groups: Json) -> float:
        """Put a server into exactly these groups; when it was asked for, by the monotonic clock."""
        began = time.monotonic()
        body = {"port": {"security_groups": [group["id"] for group in groups]}}
        self.tenant.here.good("PUT", "network", f"/ports/{self.port(guest)['id']}", body)
        return began

    def boot(self, name: str, zone: str, **fields: object) -> Guest:
        """A server in an AZ; not waited for."""
        return self.boots((name, zone), **fields)[0]

    def boots(self, *wanted: tuple[str, str], **fields: object) -> list[Guest]:
        """Servers of these names and AZs, asked for at once; not waited for."""
        made = at_once([lambda one=one: self._booted(*one, fields) for one in wanted])  # type: ignore[misc]
        self.guests += made
        return made

    def _booted(self, name: str, zone: str, fields: Mapping[str, object]) -> Guest:
        wanted: dict[str, object] = {
            "networks": [{"uuid": self.network["id"]}],
            "security_groups": [{"name": self.group["name"]}],
            "imageRef": self.tenant.region.image_id(),
            "flavorRef": self.flavor_id,
            **fields,
        }
        return Guest(name=f"{name} ({zone})", zone=zone, server_id=self.tenant.booted(zone, **wanted))

    def plugged(self, guest: Guest, network: Json) -> Json:
        """One more interface of a server, once it has its address from DHCP."""
        body = {"interfaceAttachment": {"net_id": network["id"]}}
        interfaces = f"/servers/{guest.server_id}/os-interface"
        made: Json = self.tenant.here.good("POST", "compute", interfaces, body)["interfaceAttachment"]
        guest.lease(made["mac_addr"])
        return made

    def unplugged(self, guest: Guest, interface: Json) -> None:
        """Ask for the end of an interface."""
        path = f"/servers/{guest.server_id}/os-interface/{interface['port_id']}"
        assert self.tenant.here.delete("compute", path) == 202

    def port(self, guest: Guest, number: int = 0) -> Json:
        """A port of a server, as the tenant sees it."""
        ports: list[Json] = self.tenant.here.list("network", "ports", device_id=guest.server_id)
        return ports[number]

    def address(self, guest: Guest, version: int = 4) -> str:
        """The first address of a server, in one version of IP."""
        addresses = [str(ip["ip_address"]) for ip in self.port(guest)["fixed_ips"]]
        return next(address for address in addresses if (":" in address) is (version == 6))

    def port_lease(self, guest: Guest) -> dict[str, str]:
        """What DHCP told the first port of a server."""
        return guest.lease(self.port(guest)["mac_address"])

    def ready(self, *guests: Guest) -> None:
        """Wait until servers run and have their addresses from DHCP."""
        for guest in guests:
            found = self.tenant.active(guest.server_id)
            assert found["status"] == "ACTIVE", found.get("fault")
            port = self.port(guest)
            for version in {6 if ":" in ip["ip_address"] else 4 for ip in port["fixed_ips"]}:
                guest.lease(port["mac_address"], version)


@pytest.fixture(scope="session")
def flavor_id(region: Region) -> Iterator[str]:
    """A small flavor of the centre."""
    name = unique("packets-flavor")
    region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    yield name
    eventually(
        lambda: region.admin.delete("compute", f"/flavors/{name}"), lambda seen: seen in (202, 404), f"no flavor {name}"
    )


@pytest.fixture(scope="module")
def place(region: Region, flavor_id: str) -> Iterator[Callable[..., Place]]:
    """Makes tenants with a network each; nothing is left of them."""
    tenants: list[Tenant] = []

    def make(
        cidr: str | None = "10.31.0.0/24", segment: Mapping[str, object] = MappingProxyType({}), **subnet: object
    ) -> Place:
        """
        :param cidr: of its first subnet; None: there is none
        :param segment: what only an administrator says of a network
        """
        tenant = Tenant(region)
        tenants.append(tenant)
        here = tenant.here
        owner, whose = (region.admin, {"project_id": tenant.project_id}) if segment else (here, {})
        values = {"name": unique(), "mtu": 1400, **whose, **segment}
        network = owner.make("network", "networks", "network", **values)
        if cidr is not None:
            values = {"network_id": network["id"], "ip_version": 4, "cidr": cidr, **subnet}
            here.make("network", "subnets", "subnet", **values)
        group = here.make("network", "security-groups", "security_group", name=unique("pinged"))
        made = Place(tenant=tenant, flavor_id=flavor_id, network=network, group=group, rule={})
        made.allow()
        return made

    yield make
    at_once([lambda tenant=tenant: _swept(tenant) for tenant in tenants])  # type: ignore[misc]


def _swept(tenant: Tenant, tries: int = 2) -> None:
    """Nothing is left of a tenant; a pod that was too busy to answer is asked again."""
    try:
        tenant.sweep()
    except AssertionError:
        if tries == 1:
            raise
        _swept(tenant, tries - 1)
