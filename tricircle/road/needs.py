# SPDX-License-Identifier: Apache-2.0
"""What does the road ask of the rooms below? Only these calls; the classes that answer them are chosen in
``app/``."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.http.message import Headers
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.reply import Call, Reply, Target


class Upstreams(Protocol):
    """Connections to pods and to the centre (``upstream/pool.py``)."""

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        """:raises UnavailableError: not sent, or a safe call without an answer. :raises OutcomeUnknownError: sent."""
        ...


class KnownPods(Protocol):
    """The pods as last read (``pods/registry.py``)."""

    async def pods(self) -> tuple[Pod, ...]:
        """All pods, the central region's row included, in a stable order."""
        ...

    def target(self, pod: Pod, service: Service) -> Target:
        """Where a pod serves an API. :raises UnavailableError: when it serves none."""
        ...

    def central(self, service: Service) -> Target:
        """Where the centre serves an API."""
        ...


class KnownRoutings(Protocol):
    """Which resource lives in which pod (``ledger/routings.py``)."""

    async def owned(self, kind: Kind, resource_id: str) -> Routing | None:
        """The routing of an owned resource."""
        ...

    async def record(
        self,
        kind: Kind,
        resource_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        created_at: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        """Write down where an owned resource lives; twice is once."""
        ...

    async def forget(self, routing_id: int) -> object:
        """Strike a routing out."""
        ...

    async def copies_of(self, kind: Kind, central_id: str) -> Sequence[Routing]:
        """All copies of one declared resource."""
        ...

    async def by_pod_resource(self, pod_id: PodId, kind: Kind, ids: Iterable[str]) -> dict[str, Routing]:
        """The routings of copies in a pod, by their pod-side ids."""
        ...


class KnownPositions(Protocol):
    """How far a client's list has come in each pod (``ledger/positions.py``)."""

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        """The positions behind a page that ended with ``marker``; None when nobody knows them any more."""
        ...

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        """Remember where a page that ends with ``marker`` stands in every pod."""
        ...


class JobFiles(Protocol):
    """Where jobs are filed (``jobs/queue.py``)."""

    async def append(self, job_type: JobType, resource_id: str, project_id: ProjectId, /, *, delay_s: float = 0) -> int:
        """File a job for every pod that has a copy, due in ``delay_s`` seconds; its id."""
        ...

    async def withdraw(self, job_id: int, /) -> None:
        """Remove a job that was filed as a precaution."""
        ...


class Identifies(Protocol):
    """Who asks (``keystone/tokens.py``)."""

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
        """The caller. :raises UnauthorizedError: no valid token"""
        ...

    def forget(self, token: str) -> None:
        """Believe nothing of a token any more."""
        ...


class OwnTokens(Protocol):
    """Our own identity (``keystone/session.py``)."""

    async def token(self, deadline: Deadline) -> str:
        """A token of the service user. :raises UnavailableError: none can be had"""
        ...


class Authorises(Protocol):
    """Who may do what we decide ourselves (``http/policy/enforcer.py``)."""

    def authorize(self, context: RequestContext, rule: str, target: Mapping[str, object] | None = None) -> None:
        """:raises ForbiddenError: the caller may not"""
        ...
