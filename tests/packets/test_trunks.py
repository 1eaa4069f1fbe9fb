# SPDX-License-Identifier: Apache-2.0
"""Do frames with a VLAN tag reach the network of the trunk's sub-port, in another pod too, and only then?"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.datapath.namespaces import inside
from tests.functional.region_world import Json
from tests.packets.conftest import Place
from tests.packets.guests import SILENT_PINGS, Cases, Guest

VLAN = 101
TAGGED = Path(__file__).parent / "tagged.py"


@dataclass(frozen=True, kw_only=True)
class Tagged(Guest):
    """A server that speaks with a tag, as its sub-port."""

    device_mac: str
    vlan: int
    sub_port: Json

    def hears(self, address: str, seconds: float = 1.0) -> bool:
        """Whether an address answers a ping with the tag in time."""
        mine = (self.sub_port["mac_address"], self.sub_port["fixed_ips"][0]["ip_address"])
        words = (self.device(self.device_mac), str(self.vlan), *mine, address, str(seconds))
        command = inside(self.namespace, sys.executable, str(TAGGED), *words)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert not done.stderr, done.stderr
        return done.returncode == 0

    def hears_nothing(self, address: str) -> bool:
        """Whether an address answers none of several pings."""
        return not any(self.hears(address) for _ in range(SILENT_PINGS))


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """A server with a trunk, and one in each pod on the network of its sub-port."""

    here: Place
    trunk_id: str
    segment: Json
    other: Json
    sub: Json
    one: Guest
    near: Guest
    far: Guest
    parent_mac: str

    def tagged(self, sub_port: Json, vlan: int) -> Tagged:
        """The server, as it speaks with a tag."""
        name = "sub-port of one (az1)" + ("" if vlan == VLAN else ", other tag")
        place_of = {"zone": self.one.zone, "server_id": self.one.server_id, "device_mac": self.parent_mac}
        return Tagged(name=name, vlan=vlan, sub_port=sub_port, **place_of)

    def another(self) -> Json:
        """One more port on the network of its sub-port."""
        wanted = {"network_id": self.other["id"], "security_groups": [self.here.group["id"]]}
        made: Json = self.here.tenant.here.make("network", "ports", "port", **wanted)
        return made

    def change(self, verb: str, segment: Json) -> float:
        """Let the sub-port come or go; when it was asked for, by the monotonic clock."""
        began = time.monotonic()
        answer = self.here.tenant.here("PUT", "network", f"/trunks/{self.trunk_id}/{verb}", {"sub_ports": [segment]})
        assert answer.status_code in (200, 404), answer.text  # it may have left before
        return began


@pytest.fixture(scope="module")
def trunk(place: Callable[..., Place]) -> Trunk:
    here = place()
    api = here.tenant.here
    other = here.tenant.network("10.32.0.0/24", mtu=1400)
    groups = [here.group["id"]]
    parent, sub = (
        api.make("network", "ports", "port", network_id=network["id"], security_groups=groups)
        for network in (here.network, other)
    )
    segment = {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": VLAN}
    made = api.make("network", "trunks", "trunk", port_id=parent["id"], sub_ports=[segment])
    one = here.boot("one", "az1", networks=[{"port": parent["id"]}])
    near, far = here.boots(("near", "az1"), ("far", "az2"), networks=[{"uuid": other["id"]}])
    here.ready(one, near, far)
    whole = {"here": here, "other": other, "segment": segment, "sub": sub, "parent_mac": parent["mac_address"]}
    return Trunk(trunk_id=made["id"], one=one, near=near, far=far, **whole)


def test_a_sub_port_of_a_trunk(cases: Cases, trunk: Trunk) -> None:
    far, address = trunk.far, trunk.here.address(trunk.far)
    within = trunk.tagged(trunk.sub, VLAN)
    cases.passes("a sub-port of a trunk", within, far.name, address)
    cases.passes("a sub-port of a trunk", within, trunk.near.name, trunk.here.address(trunk.near))
    cases.silent("another tag than the sub-port's", trunk.tagged(trunk.sub, VLAN + 1), far.name, address)
    cases.silent("the parent is on another network", trunk.one, far.name, address)
    left = trunk.change("remove_subports", {"port_id": trunk.sub["id"]})
    cases.silent("the sub-port left the trunk", within, far.name, address, since=left)


def test_a_sub_port_that_comes_back(cases: Cases, trunk: Trunk) -> None:
    within, address = trunk.tagged(trunk.sub, VLAN), trunk.here.address(trunk.far)
    trunk.change("remove_subports", {"port_id": trunk.sub["id"]})
    cases.silent("the sub-port is not in the trunk", within, trunk.far.name, address)
    back = trunk.change("add_subports", trunk.segment)
    cases.passes("the sub-port is in the trunk again", within, trunk.far.name, address, since=back)


def test_one_more_sub_port_has_the_other_tag(cases: Cases, trunk: Trunk) -> None:
    address, second = trunk.here.address(trunk.far), trunk.another()
    within = trunk.tagged(second, VLAN + 1)
    cases.silent("no sub-port has the other tag", within, trunk.far.name, address)
    came = trunk.change("add_subports", {**trunk.segment, "port_id": second["id"], "segmentation_id": VLAN + 1})
    cases.passes("one more sub-port has the other tag", within, trunk.far.name, address, since=came)


def test_an_interface_on_the_network_of_the_sub_port(cases: Cases, trunk: Trunk) -> None:
    """The last one here: the server has two ports then."""
    address = trunk.here.address(trunk.far)
    cases.silent("no interface on the sub-port's network", trunk.one, trunk.far.name, address)
    trunk.here.plugged(trunk.one, trunk.other)
    cases.passes("an interface on the sub-port's network", trunk.one, trunk.far.name, address)
