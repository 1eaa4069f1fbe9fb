# SPDX-License-Identifier: Apache-2.0
"""Do packets pass on networks without a VLAN, how large may they be, and what does a stateless group let back in?"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.datapath.plan import MTU, NARROW_MTU
from tests.functional.region_world import eventually
from tests.packets.conftest import Place
from tests.packets.guests import Cases, Guest

HEADERS = 28  # of IPv4 and ICMP
#: The lab's second pod carries less there than the first.
FLAT = {"provider:network_type": "flat", "provider:physical_network": "narrow", "mtu": MTU}


@dataclass(frozen=True, kw_only=True)
class Sized(Guest):
    """A server whose pings have one size, and are not cut to pieces on the way."""

    size: int

    @property
    def details(self) -> dict[str, str]:
        return {"bytes": str(self.size)}

    def pings(self, address: str, seconds: float, *more: str) -> bool:
        """Whether a ping of this size is answered in time."""
        return super().pings(address, seconds, "-M", "do", "-s", str(self.size - HEADERS), *more)


def _sized(guest: Guest, size: int) -> Sized:
    return Sized(name=guest.name, zone=guest.zone, server_id=guest.server_id, size=size)


@pytest.fixture(scope="module")
def here(place: Callable[..., Place]) -> Place:
    """A flat network with a server in each pod, the narrow one last."""
    made = place(segment=FLAT)
    one = made.boot("one", "az1")
    made.ready(one)
    assert made.port_lease(one)["mtu"] == str(MTU)
    made.ready(made.boot("far", "az2"))
    return made


def test_a_flat_network_in_two_pods(cases: Cases, here: Place) -> None:
    one, far = here.guests
    cases.passes("a flat network in two pods", one, far.name, here.address(far))
    cases.passes("a flat network in two pods", far, one.name, here.address(one))


def test_the_lowest_mtu_on_the_way(cases: Cases, here: Place) -> None:
    one, far = here.guests
    address = here.address(far)
    assert here.port_lease(far)["mtu"] == str(NARROW_MTU)
    network = f"/networks/{here.network['id']}"
    assert here.tenant.here.good("GET", "network", network)["network"]["mtu"] == NARROW_MTU
    # The first server was told of more before the second pod came in: it hears of it with its next lease.
    cases.silent("more than the narrow pod carries", _sized(one, MTU), far.name, address)
    (copy,) = here.tenant.region.pods["Pod1"].list("network", "networks", name=here.network["name"])

    def in_pod() -> int:
        found = here.tenant.region.pods["Pod1"].good("GET", "network", f"/networks/{copy['id']}")
        return int(found["network"]["mtu"])

    eventually(in_pod, lambda seen: seen == NARROW_MTU, "the MTU of the copy in the wide pod")
    for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
        path = f"/servers/{one.server_id}"
        here.tenant.here.good("POST", "compute", f"{path}/action", {action: None})
        here.tenant.reached("compute", path, "server", status)
    here.ready(one)
    eventually(lambda: here.port_lease(one)["mtu"], lambda seen: seen == str(NARROW_MTU), "the MTU of the next lease")
    cases.passes("as much as the narrow pod carries", _sized(one, NARROW_MTU), far.name, address)
    cases.passes("as much as the narrow pod carries", _sized(far, NARROW_MTU), one.name, here.address(one))
    cases.silent("one byte more", _sized(one, NARROW_MTU + 1), far.name, address)


def test_a_stateless_group_lets_no_answer_in(cases: Cases, here: Place) -> None:
    one, far = here.guests
    address = here.address(one)
    stateful, stateless = here.another_group(), here.another_group(stateful=False)
    began = here.into(far, stateful)
    cases.silent("a stateful group without a rule", one, far.name, here.address(far), since=began)
    cases.passes("an answer to who is in a stateful group", far, one.name, address)
    began = here.into(far, stateless)
    cases.silent("an answer to who is in a stateless group", far, one.name, address, since=began)
    began = time.monotonic()
    here.opened(stateless)
    cases.passes("an answer to who is in a stateless group with a rule", far, one.name, address, since=began)
