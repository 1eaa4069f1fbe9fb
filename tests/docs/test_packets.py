# SPDX-License-Identifier: Apache-2.0
"""Does docs/packets.json say of every ping what was expected and seen, and that they agree?"""

import json
from collections.abc import Sequence

import pytest

from tests.docs.pages import ROOT

FIELDS = {"module", "case", "from", "to", "expected", "seen"}
#: After a change that was timed, from the request until it was so; how large a packet was whose size matters.
MORE = {"seconds", "bytes"}
Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    found: list[Row] = json.loads((ROOT / "docs" / "packets.json").read_text())
    return found


def test_every_row_says_who_whom_and_what(rows: list[Row]) -> None:
    assert rows
    for row in rows:
        assert FIELDS <= set(row) <= FIELDS | MORE
        assert all(isinstance(value, str) and value for value in row.values())
        assert row["expected"] in ("passes", "silent")
        assert (ROOT / "tests" / "packets" / f"{row['module']}.py").exists()


def test_changes_of_rules_and_of_members_are_timed(rows: list[Row]) -> None:
    timed = [row for row in rows if "seconds" in row]
    assert {row["expected"] for row in timed} == {"passes", "silent"}
    assert all(0 < float(row["seconds"]) < 40 for row in timed)


def test_what_was_seen_is_what_was_expected(rows: list[Row]) -> None:
    assert [row for row in rows if row["seen"] != row["expected"]] == []


def alone(rows: Sequence[Row]) -> list[Row]:
    """Pings that must not pass, of which no twin passes: from the same server to the same end in the same module.

    The twin of a packet that is too large is a smaller one.
    """
    passing = [row for row in rows if row["expected"] == row["seen"] == "passes"]

    def twins(row: Row) -> list[Row]:
        ends = [one for one in passing if all(one[key] == row[key] for key in ("module", "from", "to"))]
        return [one for one in ends if int(one.get("bytes", 0)) < int(row["bytes"])] if "bytes" in row else ends

    return [row for row in rows if row["expected"] == "silent" and not twins(row)]


def test_every_ping_that_must_not_pass_has_a_twin_that_does(rows: list[Row]) -> None:
    assert alone(rows) == []


def _row(expected: str, **values: str) -> Row:
    ends = {"module": "test_one", "case": "a case", "from": "one (az1)", "to": "far (az2)"}
    return {**ends, "expected": expected, "seen": expected, **values}


@pytest.mark.parametrize(
    "other", [{"module": "test_two"}, {"from": "near (az1)"}, {"to": "near (az1)"}, {"seen": "silent"}]
)
def test_another_pair_is_no_twin(other: Row) -> None:
    silent = _row("silent")
    assert alone([silent, _row("passes")]) == []
    assert alone([silent, _row("passes", **other)]) == [silent]


def test_only_a_smaller_packet_is_the_twin_of_a_large_one() -> None:
    large = _row("silent", bytes="1451")
    assert alone([large, _row("passes", bytes="1450")]) == []
    assert alone([large, _row("passes", bytes="1451")]) == [large]
