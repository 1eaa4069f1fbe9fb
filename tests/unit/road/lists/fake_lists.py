# SPDX-License-Identifier: Apache-2.0
"""What do pods that only list answer? Data in memory, paged as Nova and Cinder page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cmp_to_key
from urllib.parse import parse_qsl

import msgspec

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.listing import Item, Listing, Paging
from tricircle.road.lists.order import sort_value
from tricircle.road.lists.paging import wish_of
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row
from tricircle.upstream.reply import Reply


def pod(name: str, az: str = "") -> Pod:
    """A pod with little to say about itself."""
    return Pod(id=PodId(f"id-{name}"), name=name, az_name=az or f"az-{name}")


def context() -> RequestContext:
    """A caller with a minute's time."""
    return RequestContext(
        request_id="req-1",
        token="t",
        user_id="u",
        project_id=ProjectId("p"),
        roles=frozenset({"member"}),
        deadline=Deadline.after(60),
    )


async def nothing() -> dict[str, object]:
    """No body."""
    return {"type": "http.request", "body": b"", "more_body": False}


def request(path: str, query: str = "") -> Request:
    """A GET as a door sees it."""
    return Request(
        method="GET",
        path=path,
        query=query.encode(),
        headers=[],
        receive=nothing,
        body_limit=1000,
        context=context(),
        root="/v2.1",
    )


def nova_row(**changes: object) -> Row:
    """The detailed list of servers."""
    listing = Listing(paging=Paging.NOVA, links="servers_links", fields={"created_at": "created"}, **changes)  # type: ignore[arg-type]
    return Row(("GET",), "/servers/detail", Behaviour.GATHER, collection="servers", listing=listing)


def cinder_row(**changes: object) -> Row:
    """The detailed list of volumes."""
    listing = Listing(
        paging=Paging.CINDER,
        links="servers_links",
        ties=("created_at", "id"),
        noun="Volume",
        fields={"created_at": "created"},
        **changes,  # type: ignore[arg-type]
    )
    return Row(("GET",), "/servers/detail", Behaviour.GATHER, collection="servers", listing=listing)


@dataclass
class FakePod:
    """One pod's list. ``items`` are in the order in which they were made (the hidden number)."""

    pod: Pod
    items: list[Item]
    max_limit: int = 1000
    failure: Exception | None = None
    refusal: int | None = None
    deleted: dict[str, Item] = field(default_factory=dict)
    calls: int = 0

    def delete(self, item_id: str) -> None:
        """Remove an item; Nova still knows it as a marker."""
        for item in list(self.items):
            if item["id"] == item_id:
                self.items.remove(item)
                self.deleted[item_id] = item

    def ordered(self, query: Sequence[tuple[str, str]], listing: Listing, gone: Sequence[Item] = ()) -> list[Item]:
        """All items in the pod's own order: the client's keys, then the hidden number, in the first key's direction."""
        order = wish_of(list(query), listing).order
        numbered = [*self.items, *gone]
        hidden = {str(item["id"]): item["n"] for item in numbered}

        def compare(one: Item, other: Item) -> int:
            if listing.rank is not None and listing.rank(one) != listing.rank(other):
                return -1 if listing.rank(one) < listing.rank(other) else 1
            for name, is_falling in order:
                key = listing.fields.get(name, name)
                left, right = sort_value(one.get(key)), sort_value(other.get(key))
                if left != right:
                    return -1 if (left < right) != is_falling else 1
            rises = hidden[str(one["id"])] < hidden[str(other["id"])]  # type: ignore[operator]
            return -1 if rises != (order[0][1] if order else True) else 1

        return sorted(numbered, key=cmp_to_key(compare))

    def page(self, listing: Listing, query: str) -> Reply:
        """What it answers to one call."""
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None:
            return Reply(status=self.refusal, headers=[], body=b'{"badRequest": {"message": "no"}}')
        pairs = parse_qsl(query, keep_blank_values=True)
        words = dict(pairs)
        marker = words.get("marker")
        gone: list[Item] = []
        if marker is not None and listing.paging is Paging.NOVA and marker in self.deleted:
            gone = [self.deleted[marker]]
        items = self.ordered(pairs, listing, gone)
        if marker is not None:
            places = [index for index, item in enumerate(items) if item["id"] == marker]
            if not places:
                status = 400 if listing.paging is Paging.NOVA else 404
                body = msgspec.json.encode({"fault": {"message": f"marker [{marker}] not found"}})
                return Reply(status=status, headers=[], body=body)
            items = items[places[0] + 1 :]
        size = min(int(words.get("limit", self.max_limit)), self.max_limit)
        items = items[int(words.get("offset", 0)) :]
        page = items[:size]
        body = {"servers": page, "count": len(self.items)}
        if page and len(page) == size:
            body["servers_links"] = [{"rel": "next", "href": "http://pod/next"}]
        return Reply(status=200, headers=[], body=msgspec.json.encode(body))


class FakeAccess:
    """The pods behind a gatherer."""

    door_name = "compute"

    def __init__(self, pods: Sequence[FakePod], listing: Listing) -> None:
        self.pods = {one.pod.id: one for one in pods}
        self.listing = listing
        self.queries: list[str] = []
        self.known: dict[tuple[Kind, str], dict[PodId, str]] = {}

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        self.queries.append(query)
        return self.pods[pod.id].page(self.listing, query)

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        return [item for _, item in items]

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        for one in self.pods.values():
            for item in one.items:
                if item["id"] == marker:
                    if one.failure is not None:
                        raise UnavailableError("down")
                    return one.pod, item
        raise NotFoundError("no")

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        for one in self.pods.values():
            for item in one.items:
                if item["id"] == marker:
                    return one.pod, datetime.fromisoformat(str(item["created"]))
        return None

    async def copies(self, kind: Kind, central_id: str) -> Mapping[PodId, str]:
        return self.known.get((kind, central_id), {})

    async def refusal(self, request: Request, pod: Pod, reply: Reply) -> Answer:
        return Answer(status=reply.status, body=reply.body)

    def page_link(self, request: Request, query: str) -> str:
        return f"http://us/compute{request.path}?{query}"


class FakePositions:
    """The ledger's positions in memory; ``lose`` forgets them all."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, str], dict[PodId, str | None]] = {}

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        return self.saved.get((list_key, marker))

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        self.saved[list_key, marker] = dict(positions)

    def lose(self) -> None:
        """As if they were purged."""
        self.saved.clear()


Turn = Callable[[int, list[str]], Awaitable[None]]
