# SPDX-License-Identifier: Apache-2.0
"""Is what the centre says of ports held against what a pod has?"""

import pytest

from tests.unit.audit.holdings import NEW, NOW, OLD, holding, known, routing
from tricircle.audit import ports
from tricircle.audit.findings import Finding, What
from tricircle.copies import origins
from tricircle.model.routing import Kind


def port(**values: object) -> dict[str, object]:
    return {
        "id": "p1",
        "project_id": "demo",
        "device_id": "s1",
        "device_owner": "compute:az1",
        "updated_at": OLD,
        "fixed_ips": [{"subnet_id": "sub1", "ip_address": "10.0.0.5"}],
        **values,
    }


def at_centre(*bodies: dict[str, object], copies: tuple[str, ...] = (), subnets: tuple[str, ...] = ()) -> list[Finding]:
    return list(ports.at_centre(list(bodies), alive=("s1",), subnets=subnets, copies=copies, before=NOW))


def test_a_port_of_a_living_server_has_a_copy() -> None:
    assert at_centre(port(), copies=("p1",)) == []
    assert [found.what for found in at_centre(port())] == [What.UNCOPIED]


@pytest.mark.parametrize("owner", ["compute:az1", ""], ids=["given", "claimed"])
def test_a_port_of_a_server_that_is_not_there_is_let_go(owner: str) -> None:
    (found,) = at_centre(port(device_id="dead", device_owner=owner), copies=("p1",))
    assert (found.what, found.kind, found.central_id) == (What.SERVERLESS, Kind.SERVER, "dead")


def test_ports_of_young_claims_of_routers_and_of_nobody_are_left_alone() -> None:
    assert at_centre(port(device_id="claim", updated_at=NEW)) == []
    assert at_centre(port(device_id="r1", device_owner="network:router_interface")) == []
    assert at_centre(port(device_id="", device_owner="")) == []


def test_a_slice_needs_a_copy_of_its_subnet() -> None:
    piece = port(id="sl", device_id="tricircle-ab", device_owner="network:dhcp")
    (found,) = at_centre(piece)
    assert (found.what, found.central_id, found.note) == (What.SLICE, "sub1", "sl")
    assert at_centre(piece, subnets=("sub1",)) == []
    assert at_centre({**piece, "updated_at": NEW}) == []
    assert at_centre({**piece, "device_id": "dhcp-of-somebody"}) == []


def test_a_slice_whose_subnet_is_gone_holds_nothing_and_goes() -> None:
    piece = port(id="sl", device_id="tricircle-ab", device_owner="network:dhcp", fixed_ips=[])
    (found,) = at_centre(piece)
    assert (found.what, found.kind, found.central_id) == (What.SLICE, Kind.PORT, "sl")
    assert at_centre({**piece, "updated_at": NEW}) == []
    assert at_centre({**piece, "device_id": "dhcp-of-somebody"}) == []
    assert at_centre({**piece, "binding:profile": origins.profile_of_adopted("n1")}) == []


def test_a_sub_port_that_is_in_no_trunk_is_let_go() -> None:
    sub_port = port(device_id="", device_owner="trunk:subport")
    (found,) = ports.loose([sub_port], (), NOW)
    assert (found.what, found.kind, found.central_id) == (What.ASTRAY, Kind.PORT, "p1")
    assert list(ports.loose([sub_port], ("p1",), NOW)) == []
    assert list(ports.loose([{**sub_port, "updated_at": NEW}], (), NOW)) == []
    assert list(ports.loose([port()], (), NOW)) == []


def test_a_server_that_lost_its_port_in_the_pod_lets_go_of_it() -> None:
    rows = {"c1": routing("p1", "c1", kind=Kind.PORT)}
    lost = holding("c1", "p1", device_id="")
    there = known(rows=rows, central={"p1": port()})
    assert [found.central_id for found in ports.let_go([lost], there, ("s1",))] == ["s1"]
    assert list(ports.let_go([holding("c1", "p1", device_id="s1")], there, ("s1",))) == []
    assert list(ports.let_go([lost], there, ())) == []
    young = known(rows=rows, central={"p1": port(updated_at=NEW)})
    assert list(ports.let_go([lost], young, ("s1",))) == []


def test_a_status_that_a_job_awaits_is_nobody_elses_matter() -> None:
    rows = {"c1": routing("p1", "c1", kind=Kind.PORT)}
    central = {"p1": port(**{"status": "DOWN", "binding:host_id": "Pod1"})}
    plugged = [holding("c1", "p1", status="ACTIVE")]
    (found,) = ports.statuses(plugged, known(rows=rows, central=central), "Pod1")
    assert (found.what, found.kind, found.central_id) == (What.STATUS, Kind.PORT, "p1")
    for wish in ("plugged/s1", "port/p1", "changed/s1"):
        assert list(ports.statuses(plugged, known(rows=rows, central=central, awaited={wish}), "Pod1")) == []
    elsewhere = known(rows=rows, central=central, awaited={"plugged/s2", "port/p2"})
    assert [one.central_id for one in ports.statuses(plugged, elsewhere, "Pod1")] == ["p1"]
