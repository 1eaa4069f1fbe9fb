# SPDX-License-Identifier: Apache-2.0
"""Is the one list over one to five pods the list of one service, page by page, while things come and go and a pod
goes down?

Ages are few seconds, names differ in case and accents or are missing: everything ties. The oracle is one fake service
with all of it; a sample of this runs against real Nova and Cinder in ``tests/functional/test_lists.py``.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.collections_of_pods import (
    ATTACHMENT_LIST,
    BACKUP_LIST,
    COLLECTIONS,
    GROUP_LIST,
    MESSAGE_LIST,
    SERVERS,
    SNAPSHOT_LIST,
    TRANSFER_LIST,
    VOLUME_LIST,
    Collection,
    Thing,
)
from tests.property.several_pods import SeveralPods

NAMES = st.sampled_from(
    [None, "", "a", "A", "ä", "Ä", "b", "B", "á", "Z", "z", "_", "ß", "ss", "é", "E", "Я", "я", "й", "и", "x-a", "x-ä",
     "x-B", "x-_", "x-1", "x-10", "x-2", "\U0001f600", "漢"]
)  # fmt: skip
#: When things are made, and when they change: few moments, so that they tie.
MADE, CHANGED = st.integers(0, 4), st.integers(0, 6)
OF_STORAGE = [
    "",
    "sort_dir=asc",
    "sort=name",
    "sort=name:asc",
    "sort=size,name:asc",
    "sort=status:asc,name",
    "sort_key=name&sort_dir=asc",
    "sort=display_name:asc,id",
    "sort=created_at:asc,name:desc",
    "sort=updated_at",
    "sort=updated_at:asc,created_at:desc",
    "sort=id:asc",
]
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
        "sort_key=updated_at",
        "sort_key=updated_at&sort_dir=asc",
        "sort_key=terminated_at&sort_key=display_name",
        "sort_key=project_id&sort_key=updated_at&sort_dir=asc",
    ],
    MESSAGE_LIST.key: ["", "sort_dir=asc", "sort=event_id:asc", "sort=event_id,created_at", "sort=expires_at:asc",
                       "sort=resource_uuid,event_id:asc", "sort=id"],
    GROUP_LIST.key: ["", "sort_dir=asc", "sort=name", "sort=name:asc", "sort=status:asc,name", "sort=id:asc",
                     "sort_key=name&sort_dir=asc", "sort=created_at:asc,name:desc"],
    TRANSFER_LIST.key: ["", "sort_dir=asc", "sort=display_name", "sort=volume_id:asc,display_name", "sort=id:asc"],
    # Their ages are not shown: only orders that end with the id are those of one service.
    ATTACHMENT_LIST.key: ["sort=id", "sort=id:asc", "sort=instance_uuid:asc,id", "sort=volume_id,instance_uuid,id"],
}  # fmt: skip
FILTERS = {
    VOLUME_LIST.key: ["", "", "name=a", "status=available", "status=error"],
    SNAPSHOT_LIST.key: ["", "", "name=a", "status=available", "volume_id=v"],
    BACKUP_LIST.key: ["", "", "name=a", "status=error", "volume_id=v"],
    MESSAGE_LIST.key: ["", "", "event_id=a", "resource_uuid=v1"],
    TRANSFER_LIST.key: ["", "name=a"],
    ATTACHMENT_LIST.key: ["", "", "volume_id=v1", "instance_id=a"],
}
#: Which of Nova's projects, and whether the deleted ones, administrators ask for.
WHOSE = ["", "all_tenants=1", "all_tenants", "all_tenants=1&project_id={0}", "all_tenants=1&project_id={1}",
         "project_id={1}", "all_tenants=0"]  # fmt: skip
WHICH = ["", "deleted=true", "deleted=false", "deleted=1", "status=DELETED"]
#: More than is in any pod.
MANY = 100
COUNTED = (VOLUME_LIST, SNAPSHOT_LIST, BACKUP_LIST)


def each(examples: int) -> Callable[[Any], Any]:
    """A test of servers with so many examples, and of all storage together with twice as many."""
    share = 2 * examples // (len(COLLECTIONS) - 1)

    def decorate(test: Any) -> Any:
        @pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda one: one.key)
        def asked(collection: Collection) -> None:
            @settings(max_examples=examples if collection is SERVERS else share, deadline=None)
            @given(data=st.data())
            def drawn(data: Any) -> None:
                asyncio.run(test(collection, data))

            drawn()

        return asked

    return decorate


@st.composite
def things(draw: st.DrawFn, collection: Collection) -> Thing:
    name, second = draw(NAMES), draw(MADE)
    # Of messages everybody is told all, and then refused the strangers' as markers.
    owner = 0 if collection is MESSAGE_LIST else draw(st.sampled_from([0, 0, 0, 1]))
    changed = draw(st.none() | CHANGED)
    if collection is SERVERS:
        # A server has a name; it may wait for a cell, or be gone.
        is_queued = draw(st.integers(0, 9)) == 0
        ended = draw(st.none() | st.none() | CHANGED)
        return Thing(second, name or "", 1, is_queued, owner, changed, None if is_queued else ended)
    return Thing(second, name, draw(st.integers(1, 3)), owner=owner, changed=changed)


@st.composite
def worlds(draw: st.DrawFn, collection: Collection) -> SeveralPods:
    """One to five pods, each with its own longest page, and up to 25 things in them."""
    limits = draw(st.lists(st.sampled_from([1, 2, 3, 7, 1000]), min_size=1, max_size=5))
    world = SeveralPods(collection, limits)
    for place, thing in draw(st.lists(st.tuples(st.integers(0, 4), things(collection)), max_size=25)):
        world.make(place, thing)
    return world


def moments(data: st.DataObject) -> str:
    """Changes since, before, or between two moments; one of them as another time zone has it."""
    first, last = sorted((data.draw(CHANGED, label="since"), data.draw(CHANGED, label="before")))
    since = f"changes-since=2026-01-01T02:00:0{first}%2B02:00"
    before = f"changes-before=2026-01-01T00:00:0{last}Z"
    return data.draw(st.sampled_from(["", "", since, before, f"{since}&{before}"]), label="changes")


def filters(data: st.DataObject, world: SeveralPods) -> list[str]:
    """What the list is about; whoever asks is drawn here, too."""
    collection = world.collection
    world.is_admin = data.draw(st.booleans(), label="an administrator asks")
    if collection is not SERVERS:
        wide = data.draw(st.sampled_from(["", "all_tenants=1"]), label="whose") if world.is_admin else ""
        # Messages have no such filter.
        wide = "" if collection is MESSAGE_LIST else wide
        return [data.draw(st.sampled_from(FILTERS.get(collection.key, ["", "name=a"])), label="filter"), wide]
    found = [data.draw(st.sampled_from(["", "", "name=x-", "name=^[ab]", "status=ACTIVE"]), label="filter")]
    found.append(moments(data))
    if world.is_admin:
        found.append(data.draw(st.sampled_from(WHOSE), label="whose").format(*world.projects))
        if "status" not in found[0]:
            found.append(data.draw(st.sampled_from(WHICH), label="deleted"))
    else:
        # It is passed over.
        found.append(data.draw(st.sampled_from(["", "deleted=true"]), label="deleted"))
    return found


def query_of(data: st.DataObject, world: SeveralPods) -> str:
    collection = world.collection
    parts = filters(data, world)
    orders = ORDERS.get(collection.key, OF_STORAGE)
    if collection is SERVERS and any(fake.nova.lists.max_limit < MANY for fake in world.fakes.values()):
        # Where Nova's pages are short, it leaves out what lacks a value, and nobody can ask in another way.
        orders = [order for order in orders if "terminated_at" not in order]
    parts.append(data.draw(st.sampled_from(orders), label="order"))
    if collection in COUNTED and data.draw(st.booleans(), label="all are counted"):
        parts.append("with_count=true")
    return "&".join([*filter(None, parts), f"limit={data.draw(st.integers(1, 9), label='limit')}"])


@each(120)
async def test_every_page_is_the_one_services_page(collection: Collection, data: Any) -> None:
    """Ids, order, link and number of all; whether or not anybody remembers where the page before ended."""
    world = data.draw(worlds(collection))
    world.is_brief = data.draw(st.booleans(), label="the brief list")
    at: str | None = query_of(data, world)
    if collection is ATTACHMENT_LIST:
        # Without links, the last item leads on.
        await _by_markers(world, str(at), data)
        return
    while at is not None:
        expected, following = world.expected(at)
        seen, at_next, missing = await world.page(at)
        assert (seen, at_next, missing) == (expected, following, set())
        assert world.counts[0] == world.counts[1]
        if data.draw(st.booleans(), label="positions are lost"):
            world.places.saved.clear()
        at = at_next


async def _by_markers(world: SeveralPods, query: str, data: Any) -> None:
    seen = ["first"]
    marker = ""
    while seen:
        expected, following = world.expected(query + marker)
        seen, at_next, missing = await world.page(query + marker)
        assert (seen, at_next, missing) == (expected, following, set())
        marker = f"&marker={seen[-1]}" if seen else ""
        if data.draw(st.booleans(), label="positions are lost"):
            world.places.saved.clear()


@each(80)
async def test_any_marker_is_the_one_services_marker(collection: Collection, data: Any) -> None:
    """Also one from the middle of a page, from none of ours, or of what the list leaves out; with an offset where the
    service has one."""
    world = data.draw(worlds(collection))
    query = query_of(data, world)
    graves = world.oracle.nova.gone
    # Who waits for a cell is a marker only where it is listed.
    waiting = {one for one, thing in world.store(world.oracle).items() if thing.get("_is_queued")}
    markers = sorted(one for one in world.where if world.is_seen(one) and one not in waiting)
    if "all_tenants" not in query:
        # Deleted ones are found in the lists of who asks.
        strange = {one for one in graves if graves[one]["_project"] != world.projects[0]}
        markers = [one for one in markers if one not in strange]
    if not markers:
        return
    query += f"&marker={data.draw(st.sampled_from(markers), label='marker')}"
    # Of transfers Cinder leaves out as many once more.
    if collection not in (SERVERS, TRANSFER_LIST):
        query += f"&offset={data.draw(st.integers(0, 4), label='offset')}"
    seen, _, _ = await world.page(query)
    assert seen == world.expected(query)[0]


def _change(world: SeveralPods, data: Any, ends: set[str], second: int) -> set[str]:
    """Delete some, and touch some; not those ``ends`` at which the one service's list could not go on."""
    left = sorted(world.there() - ends)
    gone = data.draw(st.lists(st.sampled_from(left), unique=True, max_size=3), label="deleted") if left else []
    for thing_id in gone:
        world.delete(thing_id, second)
    left = sorted(world.there() - ends)
    touched = data.draw(st.lists(st.sampled_from(left), unique=True, max_size=2), label="touched") if left else []
    for thing_id in touched:
        world.touch(thing_id, second)
    return {*gone, *touched}


def _make(world: SeveralPods, data: Any, made: set[str]) -> None:
    if len(made) < 6:
        fresh = st.lists(st.tuples(st.integers(0, 4), things(world.collection)), max_size=2)
        made |= {world.make(place, thing) for place, thing in data.draw(fresh, label="made")}


def _next(world: SeveralPods, at: str, page: list[str], following: str | None) -> str | None:
    """Where the next page is: attachments have no links."""
    if world.collection is not ATTACHMENT_LIST or not page:
        return following
    return f"{at.partition('&marker=')[0]}&marker={page[-1]}"


@each(120)
async def test_while_things_come_and_go(collection: Collection, data: Any) -> None:
    """What was there all the time, as it is, is shown once, in order and on the page where the one service shows it;
    what is made or changed meanwhile is shown at least where that shows it, and never twice but where it moved."""
    world = data.draw(worlds(collection))
    at: str | None = query_of(data, world)
    their_next = at
    theirs: list[str] = []
    ours: list[str] = []
    made: set[str] = set()
    #: How many the one service had shown when something changed.
    changed: dict[str, int] = {}
    second = 2
    while at is not None or their_next is not None:
        if their_next is not None:
            page, following = world.expected(their_next)
            their_next = _next(world, their_next, page, following)
            theirs += page
        if at is not None:
            page, following, _ = await world.page(at)
            at = _next(world, at, page, following)
            ours += page
        # A marker that is gone is refused by Cinder, and one that moved leads elsewhere.
        changed |= dict.fromkeys(_change(world, data, set(theirs[-1:]), second), len(theirs))
        _make(world, data, made)
        second += 1
    _once(ours, changed)
    steady = world.where.keys() - made - changed.keys()
    assert [one for one in ours if one in steady] == [one for one in theirs if one in steady]
    assert {one for place, one in enumerate(theirs) if place >= changed.get(one, 0)} <= set(ours)


def _once(ours: list[str], changed: dict[str, int] | set[str]) -> None:
    """Nothing is shown twice but what moved."""
    doubled = {one for one in ours if ours.count(one) > 1}
    assert doubled <= set(changed)


@each(120)
async def test_while_a_pod_is_down(collection: Collection, data: Any) -> None:
    """The others' things come in their order and nothing twice; the AZ is named on every page that lacks something; a
    marker in the pod that is down leads on; what is left there comes when the pod is back."""
    world = data.draw(worlds(collection))
    if len(world.pods) == 1:
        return
    sick = data.draw(st.sampled_from(world.pods))
    at: str | None = query_of(data, world)
    whole, _ = world.expected(at.split("limit=")[0] + "limit=1000")
    seen: list[str] = []
    was_down = False
    while at is not None:
        page, following, missing = await world.page(at)
        at = _next(world, at, page, following)
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


@each(120)
async def test_while_things_come_and_go_and_a_pod_is_down(collection: Collection, data: Any) -> None:
    """What was there all the time comes in its order and nothing twice: all of the others', and of the sick pod's as
    much as it was there to tell."""
    world = data.draw(worlds(collection))
    if len(world.pods) == 1:
        return
    sick = data.draw(st.sampled_from(world.pods))
    at: str | None = query_of(data, world)
    whole, _ = world.expected(at.split("limit=")[0] + "limit=1000")
    ours: list[str] = []
    made: set[str] = set()
    changed: set[str] = set()
    second = 2
    while at is not None:
        page, following, missing = await world.page(at)
        at = _next(world, at, page, following)
        assert missing == ({sick.az_name} if world.down else set())
        ours += page
        changed |= _change(world, data, set(), second)
        _make(world, data, made)
        second += 1
        is_down = data.draw(st.booleans(), label="the pod is down")
        world.down = {sick.id} if is_down and at is not None else set()
    _once(ours, changed)
    steady = [one for one in whole if one not in changed]
    healthy = [one for one in steady if world.where[one] != sick.id]
    assert [one for one in ours if one in healthy] == healthy
    ill = [one for one in steady if world.where[one] == sick.id]
    told = [one for one in ours if one in ill]
    assert told == ill[: len(told)]
