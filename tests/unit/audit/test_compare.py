# SPDX-License-Identifier: Apache-2.0
"""Is everything called by its name that does not agree, and nothing that may be under way?"""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.unit.audit.holdings import DEMO, NEW, NOW, holding, known, original, routing, state
from tricircle.audit import compare
from tricircle.audit.findings import Holding, What
from tricircle.audit.seen import Seen
from tricircle.model.routing import Kind, Routing, RoutingState


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


def test_ids_are_remembered_in_eight_bytes() -> None:
    seen = Seen()
    seen.add(f"id-{number}" for number in range(10_000))
    assert all(f"id-{number}" in seen for number in range(0, 10_000, 97))
    assert not any(f"other-{number}" in seen for number in range(1000))
    assert len(seen) == 10_000
