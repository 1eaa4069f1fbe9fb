# SPDX-License-Identifier: Apache-2.0
"""Upstreams, registry and ledger in memory, for tests of the road: every call is written down."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.errors import NotFoundError, UnauthorizedError, UnavailableError
from tricircle.http.message import Headers, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.model.routing import Kind, Routing
from tricircle.road.carrier import Carrier
from tricircle.road.forward import Forwarder
from tricircle.road.means import Means
from tricircle.road.rewrite import Shape
from tricircle.road.route import Locator
from tricircle.road.vouching import Vouching
from tricircle.upstream.reply import Call, Reply, Target

#: What pods may call themselves: not what we call them.
LINK_HOST = "upstream.invalid"
PUBLIC = "https://cloud.example"


def pod(name: str, az: str, *, state: PodState = PodState.ENABLED, **versions: str) -> Pod:
    """A pod with compute and block storage; ``compute="2.90"`` sets a highest microversion."""
    endpoints = {
        service: Endpoint(
            service=service,
            url=f"http://{name}.internal/{service}",
            max_version=versions.get(service.replace("-", "_")),
        )
        for service in (Service.COMPUTE, Service.BLOCK_STORAGE)
    }
    return Pod(id=PodId(f"id-{name}"), name=name, az_name=az, state=state, endpoints=endpoints)


def caller(project_id: str = "p1", *roles: str) -> RequestContext:
    """A member of a project."""
    return RequestContext(
        request_id="req-ours",
        token="users-token",
        user_id="u1",
        project_id=ProjectId(project_id),
        roles=frozenset(roles or ("member",)),
        deadline=Deadline.after(30),
    )


def json_reply(status: int, body: object, *headers: tuple[bytes, bytes]) -> Reply:
    """A JSON answer of an upstream."""
    return Reply(
        status=status, headers=[(b"content-type", b"application/json"), *headers], body=msgspec.json.encode(body)
    )


class Tokens:
    """Our own identity."""

    async def token(self, _deadline: Deadline) -> str:
        """Always the same."""
        return "our-token"


Said = Reply | Exception | Callable[[Call], Reply]


@dataclass
class Upstreams:
    """Answers by (pod id or "central", path without query); anything else is a 404 as Nova sends it."""

    said: dict[tuple[str, str], Said] = field(default_factory=dict)
    calls: list[tuple[Target, Call]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        self.calls.append((target, call))
        if call.body is not None and not isinstance(call.body, bytes):
            self.bodies.append(b"".join([chunk async for chunk in call.body]))
        said = self.said.get((target.pod, call.path.partition("?")[0]))
        if said is None:
            return json_reply(404, {"itemNotFound": {"code": 404, "message": "not here"}})
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Reply) else said(call)

    def asked(self) -> list[tuple[str, str, str]]:
        """(pod, verb, path with query) of every call."""
        return [(target.pod, call.method, call.path) for target, call in self.calls]


@dataclass
class Pods:
    """A registry that never changes."""

    members: tuple[Pod, ...]

    async def pods(self) -> tuple[Pod, ...]:
        return self.members

    async def enabled(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.members if not pod.is_central and pod.state is not PodState.DISABLED)

    async def get(self, pod_id: PodId) -> Pod | None:
        return next((one for one in self.members if one.id == pod_id), None)

    async def by_name(self, name: str) -> Pod | None:
        return next((one for one in self.members if one.name == name), None)

    @staticmethod
    def target(pod: Pod, service: Service) -> Target:
        if service not in pod.endpoints:
            raise NotFoundError("no such service")
        return Target(pod=pod.id, service=service, url=pod.endpoints[service].url, label=f"{pod.name}/{service}")

    @staticmethod
    def central(service: Service) -> Target:
        return Target(pod="central", service=service, url=f"http://central.internal/{service}", label="central")


@dataclass
class Routings:
    """Routings of owned resources, and of copies by their pod-side ids."""

    rows: dict[tuple[Kind, str], Routing] = field(default_factory=dict)
    copies: dict[tuple[str, Kind, str], Routing] = field(default_factory=dict)
    is_away: bool = False

    def add(self, kind: Kind, resource_id: str, pod: Pod, project_id: str = "p1") -> Routing:
        routing = Routing(
            id=len(self.rows) + 1,
            central_id=resource_id,
            kind=kind,
            pod_id=pod.id,
            project_id=ProjectId(project_id),
            pod_resource_id=resource_id,
        )
        self.rows[kind, resource_id] = routing
        return routing

    async def owned(self, kind: Kind, resource_id: str) -> Routing | None:
        if self.is_away:
            raise UnavailableError("database")
        return self.rows.get((kind, resource_id))

    async def record(
        self,
        kind: Kind,
        resource_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        created_at: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        if self.is_away:
            raise UnavailableError("database")
        routing = Routing(
            id=len(self.rows) + 1,
            central_id=resource_id,
            kind=kind,
            pod_id=pod_id,
            project_id=project_id,
            pod_resource_id=resource_id,
            created_at=created_at,
        )
        self.rows[kind, resource_id] = routing
        return routing

    async def forget(self, routing_id: int) -> bool:
        self.rows = {key: row for key, row in self.rows.items() if row.id != routing_id}
        return True

    async def copies_of(self, kind: Kind, central_id: str) -> list[Routing]:
        return [row for (_, of_kind, _), row in self.copies.items() if (of_kind, row.central_id) == (kind, central_id)]

    async def by_pod_resource(self, pod_id: PodId, kind: Kind, ids: Iterable[str]) -> dict[str, Routing]:
        wanted = set(ids)
        return {
            pod_side_id: row
            for (of_pod, of_kind, pod_side_id), row in self.copies.items()
            if of_pod == pod_id and of_kind is kind and pod_side_id in wanted
        }


class Positions:
    """No memory at all."""

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        return None

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        return None


@dataclass
class Jobs:
    """What was filed: at once, and for later."""

    filed: list[tuple[JobType, str, str]] = field(default_factory=list)
    later: dict[int, tuple[JobType, str, str]] = field(default_factory=dict)
    delays: set[float] = field(default_factory=set)
    next_id: int = 1
    is_away: bool = False

    async def append(self, job_type: JobType, resource_id: str, project_id: ProjectId, /, *, delay_s: float = 0) -> int:
        if self.is_away:
            raise UnavailableError("database")
        job_id = self.next_id
        self.next_id += 1
        if delay_s:
            self.delays.add(delay_s)
            self.later[job_id] = (job_type, resource_id, project_id)
        else:
            self.filed.append((job_type, resource_id, project_id))
        return job_id

    async def withdraw(self, job_id: int, /) -> None:
        del self.later[job_id]


@dataclass
class Validator:
    """Knows tokens by heart."""

    known: dict[str, RequestContext] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    async def identify(
        self,
        headers: Headers,
        method: str,
        path: str,
        service: Service | None,
        request_id: str,
        deadline: Deadline,
        *,
        global_request_id: str | None = None,
    ) -> RequestContext:
        token = dict(headers).get(b"x-auth-token", b"").decode()
        if token not in self.known:
            raise UnauthorizedError("The request you have made requires authentication.")
        return self.known[token]

    def forget(self, token: str) -> None:
        self.forgotten.append(token)


@dataclass
class World:
    """A door's carrier on scripted surroundings."""

    pods: tuple[Pod, ...]
    service: Service = Service.COMPUTE
    prefix: str = "/compute"
    now: float = 0.0
    upstreams: Upstreams = field(default_factory=Upstreams)
    routings: Routings = field(default_factory=Routings)
    jobs: Jobs = field(default_factory=Jobs)
    validator: Validator = field(default_factory=Validator)
    fault_shape: Shape | None = None

    def __post_init__(self) -> None:
        self.registry = Pods(self.pods)
        vouching = Vouching(Tokens())
        self.locator = Locator(
            self.upstreams,
            self.registry,
            self.routings,
            deadline_s=5,
            clock=lambda: self.now,
            vouching=vouching,
        )
        means = Means(
            pods=self.registry,
            routings=self.routings,
            positions=Positions(),
            jobs=self.jobs,
            locator=self.locator,
            list_deadline_s=5,
            in_flight_s=321,
        )
        forwarder = Forwarder(
            self.upstreams,
            service=self.service,
            base=PUBLIC + self.prefix,
            identity_url=PUBLIC + "/identity",
            vouching=vouching,
        )
        self.carrier = Carrier(
            means,
            forwarder,
            door_name=self.prefix[1:],
            service=self.service,
            base=PUBLIC + self.prefix,
            fault_shape=self.fault_shape,
        )


def request(
    method: str,
    path: str,
    *,
    query: str = "",
    root: str = "/v2.1",
    body: bytes = b"",
    context: RequestContext | None = None,
    **more: Any,
) -> Request:
    """A request as a door's handler gets it."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(
        method=method,
        path=root + path,
        query=query.encode(),
        headers=more.pop("headers", [(b"x-auth-token", b"users-token"), (b"content-type", b"application/json")]),
        receive=receive,
        body_limit=100_000,
        context=context or caller(),
        root=root,
        **more,
    )
