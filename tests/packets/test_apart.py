# SPDX-License-Identifier: Apache-2.0
"""Do packets stay away from whom they are not for: other tenants, detached interfaces, closed groups?"""

import time
from collections.abc import Callable

import pytest

from tests.functional.region_world import Json
from tests.packets.conftest import Place
from tests.packets.guests import Cases


@pytest.fixture(scope="module")
def strangers(place: Callable[..., Place]) -> Place:
    """Two servers of the default group in two pods, and one of another group in the first."""
    here = place()
    here.ready(*here.boots(("one", "az1"), ("far", "az2"), security_groups=[{"name": "default"}]))
    here.ready(here.boot("other", "az1"))
    return here


def _default_group(here: Place) -> Json:
    (found,) = here.tenant.here.list("network", "security-groups", name="default")
    return found


def test_the_default_group_between_pods(cases: Cases, strangers: Place) -> None:
    one, far, other = strangers.guests
    address = strangers.address(far)
    cases.passes("the default group between pods", one, far.name, address)
    cases.passes("the default group between pods", far, one.name, strangers.address(one))
    cases.silent("outside of the default group", other, far.name, address)

    left = strangers.into(one, strangers.group)
    cases.silent("who left the default group in the other pod", one, far.name, address, since=left)
    back = strangers.into(one, _default_group(strangers))
    cases.passes("who is in the default group again", one, far.name, address, since=back)


def test_who_comes_into_the_default_group_of_the_other_pod(cases: Cases, strangers: Place) -> None:
    _, far, other = strangers.guests
    address = strangers.address(far)
    joined = strangers.into(other, _default_group(strangers))
    cases.passes("who comes into the default group", other, far.name, address, since=joined)
    left = strangers.into(other, strangers.group)
    cases.silent("who left it again", other, far.name, address, since=left)


def test_the_default_group_inside_one_pod(cases: Cases, strangers: Place) -> None:
    one, _, other = strangers.guests
    joined = strangers.into(other, _default_group(strangers))
    cases.passes("the default group in one pod", other, one.name, strangers.address(one), since=joined)
    left = strangers.into(other, strangers.group)
    cases.silent("out of the default group", other, one.name, strangers.address(one), since=left)


def test_the_rule_of_the_default_group_goes_and_comes_back(cases: Cases, strangers: Place) -> None:
    one, far, other = strangers.guests
    address, here = strangers.address(far), strangers.tenant.here
    group = _default_group(strangers)
    (rule,) = (
        rule for rule in group["security_group_rules"] if (rule["direction"], rule["ethertype"]) == ("ingress", "IPv4")
    )
    cases.passes("the rule of the default group is there", one, far.name, address)
    began = time.monotonic()
    assert here.delete("network", f"/security-group-rules/{rule['id']}") == 204
    cases.silent("the rule of the default group is removed", one, far.name, address, since=began)
    began = time.monotonic()
    values = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": group["id"]}
    here.make("network", "security-group-rules", "security_group_rule", security_group_id=group["id"], **values)
    cases.passes("the rule of the default group is back", one, far.name, address, since=began)
    cases.silent("the rule of the default group is back", other, far.name, address)


def test_an_interface_that_is_detached(cases: Cases, strangers: Place) -> None:
    """The last one here: afterwards the other tests' device is down."""
    here = strangers
    one, far, _ = here.guests

    def attached() -> str:
        answer = here.plugged(far, here.network)
        # Two devices on one network: only the second one is left to answer.
        far.run("ip", "link", "set", far.device(first["mac_address"]), "down")
        here.tenant.here.good("PUT", "network", f"/ports/{answer['port_id']}", {"port": {"security_groups": groups}})
        made.append(answer)
        return str(answer["fixed_ips"][0]["ip_address"])

    groups, first = [here.group["id"]], here.port(far)
    made: list[Json] = []
    address = attached()
    cases.passes("an interface is attached", one, f"second of {far.name}", address)
    here.unplugged(far, made[-1])
    cases.silent("the interface is detached", one, f"second of {far.name}", address)
    cases.passes("an interface is attached again", one, f"second of {far.name}", attached())
