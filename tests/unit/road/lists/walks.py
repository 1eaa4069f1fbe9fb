# SPDX-License-Identifier: Apache-2.0
"""How are the pages of a merged list read in tests, and what would one service have said?"""

from urllib.parse import parse_qsl, urlsplit

import msgspec
from hypothesis import strategies as st

from tests.unit.road.lists.fake_lists import FakeAccess, FakePod, FakePositions, pod, request
from tricircle.http.message import Answer
from tricircle.road.listing import Item, Listing
from tricircle.road.lists.gather import Gatherer
from tricircle.road.lists.paging import wish_of
from tricircle.road.row import Row

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
