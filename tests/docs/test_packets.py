# SPDX-License-Identifier: Apache-2.0
"""Does docs/packets.json say of every ping what was expected and seen, and that they agree?"""

import json

import pytest

from tests.docs.pages import ROOT

FIELDS = {"case", "from", "to", "expected", "seen"}
#: After a change that was timed, from the request until it was so.
TIMED = {"seconds"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((ROOT / "docs" / "packets.json").read_text())
    return found


def test_every_row_says_who_whom_and_what(rows: list[dict[str, str]]) -> None:
    assert rows
    for row in rows:
        assert FIELDS <= set(row) <= FIELDS | TIMED
        assert all(isinstance(value, str) and value for value in row.values())
        assert row["expected"] in ("passes", "silent")


def test_changes_of_rules_and_of_members_are_timed(rows: list[dict[str, str]]) -> None:
    timed = [row for row in rows if "seconds" in row]
    assert {row["expected"] for row in timed} == {"passes", "silent"}
    assert all(0 < float(row["seconds"]) < 40 for row in timed)


def test_what_was_seen_is_what_was_expected(rows: list[dict[str, str]]) -> None:
    assert [row for row in rows if row["seen"] != row["expected"]] == []


def test_every_ping_that_must_not_pass_has_a_twin_that_does(rows: list[dict[str, str]]) -> None:
    """The same two ends in another case; of strangers' servers, one that their neighbour reaches."""
    heard = {row["to"] for row in rows if row["expected"] == "passes"}
    assert {row["to"] for row in rows if row["expected"] == "silent"} <= heard
