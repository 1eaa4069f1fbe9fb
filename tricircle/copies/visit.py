# SPDX-License-Identifier: Apache-2.0
"""How does a job about one central object come to each pod that has a copy of it, one hand at a time?

A job without a pod asks no pod: it becomes one job for each pod that has a copy, also where that is a single one. Only
jobs with a pod count as a pod's (``[worker] per_pod``), so a pod that hangs holds up nobody but itself, and one that is
down has one job to do when it is back. Each visit holds the lease of the copy's routing. A row that nobody bound is an
attempt: under way, then the job comes again; or dead, then the pod is asked what it left behind.

A copy that leaves may be wanted again at the same instant, by a boot that takes a bound row as it is. So its row is
made an attempt first, and then the centre is asked once more: who wrote there before sees to it that the copy stays,
and whoever writes later finds no bound row and waits.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tricircle.context import Deadline, PodId
from tricircle.copies.ensure import Found
from tricircle.copies.reach import Reach
from tricircle.errors import RetryLaterError, TricircleError
from tricircle.jobs.reports import Report
from tricircle.jobs.worker import Body, JobRun
from tricircle.ledger.leases import Lease
from tricircle.model.job import EVERY_POD, JobKey
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing

Work = Callable[[Pod, Routing], Awaitable[None]]
Find = Callable[[Pod, Routing], Awaitable[Found | None]]


@dataclass(frozen=True, slots=True)
class Departure:
    """When and how copies go that may be wanted again.

    :ivar is_due: whether the centre says, now, that the pod shall have no copy; asked under the lease, twice
    :ivar remove: deletes the copy and forgets its routing
    """

    is_due: Callable[[Pod, Routing], Awaitable[bool]]
    remove: Work


_OWNER = f"{socket.gethostname()}:{os.getpid()}:job"
_GRACE_S = 10.0
#: Seconds after which a job looks again at a copy that somebody else works on, or at a pod that is not asked.
_BUSY_S = 2.0
_DISABLED_S = 60.0
_SOON_S = 0.5


async def visit(
    reach: Reach, run: JobRun, kind: Kind, *, work: Work, find: Find, departure: Departure | None = None
) -> None:
    """Do ``work`` on the copy in the pod that the job is about, or file a job for each pod.

    :param work: makes one bound copy agree, or removes it; may forget the routing
    :param find: what a dead attempt left in the pod, or None; checked as for adoption
    :param departure: asked before ``work``, where a copy can be wanted again under the same id
    :raises RetryLaterError: somebody else works on the copy, or wants it again
    """
    if run.pod_id == EVERY_POD:
        await _hand_over_all(reach, run, kind)
        return

    async def on_held(pod: Pod, copy: Routing, lease: Lease) -> None:
        if departure is not None and await departure.is_due(pod, copy):
            await _leave(reach, pod, copy, lease, departure)
        else:
            await work(pod, copy)

    for copy in await reach.routings.copies_of(kind, run.resource_id):
        if run.pod_id == copy.pod_id:
            await _visit_one(reach, run, copy, find, on_held)


def by_pod(reach: Reach, kind: Kind, body: Body) -> Body:
    """The same body for jobs that have a pod; others become jobs of pods before anybody is asked anything."""

    async def handed_over(run: JobRun) -> Report | None:
        if run.pod_id != EVERY_POD:
            return await body(run)
        await _hand_over_all(reach, run, kind)
        return None

    return handed_over


def expected(run: JobRun) -> int | None:
    """The revision that a reader must see; None after a deletion, when there is nothing to wait for."""
    return None if run.payload.get("deleted") else run.revision


def must_look(run: JobRun) -> bool:
    """Whether a sweep saw that a copy is gone or changed in the pod, whatever its routing says."""
    return bool(run.payload.get("missing") or run.payload.get("differs"))


async def _hand_over_all(reach: Reach, run: JobRun, kind: Kind) -> None:
    for copy in await reach.routings.copies_of(kind, run.resource_id):
        await hand_over(reach, run, copy.pod_id)


async def hand_over(reach: Reach, run: JobRun, pod_id: PodId) -> None:
    """Let a job of the pod do it: it is one, however many changes there are until a pod that is away answers again."""
    key = JobKey(type=run.type, resource_id=run.resource_id, pod_id=pod_id)
    await reach.queue.append_once(key, run.project_id, revision=run.revision, payload=run.payload)


async def _leave(reach: Reach, pod: Pod, copy: Routing, lease: Lease, departure: Departure) -> None:
    """Let the copy go unless it is wanted again, as the head of this module says."""
    await reach.leases.unbind(lease)
    try:
        is_due = await departure.is_due(pod, copy)
        if is_due:
            await departure.remove(pod, copy)
    except BaseException:
        # The pod has it still, or nobody knows: the row stays as it was.
        with suppress(TricircleError):
            await asyncio.shield(reach.leases.bind(lease, str(copy.pod_resource_id)))
        raise
    if not is_due:
        await asyncio.shield(reach.leases.bind(lease, str(copy.pod_resource_id)))
        raise RetryLaterError("The copy is wanted again.", after_s=_SOON_S)


async def _visit_one(
    reach: Reach, run: JobRun, copy: Routing, find: Find, on_held: Callable[[Pod, Routing, Lease], Awaitable[None]]
) -> None:
    pod = await reach.registry.get(copy.pod_id)
    if pod is None or pod.state is PodState.DISABLED:
        raise RetryLaterError("The pod is not asked for now.", after_s=_DISABLED_S)
    ttl_s = run.deadline.remaining_s() + _GRACE_S
    if not copy.is_bound:
        bound = await _settle(reach, copy, pod, run.deadline, find)
        if bound is None:
            return
        copy = bound
    lease = await reach.leases.hold(copy, owner=_OWNER, ttl_s=ttl_s)
    if lease is None:
        raise RetryLaterError("Somebody else works on the copy.", after_s=_BUSY_S)
    try:
        await on_held(pod, copy, lease)
    finally:
        await reach.leases.release(lease)


async def _settle(reach: Reach, copy: Routing, pod: Pod, deadline: Deadline, find: Find) -> Routing | None:
    """Bind what a dead attempt left in the pod; None when it left nothing, and the row is gone then."""
    ttl_s = deadline.remaining_s() + _GRACE_S
    taken = await reach.leases.take(copy.kind, copy.central_id, copy.pod_id, copy.project_id, owner=_OWNER, ttl_s=ttl_s)
    if isinstance(taken, Routing):
        return taken
    if not isinstance(taken, Lease):
        raise RetryLaterError("Somebody else works on the copy.", after_s=_BUSY_S)
    try:
        found = await find(pod, copy)
        if found is None:
            # Others than administrators are shown shorter lists.
            await reach.clients.check_own(deadline)
    except BaseException:
        await reach.leases.release(taken)
        raise
    if found is None:
        await reach.leases.drop(taken)
        return None
    return await reach.leases.bind(taken, found.pod_resource_id, revision=found.revision, details=found.details)
