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
from tricircle.road.lists.seek import sought
from tricircle.upstream.reply import Reply

LISTING = Listing(paging=Paging.CINDER, links="messages_links")
PODS = [pod("P1"), pod("P2")]
#: Pages of two.
THERE = {"P1": ["a", "b", "c", "d", "e"], "P2": ["x", "y", "twice", "e"]}


def asking(marker: str) -> Wish:
    return wish_of([("event_id", "1"), ("limit", "1"), ("marker", marker)], LISTING)


async def ask(pod: Pod, query: str) -> Reply:
    words = dict(parse_qsl(query))
    assert words["event_id"] == "1"
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


async def test_who_refuses_has_nothing() -> None:
    async def refused(pod: Pod, query: str) -> Reply:
        return Reply(status=400, headers=[], body=b"{}")

    with pytest.raises(NotFoundError):
        await sought(PODS, asking("d"), LISTING, "messages", refused)
