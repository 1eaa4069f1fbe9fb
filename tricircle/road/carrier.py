# SPDX-License-Identifier: Apache-2.0
"""With what does a door's special case reach pods and the centre? One carrier per door."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tricircle.context import RequestContext
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.road.rewrite import Shape
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply

Body = dict[str, object] | bytes


@dataclass(frozen=True, slots=True)
class Located:
    """Where an owned resource lives."""

    pod: Pod
    routing: Routing


@dataclass(frozen=True, slots=True)
class FanOut:
    """What several pods answered to one question.

    :ivar replies: by pod, in the pods' fixed order; any status below 500
    :ivar missing: pods that did not answer in time, refused the connection, or sent 5xx or nonsense
    """

    replies: tuple[tuple[Pod, Reply], ...]
    missing: tuple[Pod, ...]


class Carrier:
    """Calls for one request at one door. All paths are *under the version* (``/servers/<id>/action``), percent-encoded.

    Calls go with the user's token and never with a service token; the version and, if the client wrote one, the
    project id in front of the path are the client's, the microversion header is the negotiated one.
    """

    async def central(
        self,
        request: Request,
        *,
        method: str | None = None,
        path: str | None = None,
        query: bytes | None = None,
        body: Body | None = None,
        is_streamed: bool = False,
    ) -> Answer:
        """What the central service of this door answers, links rewritten. What is not given is the client's own."""
        raise NotImplementedError

    async def to_pod(
        self,
        request: Request,
        pod: Pod,
        *,
        method: str | None = None,
        path: str | None = None,
        query: bytes | None = None,
        body: Body | None = None,
    ) -> Reply:
        """What this door's service in ``pod`` answers, as it is. What is not given is the client's own.

        :raises UnavailableError: not sent; nothing happened
        :raises OutcomeUnknownError: sent without an answer (verbs that change something)
        """
        raise NotImplementedError

    async def answer(
        self,
        request: Request,
        pod: Pod,
        reply: Reply,
        *,
        singular: str | None = None,
        collection: str | None = None,
        shape: Shape | None = None,
    ) -> Answer:
        """A pod's reply as it leaves: headers filtered, links rewritten, items (of 2xx answers) shaped."""
        raise NotImplementedError

    async def answer_json(
        self, request: Request, pod: Pod, reply: Reply, body: dict[str, object], *, status: int | None = None
    ) -> Answer:
        """As ``answer``, with a body that the caller made from the reply's; links in it are rewritten too."""
        raise NotImplementedError

    async def locate(self, kind: Kind, resource_id: str, context: RequestContext) -> Located:
        """The pod in which an owned resource lives; asks the pods when no routing says so.

        :raises NotFoundError: every pod that could hold it said that it does not
        :raises UnavailableError: its pod is disabled, or a pod that could hold it did not answer
        """
        raise NotImplementedError

    async def record(
        self, kind: Kind, resource_id: str, pod: Pod, context: RequestContext, *, created_at: datetime | None = None
    ) -> Routing:
        """Write down that an owned resource was made in ``pod``."""
        raise NotImplementedError

    async def forget(self, kind: Kind, resource_id: str) -> None:
        """Strike out the routing of an owned resource that is gone."""
        raise NotImplementedError

    async def route(self, request: Request, row: Row) -> Answer:
        """What ROUTE does without a handler: locate by ``row.kind``, forward, answer with ``row.shape``."""
        raise NotImplementedError

    async def gather(self, request: Request, row: Row, *, pods: Sequence[Pod] | None = None) -> Answer:
        """What GATHER does without a handler: one merged list of all pods (or of ``pods``)."""
        raise NotImplementedError

    async def fan_out(
        self,
        request: Request,
        *,
        path: str | None = None,
        query: bytes | None = None,
        pods: Iterable[Pod] | None = None,
    ) -> FanOut:
        """One GET to all pods that are in use (or to ``pods``) at once, each with the list deadline."""
        raise NotImplementedError

    async def pods(self) -> tuple[Pod, ...]:
        """The pods in use (enabled or draining, not the centre), in their fixed order."""
        raise NotImplementedError

    def link(self, path: str) -> str:
        """An absolute URL of this door: public endpoint + prefix + ``path`` (with version)."""
        raise NotImplementedError
