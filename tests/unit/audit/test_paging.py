# SPDX-License-Identifier: Apache-2.0
"""Does a list end as complete only when it is, whatever a pod says?"""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from tests.unit.servers import serving, target
from tricircle.audit.paging import Listing, pages
from tricircle.context import Deadline
from tricircle.errors import (
    BadUpstreamAnswerError,
    ServiceUserError,
    TricircleError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.model.pod import Service
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SERVERS = Listing(service=Service.COMPUTE, path="/servers", key="servers", params={"all_tenants": "1"})
GROUPS = Listing(service=Service.COMPUTE, path="/groups", key="groups", has_markers=False)


class Tokens:
    async def token(self, deadline: Deadline) -> str:
        return "service-token"


async def read(pools: Pools, port: int, listing: Listing = SERVERS, size: int = 3) -> list[list[str]]:
    client = Clients(pools, Tokens()).as_service(target(port))
    return [
        [str(item["id"]) for item in page]
        async for page in pages(client, listing, size=size, deadline=Deadline.after(5))
    ]


def honest(ids: list[str], *, most: int = 100, gone: frozenset[str] = frozenset()) -> Handler:
    """A service that pages by markers, gives at most ``most`` and does not know what is ``gone``."""

    async def answer(request: web.Request) -> web.StreamResponse:
        start = 0
        if marker := request.query.get("marker"):
            if marker in gone:
                return web.json_response({"itemNotFound": {"message": "marker not found"}}, status=404)
            start = ids.index(marker) + 1
        taken = ids[start : start + min(int(request.query["limit"]), most)]
        body: dict[str, object] = {"servers": [{"id": one} for one in taken if one not in gone]}
        if start + len(taken) < len(ids):
            body["servers_links"] = [{"rel": "next", "href": "http://elsewhere.invalid/whatever"}]
        return web.json_response(body)

    return answer


async def test_pages_are_as_large_as_the_service_likes(pools: Pools) -> None:
    ids = list("abcdefgh")
    async with serving(honest(ids)) as port:
        assert await read(pools, port) == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]
    async with serving(honest(ids, most=2)) as port:
        assert [one for page in await read(pools, port) for one in page] == ids


async def test_an_empty_list_has_no_page(pools: Pools) -> None:
    async with serving(honest([])) as port:
        assert await read(pools, port) == []


async def test_a_marker_that_was_deleted_meanwhile_is_stepped_over(pools: Pools) -> None:
    """The page ended with ``c``; now ``c`` is gone, and the list goes on behind ``b``."""
    asked: list[str | None] = []
    inner = honest(list("abcdef"))

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("marker"))
        if asked[-1] == "c":
            return web.json_response({"itemNotFound": {}}, status=404)
        return await inner(request)

    async with serving(answer) as port:
        assert await read(pools, port) == [["a", "b", "c"], ["c", "d", "e"], ["f"]]
    assert asked == [None, "c", "b", "e"]


async def test_offsets_go_on_until_a_page_is_empty(pools: Pools) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        start = int(request.query["offset"])
        return web.json_response({"groups": [{"id": one} for one in "abcde"[start : start + 2]]})

    async with serving(answer) as port:
        assert await read(pools, port, GROUPS) == [["a", "b"], ["c", "d"], ["e"]]


NEXT = [{"rel": "next", "href": "/x"}]
LIES = {
    "the same page for ever": {"servers": [{"id": "a"}, {"id": "b"}], "servers_links": NEXT},
    "an empty page that promises more": {"servers": [], "servers_links": NEXT},
    "no list": {"flavors": []},
    "a list that is none": {"servers": "all of them"},
    "items without an id": {"servers": [{"id": "a"}, {"name": "b"}]},
    "items that are none": {"servers": ["a", "b"]},
    "ids that are no text": {"servers": [{"id": 1}]},
    "no object": [{"id": "a"}],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_list_that_lies_is_never_complete(pools: Pools, lie: object) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(lie)

    async with serving(answer) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await read(pools, port)


async def test_two_pages_in_turns_are_found_out(pools: Pools) -> None:
    count = 0

    async def answer(_request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.json_response({"servers": [{"id": "ab"[count % 2]}], "servers_links": NEXT})

    async with serving(answer) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await read(pools, port)
    assert count == 3


async def test_offsets_that_are_ignored_are_found_out(pools: Pools) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"groups": [{"id": "a"}]})

    async with serving(answer) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await read(pools, port, GROUPS)


async def test_what_is_no_json_is_no_list(pools: Pools) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"servers": []}', content_type="text/html")

    async with serving(answer) as port:
        with pytest.raises(BadUpstreamAnswerError):
            await read(pools, port)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
async def test_a_refusal_in_the_middle_is_no_end(pools: Pools, status: int) -> None:
    inner = honest(list("abcdef"))

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("marker"):
            return web.json_response({"error": {}}, status=status)
        return await inner(request)

    async with serving(answer) as port:
        with pytest.raises(UpstreamStatusError):
            await read(pools, port)


async def test_a_service_that_hangs_up_in_the_middle_is_no_end(pools: Pools) -> None:
    inner = honest(list("abcdef"))

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("marker") and request.transport is not None:
            request.transport.close()
        return await inner(request)

    async with serving(answer) as port:
        with pytest.raises(TricircleError):
            await read(pools, port)


async def test_nobody_there_is_no_empty_list(pools: Pools) -> None:
    async with serving(honest([])) as port:
        pass
    with pytest.raises(UnavailableError):
        await read(pools, port)


@pytest.mark.parametrize("listing", [SERVERS, GROUPS], ids=["by markers", "by offset"])
async def test_a_list_that_was_not_told_to_an_administrator_does_not_end(pools: Pools, listing: Listing) -> None:
    """Others see a part of it. What was seen counts; that there is no more does not."""

    class Lost(Tokens):
        async def confirm(self, _token: str, _deadline: Deadline) -> None:
            raise ServiceUserError("no role")

    async def answer(request: web.Request) -> web.StreamResponse:
        items = [] if int(request.query.get("offset", "0")) else [{"id": "a"}]
        return web.json_response({listing.key: items})

    async with serving(answer) as port:
        client = Clients(pools, Lost()).as_service(target(port))
        found = pages(client, listing, size=3, deadline=Deadline.after(5))
        assert await anext(found) == [{"id": "a"}]
        with pytest.raises(ServiceUserError):
            await anext(found)
