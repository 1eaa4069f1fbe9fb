# SPDX-License-Identifier: Apache-2.0
"""Which of some rows are the page that was asked for?"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tricircle_neutron.pages import Row, page

ROWS = [
    {"id": "3", "host": "Pod1", "alive": True, "topic": None},
    {"id": "1", "host": "Pod2", "alive": False, "topic": "b"},
    {"id": "2", "host": "Pod3", "alive": True, "topic": "a"},
]
BY_ID = [("id", True)]


def ids(**asked: Any) -> list[object]:
    wanted = {"filters": {}, "sorts": BY_ID, "limit": None, "marker": None, **asked}
    return [row["id"] for row in page(ROWS, **wanted)]


def test_rows_come_in_the_order_that_was_asked_for_and_what_is_not_set_first() -> None:
    assert ids() == ["1", "2", "3"]
    assert ids(sorts=[("id", False)]) == ["3", "2", "1"]
    assert ids(sorts=[("topic", True), ("id", True)]) == ["3", "2", "1"]
    assert ids(sorts=[("alive", False)]) == ["2", "3", "1"]


def test_filters_count_before_the_limit() -> None:
    assert ids(filters={"alive": [True]}, limit=2) == ["2", "3"]
    assert ids(filters={"alive": [False], "host": []}) == ["1"]
    assert ids(filters={"host": ["Pod1", "Pod2"]}) == ["1", "3"]


def test_a_marker_counts_whether_it_matches_or_not_and_one_that_is_unknown_is_none() -> None:
    assert ids(marker="1", limit=5, filters={"alive": [True]}) == ["2", "3"]
    assert ids(marker="away", limit=1) == ["1"]
    assert ids(marker="3", limit=1) == []
    # Without a limit there are no pages, and Neutron gives no marker either.
    assert ids(marker="1") == ["1", "2", "3"]


def test_reversed_are_those_in_front_in_the_same_order() -> None:
    assert ids(marker="3", limit=2, page_reverse=True) == ["1", "2"]
    assert ids(marker="3", limit=1, page_reverse=True) == ["2"]
    assert ids(limit=1, page_reverse=True) == ["3"]


@given(st.sets(st.integers(0, 99).map(str)), st.integers(1, 5), st.booleans())
def test_pages_one_after_another_are_the_whole_and_end(names: set[str], limit: int, is_ascending: bool) -> None:
    rows: list[Row] = [{"id": name, "size": len(name)} for name in names]
    sorts = [("size", is_ascending)]
    whole = page(rows, filters={}, sorts=sorts, limit=None, marker=None)
    found: list[Row] = []
    marker: str | None = None
    for _ in range(len(names) + 1):
        some = page(rows, filters={}, sorts=sorts, limit=limit, marker=marker)
        found += some
        if len(some) < limit:
            break
        marker = str(some[-1]["id"])
    assert found == whole
