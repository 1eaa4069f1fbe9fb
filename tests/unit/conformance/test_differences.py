# SPDX-License-Identifier: Apache-2.0
"""Is every difference between one real cloud and us explained, and is nothing lost that passed directly once?"""

from pathlib import Path

import pytest

from conformance import differences, report
from conformance.differences import Difference
from conformance.results import Result, append, forget, load, missing
from conformance.shares import Share, too_small

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = differences.published(ROOT / "docs" / "conformance.json")
OLDER = differences.published(ROOT / "docs" / "conformance-older.json")
#: What passed directly on the lab when counting began, over compute, volume, image and network.
FIRST_PASSES = 946
A, B = "tempest.api.compute.A.test_a[id-1]", "tempest.api.volume.B.test_b[id-2,smoke]"


def row(test: str, pod: str, one: str, three: str) -> dict[str, str]:
    return {"test": test, "pod": pod, "one": one, "three": three}


def test_every_published_difference_has_a_cause() -> None:
    assert differences.unexplained(PUBLISHED, differences.kept()) == []


def test_every_cause_has_a_difference() -> None:
    assert differences.idle(PUBLISHED, differences.kept()) == []


def test_every_difference_with_an_older_pod_has_a_cause() -> None:
    """Those of a lab without one are causes too."""
    only_older = differences.kept(differences.KEPT_OLDER)
    assert differences.unexplained(OLDER, (*only_older, *differences.kept())) == []
    assert differences.idle(OLDER, only_older) == []


def test_no_fewer_pass_directly_than_at_first() -> None:
    assert sum(one["pod"] == "passed" for one in PUBLISHED) >= FIRST_PASSES


def test_the_page_tells_what_the_list_says() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert "**not known**" not in page
    for one in differences.differing(PUBLISHED):
        assert f"| {differences.short(one['test'])} | {one['one']} | {one['three']} |" in page


@pytest.mark.parametrize(
    ("one", "differs"),
    [
        (row(A, "passed", "passed", "passed"), False),
        (row(A, "passed", "passed", "absent"), False),
        (row(A, "failed", "failed", "failed"), False),
        (row(A, "passed", "passed", "failed"), True),
        (row(A, "passed", "skipped", "passed"), True),
    ],
)
def test_what_a_difference_is(one: dict[str, str], differs: bool) -> None:
    assert bool(differences.differing([one])) is differs


def test_a_cause_is_found_by_pattern_and_an_idle_one_is_named() -> None:
    known = [Difference(("compute.A.*",), "because"), Difference(("volume.C.*",), "no more")]
    rows = [row(A, "passed", "failed", "failed"), row(B, "passed", "passed", "failed")]
    assert differences.cause_of(A, known) == "because"
    assert differences.unexplained(rows, known) == [B]
    assert differences.idle(rows, known) == ["volume.C.*"]


def test_passes_are_a_ratchet_at_every_target() -> None:
    before = [row(A, "passed", "passed", "passed"), row(B, "passed", "passed", "passed")]
    now = [row(A, "skipped", "absent", "failed"), row(B, "absent", "absent", "passed")]
    assert differences.lost(before, now) == [("pod", A), ("three", A)]
    # A run that was cut off has not passed.
    assert differences.left_out(now, ["pod", "three"]) == [("pod", B)]
    assert differences.left_out(now, ["three"]) == []


def test_what_failed_is_forgotten_with_its_class(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    for result in (Result(A, "passed"), Result("setUpClass (tempest.api.volume.B)", "failed", "no")):
        append(file, result)
    assert list(missing([A, B], load(file))) == []
    assert forget(file, "failed", classes={"tempest.api.compute.A"}) == set()
    assert forget(file, "failed", classes={"tempest.api.volume.B"}) == {"tempest.api.volume.B"}
    assert list(missing([A, B], load(file))) == [B]


def test_the_page_counts_and_names() -> None:
    results = {
        "pod": {A: Result(A, "passed"), B: Result(B, "failed", "Traceback\nno such thing")},
        "one": {A: Result(A, "passed", again=True)},
        "three": {A: Result(A, "failed", "why")},
    }
    page = report.as_markdown(
        {"All": [A, B]}, results, [Difference(("compute.A.*",), "so it is")], [Share("Pod1", 1, 3)]
    )
    assert "| directly on Pod1 | 1 | 1 | 0 | 0 | 0 |" in page
    assert "| through tricircle, one pod | 1 | 0 | 0 | 1 | 1 |" in page
    assert "| compute.A.test_a | passed | failed | so it is |" in page
    assert "| volume.B.test_b | no such thing |" in page
    assert "| Pod1 | 1 (100 %) | 3 (100 %) |" in page


def test_a_pod_that_gets_nothing_is_named() -> None:
    assert too_small([Share("Pod1", 80, 20), Share("Pod2", 20, 20)]) == []
    assert too_small([Share("Pod1", 81, 20), Share("Pod2", 19, 20)]) == ["Pod2 got 19 % of the servers"]
