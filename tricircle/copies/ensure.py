# SPDX-License-Identifier: Apache-2.0
"""How is a copy found or made exactly once, whoever asks and whoever crashes?

The only get-or-create in the house. The routing row is the lock:

1. *take* the row. Bound already: done. Held by somebody else: wait for him, until the deadline.
2. An attempt of somebody else may have died after its POST: then look in the pod first (``find``), adopt what is there.
3. Else ``create``. The natural key of the kind makes the pod refuse a duplicate of a *late* POST: look again.
4. *bind* the id. Whoever lost the lease meanwhile begins anew, and finds what the other one bound or adopted.

What is uncertain (a POST without an answer) leaves the row unbound: the next one looks before creating.
"""

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from tricircle.context import Deadline, ProjectId
from tricircle.errors import (
    BadUpstreamAnswerError,
    ConflictError,
    DuplicateRowError,
    LeaseLostError,
    NotFoundError,
    OutcomeUnknownError,
    ReferencedRowError,
    TricircleError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

#: Seconds that a lease outlives the deadline of the call that it was taken for.
_GRACE_S = 10.0
#: Seconds between two looks at a row that somebody else holds, at first and at most.
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
#: How Neutron refuses a subnet whose CIDR the network has already: with 400, unlike all other duplicates.
_OVERLAPS = "overlaps with another subnet"
_UNSETTLED = "An availability zone did not answer while something that the request names was made ready there."
#: What of the owner's words operators see in the row.
_OWNER = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which copy is wanted where.

    :ivar revision: what of the central object would be realised now, when the caller knows it; None when ``find`` and
        ``create`` read it themselves
    """

    kind: Kind
    central_id: str
    pod: Pod
    project_id: ProjectId
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What exists in the pod now.

    :ivar details: facts of the kind for the routing
    :ivar revision: what was realised, when it is not ``Wanted.revision``
    """

    pod_resource_id: str
    details: Mapping[str, object] = field(default_factory=dict)
    revision: str | None = None


Find = Callable[[], Awaitable[Found | None]]
Create = Callable[[], Awaitable[Found]]


class Ensure:
    """Finds or makes copies. ``find`` and ``create`` are given per call; they speak to the pod, never to the ledger."""

    def __init__(self, leases: Leases, routings: Routings) -> None:
        self._leases = leases
        self._routings = routings

    async def __call__(
        self, wanted: Wanted, *, find: Find, create: Create, deadline: Deadline, lease_s: float | None = None
    ) -> Routing:
        """The bound routing of the copy.

        :param find: looks in the pod for what an earlier attempt made; must check mark, project and natural key
        :param create: makes the copy; may be called again after a lost lease. When it raises an error that
            ``was_refused``, or a "not found" or "conflict" of ours, nothing came to be in the pod, or only what a
            later ``create`` meets by its key
        :param lease_s: for long work: seconds after which others may take over from a process that died. The lease is
            renewed while the work goes on. None: it lasts as long as the deadline
        :raises UnavailableError: the time is up while somebody else works on it, the pod was not reached, or could
            not be asked what came of a call that it did not answer: to ask again is safe, since the next one looks
        :raises UpstreamStatusError: the pod refused, and holds nothing of ours
        :raises BadUpstreamAnswerError: the pod did not say the id of what it made
        """
        pause_s = _FIRST_PAUSE_S
        while deadline.remaining_s() > 0:
            taken = await self._leases.take(
                wanted.kind,
                wanted.central_id,
                wanted.pod.id,
                wanted.project_id,
                owner=_OWNER,
                ttl_s=deadline.remaining_s() + _GRACE_S if lease_s is None else lease_s,
            )
            if isinstance(taken, Routing):
                return taken
            if isinstance(taken, Lease):
                try:
                    work = self._realise(taken, wanted, find, create)
                    return await (work if lease_s is None else self._kept(taken, work))
                except LeaseLostError:
                    continue
                except OutcomeUnknownError as error:
                    raise UnavailableError(_UNSETTLED) from error
            await asyncio.sleep(min(random.uniform(pause_s / 2, pause_s), deadline.remaining_s()))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        raise UnavailableError("The request could not be completed in time. Try again later.", retry_after_s=2)

    async def _kept(self, lease: Lease, work: Coroutine[None, None, Routing]) -> Routing:
        """What the work comes to, the lease renewed all the time. :raises LeaseLostError: somebody else has the row."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=lease.ttl_s / 3))[0]:
                try:
                    await self._leases.renew(lease)
                except UnavailableError:
                    continue  # while nobody can write, nobody can take the row either
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _realise(self, lease: Lease, wanted: Wanted, find: Find, create: Create) -> Routing:
        is_empty = lease.is_new  # certain that the pod holds nothing of ours
        try:
            found = None if lease.is_new else await find()
            if found is None:
                is_empty = True
                found = await _create(find, create)
            if not found.pod_resource_id:
                raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        except (TricircleError, asyncio.CancelledError) as error:
            if is_empty and (was_refused(error) or _was_ours(error)):
                await asyncio.shield(self._leases.drop(lease))
            else:
                # Unknown what came to be: the row stays, and the next one looks.
                await asyncio.shield(self._leases.release(lease))
            raise
        revision = wanted.revision if found.revision is None else found.revision
        return await asyncio.shield(
            self._leases.bind(lease, found.pod_resource_id, revision=revision, details=found.details)
        )


def check_followed(routing: Routing, revision: str) -> None:
    """:raises UnavailableError: a job works on a copy that does not agree with the centre yet"""
    if routing.revision != revision:
        raise UnavailableError("What the request names is being changed. Try again later.", retry_after_s=2)


def is_taken(error: BaseException) -> bool:
    """Whether a pod says that what was to be made is there, or something else with its natural key."""
    return is_overlap(error) or (isinstance(error, UpstreamStatusError) and error.status == 409)


def is_overlap(error: BaseException) -> bool:
    """Whether a subnet was refused because its network there has one with addresses of it."""
    return isinstance(error, UpstreamStatusError) and error.status == 400 and _OVERLAPS in error.body


def was_refused(error: BaseException) -> bool:
    """Whether a call of ours certainly changed nothing. Not so after a 5xx but 503: of 502 and 504 a proxy speaks that
    got no answer, and after 500 something may be half done.
    """
    if isinstance(error, UpstreamStatusError):
        return error.status < 500 or error.status == 503
    return isinstance(error, UnavailableError)


def _was_ours(error: BaseException) -> bool:
    """Whether we said no before the pod was asked: the original is gone, or the copy cannot be there. A row that stayed
    would keep addresses from everybody for an object that nobody made.
    """
    if isinstance(error, DuplicateRowError | ReferencedRowError):
        return False
    return isinstance(error, NotFoundError | ConflictError)


async def _create(find: Find, create: Create) -> Found:
    try:
        return await create()
    except UpstreamStatusError as error:
        if not is_taken(error):
            raise
        found = await find()
        if found is None:
            raise
        return found
    except OutcomeUnknownError as error:
        # The POST may still be under way; what it makes later meets the natural key or is found by the next one.
        try:
            found = await find()
        except TricircleError:
            # Most often the time is up: that nobody could look does not make it certain that nothing is there.
            raise error from None
        if found is None:
            raise
        return found
