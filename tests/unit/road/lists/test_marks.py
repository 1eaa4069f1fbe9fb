# SPDX-License-Identifier: Apache-2.0
"""Is a page's beginning found again, whether or not anybody remembers it?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.road.lists.fake_lists import FakePod, FakePositions, cinder_row, nova_row, pod
from tests.unit.road.lists.walks import QUERIES, ids, item, next_of, oracle, page, worlds
from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.road.row import Row


@settings(max_examples=60, deadline=None)
@given(worlds(), QUERIES, st.integers(1, 9))
async def test_positions_are_found_again_when_they_were_lost(pods: list[FakePod], query: str, limit: int) -> None:
    """A marker alone, without anything remembered, leads to the same pages."""
    row = nova_row()
    assert row.listing is not None
    expected = oracle(pods, row.listing, query)
    seen: list[str] = []
    at: str | None = f"{query}limit={limit}"
    while at is not None:
        _, body = await page(pods, row, at, FakePositions())
        seen += ids(body)
        at = next_of(body)
    assert seen == expected


async def test_a_place_that_was_worked_out_is_kept_for_pods_that_gave_nothing() -> None:
    """The page after it goes on there, and does not begin again in them."""
    first = FakePod(pod=pod("P1"), items=[item("a0", 0, 1), item("a1", 1, 9)])
    second = FakePod(pod=pod("P2"), items=[item(f"b{n}", n, n + 2) for n in range(5)])
    positions = FakePositions()
    seen = []
    at: str | None = "limit=1&marker=b4"
    while at is not None:
        _, body = await page([first, second], nova_row(), at, positions)
        seen += ids(body)
        at = next_of(body)
    assert seen == ["b3", "b2", "b1", "b0", "a0"]


async def test_new_items_before_the_marker_are_not_shown_again() -> None:
    """What is made while a client pages stays out of later pages and moves nothing."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(4)])
    second = FakePod(pod=pod("P2"), items=[item(f"b{n}", n, n) for n in range(4)])
    positions = FakePositions()
    _, body = await page([first, second], nova_row(), "limit=3", positions)
    assert ids(body) == ["a3", "b3", "a2"]
    second.items.append(item("new", 9, 50))
    _, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["b2", "a1", "b1"]


async def test_a_marker_in_a_dead_pod_works_from_what_was_remembered() -> None:
    """The page ended with an item of a pod that is gone now."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(4)])
    second = FakePod(pod=pod("P2"), items=[item(f"b{n}", n, n) for n in range(4)])
    positions = FakePositions()
    _, body = await page([first, second], nova_row(), "limit=2", positions)
    assert ids(body)[-1] == "b3"
    second.failure = UnavailableError("down")
    _, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["a2", "a1"]


@pytest.mark.parametrize("row", [nova_row(), cinder_row()])
async def test_a_marker_in_a_dead_pod_works_from_what_is_written_down(row: Row) -> None:
    """Nobody remembers the page any more, or it is in the middle of one."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(4)])
    second = FakePod(pod=pod("P2"), items=[item(f"b{n}", n, n) for n in range(4)], failure=UnavailableError("down"))
    _, body = await page([first, second], row, "limit=2&marker=b2")
    # Of equal age, the pod that goes first was before it.
    assert ids(body) == ["a1", "a0"]
    with pytest.raises(UnavailableError):
        await page([first, second], row, "limit=2&marker=b2&sort_key=name")


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        (nova_row(), InvalidRequestError, "marker [x] not found"),
        (cinder_row(), NotFoundError, "Volume x could not be found."),
    ],
)
async def test_unknown_marker(row: Row, error: type[Exception], text: str) -> None:
    """Compute says 400, block storage 404."""
    pods = [FakePod(pod=pod("P1"), items=[item("a", 1, 1)])]
    with pytest.raises(error) as caught:
        await page(pods, row, "marker=x")
    assert str(caught.value) == text
