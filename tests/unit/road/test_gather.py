# SPDX-License-Identifier: Apache-2.0
"""Do the pages of a merged list make up the whole list, in order, whatever pods do?"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.road.fake_lists import FakeAccess, FakePod, FakePositions, cinder_row, nova_row, pod, request
from tricircle.context import Deadline
from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.gather import Gatherer
from tricircle.road.merge import Declared, Item, Listing, Paging, sort_value
from tricircle.road.paging import wish_of
from tricircle.road.row import Row
from tricircle.road.zone_filter import ZoneFilter
from tricircle.upstream.reply import Reply

NAMES = st.sampled_from([None, "a", "b", "B", "c", "", "zz", "A_1"])


def item(item_id: str, n: int, second: int, name: str | None = None, **more: object) -> Item:
    return {"id": item_id, "n": n, "created": f"2026-01-01T00:00:{second:02d}Z", "name": name, **more}


def gatherer(pods: list[FakePod], row: Row, positions: FakePositions | None = None) -> Gatherer:
    assert row.listing is not None
    access = FakeAccess(pods, row.listing)
    return Gatherer(access, positions or FakePositions(), list_deadline_s=5)


async def page(
    pods: list[FakePod], row: Row, query: str, positions: FakePositions | None = None
) -> tuple[Answer, dict[str, object]]:
    answer = await gatherer(pods, row, positions).gather(
        request("/v2.1/servers/detail", query), row, [one.pod for one in pods]
    )
    assert isinstance(answer.body, bytes)
    return answer, msgspec.json.decode(answer.body)


def ids(body: dict[str, object]) -> list[str]:
    members = body["servers"]
    assert isinstance(members, list)
    return [str(member["id"]) for member in members]


def next_of(body: dict[str, object]) -> str | None:
    links = body.get("servers_links")
    if links is None:
        return None
    assert isinstance(links, list)
    return urlsplit(links[0]["href"]).query


async def walk(pods: list[FakePod], row: Row, query: str, positions: FakePositions | None = None) -> list[list[str]]:
    """All pages, by following the next links."""
    positions = positions or FakePositions()
    pages: list[list[str]] = []
    at: str | None = query
    while at is not None:
        _, body = await page(pods, row, at, positions)
        pages.append(ids(body))
        at = next_of(body)
        assert len(pages) < 200
    return pages


def oracle(pods: list[FakePod], listing: Listing, query: str) -> list[str]:
    """The order of a single service that holds everything; where keys are equal, the first pod goes first."""
    pairs = parse_qsl(query, keep_blank_values=True)
    one = FakePod(pod=pod("all"), items=[])
    # The hidden number decides in the direction of the first key: make it so that an earlier pod wins.
    for index, fake in enumerate(pods):
        ordered = fake.ordered(pairs, listing)
        one.items += [{**member, "n": (index, place)} for place, member in enumerate(ordered)]
    return _sorted(one, pairs, listing)


def _sorted(one: FakePod, pairs: list[tuple[str, str]], listing: Listing) -> list[str]:
    from tricircle.road.paging import wish_of

    is_falling = wish_of(pairs, listing).order[0][1]
    if is_falling:
        for member in one.items:
            index, place = member["n"]  # type: ignore[misc]
            member["n"] = (-index, -place)  # type: ignore[has-type]
    return [str(member["id"]) for member in one.ordered(pairs, listing)]


@st.composite
def worlds(draw: st.DrawFn) -> list[FakePod]:
    """One to four pods with few seconds and few names, so that everything ties."""
    pods = []
    for index in range(draw(st.integers(1, 4))):
        members = draw(st.lists(st.tuples(st.integers(0, 5), NAMES), max_size=12))
        items = [item(f"{index}-{n}", n, second, name) for n, (second, name) in enumerate(members)]
        pods.append(FakePod(pod=pod(f"P{index}"), items=items, max_limit=draw(st.sampled_from([1, 2, 3, 7, 1000]))))
    return pods


QUERIES = st.sampled_from(
    [
        "",
        "sort_key=name&sort_dir=asc&",
        "sort_key=name&",
        "sort_key=created_at&sort_dir=asc&",
        "sort_key=name&sort_key=created_at&sort_dir=asc&sort_dir=desc&",
    ]
)


@settings(max_examples=80, deadline=None)
@given(worlds(), QUERIES, st.integers(1, 9))
async def test_union_of_pages_is_what_one_service_would_say(pods: list[FakePod], query: str, limit: int) -> None:
    """No duplicate, no loss, in order, every page full but the last, and a next link with every full page."""
    row = nova_row()
    assert row.listing is not None
    expected = oracle(pods, row.listing, query)
    pages = await walk(pods, row, f"{query}limit={limit}")
    assert [one for members in pages for one in members] == expected
    assert all(len(members) == limit for members in pages[:-1])
    assert len(pages[-1]) < limit


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


class Discreet(FakeAccess):
    """Pods that sort by what they do not show."""

    @staticmethod
    def _without(item: Item) -> Item:
        return {key: value for key, value in item.items() if key != "secret"}

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        reply = await super().page(request, pod, path, query, deadline)
        body = reply.json()
        servers = body.get("servers")
        assert isinstance(servers, list)
        return Reply(
            status=200,
            headers=[],
            body=msgspec.json.encode({**body, "servers": [self._without(one) for one in servers]}),
        )

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        pod, found = await super().find(request, row, marker, deadline)
        return pod, self._without(found)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(1, 9), st.booleans(), st.data())
async def test_what_items_do_not_show_loses_and_doubles_nothing(
    pods: list[FakePod], limit: int, is_told: bool, data: st.DataObject
) -> None:
    """Also where positions are lost: by what is shown, and what is equal in that pod after pod, in each pod's order."""
    for one in pods:
        for member in one.items:
            member["secret"] = data.draw(st.integers(0, 3))
    order = data.draw(st.sampled_from(["sort_key=secret", "sort_key=name&sort_key=secret&sort_dir=asc"]))
    row = nova_row(unique="n", **({"hidden": frozenset({"secret"})} if is_told else {}))
    assert row.listing is not None
    inside = replace(row.listing, hidden=frozenset())
    access, positions = Discreet(pods, inside), FakePositions()
    gatherer = Gatherer(access, positions, list_deadline_s=5)
    seen: list[Item] = []
    at: str | None = f"{order}&limit={limit}"
    while at is not None:
        if data.draw(st.booleans(), label="positions are lost"):
            positions.lose()
        body = (await gatherer.gather(request("/v2.1/servers/detail", at), row, [one.pod for one in pods])).object()
        members = body["servers"]
        assert isinstance(members, list)
        seen += members
        at = next_of(body)
    assert sorted(str(one["id"]) for one in seen) == sorted(str(one["id"]) for one in all_of(pods))
    for one in pods:
        own = [str(member["id"]) for member in one.ordered(parse_qsl(order), inside)]
        assert [str(member["id"]) for member in seen if member["id"] in own] == own
    if "name" in order:
        names = [sort_value(one["name"]) for one in seen]
        assert names == sorted(names)


def all_of(pods: list[FakePod]) -> list[Item]:
    return [member for one in pods for member in one.items]


CINDER_QUERIES = st.sampled_from(
    ["", "sort=name:asc&", "sort=name&", "sort_key=name&sort_dir=asc&", "sort=created_at:asc&"]
)


@settings(max_examples=60, deadline=None)
@given(worlds(), CINDER_QUERIES, st.integers(1, 9), st.data())
async def test_deletions_between_pages_lose_nothing(
    pods: list[FakePod], query: str, limit: int, data: st.DataObject
) -> None:
    """Block storage does not know deleted markers: what is left is still shown once and in order."""
    row = cinder_row()
    positions = FakePositions()
    seen: list[str] = []
    at: str | None = f"{query}limit={limit}"
    gone: set[str] = set()
    while at is not None:
        _, body = await page(pods, row, at, positions)
        seen += ids(body)
        at = next_of(body)
        left = sorted(str(member["id"]) for fake in pods for member in fake.items)
        for item_id in data.draw(st.lists(st.sampled_from(left), unique=True)) if left else []:
            gone.add(item_id)
            for fake in pods:
                fake.delete(item_id)
    assert len(seen) == len(set(seen))
    assert {str(member["id"]) for fake in pods for member in fake.items} <= set(seen)


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


async def test_a_list_that_does_not_show_its_order_is_one_pod_after_the_other() -> None:
    """With markers that nobody remembers, too."""
    pods = [
        FakePod(pod=pod("P1"), items=[{"id": one, "n": n} for n, one in enumerate("zax")]),
        FakePod(pod=pod("P2"), items=[{"id": one, "n": n} for n, one in enumerate("mbq")], max_limit=2),
    ]
    for limit in (1, 2, 5):
        seen: list[str] = []
        at: str | None = f"limit={limit}"
        while at is not None:
            _, body = await page(pods, cinder_row(is_blind=True), at)
            seen += ids(body)
            at = next_of(body)
        assert seen == ["x", "a", "z", "q", "b", "m"]


def test_novas_directions() -> None:
    """The key that makes the order total brings its direction along, which the second of the client's may get."""
    keys = [("sort_key", "a"), ("sort_key", "b")]

    def order(*query: tuple[str, str]) -> tuple[tuple[str, bool], ...]:
        listing = Listing(paging=Paging.NOVA, ties=(), unique="uuid", ignored=frozenset({"id"}))
        return wish_of(list(query), listing).order

    assert order() == (("created_at", True), ("uuid", False))
    assert order(("sort_dir", "asc")) == (("created_at", False), ("uuid", False))
    assert order(*keys) == (("a", True), ("b", False), ("uuid", True))
    assert order(*keys, ("sort_dir", "asc")) == (("a", False), ("b", False), ("uuid", False))
    falling = [("sort_dir", "desc")] * 2
    assert order(*keys, *falling) == (("a", True), ("b", True), ("uuid", False))
    assert order(("sort_key", "uuid")) == (("uuid", True),)
    # Nova takes the direction of a key that it passes over away with it.
    assert order(("sort_key", "id"), keys[0], ("sort_dir", "desc"), ("sort_dir", "asc")) == (
        ("a", False),
        ("uuid", False),
    )


def test_the_last_of_several_limits_and_markers_counts() -> None:
    wish = wish_of([("limit", "5"), ("marker", "x"), ("limit", "2"), ("marker", "y")], Listing(paging=Paging.NOVA))
    assert (wish.limit, wish.marker, wish.filters) == (2, "y", ())


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


async def test_a_dead_pod_is_named_by_its_zone_and_costs_nothing_else() -> None:
    """The list is marked, and complete again when the pod is back, from its old place on."""
    first = FakePod(pod=pod("P1", "az1"), items=[item(f"a{n}", n, n) for n in range(4)])
    second = FakePod(pod=pod("P2", "az2"), items=[item(f"b{n}", n, n) for n in range(4)])
    positions = FakePositions()
    _, body = await page([first, second], nova_row(), "limit=2", positions)
    second.failure = UnavailableError("down")
    answer, body = await page([first, second], nova_row(), next_of(body) or "", positions)
    assert ids(body) == ["a2", "a1"]
    assert answer.header(INCOMPLETE_HEADER) == b"az2"
    second.failure = None
    answer, body = await page(
        [first, second], nova_row(), (next_of(body) or "").replace("limit=2", "limit=9"), positions
    )
    assert ids(body) == ["b2", "b1", "a0", "b0"]
    assert answer.header(INCOMPLETE_HEADER) is None


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


async def test_nobody_there_is_unavailable_not_empty() -> None:
    """An empty list would say that nothing exists."""
    dead = FakePod(pod=pod("P1"), items=[], failure=UnavailableError("down"))
    with pytest.raises(UnavailableError):
        await page([dead], nova_row(), "")


async def test_no_pods_make_an_empty_list() -> None:
    """Before the first pod is registered nothing exists."""
    answer, body = await page([], nova_row(), "")
    assert (answer.status, body) == (200, {"servers": []})


async def test_a_refusal_that_all_share_is_the_answer() -> None:
    """Bad input gets the service's own words."""
    pods = [FakePod(pod=pod("P1"), items=[], refusal=400), FakePod(pod=pod("P2"), items=[], refusal=400)]
    answer, _ = await page(pods, nova_row(), "limit=-1")
    assert answer.status == 400


async def test_a_refusal_of_one_pod_makes_the_list_incomplete() -> None:
    """An older pod may not know a filter that the others answered."""
    pods = [
        FakePod(pod=pod("P1"), items=[item("a", 1, 1)]),
        FakePod(pod=pod("P2", "az2"), items=[], refusal=403),
    ]
    answer, body = await page(pods, nova_row(), "")
    assert ids(body) == ["a"]
    assert answer.header(INCOMPLETE_HEADER) == b"az2"


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


async def test_limit_zero_is_an_empty_page_without_a_link() -> None:
    """As both services answer it."""
    pods = [FakePod(pod=pod("P1"), items=[item("a", 1, 1)])]
    _, body = await page(pods, nova_row(), "limit=0")
    assert body == {"servers": []}


async def test_offset_and_count() -> None:
    """The offset is counted over all pods; so is the count."""
    pods = [
        FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(3)]),
        FakePod(pod=pod("P2"), items=[item(f"b{n}", n, n) for n in range(2)], max_limit=1),
    ]
    _, body = await page(pods, cinder_row(), "offset=2&limit=2&with_count=true")
    assert ids(body) == ["a1", "b0"]
    assert body["count"] == 5
    assert next_of(body) == "limit=2&with_count=true&marker=b0"
    # Cinder compares the limit with the number of all: behind a last page that is not full there is an empty one.
    _, body = await page(pods, cinder_row(), "limit=2&with_count=true&marker=b0")
    assert (ids(body), next_of(body)) == (["a0"], "limit=2&with_count=true&marker=a0")
    _, body = await page(pods, cinder_row(), "limit=2&with_count=true&marker=a0")
    assert (ids(body), body["count"], "volumes_links" in body) == ([], 5, False)


async def test_brief_lists_are_cut_from_detailed_ones() -> None:
    """Only the detailed list carries sort keys."""
    pods = [FakePod(pod=pod("P1"), items=[item("a", 1, 1, "x")])]
    _, body = await page(pods, nova_row(brief=("id", "name", "links")), "")
    assert body["servers"] == [{"id": "a", "name": "x"}]


async def test_an_az_filter_chooses_pods_and_is_not_passed_on() -> None:
    """Pods call their zones differently. Where the service has no such filter, it is the pods' business."""
    pods = [
        FakePod(pod=pod("P1", "az1"), items=[item("a", 1, 1)]),
        FakePod(pod=pod("P2", "az2"), items=[item("b", 1, 1)]),
    ]
    cases = ((ZoneFilter(), ["b"], False), (ZoneFilter(members=None), ["a", "b"], True), (None, ["a", "b"], True))
    for zones, found, is_passed_on in cases:
        row = nova_row(zone_filter=zones)
        assert row.listing is not None
        access = FakeAccess(pods, row.listing)
        answer = await Gatherer(access, FakePositions(), list_deadline_s=5).gather(
            request("/v2.1/servers/detail", "availability_zone=az2"), row, [one.pod for one in pods]
        )
        assert ids(answer.object()) == found
        assert {"availability_zone=az2" in query for query in access.queries} == {is_passed_on}


async def test_filters_that_name_declared_things_are_asked_by_their_ids_there() -> None:
    pods = [FakePod(pod=pod(name), items=[item(name, 1, 1)]) for name in ("P1", "P2")]
    row = nova_row(declared={"flavor": Declared(Kind.FLAVOR, needs_copy=True), "image": Declared(Kind.IMAGE)})
    assert row.listing is not None
    access = FakeAccess(pods, row.listing)
    access.known = {
        (Kind.FLAVOR, "m1"): {pods[0].pod.id: "tricircle.m1"},
        (Kind.IMAGE, "i"): {pods[1].pod.id: "i2"},
    }
    gatherer = Gatherer(access, FakePositions(), list_deadline_s=5)
    for query, asked in (
        ("image=i", ["image=i&limit=1000", "image=i2&limit=1000"]),
        ("flavor=m1", ["flavor=tricircle.m1&limit=1000"]),
        # Of several, services take the last.
        ("flavor=x&flavor=m1", ["flavor=x&flavor=tricircle.m1&limit=1000"]),
        ("flavor=m1&flavor=x", ["flavor=m1&flavor=x&limit=1"]),
    ):
        access.queries.clear()
        answer = await gatherer.gather(request("/v2.1/servers/detail", query), row, [one.pod for one in pods])
        assert access.queries == asked
        assert len(ids(answer.object())) == len(asked) * (not query.endswith("x"))


async def test_a_list_that_no_pod_can_add_to_is_refused_as_any_other() -> None:
    """One pod that answers is asked: what it holds is not shown."""
    sick = FakePod(pod=pod("P1", "az1"), items=[], failure=UnavailableError("down"))
    well = FakePod(pod=pod("P2", "az2"), items=[item("b", 1, 1)])
    row = cinder_row(zone_filter=ZoneFilter())
    answer, body = await page([sick, well], row, "availability_zone=az9&with_count=true")
    assert (answer.status, body) == (200, {"servers": [], "count": 0})
    well.refusal = 400
    answer, body = await page([sick, well], row, "availability_zone=az9&sort_key=colour")
    assert (answer.status, body) == (400, {"badRequest": {"message": "no"}})
    sick.refusal, sick.failure, well.failure = 403, None, UnavailableError("down")
    nowhere = nova_row(adapt=lambda query, pod: None)
    answer, _ = await page([sick, well], nowhere, "flavor=nobodys&all_tenants=1")
    assert answer.status == 403


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(1, 9), st.sets(st.integers(0, 11)))
async def test_parts_of_a_pods_list_come_first_everywhere(pods: list[FakePod], limit: int, fresh: set[int]) -> None:
    """Servers without a cell stand first in every pod; an old one there must not hold back the pod's newest."""

    def rank(member: Item) -> int:
        return 0 if member["status"] == "BUILD" else 1

    for fake in pods:
        for member in fake.items:
            member["status"] = "BUILD" if member["n"] in fresh else "ACTIVE"
    row = nova_row(rank=rank)
    assert row.listing is not None
    expected = oracle(pods, row.listing, "sort_key=name&")
    pages = await walk(pods, row, f"sort_key=name&limit={limit}")
    assert [one for members in pages for one in members] == expected


async def test_a_list_without_page_links_is_asked_to_its_end() -> None:
    """Some lists of block storage page without saying so."""
    pods = [FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(10)], max_limit=3)]
    listing = Listing(paging=Paging.CINDER, fields={"created_at": "created"})
    row = nova_row()
    row = Row(("GET",), row.path, row.behaviour, collection="servers", listing=listing)
    _, body = await page(pods, row, "")
    assert len(ids(body)) == 10


class Stalling(FakeAccess):
    """One pod of these takes calls and never answers."""

    stalled = ""

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        if pod.name == self.stalled:
            await asyncio.sleep(deadline.remaining_s())
            raise UnavailableError("no answer in time")
        return await super().page(request, pod, path, query, deadline)


async def test_who_is_late_takes_no_time_from_those_with_short_pages() -> None:
    """While it is waited for the others are asked on: when the time is over, all that they have is there."""
    good = FakePod(pod=pod("P1", "az1"), items=[item(f"a{n}", n, n) for n in range(30)], max_limit=2)
    late = FakePod(pod=pod("P2", "az2"), items=[item(f"b{n}", n, n) for n in range(30)])
    row = nova_row()
    assert row.listing is not None
    access = Stalling([good, late], row.listing)
    access.stalled = "P2"
    started = time.monotonic()
    made = Gatherer(access, FakePositions(), list_deadline_s=0.6)
    answer = await made.gather(request("/v2.1/servers/detail"), row, [good.pod, late.pod])
    assert time.monotonic() - started < 2
    assert isinstance(answer.body, bytes)
    assert ids(msgspec.json.decode(answer.body)) == [f"a{n}" for n in reversed(range(30))]
    assert answer.header(INCOMPLETE_HEADER) == b"az2"


LIES: dict[str, Callable[[list[Item]], list[Item]]] = {
    "no id": lambda items: [{key: value for key, value in one.items() if key != "id"} for one in items],
    "an empty id": lambda items: [{**one, "id": ""} for one in items],
    "twice": lambda items: [*items, items[0]],
    "of another project": lambda items: [{**one, "tenant_id": "another"} for one in items],
    "none, but more": lambda _items: [],
}


@pytest.mark.parametrize("lie", LIES)
async def test_who_says_what_no_service_says_is_not_believed(lie: str) -> None:
    class Lying(FakePod):
        def page(self, listing: Listing, query: str) -> Reply:
            body = msgspec.json.decode(super().page(listing, query).body)  # type: ignore[arg-type]
            links = [{"rel": "next", "href": "http://pod/next"}]
            changed = {**body, "servers": LIES[lie](body["servers"]), "servers_links": links}
            return Reply(status=200, headers=[], body=msgspec.json.encode(changed))

    good = FakePod(pod=pod("P1", "az1"), items=[item("a", 1, 1)])
    bad = Lying(pod=pod("P2", "az2"), items=[item("b", 1, 2), item("c", 2, 3)])
    answer, body = await page([good, bad], nova_row(), "")
    assert ids(body) == ["a"]
    assert answer.header(INCOMPLETE_HEADER) == b"az2"
