# SPDX-License-Identifier: Apache-2.0
"""Do packets pass between servers of one network in two pods when they may, and only then?"""

import time
from collections.abc import Callable

import pytest

from lab.datapath import wires
from tests.functional.region_world import eventually
from tests.packets.conftest import Place
from tests.packets.guests import Cases, Guest, path, path_of

DNS = "9.9.9.9"
FAR = "10.31.0.9"
ROUTE = {"destination": "192.0.2.0/24", "nexthop": FAR}


@pytest.fixture(scope="module")
def here(place: Callable[..., Place]) -> Place:
    """One network with two servers in the first pod and one in the second."""
    made = place(dns_nameservers=[DNS], host_routes=[ROUTE])
    made.boots(("one", "az1"), ("near", "az1"))
    made.boot("far", "az2", networks=[{"uuid": made.network["id"], "fixed_ip": FAR}])
    made.ready(*made.guests)
    return made


@pytest.fixture(scope="module")
def one(here: Place) -> Guest:
    return here.guests[0]


@pytest.fixture(scope="module")
def near(here: Place) -> Guest:
    return here.guests[1]


@pytest.fixture(scope="module")
def far(here: Place) -> Guest:
    return here.guests[2]


def test_one_subnet_in_two_pods(cases: Cases, here: Place, one: Guest, near: Guest, far: Guest) -> None:
    case = "one subnet in two pods, a rule allows"
    cases.passes(case, one, far.name, here.address(far))
    cases.passes(case, far, one.name, here.address(one))
    cases.passes(case, near, far.name, here.address(far))
    cases.passes(case, one, near.name, here.address(near))


def test_dhcp_tells_what_the_centre_decided(here: Place, one: Guest, far: Guest) -> None:
    for guest, pod in ((one, "Pod1"), (far, "Pod2")):
        port = here.port(guest)
        lease = guest.lease(port["mac_address"])
        (copy,) = here.tenant.region.pods[pod].list("network", "networks", name=here.network["name"])
        (subnet,) = here.tenant.region.pods[pod].list("network", "subnets", network_id=copy["id"])
        assert lease["ip"] == port["fixed_ips"][0]["ip_address"]
        assert (lease["mask"], lease["mtu"], lease["dns"]) == ("24", "1400", DNS)
        gateway = subnet["gateway_ip"]
        assert (lease["router"], lease["serverid"]) == (gateway, gateway)
        assert f"{ROUTE['destination']} {ROUTE['nexthop']}" in lease["staticroutes"]
        assert f"default via {gateway}" in guest.run("ip", "route", "show")
    first, second = (guest.lease(here.port(guest)["mac_address"])["router"] for guest in (one, far))
    assert first != second, "each pod has a gateway of its own"


def test_a_host_route_leads_through_a_server_in_the_other_pod(
    cases: Cases, here: Place, one: Guest, far: Guest
) -> None:
    behind = "192.0.2.1"
    far.run("ip", "address", "add", f"{behind}/32", "dev", "lo")
    name = f"behind {far.name}"
    port = f"/ports/{here.port(far)['id']}"
    for case, pairs in (("a host route", [{"ip_address": behind}]), ("a host route, its router may not", [])):
        change = {"port": {"allowed_address_pairs": pairs}}
        here.tenant.here.good("PUT", "network", port, change)
        (cases.passes if pairs else cases.silent)(case, one, name, behind)


def test_the_status_of_a_port_is_that_of_its_device(here: Place, far: Guest) -> None:
    eventually(lambda: here.port(far)["status"], lambda seen: seen == "ACTIVE", "port ACTIVE")


def test_a_rule_that_goes_and_comes_back(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    delete = f"/security-group-rules/{here.rule['id']}"
    address, back = here.address(far), here.address(one)
    began = time.monotonic()
    assert here.tenant.here.delete("network", delete) == 204
    cases.silent("the rule is removed", one, far.name, address, since=began)
    cases.silent("the rule is removed", far, one.name, back)
    began = time.monotonic()
    here.allow()
    cases.passes("the rule is back", one, far.name, address, since=began)
    cases.passes("the rule is back", far, one.name, back)


def test_a_wire_that_is_cut_and_mended(cases: Cases, here: Place, one: Guest, near: Guest, far: Guest) -> None:
    whole, pod = path(), path_of("az2")
    physnet = "stretch"
    cases.passes("the wire is whole", one, far.name, here.address(far))
    wires.cut(whole, pod, physnet)
    try:
        cases.silent("the wire between pods is cut", one, far.name, here.address(far))
        cases.passes("the wire between pods is cut", one, near.name, here.address(near))
    finally:
        wires.mend(whole, pod, physnet)
    cases.passes("the wire is mended", one, far.name, here.address(far))


def test_an_address_that_is_not_the_ports(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    port, extra = here.port(far), "10.31.0.199"
    far.run("ip", "address", "add", f"{extra}/24", "dev", far.device(port["mac_address"]))

    def change(**values: object) -> None:
        here.tenant.here.good("PUT", "network", f"/ports/{port['id']}", {"port": values})

    cases.silent("an address beside the port's", one, f"more of {far.name}", extra)
    change(allowed_address_pairs=[{"ip_address": extra}])
    cases.passes("an allowed address pair", one, f"more of {far.name}", extra)
    change(allowed_address_pairs=[])
    cases.silent("the address pair is removed", one, f"more of {far.name}", extra)
    change(security_groups=[], port_security_enabled=False)
    cases.passes("port security is off", one, f"more of {far.name}", extra)
    change(port_security_enabled=True, security_groups=[here.group["id"]])
    cases.silent("port security is on again", one, f"more of {far.name}", extra)
    cases.passes("port security is on again", one, far.name, here.address(far))


def test_a_server_that_stops_and_starts(cases: Cases, here: Place, one: Guest, far: Guest) -> None:
    tenant, path_ = here.tenant, f"/servers/{far.server_id}"
    address = here.address(far)
    tenant.here.good("POST", "compute", f"{path_}/action", {"os-stop": None})
    tenant.reached("compute", path_, "server", "SHUTOFF")
    cases.silent("the server is stopped", one, far.name, address)
    tenant.here.good("POST", "compute", f"{path_}/action", {"os-start": None})
    here.ready(far)
    cases.passes("the server runs again", one, far.name, address)


def test_a_server_that_is_deleted(cases: Cases, here: Place, one: Guest) -> None:
    gone = here.boot("gone", "az2")
    here.ready(gone)
    address = here.address(gone)
    cases.passes("before the server is deleted", one, gone.name, address)
    here.tenant.gone("compute", f"/servers/{gone.server_id}")
    cases.silent("the server is deleted", one, gone.name, address)
    again = here.boot("again", "az2", networks=[{"uuid": here.network["id"], "fixed_ip": address}])
    here.ready(again)
    cases.passes("another server has its address", one, again.name, address)
