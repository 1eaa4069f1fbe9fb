# SPDX-License-Identifier: Apache-2.0
"""With what does a door's special case reach pods and the centre? One carrier per door."""

import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

import msgspec

from tricircle.context import Deadline, RequestContext
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind
from tricircle.road.credible import believed, unreadable
from tricircle.road.declaring import with_jobs
from tricircle.road.fan_out import FanOut
from tricircle.road.forward import Forwarder
from tricircle.road.gaps import Gap, told
from tricircle.road.listing import Item
from tricircle.road.lists.gather import Gatherer
from tricircle.road.lists.pages import Pages
from tricircle.road.lists.paging import is_doubled, without_marker
from tricircle.road.means import Means
from tricircle.road.records import Records
from tricircle.road.rewrite import Shape
from tricircle.road.route import Located
from tricircle.road.row import Row
from tricircle.road.sent import BODILESS, Body, sent_body, sent_path
from tricircle.road.shaping import Shaper
from tricircle.road.versions import Range, demand, serves
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)


class Carrier:
    """Calls for one request at one door.

    Paths are *under the version* (``/servers/<id>/action``), percent-encoded; what is not given is the client's own.
    Calls go with the user's token and never with a service token; version and project id in front of the path are the
    client's, the microversion is the negotiated one.

    :param door_name: as in the door's record
    :param base: public endpoint and prefix of the door, no slash at the end
    :param fault_shape: how the errors of pods are made ours; applied to every object in the body of an error
    """

    def __init__(
        self,
        means: Means,
        forwarder: Forwarder,
        *,
        door_name: str,
        service: Service,
        base: str,
        fault_shape: Shape | None = None,
    ) -> None:
        self._means = means
        self._forwarder = forwarder
        self._name = door_name
        self._service = service
        self._base = base
        self._fault_shape = fault_shape
        self._shaper = Shaper(means.routings)
        self._records = Records(means.routings, means.locator)
        self._pages = Pages(
            means,
            forwarder,
            service=service,
            shaper=self._shaper,
            door_name=door_name,
            link=self.page_link,
            refusal=self.answer,
        )
        self._gatherer = Gatherer(self._pages, means.positions, list_deadline_s=means.list_deadline_s)

    @property
    def door_name(self) -> str:
        """For keys and metrics."""
        return self._name

    @property
    def service(self) -> Service:
        """The service whose API the door speaks."""
        return self._service

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
        """What the central service of this door answers, links rewritten. Raises as ``Pools.send``."""
        target = self._means.pods.central(self._service)
        data: bytes | AsyncIterator[bytes] | None
        if is_streamed and body is None and request.method not in BODILESS:
            data = request.chunks()
        else:
            data = await sent_body(request, method, body)
        started = time.perf_counter()
        reply = await self._forwarder.send(
            request,
            target,
            sent_path(request, path, query),
            method=method,
            body=data,
            is_streamed=is_streamed,
        )
        request.note("upstream", started)
        return await self._forwarder.answer(reply, target)

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
        """What this door's service in ``pod`` answers, as it is: links are not rewritten yet.

        :raises NotAcceptableError: the pod does not have the microversion: nothing was sent
        :raises UnavailableError: not sent, or a safe call without an answer that can be believed: nothing happened
        :raises OutcomeUnknownError: sent without an answer that can be believed
        """
        target = self._means.pods.target(pod, self._service)
        demand(pod, self._service, request.microversion)
        data = await sent_body(request, method, body)
        verb = method or request.method
        started = time.perf_counter()
        try:
            reply = await self._forwarder.send(request, target, sent_path(request, path, query), method=verb, body=data)
        except BadUpstreamAnswerError as error:
            LOG.warning("pod %s: %s", pod.name, error.message)
            unreadable(verb)
        request.note("upstream", started)
        return believed(reply, verb)

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
        """A pod's reply as it leaves: headers filtered, links rewritten, the items of 2xx answers and errors shaped."""
        target = self._means.pods.target(pod, self._service)
        if reply.status >= 400 and self._fault_shape is not None:
            fault = await self._shaper.fault(reply, self._fault_shape, pod, request.context)
            if fault is None and reply.status >= 500:
                unreadable(request.method)
            return await self._forwarder.answer(reply, target, body=fault)
        if shape is None or not 200 <= reply.status < 300 or not reply.body:
            return await self._forwarder.answer(reply, target)
        try:
            said = reply.json()
        except BadUpstreamAnswerError:
            unreadable(request.method)
        body = await self._shaper.body(said, shape, pod, request.context, singular=singular, collection=collection)
        return await self._forwarder.answer(reply, target, body=msgspec.json.encode(body))

    async def answer_json(self, request: Request, pod: Pod, reply: Reply, body: dict[str, object]) -> Answer:
        """As ``answer``, with a body that the caller made of the reply's; links in it are rewritten too."""
        target = self._means.pods.target(pod, self._service)
        return await self._forwarder.answer(reply, target, body=msgspec.json.encode(body))

    async def locate(
        self, kind: Kind, resource_id: str, context: RequestContext, *, with_disabled: bool = False
    ) -> Located:
        """The pod in which an owned resource lives; asks the pods when no routing says so.

        :param with_disabled: a pod that is switched off will do, for what can be said without asking it
        :raises NotFoundError: every pod that could hold it said that it does not
        :raises UnavailableError: its pod is switched off, or a pod that could hold it did not answer
        """
        return await self._means.locator.locate(kind, resource_id, context, with_disabled=with_disabled)

    async def record(
        self, kind: Kind, resource_id: str, pod: Pod, context: RequestContext, *, created_at: datetime | None = None
    ) -> None:
        """Write down that an owned resource was made in ``pod`` for the caller's project.

        Never fails: the pod has made it, and without a routing it is looked for in the pods. A client that was told of
        an error would make it again.
        """
        await self._records.record(kind, resource_id, pod, context, created_at)

    async def forget(self, kind: Kind, resource_id: str) -> None:
        """Strike out the routing of an owned resource that is gone. Never fails: the next 404 strikes it out."""
        await self._records.forget(kind, resource_id)

    async def route(self, request: Request, row: Row) -> Answer:
        """What ROUTE does without a handler: locate by ``row.kind``, forward, answer with ``row.shape``."""
        if row.kind is None or row.id_param is None:
            raise ValueError(f"{row.path} cannot be routed")
        resource_id = request.params[row.id_param]
        started = time.perf_counter()
        located = await self._means.locator.locate(row.kind, resource_id, request.context)
        request.note("locate", started)
        reply = await self.to_pod(request, located.pod)
        if reply.status == 404:
            await self._records.disappeared(request, row, located, reply)
        return await self.answer(
            request, located.pod, reply, singular=row.singular, collection=row.collection, shape=row.shape
        )

    async def declare(self, request: Request, row: Row) -> Answer:
        """What DECLARE does without a handler: the central service's answer; when it said yes, jobs follow."""
        return await self.central_with_jobs(
            request, [(job_type, request.params[param]) for job_type, param in row.jobs]
        )

    async def central_with_jobs(self, request: Request, jobs: Iterable[tuple[JobType, str]]) -> Answer:
        """The central service's answer; when it said yes, these jobs (type, resource id) follow in the pods.

        :raises UnavailableError: the database is away: nothing was sent
        """
        means, project_id = self._means, request.context.project_id
        return await with_jobs(means.jobs, jobs, project_id, lambda: self.central(request), later_s=means.in_flight_s)

    async def gather(self, request: Request, row: Row, *, pods: Sequence[Pod] | None = None) -> Answer:
        """What GATHER does without a handler: one merged list of all pods in use (or of ``pods``).

        Pods that do not have the microversion, or are switched off, are left out, and the list says so. What a service
        refuses before it looks for a marker, it refuses first.
        """
        query = request.query_pairs()
        if row.listing is not None and is_doubled(query, row.listing):
            answer = await self.central(request)
            if answer.status == 400:
                return answer
        try:
            return await self._gathered(request, row, pods)
        except (InvalidRequestError, NotFoundError):
            fan = await self.fan_out(request, query=without_marker(query)) if "marker" in dict(query) else None
            if fan is None or fan.refusal is None:
                raise
            return await self.answer(request, *fan.refusal)

    async def _gathered(self, request: Request, row: Row, pods: Sequence[Pod] | None) -> Answer:
        known = await self._means.pods.pods() if pods is None else pods
        started = time.perf_counter()
        members = [pod for pod in known if not pod.is_central and self._service in pod.endpoints]
        disabled = [pod for pod in members if pod.state is PodState.DISABLED]
        asked = [pod for pod in members if pod not in disabled]
        older = [pod for pod in asked if not serves(pod, self._service, request.microversion)]
        if older and len(older) == len(asked):
            demand(older[0], self._service, request.microversion)
        answer = await self._gatherer.gather(
            request, row, [pod for pod in asked if pod not in older], older=older, disabled=disabled
        )
        request.note("gather", started)
        return answer

    async def fan_out(
        self,
        request: Request,
        *,
        path: str | None = None,
        query: bytes | None = None,
        pods: Iterable[Pod] | None = None,
    ) -> FanOut:
        """One GET to all pods (or to ``pods``) at once, each waited for at most the list deadline.

        Pods that do not have the microversion, or are switched off, are not asked: they are gaps.
        """
        known = await self._means.members() if pods is None else pods
        started = time.perf_counter()
        fan = await self._pages.offers(request, known, sent_path(request, path, query))
        request.note("upstream", started)
        return fan

    def incomplete(self, request: Request, gaps: Iterable[Gap]) -> list[tuple[bytes, bytes]]:
        """The header of an answer that lacks parts, none when it lacks none; counted and logged for operators."""
        return told(self._name, request.path, gaps)

    def unknowable(self, request: Request, gaps: Iterable[Gap], text: str) -> UnavailableError:
        """What is raised when it is not known whether something exists; counted as lists that lack parts are."""
        self.incomplete(request, gaps)
        return UnavailableError(text)

    def list_deadline(self, context: RequestContext) -> Deadline:
        """How long pods are waited for, from now, where an answer is worth something only in time."""
        return context.deadline.within(self._means.list_deadline_s)

    async def members(self) -> tuple[Pod, ...]:
        """All pods, those that are switched off too, in their fixed order: whose parts an answer may lack."""
        return await self._means.members()

    async def pods(self) -> tuple[Pod, ...]:
        """The pods in use (enabled or draining, not the centre), in their fixed order."""
        return await self._means.in_use()

    async def served(self) -> Range:
        """The microversions that this door serves now."""
        return self._means.ranges.of(self._service, await self._means.pods.pods())

    def link(self, path: str) -> str:
        """An absolute URL of this door: public endpoint + prefix + ``path`` (with version)."""
        return self._base + path

    def know_alias(self, url: str) -> None:
        """The central service also names itself by ``url`` in its links."""
        self._forwarder.know_alias(url)

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        """Items of several pods made ours, in the given order."""
        return await self._shaper.items(items, shape, context)

    def page_link(self, request: Request, query: str) -> str:
        """An absolute URL of the request's own path with another query."""
        return f"{self._base}{request.path}?{query}"
