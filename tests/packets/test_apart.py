# SPDX-License-Identifier: Apache-2.0
"""Do packets stay away from whom they are not for: other tenants, detached interfaces, closed groups?"""

from collections.abc import Callable

import pytest

from tests.functional.region_world import unique
from tests.packets.conftest import Place
from tests.packets.guests import Cases


def test_two_tenants_with_equal_addresses(cases: Cases, place: Callable[..., Place]) -> None:
    mine, theirs = place(), place()
    for owner, whose, last in ((mine, "mine", 22), (theirs, "theirs", 33)):
        for name, zone, number in (("a", "az1", 11), ("b", "az2", last)):
            networks = [{"uuid": owner.network["id"], "fixed_ip": f"10.31.0.{number}"}]
            owner.boot(f"{whose} {name}", zone, networks=networks)
    for owner in (mine, theirs):
        owner.ready(*owner.guests)
    case = "two tenants with equal addresses"
    cases.passes(case, mine.guests[0], mine.guests[1].name, "10.31.0.22")
    cases.passes(case, theirs.guests[0], theirs.guests[1].name, "10.31.0.33")
    cases.silent(case, mine.guests[0], theirs.guests[1].name, "10.31.0.33")
    cases.silent(case, theirs.guests[0], mine.guests[1].name, "10.31.0.22")
    # Both have it: who answers is one's own.
    cases.passes(case, mine.guests[1], mine.guests[0].name, "10.31.0.11")
    cases.passes(case, theirs.guests[1], theirs.guests[0].name, "10.31.0.11")


def test_an_interface_that_is_detached(cases: Cases, place: Callable[..., Place]) -> None:
    here = place()
    one, far = here.boot("one", "az1"), here.boot("far", "az2")
    here.ready(one, far)
    url = f"/servers/{far.server_id}/os-interface"

    def attached() -> str:
        body = {"interfaceAttachment": {"net_id": here.network["id"]}}
        answer = here.tenant.here.good("POST", "compute", url, body)["interfaceAttachment"]
        far.lease(answer["mac_addr"])
        # Two devices on one network: only the second one is left to answer.
        far.run("ip", "link", "set", far.device(first["mac_address"]), "down")
        here.tenant.here.good("PUT", "network", f"/ports/{answer['port_id']}", {"port": {"security_groups": groups}})
        ports.append(answer["port_id"])
        return str(answer["fixed_ips"][0]["ip_address"])

    groups, ports, first = [here.group["id"]], [], here.port(far)
    address = attached()
    cases.passes("an interface is attached", one, f"second of {far.name}", address)
    assert here.tenant.here.delete("compute", f"{url}/{ports[-1]}") == 202
    cases.silent("the interface is detached", one, f"second of {far.name}", address)
    cases.passes("an interface is attached again", one, f"second of {far.name}", attached())


def test_the_default_group_inside_one_pod(cases: Cases, place: Callable[..., Place]) -> None:
    here = place()
    one, near = (here.boot(name, "az1", security_groups=[{"name": "default"}]) for name in ("one", "near"))
    here.ready(one, near)
    cases.passes("the default group in one pod", one, near.name, here.address(near))
    port = here.port(near)
    other = here.tenant.here.make("network", "security-groups", "security_group", name=unique("closed"))
    here.tenant.here.good("PUT", "network", f"/ports/{port['id']}", {"port": {"security_groups": [other["id"]]}})
    cases.silent("out of the default group", one, near.name, here.address(near))


@pytest.mark.pending
def test_the_default_group_between_pods(cases: Cases, place: Callable[..., Place]) -> None:
    here = place()
    one, far = (
        here.boot(name, zone, security_groups=[{"name": "default"}]) for name, zone in (("one", "az1"), ("far", "az2"))
    )
    here.ready(one, far)
    address = here.address(far)
    cases.passes("the default group between pods", one, far.name, address)
    cases.passes("the default group between pods", far, one.name, here.address(one))
    (default,) = here.tenant.here.list("network", "security-groups", name="default")
    port = here.port(one)
    change = f"/ports/{port['id']}"
    here.tenant.here.good("PUT", "network", change, {"port": {"security_groups": [here.group["id"]]}})
    cases.silent("who left the default group in the other pod", one, far.name, address)
    here.tenant.here.good("PUT", "network", change, {"port": {"security_groups": [default["id"]]}})
    cases.passes("who is in the default group again", one, far.name, address)
