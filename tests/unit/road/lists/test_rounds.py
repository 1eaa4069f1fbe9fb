# SPDX-License-Identifier: Apache-2.0
"""What becomes of a list when pods are silent, late, refuse or lie?"""

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest

from tests.unit.road.lists.fake_lists import FakeAccess, FakePod, FakePositions, nova_row, pod, request
from tests.unit.road.lists.walks import ids, item, next_of, page
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.http.message import Request
from tricircle.model.pod import Pod
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.listing import Item, Listing, Paging
from tricircle.road.lists.gather import Gatherer
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply


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


async def test_nobody_there_is_unavailable_not_empty() -> None:
    """An empty list would say that nothing exists."""
    dead = FakePod(pod=pod("P1"), items=[], failure=UnavailableError("down"))
    with pytest.raises(UnavailableError):
        await page([dead], nova_row(), "")


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


async def test_a_list_without_page_links_is_asked_to_its_end() -> None:
    """Some lists of block storage page without saying so."""
    pods = [FakePod(pod=pod("P1"), items=[item(f"a{n}", n, n) for n in range(10)], max_limit=3)]
    listing = Listing(paging=Paging.CINDER, fields={"created_at": "created"})
    row = nova_row()
    row = Row(("GET",), row.path, row.behaviour, collection="servers", listing=listing)
    answer, body = await page(pods, row, "")
    assert len(ids(body)) == 10
    # Its end is nothing that lacks.
    assert answer.header(INCOMPLETE_HEADER) is None


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
