# SPDX-License-Identifier: Apache-2.0
"""In which pod does an owned resource live?

The routing says it. An id without one is looked for in the pods, with the caller's token, and then written down: pods
are the truth. "Not found" is said only when every pod that could hold it said so; an id that is known to be gone goes
on being asked for in the pod where it lived, since owned ids never move.
"""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from tricircle.context import PodId, ProjectId, RequestContext
from tricircle.errors import (
    AbsentError,
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    ReferencedRowError,
    UnavailableError,
)
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind, Routing
from tricircle.road.credible import believed
from tricircle.road.needs import KnownPods, KnownRoutings, Upstreams
from tricircle.road.searches import Searches
from tricircle.road.vouching import Vouching
from tricircle.upstream.reply import Call, Headers, Reply

K = TypeVar("K")
V = TypeVar("V")
LOG = logging.getLogger(__name__)

#: Seconds for which nobody looks again for what no pod had.
NEGATIVE_S = 3.0
#: How many "no pod has it" and "it was there" are remembered.
_REMEMBERED = 10_000
#: Ids of owned resources are UUIDs. What could mean something else in a path or a query is never one.
_PLAUSIBLE = re.compile(r"[A-Za-z0-9_-]{1,255}")
#: Words that stand where ids do in these APIs: a service answers them with a list, or a sum.
_WORDS = frozenset({"detail", "summary"})
_DISABLED = "The availability zone of this resource is switched off. Please try again later."
UNKNOWABLE = "It cannot be known now whether this resource exists, because an availability zone does not answer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a pod is asked whether it holds an id: path behind the service root, JSON key, the lowest microversion."""

    service: Service
    path: str
    singular: str
    microversion: str | None = None


#: How services write the ids of owned resources.
ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z")
#: Owned kinds only: declared ones are never looked for in pods.
PROBES: Mapping[Kind, Probe] = {
    Kind.SERVER: Probe(service=Service.COMPUTE, path="/v2.1/servers/", singular="server"),
    Kind.VOLUME: Probe(service=Service.BLOCK_STORAGE, path="/v3/volumes/", singular="volume"),
    Kind.SNAPSHOT: Probe(service=Service.BLOCK_STORAGE, path="/v3/snapshots/", singular="snapshot"),
    Kind.BACKUP: Probe(service=Service.BLOCK_STORAGE, path="/v3/backups/", singular="backup"),
    Kind.GROUP: Probe(service=Service.BLOCK_STORAGE, path="/v3/groups/", singular="group", microversion="volume 3.13"),
    Kind.GROUP_SNAPSHOT: Probe(
        service=Service.BLOCK_STORAGE,
        path="/v3/group_snapshots/",
        singular="group_snapshot",
        microversion="volume 3.14",
    ),
    Kind.ATTACHMENT: Probe(
        service=Service.BLOCK_STORAGE, path="/v3/attachments/", singular="attachment", microversion="volume 3.27"
    ),
    Kind.TRANSFER: Probe(service=Service.BLOCK_STORAGE, path="/v3/os-volume-transfer/", singular="transfer"),
}

#: What a resource is called when it is not there, in the words of its service.
_ABSENT: Mapping[Kind, str] = {
    Kind.SERVER: "Instance {id} could not be found.",
    Kind.VOLUME: "Volume {id} could not be found.",
    Kind.SNAPSHOT: "Snapshot {id} could not be found.",
    Kind.BACKUP: "Backup {id} could not be found.",
    Kind.GROUP: "Group {id} could not be found.",
    Kind.GROUP_SNAPSHOT: "GroupSnapshot {id} could not be found.",
    Kind.ATTACHMENT: "Volume attachment could not be found with filter: attachment_id = {id}.",
    Kind.TRANSFER: "Transfer {id} could not be found.",
}


@dataclass(frozen=True, slots=True)
class Located:
    """Where an owned resource lives. The routing has the id 0 when it is not written down."""

    pod: Pod
    routing: Routing


class Locator:
    """Finds owned resources; remembers, for this process, what was not there.

    :param clock: seconds that only grow
    :param vouching: puts a service token to looks that need one; None puts none
    """

    def __init__(
        self,
        upstreams: Upstreams,
        pods: KnownPods,
        routings: KnownRoutings,
        *,
        deadline_s: float,
        clock: Callable[[], float] = time.monotonic,
        vouching: Vouching | None = None,
    ) -> None:
        self._vouching = vouching
        self._upstreams = upstreams
        self._pods = pods
        self._routings = routings
        self._deadline_s = deadline_s
        self._clock = clock
        self._absent: OrderedDict[tuple[ProjectId, Kind, str], float] = OrderedDict()
        self._gone: OrderedDict[tuple[Kind, str], PodId] = OrderedDict()
        self._searches = Searches(clock)

    async def locate(
        self, kind: Kind, resource_id: str, context: RequestContext, *, with_disabled: bool = False
    ) -> Located:
        """Where a resource lives, whether or not the caller may see it (the pod will say).

        :param with_disabled: a pod that is switched off will do: it is not asked
        :raises AbsentError: every pod that could hold it said that it does not
        :raises UnavailableError: its pod is switched off, or a pod that could hold it did not answer
        """
        text = _ABSENT.get(kind, "The resource {id} could not be found.").format(id=resource_id)
        absent = AbsentError(text, resource_id)
        if kind not in PROBES or not _is_plausible(resource_id):
            raise absent
        pods = await self._pods.pods()
        routing = await self._routings.owned(kind, resource_id)
        pod = _of(pods, routing.pod_id if routing is not None else self._gone.get((kind, resource_id)))
        if pod is not None and not _is_strangers(routing, context):
            if pod.state is PodState.DISABLED and not with_disabled:
                raise UnavailableError(_DISABLED, retry_after_s=60)
            return Located(pod, routing or _unwritten(kind, resource_id, pod, context))
        key = (context.project_id, kind, resource_id)
        if self._absent.get(key, float("-inf")) > self._clock():
            raise absent
        async with self._searches.turn(context.project_id, context.deadline):
            located = await self._search(kind, resource_id, context, pods)
            if located is not None and located.routing.id:
                # What pods make by themselves is written down only when it is looked for.
                self._searches.give_back(context.project_id)
        if located is None:
            _remember(self._absent, key, self._clock() + NEGATIVE_S)
            raise absent
        return located

    async def forget(self, kind: Kind, resource_id: str) -> None:
        """The pod said that the resource is gone. Later questions for it still go to that pod alone."""
        routing = await self._routings.owned(kind, resource_id)
        if routing is not None:
            _remember(self._gone, (kind, resource_id), routing.pod_id)
            await self._routings.forget(routing.id)

    async def _search(
        self, kind: Kind, resource_id: str, context: RequestContext, pods: Sequence[Pod]
    ) -> Located | None:
        """Ask every pod that serves the kind, all at once; None when all of them said no."""
        probe = PROBES[kind]
        could_hold = [pod for pod in pods if not pod.is_central and probe.service in pod.endpoints]
        asked = [pod for pod in could_hold if pod.state is not PodState.DISABLED]
        said_no = 0
        holder: tuple[Pod, Reply] | None = None
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(pod, probe, resource_id, context)) for pod in asked]
            for answered in asyncio.as_completed(tasks):
                pod, reply = await answered
                if reply is None:
                    continue
                if reply.status == 200:
                    # Nobody waits for a slow pod when another one has it.
                    holder = pod, reply
                    break
                if reply.status in (401, 403):
                    # It may be there, unless another pod shows it.
                    holder = holder or (pod, reply)
                said_no += is_absent(reply)
            for task in tasks:
                task.cancel()
        if holder is not None:
            return await self._found(kind, resource_id, *holder, context)
        if said_no < len(could_hold):
            raise UnavailableError(UNKNOWABLE)
        return None

    async def _ask(self, pod: Pod, probe: Probe, resource_id: str, context: RequestContext) -> tuple[Pod, Reply | None]:
        headers: Headers = [
            (b"x-auth-token", context.token.encode("latin-1")),
            (b"accept", b"application/json"),
            (b"x-openstack-request-id", context.request_id.encode()),
        ]
        if probe.microversion is not None:
            headers.append((b"openstack-api-version", probe.microversion.encode()))
        path, until = probe.path + quote(resource_id, safe=""), context.deadline.within(self._deadline_s)
        try:
            target = self._pods.target(pod, probe.service)
            if self._vouching is not None:
                headers += await self._vouching.headers(context, probe.service, ("GET", path), until, is_own=False)
            call = Call(method="GET", path=path, headers=headers)
            reply = await self._upstreams.send(target, call, until)
            if believed(reply, "GET").status == 200:
                reply.json()  # what cannot be read is no "here it is"
            return pod, reply
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError) as error:
            LOG.info("looking for %s: pod %s does not answer (%s)", resource_id, pod.name, error.code)
            return pod, None

    async def _found(self, kind: Kind, resource_id: str, pod: Pod, reply: Reply, context: RequestContext) -> Located:
        if reply.status != 200:
            # It may be there; the forwarded call gets the same refusal, in the pod's words.
            return Located(pod, _unwritten(kind, resource_id, pod, context))
        item = reply.json().get(PROBES[kind].singular)
        if not isinstance(item, dict):
            raise UnavailableError(UNKNOWABLE)
        if item.get("id") != resource_id:
            # Services find an id in capitals too: a row for each spelling would be too many.
            return Located(pod, _unwritten(kind, resource_id, pod, context))
        owner = item.get("tenant_id") or item.get("os-vol-tenant-attr:tenant_id") or item.get("project_id")
        project_id = ProjectId(owner) if isinstance(owner, str) else context.project_id
        created_at = when(item.get("created") or item.get("created_at"))
        try:
            routing = await self._routings.record(kind, resource_id, pod.id, project_id, created_at)
        except ReferencedRowError:
            # The pod is being deleted at this moment; what it says is still true for this request.
            routing = _unwritten(kind, resource_id, pod, context)
        LOG.info("found %s %s in pod %s without a routing", kind, resource_id, pod.name)
        return Located(pod, routing)


def _is_plausible(resource_id: str) -> bool:
    return _PLAUSIBLE.fullmatch(resource_id) is not None and resource_id not in _WORDS


def is_absent(reply: Reply) -> bool:
    """Whether Nova or Cinder itself says that a resource is not there. A 404 in other words is that of a proxy, or of a
    wrong address, and says nothing about the resource.
    """
    return reply.status == 404 and isinstance(reply.body, bytes) and b"itemNotFound" in reply.body


def when(text: object) -> datetime | None:
    """A time as Nova (``2026-01-01T00:00:00Z``) and Cinder (``2026-01-01T00:00:00.000000``) write it, both UTC."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_strangers(routing: Routing | None, context: RequestContext) -> bool:
    """Whether the caller should learn nothing of what we know about this id.

    It is then looked for as if it were nowhere: a stranger waits as long, is refused by the same pods in the same words
    and is bounded in the same way as for an id that does not exist. Who may see other projects' resources finds it.
    Transfers are meant to be accepted by others, who know their key.
    """
    if routing is None or routing.kind is Kind.TRANSFER or context.is_admin:
        return False
    return routing.project_id != context.project_id


def _of(pods: Sequence[Pod], pod_id: PodId | None) -> Pod | None:
    return next((pod for pod in pods if pod.id == pod_id), None)


def _unwritten(kind: Kind, resource_id: str, pod: Pod, context: RequestContext) -> Routing:
    return Routing(
        id=0,
        central_id=resource_id,
        kind=kind,
        pod_id=pod.id,
        project_id=context.project_id,
        pod_resource_id=resource_id,
    )


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
