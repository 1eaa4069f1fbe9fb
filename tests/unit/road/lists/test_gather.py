# SPDX-License-Identifier: Apache-2.0
"""Do the pages of a merged list make up the whole list, in order, whatever pods do?"""

from dataclasses import replace
from itertools import chain
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.road.lists.fake_lists import FakeAccess, FakePod, FakePositions, cinder_row, nova_row, pod, request
from tests.unit.road.lists.walks import QUERIES, ids, item, next_of, oracle, page, walk, worlds
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.http.message import Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.listing import Declared, Item, Listing
from tricircle.road.lists.gather import Gatherer
from tricircle.road.lists.order import sort_value
from tricircle.road.row import Row
from tricircle.road.zone_filter import ZoneFilter
from tricircle.upstream.reply import Reply


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
            _, body = await page(pods, cinder_row(hidden=frozenset({"created_at"})), at)
            seen += ids(body)
            at = next_of(body)
        assert seen == ["x", "a", "z", "q", "b", "m"]


class Database(FakePod):
    """Behind a marker it compares nothing with no value, as real ones: what lacks a name is left out."""

    def page(self, listing: Listing, query: str) -> Reply:
        words = dict(parse_qsl(query))
        reply = super().page(listing, query)
        if "marker" in words and reply.status == 200:
            body = reply.json()
            kept = [one for one in body["servers"] if one["name"] is not None]  # type: ignore[attr-defined]
            reply = Reply(status=200, headers=[], body=msgspec.json.encode({**body, "servers": kept}))
        return reply


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_what_lacks_the_value_that_is_sorted_by_is_not_left_out(direction: str, limit: int) -> None:
    """Though no marker of the pod leads to it."""
    names = ["a", None, "b", None, "c", None]
    pods = [
        Database(pod=pod(f"P{n}"), items=[item(f"{n}-{place}", place, place, name) for place, name in enumerate(names)])
        for n in range(2)
    ]
    query = f"sort_key=name&sort_dir={direction}&"
    row = nova_row()
    assert row.listing is not None
    expected = oracle(list(pods), row.listing, query)
    found = await walk(list(pods), row, f"{query}limit={limit}")
    assert list(chain.from_iterable(found)) == expected


async def test_no_pods_make_an_empty_list() -> None:
    """Before the first pod is registered nothing exists."""
    answer, body = await page([], nova_row(), "")
    assert (answer.status, body) == (200, {"servers": []})


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
