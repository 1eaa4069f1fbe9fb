# SPDX-License-Identifier: Apache-2.0
"""Several pods behind a gatherer, and one service that holds all of what they hold: who is to be believed.

Both are the verified fakes of ``tricircle/testing`` (``tests/contract`` holds them against real Nova and Cinder), asked
without sockets. The rows are those of the doors.
"""

import copy
import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.doors.block_storage.lists import SNAPSHOTS, VOLUMES
from tricircle.doors.compute.servers.server_lists import DETAILED
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.listing import Item
from tricircle.road.lists.gather import Gatherer
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row
from tricircle.testing.exchange import Asked, Said
from tricircle.testing.identities import Identities
from tricircle.testing.pods import FakePod
from tricircle.upstream.reply import Reply

Json = dict[str, Any]
BORN = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = "http://pod.example"


def _row(row: Row) -> Row:
    return Row(("GET",), row.path, Behaviour.GATHER, kind=row.kind, collection=row.collection, listing=row.listing)


@dataclass(frozen=True)
class Collection:
    """One list: the service that has it, its path behind the version, the row, where a fake keeps the things."""

    service: Service
    root: str
    path: str
    row: Row
    store: str
    microversion: str

    @property
    def key(self) -> str:
        return str(self.row.collection)

    @property
    def brief(self) -> Row:
        """The brief list of the same things."""
        assert self.row.listing is not None
        listing = replace(self.row.listing, brief=("id", "name"))
        return replace(self.row, path=self.path.removesuffix("/detail"), detail_path=self.path, listing=listing)


SERVERS = Collection(
    Service.COMPUTE,
    "/v2.1",
    "/servers/detail",
    Row(("GET",), "/servers/detail", Behaviour.GATHER, collection="servers", listing=DETAILED),
    "servers",
    "compute 2.90",
)
_VOLUMES, _SNAPSHOTS = (_row(next(row for row in kind.rows(path) if row.path.endswith("detail")))
                        for kind, path in ((VOLUMES, "/volumes"), (SNAPSHOTS, "/snapshots")))  # fmt: skip
VOLUME_LIST = Collection(Service.BLOCK_STORAGE, "/v3", "/volumes/detail", _VOLUMES, "volumes", "volume 3.59")
SNAPSHOT_LIST = Collection(Service.BLOCK_STORAGE, "/v3", "/snapshots/detail", _SNAPSHOTS, "snapshots", "volume 3.59")


@dataclass(frozen=True)
class Thing:
    """What decides where something stands in a list."""

    second: int
    name: str | None
    size: int = 1
    is_queued: bool = False


@dataclass
class Places:
    """The ledger's positions, in memory."""

    saved: dict[tuple[str, str], dict[PodId, str | None]] = field(default_factory=dict)

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        return self.saved.get((list_key, marker))

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        self.saved[list_key, marker] = dict(positions)


class SeveralPods:
    """Pods with things in them, the same things in one service, and the one list of all pods."""

    def __init__(self, collection: Collection, limits: Sequence[int]) -> None:
        identities = Identities()
        identities.add_user("demo", "pw", {"demo": ["member", "reader"]})
        self.token = identities.sign_in("demo", "pw", "demo")
        self.project_id = identities.projects["demo"].id
        self.collection = collection
        self.pods = [Pod(id=PodId(f"id{n}"), name=f"P{n}", az_name=f"az{n}") for n, _ in enumerate(limits)]
        self.fakes = {
            pod.id: FakePod(pod.name, identities, max_limit=limit) for pod, limit in zip(self.pods, limits, strict=True)
        }
        self.oracle = FakePod("One", identities)
        self.down: set[PodId] = set()
        self.places = Places()
        self.where: dict[str, PodId] = {}
        #: Whether the brief list is asked for, and what was told last of the number of all: by us, by the one service.
        self.is_brief = False
        self.counts: tuple[object, object] = (None, None)
        self._numbers = itertools.count(1)
        self._gatherer = Gatherer(_Access(self), self.places, list_deadline_s=5)

    def make(self, place: int, thing: Thing) -> str:
        """Put a thing into a pod, and into the one service."""
        made = self._body(thing)
        pod = self.pods[place % len(self.pods)]
        for fake in (self.fakes[pod.id], self.oracle):
            self._store(fake)[made["id"]] = copy.deepcopy(made)
        self.where[made["id"]] = pod.id
        return str(made["id"])

    def delete(self, thing_id: str) -> None:
        """Remove it from both, as its service does."""
        for fake in (self.fakes[self.where[thing_id]], self.oracle):
            gone = self._store(fake).pop(thing_id)
            if self.collection is SERVERS:
                fake.nova.gone[thing_id] = gone

    async def page(self, query: str) -> tuple[list[str], str | None, set[str]]:
        """Ids of one page, the query of the next one, and the AZs that are named as missing."""
        row = self.collection.brief if self.is_brief else self.collection.row
        answer = await self._gatherer.gather(self._request(query), row, self.pods)
        assert answer.status == 200
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

    def _store(self, fake: FakePod) -> dict[str, Json]:
        speaker = fake.nova if self.collection.service is Service.COMPUTE else fake.cinder
        stored: dict[str, Json] = getattr(speaker, self.collection.store)
        return stored

    def _body(self, thing: Thing) -> Json:
        born = BORN + timedelta(seconds=thing.second)
        number = next(self._numbers)
        made: Json = {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), "name": thing.name}
        made |= {"size": thing.size, "_project": self.project_id}
        made |= {"_number": number, "metadata": {}, "status": "available", "updated_at": None}
        if self.collection is not SERVERS:
            kind = next(iter(self.oracle.cinder.types.stored))
            for fake in self.fakes.values():
                fake.cinder.types.stored.setdefault(kind, self.oracle.cinder.types.stored[kind])
            made |= {"created_at": born.strftime("%Y-%m-%dT%H:%M:%S.000000"), "volume_id": "v"}
            return made | {"_type": kind, "_group": None}
        flavor = {"id": "m1", "name": "m1", "vcpus": 1, "ram": 1, "disk": 1}
        times = {"created": born.strftime("%Y-%m-%dT%H:%M:%SZ"), "updated": born.strftime("%Y-%m-%dT%H:%M:%SZ")}
        made |= {"status": "BUILD" if thing.is_queued else "ACTIVE", "_is_queued": thing.is_queued}
        return made | times | {"_flavor": flavor, "image": "", "_zone": None, "key_name": None, "_devices": []}

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
        links = body.get(f"{self.collection.key}_links")
        return [item["id"] for item in body[self.collection.key]], urlsplit(links[0]["href"]).query if links else None

    def _request(self, query: str) -> Request:
        async def nothing() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        context = RequestContext(
            request_id="req-1",
            token=self.token,
            user_id="u",
            project_id=ProjectId(self.project_id),
            roles=frozenset({"member"}),
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
        pod = next((pod for pod in self._all.pods if pod.id == self._all.where.get(marker)), None)
        if pod is None:
            raise NotFoundError("no")
        reply = await self._all.page_of(pod, self._all.collection.path.replace("detail", marker), "")
        if reply.status != 200:
            raise NotFoundError("no")
        (item,) = reply.json().values()
        assert isinstance(item, dict)
        return pod, item

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        thing = self._all._store(self._all.oracle).get(marker)
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
