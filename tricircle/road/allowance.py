# SPDX-License-Identifier: Apache-2.0
"""How does a request take from its project's limits, so that no two requests take the same, and nothing stays taken?

Ask the pods what the project uses, reserve what fits (``ledger/reservations.py``), call the pod, and write down what
came of it. Whatever this process does not live to write down is settled by the next reading after the call's end.

A pod may have made a thing already while its reservation is still open: then it counts twice, for a moment. That never
lets too much pass; and before a request is refused for it, we wait a little and look again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.errors import (
    MAY_HAVE_HAPPENED,
    BadUpstreamAnswerError,
    TricircleError,
    UpstreamStatusError,
)
from tricircle.ledger.reservations import Fit, Reservations, Wanted
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.reservation import Amounts, Reading, Reservation, Standing
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.road.gaps import DISABLED, NONSENSE, SILENT, Gap
from tricircle.upstream.client import Clients, ServiceClient
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: Seconds that a request waits for one pod's count, so that a pod that is silent holds up nobody who makes something
#: in another.
_PATIENCE_S = 5.0
#: Seconds after the request's own deadline at which a pod has ended what it was asked for.
_GRACE_S = 60.0
#: Seconds between looks, before a request is refused for what may count twice.
_PAUSES_S = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5, 2.5, 4.0)
#: Reservations whose resources one look asks pods about.
_LOOKED_AT = 20
#: Projects that one round of ``settle_idle`` reads, and how long their reservations must have run out.
_ROUND, _IDLE_S = 50, 60.0
#: A pod that says so has done nothing.
_NOT_NOW = 503


class Counts(Protocol):
    """What a service's pods count."""

    @property
    def service(self) -> Service:
        """The service."""
        ...

    @property
    def version(self) -> str | None:
        """The microversion that its pods are asked at."""
        ...

    @property
    def maker(self) -> Service:
        """The service that says how far a thing has come that is counted later than it is accepted."""
        ...

    async def usage(
        self, client: ServiceClient, project_id: ProjectId, deadline: Deadline, *, is_own: bool, user_id: str
    ) -> Amounts:
        """What a project uses in the client's pod, by quota name.

        :param is_own: the client asks as the project's user, not as the service
        :param user_id: whose part of it is told too (``of_user``), by services that limit users; empty: nobody's
        """
        ...

    async def includes(self, client: ServiceClient, resource_id: str, amounts: Amounts, deadline: Deadline) -> bool:
        """Whether the pod's count includes what is being made. The client is the maker's, without a microversion."""
        ...


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose usage pods are asked for.

    :ivar asker: as whom; None: as the service
    :ivar user_id: whose part of it, too; only the service asks for that
    """

    project_id: ProjectId
    asker: RequestContext | None = None
    user_id: str = ""


class Hold:
    """What a request has taken. As a context it gives back, at its end, what no call was made for.

    Nothing here fails for the database: the pod's answer is what the user must hear, and what is not written down is
    settled by a reading after the call's time.
    """

    def __init__(self, books: Reservations | None = None, ids: Sequence[int] = ()) -> None:
        self._books = books
        self._unused = list(ids)
        #: Of the reservations.
        self.ids = tuple(ids)
        #: How many calls may be made with it.
        self.count = len(ids)

    async def __aenter__(self) -> "Hold":
        """Itself."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Give back."""
        unused, self._unused = self._unused, []
        if self._books is not None and unused:
            await _written(self._books.release(unused))

    async def send(self, call: Awaitable[Reply], *, identify: Callable[[Reply], str | None] | None = None) -> Reply:
        """The reply of a pod to a call that uses one reservation. Raises as the call.

        :param identify: the id of what the pod is making, when it is counted later than it is answered; without one
            the pod counts it when it answers
        """
        if self._books is None or not self._unused:
            return await call
        number = self._unused.pop(0)
        try:
            reply = await call
        except MAY_HAVE_HAPPENED:
            raise  # perhaps it was made: a reading after the call's time will say
        except TricircleError:
            self._unused.insert(0, number)
            raise
        if reply.status < 300:
            made = None if identify is None else identify(reply)
            if identify is None:
                await _written(self._books.bind([number]))
            elif made is not None:
                await _written(self._books.name(number, made))
        elif reply.status < 500 or reply.status == _NOT_NOW:
            # Nothing was made: it is there for another try, or given back at the end.
            self._unused.insert(0, number)
        return reply


class Allowance:
    """What projects may still take of one service's limits."""

    def __init__(
        self, counts: Counts, *, books: Reservations, clients: Clients, registry: Registry, bindings: Bindings
    ) -> None:
        self._counts = counts
        self._books = books
        self._clients = clients
        self._registry = registry
        self._bindings = bindings
        self._settled_to = ""

    async def take(
        self, context: RequestContext, pod: Pod, fit: Fit, *, project_id: ProjectId | None = None, user_id: str = ""
    ) -> Hold:
        """Reserve what ``fit`` names, for calls to ``pod`` until the request's deadline.

        :param project_id: whose limits, when an administrator changes what is another project's
        :param user_id: ``fit`` looks at this user's part, too
        :raises QuotaExceededError: what ``fit`` says of what is taken
        :raises UnavailableError: the database does not answer
        """
        deadline = context.deadline
        owner = project_id or context.project_id
        whose = _Whose(owner, context if owner == context.project_id and not user_id else None, user_id)
        wanted = Wanted(
            project_id=owner,
            service=self._counts.service,
            pod_id=pod.id,
            fit=fit,
            until_s=deadline.remaining_s() + _GRACE_S,
        )
        for pause in (*_PAUSES_S, None):
            readings = await self._readings(whose, deadline, await self._pods_of(owner))
            taken = await self._books.take(wanted, readings)
            if taken.refusal is None:
                return Hold(self._books, taken.ids)
            fit(taken.standing.least)  # raises when the refusal is beyond doubt
            if pause is None or deadline.remaining_s() < pause + _PATIENCE_S:
                raise taken.refusal
            await asyncio.sleep(pause)
            await self._look_after_pending(owner, context, deadline)
        raise AssertionError("the last look has no pause")

    async def survey(self, context: RequestContext, project_id: ProjectId) -> tuple[Standing, tuple[Gap, ...]]:
        """What a project has taken, and which of its pods do not say now: of those counts what they said last. Those
        that are switched off are not asked.

        Pods are asked as for a reservation, never with a client's own query: what they say is written down.
        """
        deadline = context.deadline.within(_PATIENCE_S)
        await self._look_after_pending(project_id, context, deadline)
        whose = _Whose(project_id, context if context.project_id == project_id else None)
        seen_at = await self._books.time()
        members = await self._members_of(project_id)
        asked = [pod for pod in members if pod.state is not PodState.DISABLED]
        said = await self._said(whose, context.deadline, asked)
        standing = await self._books.look(project_id, self._counts.service, _readings(said, seen_at))
        silent = {pod.id: gap for pod, gap in said if isinstance(gap, Gap)}
        gaps = (Gap(pod, DISABLED) if pod.state is PodState.DISABLED else silent.get(pod.id) for pod in members)
        return standing, tuple(gap for gap in gaps if gap is not None)

    async def settle_idle(self) -> None:
        """Ask pods about projects that nobody makes anything for any more, so that their reservations go: a chore.

        Each round takes up where the last one ended, so that projects whose pods are down are not all that is tried.
        """
        service = self._counts.service
        found = await self._books.idle(service, after=self._settled_to, past_s=_IDLE_S, limit=_ROUND)
        self._settled_to = found[-1] if len(found) == _ROUND else ""
        for project_id in found:
            pods = await self._pods_of(project_id)
            readings = await self._readings(_Whose(project_id), Deadline.after(_PATIENCE_S), pods)
            await self._books.look(project_id, service, readings)

    async def _pods_of(self, project_id: ProjectId) -> list[Pod]:
        """Those of ``_members_of`` that are asked: not those that are switched off."""
        return [pod for pod in await self._members_of(project_id) if pod.state is not PodState.DISABLED]

    async def _members_of(self, project_id: ProjectId) -> list[Pod]:
        """Where the project may have something: the pods that it is bound to, and those with a reservation of a request
        that did not come as far as the binding.
        """
        known, bound, open_in = await asyncio.gather(
            self._registry.pods(),
            self._bindings.pods_of(project_id),
            self._books.open_in(project_id, self._counts.service),
        )
        there = {*bound, *open_in}
        return [
            pod for pod in known if not pod.is_central and pod.id in there and self._counts.service in pod.endpoints
        ]

    async def _readings(self, whose: _Whose, deadline: Deadline, pods: Sequence[Pod]) -> list[Reading]:
        """What these pods say; those that do not answer are left out."""
        seen_at = await self._books.time()
        return _readings(await self._said(whose, deadline, pods), seen_at)

    async def _said(self, whose: _Whose, deadline: Deadline, pods: Sequence[Pod]) -> list[tuple[Pod, Amounts | Gap]]:
        said = await asyncio.gather(*(self._usage(whose, pod, deadline) for pod in pods))
        return list(zip(pods, said, strict=True))

    async def _usage(self, whose: _Whose, pod: Pod, deadline: Deadline) -> Amounts | Gap:
        client, is_own = self._client(whose.asker, pod), whose.asker is not None
        try:
            return await self._counts.usage(
                client, whose.project_id, deadline.within(_PATIENCE_S), is_own=is_own, user_id=whose.user_id
            )
        except TricircleError as error:
            LOG.info("pod %s does not say what project %s uses: %s", pod.name, whose.project_id, error.code)
            if isinstance(error, UpstreamStatusError):
                return Gap(pod, f"status {error.status}")
            return Gap(pod, NONSENSE if isinstance(error, BadUpstreamAnswerError) else SILENT)

    async def _look_after_pending(self, project_id: ProjectId, context: RequestContext, deadline: Deadline) -> None:
        """Note which of the things that pods are making are counted by now."""
        pending = (await self._books.pending(project_id, self._counts.service))[:_LOOKED_AT]
        said = await asyncio.gather(*(self._is_counted(context, one, deadline) for one in pending))
        counted = [one.id for one, is_counted in zip(pending, said, strict=True) if is_counted]
        if counted:
            await self._books.bind(counted)

    async def _is_counted(self, context: RequestContext, one: Reservation, deadline: Deadline) -> bool:
        pod = await self._registry.get(one.pod_id)
        if pod is None or pod.state is PodState.DISABLED or one.resource_id is None:
            return False
        try:
            maker = self._clients.as_user(context, self._registry.target(pod, self._counts.maker))
            return await self._counts.includes(maker, one.resource_id, one.amounts, deadline.within(_PATIENCE_S))
        except TricircleError:
            return False

    def _client(self, context: RequestContext | None, pod: Pod) -> ServiceClient:
        target = self._registry.target(pod, self._counts.service)
        if context is None:
            return self._clients.as_service(target, self._counts.version)
        return self._clients.as_user(context, target, self._counts.version)


def _readings(said: Sequence[tuple[Pod, Amounts | Gap]], seen_at: datetime) -> list[Reading]:
    return [Reading(pod_id=pod.id, amounts=used, seen_at=seen_at) for pod, used in said if not isinstance(used, Gap)]


async def _written(change: Awaitable[None]) -> None:
    try:
        await change
    except TricircleError as error:
        LOG.warning("a reservation stays until a reading settles it: %s", error)
