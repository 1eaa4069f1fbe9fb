# SPDX-License-Identifier: Apache-2.0
"""Is a page's beginning found again, whether or not anybody remembers it?"""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.road.lists.fake_lists import FakePod, FakePositions, cinder_row, nova_row, pod
from tests.unit.road.lists.walks import QUERIES, ids, item, next_of, oracle, page, worlds
from tricircle.context import PodId
from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.listing import Listing
from tricircle.road.lists.stream import LAST, Floor, Position, place_of
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply


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


@pytest.mark.parametrize("row", [nova_row(), cinder_row()], ids=["nova", "cinder"])
@pytest.mark.parametrize("moved", [["a2"], ["a1"], ["a1", "a2"]])
@pytest.mark.parametrize("is_deleted", [False, True])
async def test_what_moves_between_two_pages_leaves_nothing_out(row: Row, moved: list[str], is_deleted: bool) -> None:
    """Its pod is not asked behind where it stands now. There it may be shown again, as in one service."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n, f"n{n}") for n in range(1, 7)])
    second = FakePod(pod=pod("P2"), items=[item("b", 9, 9, "n25")])
    positions = FakePositions()
    order = "sort_key=name&sort_dir=asc"
    _, body = await page([first, second], row, f"{order}&limit=3", positions)
    assert ids(body) == ["a1", "a2", "b"]
    for one in first.items:
        one["name"] = "z" if one["id"] in moved else one["name"]
    for thing_id in moved if is_deleted else ():
        first.delete(thing_id)
    _, body = await page([first, second], row, next_of(body) or "", positions)
    assert ids(body) == ["a3", "a4", "a5"]
    _, body = await page([first, second], row, next_of(body) or "", positions)
    assert ids(body)[0] == "a6"
    assert set(ids(body)[1:]) <= ({*moved} if not is_deleted else set())


async def test_a_pod_that_fails_before_it_came_to_the_pages_beginning_begins_there_again() -> None:
    """What it had told by then belongs to earlier pages; what the page lacked of it comes when it is back."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(6)])
    second = Dying(pod=pod("P2"), items=[item(f"b{n}", n, n) for n in range(6)], max_limit=2)
    positions = FakePositions()
    # Nothing is remembered of this marker: the second pod is read from its start.
    answer, body = await page([first, second], nova_row(), "limit=1&marker=a3", positions)
    assert ids(body) == ["a2"]
    assert answer.header(INCOMPLETE_HEADER) == b"az-P2"
    second.lives = 100
    _, body = await page([first, second], nova_row(), "limit=9&marker=a2", positions)
    assert ids(body) == ["b3", "b2", "a1", "b1", "a0", "b0"]


class Dying(FakePod):
    """Answers some times, and then no more."""

    lives = 1

    def page(self, listing: Listing, query: str) -> Reply:
        self.lives -= 1
        if self.lives < 0:
            raise UnavailableError("down")
        return super().page(listing, query)


@pytest.mark.parametrize(
    ("noun", "text"),
    [("Volume", "Volume x could not be found."), ("None with filter: id = {}.", "None with filter: id = x.")],
)
async def test_an_unknown_marker_in_a_services_own_words(noun: str, text: str) -> None:
    row = cinder_row()
    assert row.listing is not None
    row = replace(row, listing=replace(row.listing, noun=noun))
    with pytest.raises(NotFoundError, match=re.escape(text)):
        await page([FakePod(pod=pod("P1"), items=[])], row, "marker=x")


async def test_new_items_stay_out_of_a_pod_that_had_shown_none() -> None:
    """The first page was all of another pod's. What is made then heads the list, and is on no later page of it."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n + 5) for n in range(4)])
    second = FakePod(pod=pod("P2"), items=[item("old", 0, 1)])
    positions = FakePositions()
    _, body = await page([first, second], nova_row(), "limit=2", positions)
    assert ids(body) == ["a3", "a2"]
    second.items.append(item("new", 9, 50))
    _, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["a1", "a0"]
    second.items.append(item("newer", 10, 51))
    _, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["old"]


@pytest.mark.parametrize("is_away_at_first", [False, True])
async def test_a_pod_that_was_away_begins_where_it_was(is_away_at_first: bool) -> None:
    """What of it belonged to the pages that it missed comes when it is back; what is new before that does not."""
    first = FakePod(pod=pod("P1"), items=[item(f"a{n}", n, 10 * n) for n in range(6)])
    second = FakePod(pod=pod("P2"), items=[item("b1", 1, 15), item("b3", 3, 35)])
    positions, away = FakePositions(), UnavailableError("down")
    second.failure = away if is_away_at_first else None
    _, body = await page([first, second], nova_row(), "limit=2", positions)
    assert ids(body) == ["a5", "a4"]
    second.failure = away
    second.items.append(item("new", 9, 45))
    _, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["a3", "a2"]
    second.failure = None
    _, body = await page([first, second], nova_row(), (next_of(body) or "").replace("limit=2", "limit=9"), positions)
    assert ids(body) == [*(["new"] if is_away_at_first else []), "b3", "b1", "a1", "a0"]


async def test_a_floor_is_laid_anew_by_who_has_it_and_forgotten_with_its_pod() -> None:
    """It is kept by the pod's id: ranks change when pods come and go."""
    here, gone = PodId("here"), PodId("gone")
    floor = Floor(part=1, values=("x", None), place=7)
    text = floor.text({gone: 3, here: 7})
    assert place_of(text, {here: 0, gone: 1}) == Floor(part=1, values=("x", None), place=0)
    assert place_of(text, {gone: 1}) == Floor(part=1, values=("x", None), place=LAST)
    position = Position(part=1, values=("x",), ids=("a", "b"))
    assert place_of(position.text(), {}) == position


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
