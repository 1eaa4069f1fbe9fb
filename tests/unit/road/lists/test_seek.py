# SPDX-License-Identifier: Apache-2.0
"""Is the item that a marker names found among things that have no routings?"""

from urllib.parse import parse_qsl

import msgspec
import pytest

from tests.unit.road.lists.fake_lists import pod
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.road.listing import Listing, Paging
from tricircle.road.lists.paging import Wish, wish_of
from tricircle.road.lists.seek import left_behind, sought
from tricircle.upstream.reply import Reply

LISTING = Listing(paging=Paging.CINDER, links="messages_links")
PODS = [pod("P1"), pod("P2")]
#: Pages of two.
THERE = {"P1": ["a", "b", "c", "d", "e"], "P2": ["x", "y", "twice", "e"]}


def asking(marker: str) -> Wish:
    return wish_of([("event_id", "1"), ("all_tenants", "1"), ("limit", "1"), ("marker", marker)], LISTING)


async def ask(pod: Pod, query: str) -> Reply:
    words = dict(parse_qsl(query))
    # What the list leaves out is a marker in it, too.
    assert words.keys() <= {"all_tenants", "limit", "marker"}
    assert words["all_tenants"] == "1"
    ids = THERE[pod.name]
    begin = ids.index(words["marker"]) + 1 if "marker" in words else 0
    messages = [{"id": one, "created_at": "2026"} for one in ids[begin : begin + 2]]
    return Reply(status=200, headers=[], body=msgspec.json.encode({"messages": messages}))


@pytest.mark.parametrize(("marker", "where"), [("a", "P1"), ("d", "P1"), ("y", "P2"), ("twice", "P2")])
async def test_whose_it_is(marker: str, where: str) -> None:
    found, item = await sought(PODS, asking(marker), LISTING, "messages", ask)
    assert (found.name, item) == (where, {"id": marker, "created_at": "2026"})


@pytest.mark.parametrize("marker", ["nobodys", "e"])
async def test_nobodys_and_what_several_call_so(marker: str) -> None:
    with pytest.raises(NotFoundError):
        await sought(PODS, asking(marker), LISTING, "messages", ask)


@pytest.mark.parametrize("status", [None, 500])
async def test_while_a_pod_is_away_it_cannot_be_known(status: int | None) -> None:
    async def half(pod: Pod, query: str) -> Reply:
        if pod.name == "P1":
            return await ask(pod, query)
        if status is None:
            raise UnavailableError("down")
        return Reply(status=status, headers=[], body=b"{}")

    found, _ = await sought(PODS, asking("d"), LISTING, "messages", half)
    assert found.name == "P1"
    with pytest.raises(UnavailableError):
        await sought(PODS, asking("y"), LISTING, "messages", half)


#: Ids by pod of servers that are there, that were deleted, and that wait for a cell.
SERVERS = {"P1": ("bdf", "ace", "q"), "P2": ("", "x", ""), "P3": ("mn", "", "")}
NOVA = Listing(paging=Paging.NOVA, unique="uuid", knows_deleted=True, rank=lambda item: 0 if item["id"] == "q" else 1)


async def changed(pod: Pod, query: str) -> Reply:
    """As Nova: any server is a marker, those without a cell come first, and each page has one."""
    words = dict(parse_qsl(query))
    assert words.pop("changes-since") < "2000"
    there, gone, queued = SERVERS[pod.name]
    ordered = sorted(there + gone, reverse=words["sort_dir"] == "desc")
    marker = words.get("marker")
    if marker is not None and marker not in [*ordered, *queued]:
        return Reply(status=400, headers=[], body=b"{}")
    ordered = ordered if marker in ordered else [*queued, *ordered]
    begin = ordered.index(marker) + 1 if marker is not None else 0
    found = [{"id": one} for one in ordered[begin : begin + 1]]
    return Reply(status=200, headers=[], body=msgspec.json.encode({"servers": found}))


@pytest.mark.parametrize(("marker", "where"), [("a", "P1"), ("c", "P1"), ("e", "P1"), ("x", "P2")])
async def test_what_was_deleted(marker: str, where: str) -> None:
    wish = wish_of([("marker", marker), ("name", "other")], NOVA)
    found, item = await left_behind([pod("P1"), pod("P2"), pod("P3")], wish, NOVA, "servers", changed)
    assert (found.name, item) == (where, {"id": marker})


async def test_what_was_deleted_behind_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first in the other direction, but for those that wait for a cell."""
    monkeypatch.setitem(SERVERS, "P1", ("bdf", "z", "q"))
    wish = wish_of([("marker", "z")], NOVA)
    found, _ = await left_behind([pod("P1"), pod("P3")], wish, NOVA, "servers", changed)
    assert found.name == "P1"


async def test_nobodys_is_nobodys_when_all_have_said_so() -> None:
    async def half(pod: Pod, query: str) -> Reply:
        if pod.name == "P3":
            raise UnavailableError("down")
        return await changed(pod, query)

    wish = wish_of([("marker", "nobodys")], NOVA)
    with pytest.raises(NotFoundError):
        await left_behind([pod("P1"), pod("P2")], wish, NOVA, "servers", changed)
    with pytest.raises(UnavailableError):
        await left_behind([pod("P1"), pod("P3")], wish, NOVA, "servers", half)


async def test_who_refuses_has_nothing() -> None:
    async def refused(pod: Pod, query: str) -> Reply:
        return Reply(status=400, headers=[], body=b"{}")

    with pytest.raises(NotFoundError):
        await sought(PODS, asking("d"), LISTING, "messages", refused)
