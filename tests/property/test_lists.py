# SPDX-License-Identifier: Apache-2.0
"""Is the one list over one to five pods the list of one service, page by page, while things come and go and a pod
goes down?

Ages are few seconds, names differ in case and accents or are missing: everything ties. The oracle is one fake service
with all of it; a sample of this runs against real Nova and Cinder in ``tests/functional/test_lists.py``.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.several_pods import SERVERS, SNAPSHOT_LIST, VOLUME_LIST, Collection, SeveralPods, Thing

NAMES = st.sampled_from(
    [None, "", "a", "A", "ä", "Ä", "b", "B", "á", "Z", "z", "_", "ß", "ss", "é", "E", "Я", "я", "й", "и", "x-a", "x-ä",
     "x-B", "x-_", "x-1", "x-10", "x-2", "\U0001f600", "漢"]
)  # fmt: skip
ORDERS = {
    SERVERS.key: [
        "",
        "sort_dir=asc",
        "sort_key=display_name",
        "sort_key=display_name&sort_dir=asc",
        "sort_key=display_name&sort_key=created_at",
        "sort_key=display_name&sort_key=created_at&sort_dir=asc",
        "sort_key=created_at&sort_key=display_name&sort_dir=desc&sort_dir=asc",
        "sort_key=uuid&sort_dir=asc",
        "sort_key=key_name",
        "sort_key=vm_state&sort_key=display_name&sort_key=created_at&sort_dir=asc",
    ],
    VOLUME_LIST.key: [
        "",
        "sort_dir=asc",
        "sort=name",
        "sort=name:asc",
        "sort=size,name:asc",
        "sort=status:asc,name",
        "sort_key=name&sort_dir=asc",
        "sort=created_at:asc,name:desc",
        "sort=updated_at",
        "sort=id:asc",
    ],
}
ORDERS[SNAPSHOT_LIST.key] = ORDERS[VOLUME_LIST.key]
FILTERS = {
    SERVERS.key: ["", "", "name=x-", "name=^[ab]", "status=ACTIVE"],
    VOLUME_LIST.key: ["", "", "name=a", "status=available", "status=error"],
}
FILTERS[SNAPSHOT_LIST.key] = FILTERS[VOLUME_LIST.key]
COLLECTIONS = [SERVERS, VOLUME_LIST, SNAPSHOT_LIST]
collections = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda one: one.key)


@st.composite
def things(draw: st.DrawFn, collection: Collection) -> Thing:
    name = draw(NAMES)
    if collection is SERVERS:
        # A server has a name; it may wait for a cell.
        return Thing(draw(st.integers(0, 4)), name or "", is_queued=draw(st.integers(0, 9)) == 0)
    return Thing(draw(st.integers(0, 4)), name, draw(st.integers(1, 3)))


@st.composite
def worlds(draw: st.DrawFn, collection: Collection) -> SeveralPods:
    """One to five pods, each with its own longest page, and up to 25 things in them."""
    limits = draw(st.lists(st.sampled_from([1, 2, 3, 7, 1000]), min_size=1, max_size=5))
    world = SeveralPods(collection, limits)
    for place, thing in draw(st.lists(st.tuples(st.integers(0, 4), things(collection)), max_size=25)):
        world.make(place, thing)
    return world


def query_of(data: st.DataObject, collection: Collection, *, is_filtered: bool = True) -> str:
    parts = [data.draw(st.sampled_from(FILTERS[collection.key]), label="filter")] if is_filtered else []
    parts.append(data.draw(st.sampled_from(ORDERS[collection.key]), label="order"))
    if collection is VOLUME_LIST and data.draw(st.booleans(), label="all are counted"):
        parts.append("with_count=true")
    return "&".join([*filter(None, parts), f"limit={data.draw(st.integers(1, 9), label='limit')}"])


@collections
@settings(max_examples=120, deadline=None)
@given(data=st.data())
async def test_every_page_is_the_one_services_page(collection: Collection, data: Any) -> None:
    """Ids, order, link and number of all; whether or not anybody remembers where the page before ended."""
    world = data.draw(worlds(collection))
    world.is_brief = data.draw(st.booleans(), label="the brief list")
    at: str | None = query_of(data, collection)
    while at is not None:
        expected, following = world.expected(at)
        seen, at_next, missing = await world.page(at)
        assert (seen, at_next, missing) == (expected, following, set())
        assert world.counts[0] == world.counts[1]
        if data.draw(st.booleans(), label="positions are lost"):
            world.places.saved.clear()
        at = at_next


@collections
@settings(max_examples=80, deadline=None)
@given(data=st.data())
async def test_any_marker_is_the_one_services_marker(collection: Collection, data: Any) -> None:
    """Also one from the middle of a page, or from none of ours; with an offset where the service has one."""
    world = data.draw(worlds(collection))
    if not world.where:
        return
    query = query_of(data, collection, is_filtered=False) + f"&marker={data.draw(st.sampled_from(sorted(world.where)))}"
    if collection is not SERVERS:
        query += f"&offset={data.draw(st.integers(0, 4))}"
    seen, _, _ = await world.page(query)
    assert seen == world.expected(query)[0]


@collections
@settings(max_examples=120, deadline=None)
@given(data=st.data())
async def test_while_things_come_and_go(collection: Collection, data: Any) -> None:
    """What was there all the time is shown once, in order and on the page where the one service shows it; what is made
    meanwhile is shown at least where that shows it, and never twice."""
    world = data.draw(worlds(collection))
    at: str | None = query_of(data, collection)
    theirs: list[str] = []
    ours: list[str] = []
    made: set[str] = set()
    their_next = at
    while at is not None or their_next is not None:
        if their_next is not None:
            page, their_next = world.expected(their_next)
            theirs += page
        if at is not None:
            page, at, _ = await world.page(at)
            ours += page
        # Cinder refuses a marker that is gone: its own client could not go on.
        ends = {theirs[-1:][0] if theirs else "", ours[-1:][0] if ours else ""} if collection is not SERVERS else set()
        left = sorted(set(world._store(world.oracle)) - ends)
        for thing_id in data.draw(st.lists(st.sampled_from(left), unique=True, max_size=3)) if left else []:
            world.delete(thing_id)
        if len(made) < 6:
            fresh = data.draw(st.lists(st.tuples(st.integers(0, 4), things(collection)), max_size=2))
            made |= {world.make(place, thing) for place, thing in fresh}
    assert len(set(ours)) == len(ours)
    steady = set(world._store(world.oracle)) - made
    assert [one for one in ours if one in steady] == [one for one in theirs if one in steady]
    assert set(theirs) & set(world._store(world.oracle)) <= set(ours)


@collections
@settings(max_examples=120, deadline=None)
@given(data=st.data())
async def test_while_a_pod_is_down(collection: Collection, data: Any) -> None:
    """The others' things come in their order and nothing twice; the AZ is named on every page that lacks something; a
    marker in the pod that is down leads on; what is left there comes when the pod is back."""
    world = data.draw(worlds(collection))
    if len(world.pods) == 1:
        return
    sick = data.draw(st.sampled_from(world.pods))
    at: str | None = query_of(data, collection)
    whole, _ = world.expected(at.split("limit=")[0] + "limit=1000")
    seen: list[str] = []
    was_down = False
    while at is not None:
        page, at, missing = await world.page(at)
        assert missing == ({sick.az_name} if world.down else set())
        if world.down:
            assert not [one for one in page if world.where[one] == sick.id]
        seen += page
        is_down = data.draw(st.booleans(), label="the pod is down")
        world.down = {sick.id} if is_down and at is not None else set()
        was_down = was_down or bool(world.down)
    assert len(set(seen)) == len(seen)
    healthy = [one for one in whole if world.where[one] != sick.id]
    assert [one for one in seen if one in healthy] == healthy
    if not was_down:
        assert seen == whole
    ill = [one for one in whole if world.where[one] == sick.id]
    assert [one for one in seen if one in ill] == ill[: len(seen) - len(healthy)]


@collections
@settings(max_examples=120, deadline=None)
@given(data=st.data())
async def test_while_things_come_and_go_and_a_pod_is_down(collection: Collection, data: Any) -> None:
    """What was there all the time comes in its order and nothing twice: all of the others', and of the sick pod's as
    much as it was there to tell."""
    world = data.draw(worlds(collection))
    if len(world.pods) == 1:
        return
    sick = data.draw(st.sampled_from(world.pods))
    at: str | None = query_of(data, collection)
    whole, _ = world.expected(at.split("limit=")[0] + "limit=1000")
    ours: list[str] = []
    made: set[str] = set()
    while at is not None:
        page, at, missing = await world.page(at)
        assert missing == ({sick.az_name} if world.down else set())
        ours += page
        left = sorted(world._store(world.oracle))
        for thing_id in data.draw(st.lists(st.sampled_from(left), unique=True, max_size=3)) if left else []:
            world.delete(thing_id)
        if len(made) < 6:
            fresh = data.draw(st.lists(st.tuples(st.integers(0, 4), things(collection)), max_size=2))
            made |= {world.make(place, thing) for place, thing in fresh}
        is_down = data.draw(st.booleans(), label="the pod is down")
        world.down = {sick.id} if is_down and at is not None else set()
    assert len(set(ours)) == len(ours)
    steady = [one for one in whole if one in world._store(world.oracle)]
    healthy = [one for one in steady if world.where[one] != sick.id]
    assert [one for one in ours if one in healthy] == healthy
    ill = [one for one in steady if world.where[one] == sick.id]
    told = [one for one in ours if one in ill]
    assert told == ill[: len(told)]
