# SPDX-License-Identifier: Apache-2.0
"""In which pods are the members of a server group, and those that are being made?

The pods say it. Of one that does not answer, what is written down counts; a copy of the group alone says nothing, since
it stays when the last member goes. A boot that is under way counts by its reservation, so that two at once into an
empty affinity group do not part.
"""

from tricircle.context import PodId
from tricircle.doors.compute.declared.group_members import GroupMembers
from tricircle.doors.compute.needs import ProjectRoutings
from tricircle.doors.compute.quotas.group_limits import OpenReservations, is_into, may_be_missing, written_down
from tricircle.http.message import Request
from tricircle.model.pod import Service
from tricircle.road.allowance import Hold

_NOTHING = Hold()


class GroupPods:
    """Finds them."""

    def __init__(self, *, members: GroupMembers, routings: ProjectRoutings, books: OpenReservations) -> None:
        self._members = members
        self._routings = routings
        self._books = books

    async def of(self, request: Request, group_id: str, hold: Hold = _NOTHING) -> frozenset[PodId]:
        """The pods.

        :param hold: of the caller: of the boots under way only those count that were reserved before. Without one all.
        :raises UnavailableError: the database is away
        """
        first = min(hold.ids, default=None)
        # In this order: what is made after the first look still counts by its reservation.
        begun = [
            one
            for one in await self._books.under_way(request.context.project_id, Service.COMPUTE)
            if is_into(one, group_id) and (first is None or one.id < first)
        ]
        members = await self._members.of_one(request, group_id)
        found = {pod_id for pod_id, ids in members.in_pods.items() if ids}
        written = await written_down(self._routings, request.context.project_id, group_id, members.lacking)
        found |= {pod_id for pod_id, ids in written.items() if ids}
        known = {member for ids in members.in_pods.values() for member in ids}
        return frozenset(found | {one.pod_id for one in begun if may_be_missing(one, known, members)})
