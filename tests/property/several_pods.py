# SPDX-License-Identifier: Apache-2.0
"""Several pods behind a gatherer, and one service that holds all of what they hold: who is to be believed.

Both are the verified fakes of ``tricircle/testing`` (``tests/contract`` holds them against real Nova and Cinder), asked
without sockets. The rows are those of the doors.
"""

import copy
import itertools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tests.property.collections_of_pods import BORN, SERVERS, Collection, Thing, when
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.listing import Item
from tricircle.road.lists.gather import Gatherer
from tricircle.road.lists.paging import wish_of
from tricircle.road.lists.seek import left_behind, sought
from tricircle.road.rewrite import Shape
from tricircle.road.row import Row
from tricircle.testing.exchange import Asked, Said
from tricircle.testing.identities import Identities
from tricircle.testing.pods import FakePod
from tricircle.upstream.reply import Reply

Json = dict[str, Any]
ROOT = "http://pod.example"


@dataclass
class Places:
    """The ledger's positions, in memory."""

    saved: dict[tuple[str, str], dict[PodId, str | None]] = field(default_factory=dict)

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        return self.saved.get((list_key, marker))

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        self.saved[list_key, marker] = dict(positions)


class SeveralPods:
    """Pods with things in them, the same things in one service, and the one list of all pods.

    :ivar is_admin: whether an administrator of the first project asks, or a member of it
    :ivar is_brief: whether the brief list is asked for
    :ivar counts: what was told last of the number of all: by us, by the one service
    """

    def __init__(self, collection: Collection, limits: Sequence[int]) -> None:
        identities = Identities()
        identities.add_user("demo", "pw", {"demo": ["member", "reader"]})
        identities.add_user("boss", "pw", {"demo": ["admin", "member", "reader"]})
        identities.add_user("alt", "pw", {"alt": ["member", "reader"]})
        self._tokens = {name == "boss": identities.sign_in(name, "pw", "demo") for name in ("demo", "boss")}
        self.projects = [identities.projects[name].id for name in ("demo", "alt")]
        self.collection = collection
        self.pods = [Pod(id=PodId(f"id{n}"), name=f"P{n}", az_name=f"az{n}") for n, _ in enumerate(limits)]
        self.fakes = {
            pod.id: FakePod(pod.name, identities, max_limit=limit) for pod, limit in zip(self.pods, limits, strict=True)
        }
        self.oracle = FakePod("One", identities, is_ideal=True)
        self._type, kind = next(iter(self.oracle.cinder.types.stored.items()))
        for fake in self.fakes.values():
            fake.cinder.types.stored[self._type] = kind
        self.down: set[PodId] = set()
        self.places = Places()
        self.where: dict[str, PodId] = {}
        self.is_admin = False
        self.is_brief = False
        self.counts: tuple[object, object] = (None, None)
        self._numbers = itertools.count(1)
        self._gatherer = Gatherer(_Access(self), self.places, list_deadline_s=5)

    @property
    def token(self) -> str:
        """Who asks."""
        return self._tokens[self.is_admin]

    def make(self, place: int, thing: Thing) -> str:
        """Put a thing into a pod, and into the one service."""
        number = next(self._numbers)
        made = {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), "_number": number}
        made |= {"_project": self.projects[thing.owner], **self.collection.body(thing)}
        pod = self.pods[place % len(self.pods)]
        if "_type" in made:
            made["_type"] = self._type
        for fake in (self.fakes[pod.id], self.oracle):
            self.store(fake)[made["id"]] = copy.deepcopy(made)
        self.where[made["id"]] = pod.id
        if thing.ended is not None:
            self.delete(made["id"], thing.ended)
        return str(made["id"])

    def delete(self, thing_id: str, second: int = 0) -> None:
        """Remove it from both, as its service does. ``second``: when; servers are remembered."""
        for fake in self._both(thing_id):
            if self.collection is SERVERS:
                fake.nova.bury(thing_id, BORN + timedelta(seconds=second))
            else:
                del self.store(fake)[thing_id]

    def touch(self, thing_id: str, second: int) -> None:
        """Change something that no list is filtered by, at a second."""
        for fake in self._both(thing_id):
            self.store(fake)[thing_id][self.collection.updated] = when(self.collection, second)

    def is_seen(self, thing_id: str) -> bool:
        """Whether who asks may see this."""
        graves = self.oracle.nova.gone if self.collection is SERVERS else {}
        thing = self.store(self.oracle).get(thing_id) or graves.get(thing_id)
        return thing is not None and (self.is_admin or thing["_project"] == self.projects[0])

    def there(self) -> set[str]:
        """What is there in all pods, whoever may see it; without what is deleted."""
        return set(self.store(self.oracle))

    async def page(self, query: str) -> tuple[list[str], str | None, set[str]]:
        """Ids of one page, the query of the next one, and the AZs that are named as missing."""
        row = self.collection.brief if self.is_brief else self.collection.row
        answer = await self._gatherer.gather(self._request(query), row, self.pods)
        assert answer.status == 200, answer.body
        self.counts = (answer.object().get("count"), self.counts[1])
        zones = (answer.header(INCOMPLETE_HEADER) or b"").decode()
        return *self._taken_apart(answer.object()), {zone for zone in zones.split(", ") if zone}

    def expected(self, query: str) -> tuple[list[str], str | None]:
        """What the one service says."""
        said = self._ask(self.oracle, self._path, query)
        assert said.status == 200, said.body
        assert isinstance(said.body, dict)
        self.counts = (self.counts[0], said.body.get("count"))
        return self._taken_apart(said.body)

    async def page_of(self, pod: Pod, path: str, query: str) -> Reply:
        """What one pod answers. :raises UnavailableError: it is down"""
        if pod.id in self.down:
            raise UnavailableError("down")
        said = self._ask(self.fakes[pod.id], path.removeprefix(self.collection.root), query)
        return Reply(status=said.status, headers=[], body=msgspec.json.encode(said.body))

    @property
    def _path(self) -> str:
        return self.collection.brief.path if self.is_brief else self.collection.path

    def store(self, fake: FakePod) -> dict[str, Json]:
        """Where a fake keeps these things."""
        speaker = fake.nova if self.collection.service is Service.COMPUTE else fake.cinder
        stored: dict[str, Json] = attrgetter(self.collection.store)(speaker)
        return stored

    def _both(self, thing_id: str) -> tuple[FakePod, FakePod]:
        return self.fakes[self.where[thing_id]], self.oracle

    def _ask(self, fake: FakePod, path: str, query: str) -> Said:
        asked = Asked(
            method="GET",
            path=self.collection.root + path,
            root=ROOT,
            query=parse_qsl(query, keep_blank_values=True),
            headers={"x-auth-token": self.token, "openstack-api-version": self.collection.microversion},
        )
        return fake.services[self.collection.service].answer(asked)

    def _taken_apart(self, body: Mapping[str, Any]) -> tuple[list[str], str | None]:
        links = body.get(self.collection.links)
        return [item["id"] for item in body[self.collection.key]], urlsplit(links[0]["href"]).query if links else None

    def _request(self, query: str) -> Request:
        async def nothing() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        context = RequestContext(
            request_id="req-1",
            token=self.token,
            user_id="u",
            project_id=ProjectId(self.projects[0]),
            roles=frozenset({"admin"} if self.is_admin else {"member"}),
            deadline=Deadline.after(60),
        )
        return Request(
            method="GET",
            path=self.collection.root + self._path,
            query=query.encode(),
            headers=[],
            receive=nothing,
            body_limit=1000,
            context=context,
            root=self.collection.root,
        )


class _Access:
    """What a gatherer asks of a carrier."""

    door_name = "property"

    def __init__(self, several: SeveralPods) -> None:
        self._all = several

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        return await self._all.page_of(pod, path, query)

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        listing, collection = row.listing, self._all.collection
        assert listing is not None
        seek: Callable[..., Any] = sought if row.kind is None else left_behind

        async def ask(pod: Pod, query: str) -> Reply:
            return await self._all.page_of(pod, collection.path, query)

        pod = next((pod for pod in self._all.pods if pod.id == self._all.where.get(marker)), None)
        if row.kind is not None and pod is not None:
            reply = await self._all.page_of(pod, f"{collection.one}/{marker}", "")
            if reply.status == 200:
                (item,) = reply.json().values()
                assert isinstance(item, dict)
                return pod, item
        if row.kind is not None and not listing.knows_deleted:
            raise NotFoundError("no")
        wish = wish_of(request.query_pairs(), listing)
        found: tuple[Pod, Item] = await seek(self._all.pods, wish, listing, row.collection or "", ask)
        return found

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        thing = self._all.store(self._all.oracle).get(marker)
        if thing is None:
            return None
        born = datetime.fromisoformat(thing.get("created") or thing["created_at"])
        return next(pod for pod in self._all.pods if pod.id == self._all.where[marker]), born

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        return [item for _, item in items]

    async def copies(self, kind: Kind, central_id: str) -> Mapping[PodId, str]:
        return {}

    async def refusal(self, request: Request, pod: Pod, reply: Reply) -> Answer:
        return Answer(status=reply.status, body=reply.body)

    def page_link(self, request: Request, query: str) -> str:
        return f"{ROOT}{request.path}?{query}"
