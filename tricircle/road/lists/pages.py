# SPDX-License-Identifier: Apache-2.0
"""With what do lists and sums of many pods reach them? Each call is waited for no longer than a list may take."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from tricircle.context import Deadline, PodId, RequestContext
from tricircle.errors import BadUpstreamAnswerError, NotFoundError, OutcomeUnknownError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind
from tricircle.road.credible import believed
from tricircle.road.fan_out import FanOut
from tricircle.road.forward import Forwarder
from tricircle.road.gaps import DISABLED, NONSENSE, SILENT, TOO_OLD, Gap
from tricircle.road.listing import Item, Listing
from tricircle.road.lists.paging import wish_of
from tricircle.road.lists.seek import left_behind, sought
from tricircle.road.means import Means
from tricircle.road.rewrite import Shape
from tricircle.road.route import ID, PROBES, UNKNOWABLE
from tricircle.road.row import Row
from tricircle.road.shaping import Shaper
from tricircle.road.versions import nearest, serves
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)


class Pages:
    """Pages of one door's lists (``gather.Access``), and single answers for sums.

    :param link: makes an absolute URL of a request's own path with another query
    :param refusal: makes a pod's error ours
    """

    def __init__(
        self,
        means: Means,
        forwarder: Forwarder,
        shaper: Shaper,
        *,
        service: Service,
        door_name: str,
        link: Callable[[Request, str], str],
        refusal: Callable[[Request, Pod, Reply], Awaitable[Answer]],
    ) -> None:
        self._means = means
        self._forwarder = forwarder
        self._shaper = shaper
        self._service = service
        self._name = door_name
        self.page_link = link
        self.refusal = refusal

    @property
    def door_name(self) -> str:
        """For keys and metrics."""
        return self._name

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        """One GET to this door's service of ``pod``; ``path`` has its version; links in the body are ours already."""
        target = self._means.pods.target(pod, self._service)
        reply = await self._forwarder.send(
            request,
            target,
            f"{path}?{query}" if query else path,
            method="GET",
            deadline=deadline,
        )
        believed(reply, "GET")
        if isinstance(reply.body, bytes):
            reply.body = self._forwarder.relinked(reply.body, target)
        return reply

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        """Items of several pods made ours, in the given order."""
        return await self._shaper.items(items, shape, context)

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        """One item of a row's collection, as its list has it, and its pod. Raises as ``locate``."""
        if row.kind is None and row.listing is not None:
            return await self._sought(request, row, row.listing, deadline)
        try:
            return await self._shown(request, row, marker, deadline)
        except NotFoundError:
            if row.listing is None or not row.listing.knows_deleted or not ID.match(marker):
                raise
            return await self._sought(request, row, row.listing, deadline)

    async def _shown(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        probe = None if row.kind is None else PROBES.get(row.kind)
        # Below a collection stand not only ids: asked for "detail", a pod would answer with a list.
        if row.kind is None or probe is None or not ID.match(marker):
            raise NotFoundError(f"The marker {marker} could not be found.")
        located = await self._means.locator.locate(row.kind, marker, replace(request.context, deadline=deadline))
        # An item's place is the same in every version: a pod that is left out of the list can still say it.
        asked = replace(request, microversion=nearest(located.pod, self._service, request.microversion))
        reply = await self.page(asked, located.pod, probe.path + quote(marker, safe=""), "", deadline)
        if reply.status >= 500:
            raise UnavailableError(UNKNOWABLE)
        item = reply.json().get(probe.singular) if reply.status == 200 else None
        if not isinstance(item, dict):
            raise NotFoundError(f"The marker {marker} could not be found.")
        return located.pod, item

    async def _sought(self, request: Request, row: Row, listing: Listing, deadline: Deadline) -> tuple[Pod, Item]:
        pods = [pod for pod in await self._means.in_use() if self._service in pod.endpoints]
        pods = [pod for pod in pods if serves(pod, self._service, request.microversion)]

        path = request.path if row.detail_path is None else request.root + row.detail_path

        async def ask(pod: Pod, query: str) -> Reply:
            return await self.page(request, pod, path, query, deadline)

        seek = left_behind if listing.knows_deleted else sought
        return await seek(pods, wish_of(request.query_pairs(), listing), listing, row.collection or "", ask)

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        """The pod of one item of a row's collection, and when it was made, as it is written down; None: it is not, or
        it is not the caller's business."""
        routing = None if row.kind is None else await self._means.routings.owned(row.kind, marker)
        if routing is None or routing.created_at is None:
            return None
        if routing.project_id != context.project_id and not context.is_admin:
            return None
        pod = next((pod for pod in await self._means.pods.pods() if pod.id == routing.pod_id), None)
        return None if pod is None else (pod, routing.created_at)

    async def copies(self, kind: Kind, central_id: str) -> Mapping[PodId, str]:
        """The id of a declared thing in each pod that has a copy."""
        known = await self._means.routings.copies_of(kind, central_id)
        return {copy.pod_id: copy.pod_resource_id for copy in known if copy.pod_resource_id is not None}

    async def offer(self, request: Request, pod: Pod, path: str) -> Reply | Gap:
        """One GET that is worth something only in time: a gap without an answer that can be believed."""
        if not serves(pod, self._service, request.microversion):
            return Gap(pod, TOO_OLD)
        deadline = request.context.deadline.within(self._means.list_deadline_s)
        target = self._means.pods.target(pod, self._service)
        try:
            reply = await self._forwarder.send(
                request,
                target,
                path,
                method="GET",
                deadline=deadline,
            )
            if believed(reply, "GET").status < 300:
                reply.json()  # nonsense of one pod is no answer, and no reason to fail for all
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError) as error:
            LOG.warning("pod %s does not answer %s: %s", pod.name, self._name, error.code)
            return Gap(pod, NONSENSE if isinstance(error, BadUpstreamAnswerError) else SILENT)
        return reply if reply.status < 500 else Gap(pod, SILENT)

    async def offers(self, request: Request, pods: Iterable[Pod], path: str) -> FanOut:
        """One GET to all of several pods at once; whoever is not asked, or does not answer, is a gap."""
        members = [pod for pod in pods if self._service in pod.endpoints]
        asked = [pod for pod in members if pod.state is not PodState.DISABLED]
        async with asyncio.TaskGroup() as group:
            tasks = [(pod, group.create_task(self.offer(request, pod, path))) for pod in asked]
        said = [(pod, task.result()) for pod, task in tasks]
        gaps = [one for _, one in said if isinstance(one, Gap)]
        gaps += [Gap(pod, DISABLED) for pod in members if pod.state is PodState.DISABLED]
        return FanOut(replies=tuple((pod, one) for pod, one in said if not isinstance(one, Gap)), gaps=tuple(gaps))
