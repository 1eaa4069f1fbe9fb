# SPDX-License-Identifier: Apache-2.0
"""Do packets of IPv6 pass between pods as those of IPv4 do: addresses by DHCPv6, rules, remote groups, metadata?"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.datapath.namespaces import inside
from tests.packets.conftest import Place
from tests.packets.guests import Cases, Guest, until
from tests.packets.test_metadata import META_DATA, Asking

PREFIX, DNS = "fd00:31::/64", "2001:db8::53"
STATEFUL = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}

SERVICE = "fe80::a9fe:a9fe"
# Runs inside a server: past any proxy. The name of its device is no part of what it says to the service.
ASK = """import http.client, sys
host, path, seconds = sys.argv[1:]
asked = http.client.HTTPConnection(host, 80, timeout=float(seconds))
asked.request("GET", path, headers={"Host": "metadata"})
answer = asked.getresponse()
assert answer.status == 200, answer.status
sys.stdout.write(answer.read().decode())
"""


@dataclass(frozen=True, kw_only=True)
class AskingOverIPv6(Asking):
    """A server that asks for its metadata by a device."""

    mac: str

    def told(self, path: str, seconds: float = 10.0) -> str | None:
        """What the service says to it; None when nothing, or too late."""
        command = (sys.executable, "-S", "-c", ASK, f"{SERVICE}%{self.device(self.mac)}", path, str(seconds))
        done = subprocess.run(inside(self.namespace, *command), capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else None


def _with_subnet(place: Place, cidr: str = PREFIX, **values: object) -> None:
    wanted = {"network_id": place.network["id"], "ip_version": 6, "cidr": cidr, **STATEFUL, **values}
    place.tenant.here.make("network", "subnets", "subnet", **wanted)


@pytest.fixture(scope="module")
def here(place: Callable[..., Place]) -> Place:
    """One network with subnets of both versions, and a server in each pod."""
    made = place()
    _with_subnet(made, dns_nameservers=[DNS])
    made.ready(*made.boots(("one", "az1"), ("far", "az2")))
    return made


@pytest.fixture(scope="module")
def one(here: Place) -> Guest:
    return here.guests[0]


@pytest.fixture(scope="module")
def far(here: Place) -> Guest:
    return here.guests[1]


def test_a_rule_of_ipv6_comes_and_goes(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    address, back = here.address(far, 6), here.address(one, 6)
    cases.silent("no rule of IPv6", one, far.name, address)
    cases.passes("no rule of IPv6, one of IPv4", one, far.name, here.address(far))
    began = time.monotonic()
    rule = here.opened(here.group, "IPv6")
    cases.passes("a rule of IPv6 is made", one, far.name, address, since=began)
    cases.passes("a rule of IPv6 is made", far, one.name, back)
    began = time.monotonic()
    assert here.tenant.here.delete("network", f"/security-group-rules/{rule['id']}") == 204
    cases.silent("the rule of IPv6 is removed", one, far.name, address, since=began)
    cases.passes("the rule of IPv6 is removed", one, far.name, here.address(far))


def test_dhcpv6_tells_what_the_centre_decided(here: Place, one: Guest, far: Guest) -> None:
    told = []
    for guest in (one, far):
        lease = guest.lease(here.port(guest)["mac_address"], 6)
        assert (lease["ip"], lease["dns"]) == (here.address(guest, 6), DNS)
        told.append(lease["serverid"])
    assert told[0] != told[1], "each pod has a server of its own"


def test_members_of_a_remote_group_over_ipv6(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    address, closed, members = here.address(far, 6), here.another_group(), here.another_group()
    here.into(far, closed)
    here.opened(closed, "IPv6", remote_group_id=members["id"])
    cases.silent("who is in no remote group, over IPv6", one, far.name, address)
    joined = here.into(one, members)
    cases.passes("who joins the remote group, over IPv6", one, far.name, address, since=joined)
    left = here.into(one, here.group)
    cases.silent("who left the remote group, over IPv6", one, far.name, address, since=left)


def test_a_server_is_told_who_it_is_over_ipv6(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    """And only where HTTP over IPv6 may leave it."""
    for guest in (one, far):
        _is_told(cases, here, guest)
        asks, closed = _asking(here, guest), here.another_group()
        for rule in closed["security_group_rules"]:
            assert here.tenant.here.delete("network", f"/security-group-rules/{rule['id']}") == 204
        began = here.into(guest, closed)
        cases.silent("metadata over IPv6, nothing may leave", asks, "the service of its pod", META_DATA, since=began)
        began = here.into(guest, here.group)
        cases.passes("metadata over IPv6, all may leave", asks, "the service of its pod", META_DATA, since=began)


def _is_told(cases: Cases, here: Place, guest: Guest) -> None:
    asks = _asking(here, guest)
    cases.passes("metadata over IPv6", asks, "the service of its pod", META_DATA)
    told = json.loads(until(lambda: asks.told(META_DATA), META_DATA))
    assert (told["uuid"], told["project_id"]) == (guest.server_id, here.tenant.project_id)


def _asking(here: Place, guest: Guest) -> Asking:
    mac = here.port(guest)["mac_address"]
    return AskingOverIPv6(name=guest.name, zone=guest.zone, server_id=guest.server_id, mac=mac)


def test_a_network_with_ipv6_only(cases: Cases, place: Callable[..., Place]) -> None:
    here = place(cidr=None)
    _with_subnet(here)
    here.opened(here.group, "IPv6")
    one, far = here.boots(("one", "az1"), ("far", "az2"))
    here.ready(one, far)
    cases.passes("a network with IPv6 only", one, far.name, here.address(far, 6))
    cases.passes("a network with IPv6 only", far, one.name, here.address(one, 6))
    here.into(far, here.another_group())
    cases.silent("a network with IPv6 only, no rule", one, far.name, here.address(far, 6))


def test_a_server_with_ipv6_only_is_told_who_it_is(cases: Cases, place: Callable[..., Place]) -> None:
    here = place(cidr=None)
    _with_subnet(here)
    here.ready(*here.boots(("one", "az1"), ("far", "az2")))
    for guest in here.guests:
        _is_told(cases, here, guest)


def test_router_advertisements_stay_in_the_first_pod(place: Callable[..., Place]) -> None:
    here = place()
    _with_subnet(here, ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    assert here.tenant.active(here.boot("one", "az1").server_id)["status"] == "ACTIVE"
    groups = {"networks": [{"uuid": here.network["id"]}], "flavorRef": here.flavor_id}
    answer = here.tenant.boot("az2", imageRef=here.tenant.region.image_id(), **groups)
    assert answer.status_code == 409, answer.text
    assert "takes its addresses from router advertisements" in answer.json()["conflictingRequest"]["message"]
    assert "it is in az1" in answer.text
    assert not here.tenant.region.pods["Pod2"].list("network", "networks", name=here.network["name"])
