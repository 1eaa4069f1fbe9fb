# SPDX-License-Identifier: Apache-2.0
"""Does the centre know the trunks of servers again, with their ports, and is it said where it cannot?"""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.pods.conftest import Bench
from tests.unit.recovery.test_importing import importer
from tests.unit.recovery.test_recoverable import (
    POD,
    SUBNET,
    TENANT,
    contents,
    copies,
    declared,
    group,
    held,
    network,
    port,
    subnet,
)
from tricircle.audit.findings import Holding
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.model.routing import Kind
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Declared
from tricircle.recovery.importing import Importer
from tricircle.recovery.missing import Seen, missing
from tricircle.recovery.recoverable import ports, trunks
from tricircle.recovery.report import Did, Report
from tricircle.recovery.trunks import trunk_body

_TAG = {"segmentation_type": "vlan", "segmentation_id": 101}
_HOST = "binding:host_id"


def trunk(*sub_ports: str, pod_id: str = "t1", central_id: str | None = "T", **body: object) -> Holding:
    """The copy of a trunk on the port p1 of a server."""
    rows = [{"port_id": one, **_TAG, "segmentation_id": 101 + number} for number, one in enumerate(sub_ports)]
    shown = {"name": "uplink", "admin_state_up": False, "port_id": "p1", "sub_ports": rows, **body}
    return held(Kind.TRUNK, pod_id, central_id, TENANT, **shown)


def sub_port(**body: object) -> Holding:
    """The copy of one, which no server has."""
    fixed_ips = [{"subnet_id": "s1", "ip_address": "10.0.0.20"}]
    shown = {"device_id": "", "device_owner": "trunk:subport", "mac_address": "fa:2", "fixed_ips": fixed_ips, **body}
    return port("p2", "C", **shown)


def pod_with(*found: Holding, ports_: tuple[Holding, ...] | None = None) -> Contents:
    """A pod with these trunks, the parent of a server, and a sub-port."""
    made = contents(
        networks=[network()], subnets=[subnet()], groups=[group()],
        ports=[port(), sub_port()] if ports_ is None else list(ports_),
    )  # fmt: skip
    made.lists[Kind.TRUNK] = list(found)
    return made


class Neutron:
    """A centre that takes what it is given, and makes no trunk of a bound port."""

    def __init__(self, known: Declared) -> None:
        self.ports: dict[str, dict[str, Any]] = {key: dict(port) for key, port in known.ports.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuses = ""

    async def post(self, path: str, *, body: dict[str, dict[str, Any]], **_: object) -> dict[str, Any]:
        ((singular, given),) = body.items()
        self.calls.append((f"POST {singular}", given))
        if singular == self.refuses:
            raise UpstreamStatusError(503, "", "centre")
        if singular == "trunk" and self.ports[given["port_id"]].get(_HOST):
            raise UpstreamStatusError(409, '{"NeutronError": {"type": "ParentPortInUse"}}', "centre")
        made = {"id": f"new-{len(self.calls)}", **given}
        if singular == "port":
            self.ports[made["id"]] = made
        return {singular: made}

    async def put(self, path: str, *, body: dict[str, dict[str, Any]], **_: object) -> dict[str, Any]:
        self.calls.append(("PUT port", body["port"]))
        if self.refuses == "bind":
            raise UpstreamStatusError(503, "", "centre")
        changed = self.ports[path.rsplit("/", 1)[1]]
        changed |= body["port"]
        return {"port": changed}

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def at_centre(bench: Bench, known: Declared) -> tuple[Importer, Report, Neutron]:
    making, report = importer(bench, is_rehearsal=False)
    neutron = Neutron(known)
    making._centre.client = lambda _service: neutron  # type: ignore[method-assign, assignment, return-value]
    return making, report, neutron


def test_a_trunk_is_missing_when_a_server_has_its_parent() -> None:
    found = missing([pod_with(trunk("p2"))], declared())
    assert (list(found.trunks), list(found.ports), found.parents()) == (["T"], ["C"], {"p1"})
    assert found.trunks["T"] == [Seen(POD, trunk("p2"))]
    for other in (
        missing([pod_with(trunk("p2"))], declared(trunks={"T": {}})),
        missing([pod_with(trunk("p2", central_id=None))], declared()),
        missing([pod_with(trunk("p2", port_id="elsewhere"))], declared()),
        missing([pod_with(trunk("p2"), ports_=(port(device_id="gone"), sub_port()))], declared()),
    ):
        assert (other.trunks, other.ports) == ({}, {})


def test_all_that_a_copy_says_is_the_originals() -> None:
    body = trunk_body(Seen(POD, trunk("p2")), {"p1": "P", "p2": "C"})
    assert body == {
        "name": "uplink", "admin_state_up": False, "project_id": TENANT, "port_id": "P",
        "sub_ports": [{"port_id": "C", "segmentation_type": "vlan", "segmentation_id": 101}],
    }, "the description is the mark, which is none of the tenant's"  # fmt: skip


@pytest.mark.parametrize(("known", "lost"), [({"p2": "C"}, "p1"), ({"p1": "P"}, "p2"), ({}, "p1, p2")])
def test_a_trunk_without_one_of_its_ports_is_none(known: dict[str, str], lost: str) -> None:
    with pytest.raises(NotFoundError, match=f"its ports {lost} are unknown"):
        trunk_body(Seen(POD, trunk("p2")), known)


async def test_a_trunk_is_made_with_its_ports_and_its_parent_is_bound_last(bench: Bench) -> None:
    known = declared(ports={}, addresses=frozenset())
    making, report, neutron = at_centre(bench, known)
    found = pod_with(trunk("p2"))
    after = await making.run([found], known)
    assert report.problems == []
    assert neutron.names() == ["POST port", "POST port", "POST trunk", "PUT port"]
    (_, parent), (_, child), (_, made), (_, bound) = neutron.calls
    assert _HOST not in parent or parent[_HOST] == ""
    assert (child["device_id"], child["device_owner"], child[_HOST]) == ("", "trunk:subport", "Pod1")
    assert (made["port_id"], made["sub_ports"][0]["port_id"]) == ("new-1", "new-2")
    assert bound == {_HOST: "Pod1", "device_id": "server", "device_owner": "compute:az1"}
    assert (list(after.trunks), after.ports["new-1"][_HOST]) == (["new-3"], "Pod1")
    assert [one.central_id for one in found.lists[Kind.TRUNK]] == ["new-3"]
    assert report.counts["Pod1", Kind.TRUNK, Did.IMPORTED] == 1
    assert any("uplink; on port p1" in note for note in report.notes)


async def test_the_routing_of_such_a_trunk_is_written_with_a_job_for_its_mark(bench: Bench) -> None:
    parent = {**declared().ports["P"], _HOST: ""}
    known = declared(ports={"P": parent})
    making, _report, _neutron = at_centre(bench, known)
    found = pod_with(trunk())
    after = await making.run([found], known)
    on = copies(after)
    settled = trunks(POD, found.lists[Kind.TRUNK], ports(POD, found.lists[Kind.PORT], on, after), after)
    ((central_id, fact),) = settled.facts.items()
    assert central_id in after.trunks
    assert (fact.routing.pod_resource_id, fact.routing.project_id) == ("t1", TENANT)
    assert (fact.routing.revision, fact.job) == (None, Kind.TRUNK)


@pytest.mark.parametrize("device_id", ["", "server"])
async def test_a_parent_that_the_centre_knows_and_nobody_bound_is_bound(bench: Bench, device_id: str) -> None:
    """The backup is from after the port and before the boot."""
    parent = {**declared().ports["P"], _HOST: "", "device_id": device_id}
    known = declared(ports={"P": parent})
    making, report, neutron = at_centre(bench, known)
    after = await making.run([pod_with(trunk())], known)
    assert (report.problems, neutron.names()) == ([], ["POST trunk", "PUT port"])
    assert (after.ports["P"][_HOST], after.ports["P"]["device_id"]) == ("Pod1", "server")


async def test_a_parent_that_is_anothers_stays_so(bench: Bench) -> None:
    known = declared(ports={"P": {**declared().ports["P"], _HOST: "", "device_id": "another"}})
    making, _report, neutron = at_centre(bench, known)
    await making.run([pod_with(trunk())], known)
    assert neutron.names() == ["POST trunk"]


async def test_no_trunk_is_made_of_a_bound_port_and_that_is_said(bench: Bench) -> None:
    making, report, neutron = at_centre(bench, declared())
    found = pod_with(trunk())
    after = await making.run([found], declared())
    assert (after.trunks, neutron.names()) == ({}, ["POST trunk"])
    (problem,) = report.problems
    assert "trunk t1 (uplink; on port p1)" in problem.text
    assert "ParentPortInUse" in problem.text
    assert found.lists[Kind.TRUNK][0].central_id == "T"


async def test_an_operators_sub_port_keeps_the_trunk_from_being_made(bench: Bench) -> None:
    """A job would take it from the server."""
    his = replace(sub_port(), central_id=None)
    known = declared(ports={"P": {**declared().ports["P"], _HOST: ""}})
    making, report, neutron = at_centre(bench, known)
    await making.run([pod_with(trunk("p2"), ports_=(port(), his))], known)
    assert neutron.calls == []
    (problem,) = report.problems
    assert "its ports p2 are unknown there too" in problem.text


@pytest.mark.parametrize("refuses", ["trunk", "bind"])
async def test_the_next_attempt_goes_on_where_one_ended(bench: Bench, refuses: str) -> None:
    known = declared(ports={}, addresses=frozenset())
    making, report, neutron = at_centre(bench, known)
    neutron.refuses = refuses
    await making.run([pod_with(trunk("p2"))], known)
    assert ["trunk t1" in problem.text for problem in report.problems] == [True]
    begun = declared(
        ports=dict(neutron.ports), addresses=frozenset(),
        trunks={"T2": {"id": "T2", **neutron.calls[2][1]}} if refuses == "bind" else {},
    )  # fmt: skip
    making, report, again = at_centre(bench, begun)
    after = await making.run([pod_with(trunk("p2"))], begun)
    assert report.problems == []
    assert again.names() == (["PUT port"] if refuses == "bind" else ["POST trunk", "PUT port"])
    assert (len(after.trunks), len(after.ports), after.ports["new-1"][_HOST]) == (1, 2, "Pod1")


async def test_a_rehearsal_names_the_trunk(bench: Bench) -> None:
    making, report = importer(bench, is_rehearsal=True)
    await making.run([pod_with(trunk("p2"))], declared())
    assert [note.split()[2] for note in report.notes] == ["port", "trunk"]
    assert "fa:2; a sub-port" in report.notes[0]
    assert SUBNET["cidr"] not in report.notes[1]
