# SPDX-License-Identifier: Apache-2.0
"""Do two tenants with equal addresses hear only themselves, and is each server told only of itself?

Servers ask as images do, at 169.254.169.254.
"""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.datapath.namespaces import inside
from tests.functional.region_world import at_once, eventually
from tests.packets.conftest import Place
from tests.packets.guests import Cases, Guest, Through, until

SERVICE = "http://169.254.169.254"
META_DATA, USER_DATA = "/openstack/latest/meta_data.json", "/openstack/latest/user_data"
# Runs inside a server: past any proxy.
ASK = """import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.stdout.write(opener.open(sys.argv[1], timeout=float(sys.argv[2])).read().decode())
"""
SAME, MINE, THEIRS = "10.31.0.11", "10.31.0.22", "10.31.0.33"
SCRIPT = "#!/bin/sh\necho {}\n"


@dataclass(frozen=True, kw_only=True)
class Asking(Guest):
    """A server that asks for its metadata."""

    def hears(self, address: str, seconds: float = 1.0) -> bool:
        """Whether a path of the service has an answer."""
        # Two seconds at least: three programs and a database are asked.
        return self.told(address, max(2.0, seconds)) is not None

    def hears_nothing(self, address: str) -> bool:
        """Whether a path of the service has no answer, twice."""
        return not (self.hears(address) or self.hears(address))

    def told(self, path: str, seconds: float = 10.0) -> str | None:
        """What the service says to it; None when nothing, or too late."""
        command = (sys.executable, "-S", "-c", ASK, SERVICE + path, str(seconds))
        done = subprocess.run(inside(self.namespace, *command), capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else None


def _asking(guest: Guest) -> Asking:
    return Asking(name=guest.name, zone=guest.zone, server_id=guest.server_id)


@pytest.fixture(scope="module")
def places(place: Callable[..., Place]) -> tuple[Place, Place]:
    """Two tenants with equal addresses in the first pod, each with one more server in the second."""
    mine, theirs = place(), place()

    def boot(here: Place, name: str, zone: str, address: str) -> None:
        networks = [{"uuid": here.network["id"], "fixed_ip": address}]
        script = base64.b64encode(SCRIPT.format(name).encode()).decode()
        here.boot(name, zone, networks=networks, user_data=script, metadata={"whose": name})

    servers = (
        (mine, "mine a", "az1", SAME),
        (mine, "mine b", "az2", MINE),
        (theirs, "theirs a", "az1", SAME),
        (theirs, "theirs b", "az2", THEIRS),
    )
    at_once([lambda one=one: boot(*one) for one in servers])  # type: ignore[misc]
    for here in (mine, theirs):
        here.guests.sort(key=lambda guest: guest.name)
        here.ready(*here.guests)
    return mine, theirs


def test_two_tenants_with_equal_addresses(cases: Cases, places: tuple[Place, Place]) -> None:
    (mine_a, mine_b), (theirs_a, theirs_b) = (here.guests for here in places)
    case = "two tenants with equal addresses"
    cases.passes(case, mine_a, mine_b.name, MINE)
    cases.passes(case, theirs_a, theirs_b.name, THEIRS)
    cases.silent(case, mine_a, theirs_b.name, THEIRS)
    cases.silent(case, theirs_a, mine_b.name, MINE)
    # Both have it: who answers is one's own.
    cases.passes(case, mine_b, mine_a.name, SAME)
    cases.passes(case, theirs_b, theirs_a.name, SAME)


def test_a_server_is_told_who_it_is_and_what_it_was_given(cases: Cases, places: tuple[Place, Place]) -> None:
    for here in places:
        for guest in here.guests:
            asking, name = _asking(guest), guest.name.partition(" (")[0]
            cases.passes("metadata", asking, "the service of its pod", META_DATA)
            meta = json.loads(until(lambda asking=asking: asking.told(META_DATA), META_DATA))
            shown = here.tenant.here.good("GET", "compute", f"/servers/{guest.server_id}")["server"]
            assert (meta["uuid"], meta["project_id"]) == (guest.server_id, here.tenant.project_id)
            assert (meta["name"], meta["meta"]) == (shown["name"], {"whose": name})
            cases.passes("user data", asking, "the service of its pod", USER_DATA)
            assert until(lambda asking=asking: asking.told(USER_DATA), USER_DATA) == SCRIPT.format(name)


def test_rules_hold_for_metadata_too(cases: Cases, places: tuple[Place, Place]) -> None:
    here = places[0]
    for guest in here.guests:
        asking, closed = _asking(guest), here.another_group()
        for rule in closed["security_group_rules"]:
            assert here.tenant.here.delete("network", f"/security-group-rules/{rule['id']}") == 204
        began = here.into(guest, closed)
        cases.silent("metadata, nothing may leave", asking, "the service of its pod", META_DATA, since=began)
        began = time.monotonic()
        values = {"direction": "egress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
        here.opened(closed, **values)
        cases.passes("metadata, HTTP may leave", asking, "the service of its pod", META_DATA, since=began)
        here.into(guest, here.group)


def test_an_interface_on_the_other_tenants_network(cases: Cases, places: tuple[Place, Place]) -> None:
    """What parts them is the network: on it, once it is shared, the same server has an answer of the same address.

    The last one here: the routes of a second interface come beside those of the first.
    """
    for (here, there), address in ((places, THEIRS), (places[::-1], MINE)):
        one, far = here.guests[0], there.guests[1]
        share = {"object_type": "network", "action": "access_as_shared", "object_id": there.network["id"]}
        policies = ("network", "rbac-policies", "rbac_policy")
        policy = there.tenant.here.make(*policies, target_tenant=here.tenant.project_id, **share)
        interface = here.plugged(one, there.network)
        within = Through(name=one.name, zone=one.zone, server_id=one.server_id, mac=interface["mac_addr"])
        cases.passes("an interface on the other tenant's network", within, far.name, address)
        here.unplugged(one, interface)
        # The share is needed for as long as the port is there.
        path, delete = f"/rbac-policies/{policy['id']}", there.tenant.here.delete
        eventually(lambda path=path, delete=delete: delete("network", path), lambda seen: seen == 204, "no share")
        cases.silent("the interface on the other tenant's network is gone", one, far.name, address)
