# SPDX-License-Identifier: Apache-2.0
"""Who is in a server group of the centre? What the pods say of its copies, and which pods do not say it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from tricircle.context import PodId
from tricircle.copies.server_groups import marked_id
from tricircle.doors.compute.needs import KnownRoutings
from tricircle.http.message import Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import NONSENSE, Gap
from tricircle.road.listing import Query
from tricircle.upstream.reply import Reply

PATH = "/os-server-groups"


@dataclass(frozen=True, slots=True)
class Members:
    """Ids of servers by central group, in the pods' fixed order.

    :ivar in_pods: of one group, the members by pod
    """

    by_group: Mapping[str, Sequence[object]] = field(default_factory=dict)
    in_pods: Mapping[PodId, Sequence[str]] = field(default_factory=dict)
    lacking: tuple[Gap, ...] = ()


class GroupMembers:
    """Asks the pods, each for at most the list deadline."""

    def __init__(self, *, carrier: Carrier, routings: KnownRoutings) -> None:
        self._carrier = carrier
        self._routings = routings

    async def of_one(self, request: Request, group_id: str) -> Members:
        """Members of one group, whoever's it is: its copies are asked for by their ids.

        :raises UnavailableError: the database is away, so it is not known where there are copies
        """
        copies = {
            copy.pod_id: str(copy.pod_resource_id)
            for copy in await self._routings.copies_of(Kind.SERVER_GROUP, group_id)
            if copy.is_bound
        }
        pods = [pod for pod in await self._carrier.members() if pod.id in copies and Service.COMPUTE in pod.endpoints]
        said = await asyncio.gather(*(self._one(request, pod, copies[pod.id]) for pod in pods))
        found = {pod.id: one for pod, one in zip(pods, said, strict=True) if not isinstance(one, Gap)}
        whole = [member for members in found.values() for member in members]
        return Members({group_id: whole}, found, tuple(one for one in said if isinstance(one, Gap)))

    async def of_all(self, request: Request, *, of_everybody: bool) -> Members:
        """Members of all groups of the caller's project, or of everybody's; copies are known by their names."""
        context = replace(request.context, deadline=self._carrier.list_deadline(request.context))
        bounded = replace(request, context=context, timings={})
        query: Query = [("all_projects", "True")] if of_everybody else []
        pods = [pod for pod in await self._carrier.members() if Service.COMPUTE in pod.endpoints]
        said = await asyncio.gather(*(self._all(bounded, pod, query) for pod in pods))
        members: defaultdict[str, list[object]] = defaultdict(list)
        for groups, _ in said:
            for group in groups:
                if (group_id := marked_id(group.get("name"))) is not None:
                    members[group_id] += _ids(group)
        return Members(by_group=members, lacking=tuple(gap for _, gap in said if gap is not None))

    async def _one(self, request: Request, pod: Pod, pod_id: str) -> Sequence[str] | Gap:
        fan = await self._carrier.fan_out(request, path=f"{PATH}/{quote(pod_id, safe='')}", query=b"", pods=(pod,))
        if not fan.replies or fan.replies[0][1].status not in (200, 404):
            return fan.lacking[0]
        reply: Reply = fan.replies[0][1]
        if reply.status == 404:
            return ()  # an operator has deleted the copy: nobody is in it
        group = reply.json().get("server_group")
        return _ids(group) if isinstance(group, dict) else Gap(pod, NONSENSE)

    async def _all(self, request: Request, pod: Pod, query: Query) -> tuple[list[dict[str, object]], Gap | None]:
        """All groups of one pod. Nova tells no more than so many at once (``[api] max_limit``), and not that there are
        more: so it is asked until there is nothing."""
        found: dict[object, dict[str, object]] = {}
        told = 0
        while True:
            pairs = [*query, *([("offset", str(told))] if told else [])]
            fan = await self._carrier.fan_out(request, path=PATH, query=urlencode(pairs).encode(), pods=(pod,))
            if not fan.good:
                return list(found.values()), fan.lacking[0]
            page = fan.good[0].json().get("server_groups")
            if not isinstance(page, list) or not all(isinstance(group, dict) for group in page):
                return list(found.values()), Gap(pod, NONSENSE)
            if not page:
                return list(found.values()), None
            new = {group.get("id"): group for group in page if group.get("id") not in found}
            if not new:
                return list(found.values()), Gap(pod, "more pages without anything new")
            found |= new
            told += len(page)


def _ids(group: Mapping[str, object]) -> list[str]:
    members = group.get("members")
    return [str(member) for member in members] if isinstance(members, list) else []
