# SPDX-License-Identifier: Apache-2.0
"""Is everything called by its name that does not agree, and nothing that may be under way?"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tricircle.audit import compare
from tricircle.audit.findings import Finding, Holding, What
from tricircle.audit.seen import Seen
from tricircle.context import PodId, ProjectId
from tricircle.model.routing import Kind, Routing, RoutingState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
OLD = "2026-02-01T00:00:00Z"
NEW = "2026-03-01T13:00:00Z"
DEMO = ProjectId("demo")


class Plain:
    """Copies have the name of their original and its project; ``used`` is in use."""

    def difference(self, central: Mapping[str, object], _copy: Routing, present: Mapping[str, object]) -> list[str]:
        return [] if central["name"] == present["name"] else ["name"]

    def mismatch(self, central: Mapping[str, object] | None, holding: Holding) -> str:
        if central is None:
            return ""
        return "" if central["project_id"] == holding.project_id else "it belongs to somebody else"

    def is_in_use(self, holding: Holding) -> bool:
        return bool(holding.body.get("used"))


def routing(central_id: str, pod_id: str | None, *, id_: int = 1, kind: Kind = Kind.NETWORK) -> Routing:
    return Routing(
        id=id_, central_id=central_id, kind=kind, pod_id=PodId("p1"), project_id=DEMO, pod_resource_id=pod_id
    )


def state(row: Routing, *, is_held: bool = False, is_old: bool = True) -> RoutingState:
    return RoutingState(routing=row, is_held=is_held, is_old=is_old)


def holding(
    pod_id: str, central_id: str | None, *, project: str = "demo", created_at: datetime = LONG_AGO, **body: object
) -> Holding:
    return Holding(
        kind=Kind.NETWORK,
        pod_resource_id=pod_id,
        central_id=central_id,
        project_id=ProjectId(project),
        created_at=created_at,
        body={"name": "web", **body},
    )


def original(name: str = "web", project: str = "demo", updated_at: str = OLD) -> dict[str, object]:
    return {"name": name, "project_id": project, "updated_at": updated_at}


def known(**values: object) -> compare.Known:
    return compare.Known(**{"rows": {}, "before": NOW, **values})  # type: ignore[arg-type]


def looked(held: Holding, what_is_known: compare.Known) -> list[What]:
    return [found.what for found in compare.copies([held], what_is_known, Plain(), Kind.NETWORK)]


def test_what_runs_without_a_row_is_found_at_any_age() -> None:
    page = [holding("s1", "s1", created_at=NOW + timedelta(hours=1)), holding("s2", "s2")]
    (found,) = compare.unwritten(page, {"s2": routing("s2", "s2")}, Kind.SERVER)
    assert (found.what, found.central_id, found.project_id) == (What.UNWRITTEN, "s1", DEMO)
    assert found.created_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("row", "is_found"),
    [
        (state(routing("n1", "gone")), True),
        (state(routing("n1", "there")), False),
        (state(routing("n1", "gone"), is_old=False), False),
        (state(routing("n1", "gone"), is_held=True), False),
        (state(routing("n1", None)), False),
    ],
    ids=["gone", "there", "written since", "worked on", "not bound"],
)
def test_only_old_rows_that_nobody_works_on_can_be_gone(row: RoutingState, is_found: bool) -> None:
    seen = Seen()
    seen.add(["there", "others"])
    assert [found.what for found in compare.absent([row], seen)] == [What.GONE] * is_found


def test_an_attempt_is_dead_when_nobody_holds_it() -> None:
    rows = [state(routing("n1", None)), state(routing("n2", None), is_held=True), state(routing("n3", "x"))]
    rows.append(state(routing("n4", None), is_old=False))
    assert [found.central_id for found in compare.attempts(rows)] == ["n1"]


def test_a_copy_with_a_row_is_compared_with_its_original() -> None:
    rows = {"c1": routing("n1", "c1")}
    assert looked(holding("c1", "n1"), known(rows=rows, central={"n1": original()})) == []
    assert looked(holding("c1", "n1"), known(rows=rows, central={"n1": original("mail")})) == [What.DIFFERS]
    assert looked(holding("c1", "n1"), known(rows=rows, central={})) == [What.OUTLIVED]
    # A centre that came back from a backup must not take it from a server.
    assert looked(holding("c1", "n1", used=True), known(rows=rows, central={})) == [What.IN_USE]
    # Its mark does not matter: the row says what it is.
    assert looked(holding("c1", None), known(rows=rows, central={"n1": original("mail")})) == [What.DIFFERS]


def test_an_original_that_was_just_changed_has_its_own_job() -> None:
    rows = {"c1": routing("n1", "c1")}
    assert looked(holding("c1", "n1"), known(rows=rows, central={"n1": original("mail", updated_at=NEW)})) == []


def test_a_copy_without_a_row_is_adopted_when_everything_matches() -> None:
    assert looked(holding("c1", "n1"), known(central={"n1": original()})) == [What.ADOPTABLE]
    assert looked(holding("c1", "n1", project="other"), known(central={"n1": original()})) == [What.FOREIGN]
    assert looked(holding("c1", None), known(central={"n1": original()})) == []


def test_an_original_that_is_gone_leaves_an_orphan_unless_it_is_used() -> None:
    assert looked(holding("c1", "n1"), known()) == [What.ORPHAN]
    assert looked(holding("c1", "n1", used=True), known()) == [What.IN_USE]


def test_a_second_copy_is_a_duplicate_only_when_it_matches() -> None:
    others = {"n1": routing("n1", "c0", id_=7)}
    (found,) = compare.copies(
        [holding("c1", "n1")], known(others=others, central={"n1": original()}), Plain(), Kind.NETWORK
    )
    assert (found.what, found.routing_id) == (What.DUPLICATE, 7)
    assert looked(holding("c1", "n1", project="x"), known(others=others, central={"n1": original()})) == [What.FOREIGN]


def test_a_copy_that_was_bound_while_we_looked_is_no_duplicate_of_itself() -> None:
    """Whatever the pod's clock says of its age."""
    bound = {"n1": routing("n1", "c1", id_=7)}
    assert looked(holding("c1", "n1"), known(others=bound, central={"n1": original()})) == []


def test_what_somebody_may_be_making_is_left_alone() -> None:
    attempt = {"n1": routing("n1", None)}
    assert looked(holding("c1", "n1"), known(others=attempt, central={"n1": original()})) == []
    young = holding("c1", "n1", created_at=NOW + timedelta(seconds=1))
    assert looked(young, known(central={"n1": original()})) == []
    assert looked(young, known()) == []


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


def at_centre(*ports: dict[str, object], copies: tuple[str, ...] = (), subnets: tuple[str, ...] = ()) -> list[Finding]:
    return list(compare.at_centre(list(ports), alive=("s1",), subnets=subnets, copies=copies, before=NOW))


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


def test_a_server_that_lost_its_port_in_the_pod_lets_go_of_it() -> None:
    rows = {"c1": routing("p1", "c1", kind=Kind.PORT)}
    lost = holding("c1", "p1", device_id="")
    there = known(rows=rows, central={"p1": port()})
    assert [found.central_id for found in compare.let_go([lost], there, ("s1",))] == ["s1"]
    assert list(compare.let_go([holding("c1", "p1", device_id="s1")], there, ("s1",))) == []
    assert list(compare.let_go([lost], there, ())) == []
    young = known(rows=rows, central={"p1": port(updated_at=NEW)})
    assert list(compare.let_go([lost], young, ("s1",))) == []


def test_a_status_that_a_job_awaits_is_nobody_elses_matter() -> None:
    rows = {"c1": routing("p1", "c1", kind=Kind.PORT)}
    central = {"p1": port(**{"status": "DOWN", "binding:host_id": "Pod1"})}
    plugged = [holding("c1", "p1", status="ACTIVE")]
    (found,) = compare.statuses(plugged, known(rows=rows, central=central), "Pod1")
    assert (found.what, found.kind, found.central_id) == (What.STATUS, Kind.PORT, "p1")
    for wish in ("plugged/s1", "port/p1", "changed/s1"):
        assert list(compare.statuses(plugged, known(rows=rows, central=central, awaited={wish}), "Pod1")) == []
    elsewhere = known(rows=rows, central=central, awaited={"plugged/s2", "port/p2"})
    assert [one.central_id for one in compare.statuses(plugged, elsewhere, "Pod1")] == ["p1"]


def test_ids_are_remembered_in_eight_bytes() -> None:
    seen = Seen()
    seen.add(f"id-{number}" for number in range(10_000))
    assert all(f"id-{number}" in seen for number in range(0, 10_000, 97))
    assert not any(f"other-{number}" in seen for number in range(1000))
    assert len(seen) == 10_000
