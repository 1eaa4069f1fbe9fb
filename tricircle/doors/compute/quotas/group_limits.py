# SPDX-License-Identifier: Apache-2.0
"""May a server group have so many more members? Pods are lifted to unlimited, so nobody else holds a group to
``server_group_members``.

The limit is the central Nova's, the members are what the pods say. A boot that is under way has a reservation that
names the group; of several at once those go first whose reservations are older, so as many pass as are allowed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from tricircle.context import PodId, ProjectId, RequestContext
from tricircle.doors.compute.declared.group_members import GroupMembers, Members
from tricircle.doors.compute.needs import Asking, KnownPods, ProjectRoutings
from tricircle.doors.compute.quotas.quota import Share
from tricircle.errors import QuotaExceededError, TricircleError
from tricircle.http.message import Request
from tricircle.model.pod import Pod, Service
from tricircle.model.remembered import ENDING, seen_of
from tricircle.model.reservation import Reservation
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import Gap
from tricircle.upstream.client import collect

#: Nova's words.
TOO_MANY = "Quota exceeded, too many servers in group"
#: Seconds between looks, before a boot is refused for others that are under way: a server that a pod has just accepted
#: is a member already, and its reservation does not name it yet.
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
#: Servers of a pod that does not answer that are looked through for members.
_MOST = 10_000


class OpenReservations(Protocol):
    """What is being made (``ledger/reservations.py``)."""

    async def under_way(self, project_id: ProjectId, service: Service) -> Sequence[Reservation]:
        """All of a project that its pods may not count yet."""
        ...


_RESERVED = "server_group_members {} "


def reserved_as(group_id: str, context: RequestContext) -> Mapping[str, int]:
    """What one more member of the caller's is called in a reservation: as in Nova a limit is one user's."""
    return {_RESERVED.format(group_id) + context.user_id: 1}


def is_into(one: Reservation, group_id: str) -> bool:
    """Whether it is a boot into the group, whoever's."""
    return any(name.startswith(_RESERVED.format(group_id)) for name in one.amounts)


async def written_down(
    routings: ProjectRoutings, project_id: ProjectId, group_id: str, gaps: Sequence[Gap]
) -> dict[PodId, set[str]]:
    """Members in pods that do not answer, as they are written down; all users'."""
    found: dict[PodId, set[str]] = {}
    for gap in gaps:
        for routing in await routings.of_project(Kind.SERVER, gap.pod.id, project_id, limit=_MOST):
            groups = (seen_of(routing) or {}).get("server_groups")
            if isinstance(groups, list) and group_id in groups and not routing.details.get(ENDING):
                found.setdefault(gap.pod.id, set()).add(routing.central_id)
    return found


class GroupLimits:
    """Holds boots to the limit of their group.

    :param pauses_s: seconds between looks
    """

    def __init__(
        self,
        *,
        carrier: Carrier,
        clients: Asking,
        pods: KnownPods,
        members: GroupMembers,
        routings: ProjectRoutings,
        books: OpenReservations,
        pauses_s: Sequence[float] = _PAUSES_S,
    ) -> None:
        self._carrier = carrier
        self._clients = clients
        self._pods = pods
        self._members = members
        self._routings = routings
        self._books = books
        self._pauses_s = pauses_s

    async def check(self, request: Request, group_id: str, share: Share, limit: int) -> None:
        """``share.count`` more servers may be in the group.

        :param share: reserved with ``reserved_as``
        :param limit: members that a user may have in a group; -1 is no limit
        :raises QuotaExceededError: they are too many (Nova's words)
        :raises UnavailableError: the database does not answer
        """
        if limit < 0:
            return
        for pause in (*self._pauses_s, None):
            # In this order: what is made after the first look still counts by its reservation.
            others = await self._before(request.context, group_id, share)
            members = await self._members.of_one(request, group_id)
            known = {member for found in members.in_pods.values() for member in found}
            silent = await written_down(self._routings, request.context.project_id, group_id, members.lacking)
            known |= {member for found in silent.values() for member in found}
            waiting = [one for one in others if may_be_missing(one, known, members)]
            if len(known) + len(waiting) + share.count <= limit:
                return
            known = await self._of_user(request.context, members, known)
            if len(known) + len(waiting) + share.count <= limit:
                return
            is_beyond_doubt = len(known) + share.count > limit or not waiting
            if is_beyond_doubt or pause is None or request.context.deadline.remaining_s() < pause:
                raise QuotaExceededError(TOO_MANY)
            await asyncio.sleep(pause)

    async def _before(self, context: RequestContext, group_id: str, share: Share) -> list[Reservation]:
        """The boots into the group that were reserved before this one and may not have members yet."""
        names = reserved_as(group_id, context)
        first = min(share.hold.ids, default=None)
        return [
            one
            for one in await self._books.under_way(context.project_id, Service.COMPUTE)
            if names.keys() <= one.amounts.keys() and (first is None or one.id < first)
        ]

    async def _of_user(self, context: RequestContext, members: Members, known: set[str]) -> set[str]:
        """Those of ``known`` that are the caller's own servers, and those of which it cannot be said."""
        pods = [pod for pod in await self._carrier.members() if members.in_pods.get(pod.id)]
        foreign = await asyncio.gather(*(self._foreign(context, pod, members.in_pods[pod.id]) for pod in pods))
        return known - {member for found in foreign for member in found}

    async def _foreign(self, context: RequestContext, pod: Pod, members: Sequence[str]) -> set[str]:
        client = self._clients.as_service(self._pods.target(pod, Service.COMPUTE), "2.1")
        wanted = {"all_tenants": "True", "project_id": str(context.project_id), "user_id": context.user_id}
        try:
            own = await collect(client, "/v2.1/servers", "servers", context.deadline, wanted)
        except TricircleError:
            return set()
        return set(members) - {str(server.get("id")) for server in own}


def may_be_missing(one: Reservation, known: set[str], members: Members) -> bool:
    """Whether a boot may make a member that is not known. One that a pod has accepted is a member there, or is gone."""
    if one.resource_id is None:
        return True
    return one.resource_id not in known and one.pod_id not in members.in_pods
