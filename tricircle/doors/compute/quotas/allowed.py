# SPDX-License-Identifier: Apache-2.0
"""What does the centre allow a project, and one user in it? How many servers fit into both?

As in Nova: a user for whom an administrator has set limits is held to them beside the project's, by what the user has
in the project. Whoever has none counts with the project alone (``docs/decisions/0061-limits-of-users.md``).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.doors.compute.quotas.amounts import Amounts, absolute_of, number, quota_set_of
from tricircle.errors import UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import ServiceClient

LOG = logging.getLogger(__name__)

#: Old enough for every centre; the fields that count are the same at every later version.
_VERSION = "2.57"
_NO_LIMIT = Amounts(-1, -1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Limits; -1 is none.

    :ivar user: those of ``user_id`` in the project. Where nothing else is set for the user it is the project's own,
        which never says no alone
    :ivar user_id: whose use in the project has to be known; empty: nobody's, for nobody has narrower limits
    :ivar group_members: servers that the user may have in a server group
    """

    project: Amounts
    user: Amounts = field(default=_NO_LIMIT)
    user_id: str = ""
    group_members: int = -1

    def limits(self, one: Amounts) -> bool:
        """Whether any limit is about a server of this size."""
        limits = (self.project.named(), self.user.named())
        return any(limit[name] >= 0 for name, size in one.named().items() if size for limit in limits)


@dataclass(frozen=True, slots=True)
class Scope:
    """A limit, and what is taken of it."""

    limits: Amounts
    used: Amounts

    def room(self, one: Amounts, most: int) -> int:
        """How many servers of this size fit, at most ``most``."""
        limits, used = self.limits.named(), self.used.named()
        sizes = {name: size for name, size in one.named().items() if size > 0 and limits[name] >= 0}
        return min([most, *(max(0, limits[name] - used[name]) // size for name, size in sizes.items())])

    def overs(self, asked: Mapping[str, int]) -> set[str]:
        """The names of limits that are too low for what is asked."""
        limits, used = self.limits.named(), self.used.named()
        return {name for name, more in asked.items() if more and 0 <= limits[name] < used[name] + more}


def fitting(scopes: Sequence[Scope], one: Amounts, counts: tuple[int, int]) -> int:
    """How many servers of the size ``one`` fit, at most ``counts[1]``; a limit of -1 is none.

    >>> fitting([Scope(Amounts(10, -1, -1), Amounts(8, 8, 0))], Amounts(1, 1, 64), (1, 5))
    2

    :param scopes: the project's, and then the user's if there is one
    :raises QuotaExceededError: fewer than ``counts[0]`` fit; the text is Nova's
    """
    least, most = counts
    room = min(scope.room(one, most) for scope in scopes)
    if room >= least:
        return room
    asked = one.times(most).named()
    by_scope = [scope.overs(asked) for scope in scopes]
    names = set().union(*by_scope)
    # As Nova: where a limit of the user is too low, and the project's is not, all numbers are the user's.
    told = scopes[-1] if by_scope[-1] - by_scope[0] else scopes[0]
    used, limits = told.used.named(), told.limits.named()
    overs: dict[str, tuple[object, int, int]] = {name: (asked[name], used[name], limits[name]) for name in names}
    if "instances" in overs and least != most:
        overs["instances"] = (f"{least}-{most}", used["instances"], limits["instances"])
    raise words.over_quota(overs)


class CentralLimits:
    """Reads limits at the centre."""

    def __init__(self, *, clients: Asking, pods: KnownPods) -> None:
        self._clients = clients
        self._pods = pods

    async def allowed(
        self, context: RequestContext, *, project_id: ProjectId | None = None, user_id: str | None = None
    ) -> Allowed:
        """What servers a project and one of its users may have.

        :param project_id: the caller's unless another is named
        :param user_id: the caller unless another is named; empty: limits of users do not matter
        """
        owner = project_id or context.project_id
        user = context.user_id if user_id is None else user_id
        absolute, users = await asyncio.gather(self._of_project(context, owner), self.of_user(context, owner, user))
        project = Amounts(
            number(absolute, "maxTotalInstances", -1),
            number(absolute, "maxTotalCores", -1),
            number(absolute, "maxTotalRAMSize", -1),
        )
        members = number(absolute, "maxServerGroupMembers", -1)
        members = min(members, users.get("server_group_members", members))  # Nova's; -1 of either is none
        own = Amounts.of({**project.named(), **users})
        if not is_narrower(own, project):
            return Allowed(project=project, group_members=members)
        return Allowed(project=project, user=own, user_id=user, group_members=members)

    async def of_user(
        self, context: RequestContext, project_id: ProjectId, user_id: str, version: str = _VERSION
    ) -> Mapping[str, int]:
        """All limits that count for a user in a project, by Nova's names of quotas: where none of the user's own is
        set, the project's; empty without a user or a project.

        Asked as the service: tenants may not everywhere see them, and the user may be another.
        """
        if not user_id or not project_id:
            return MappingProxyType({})
        client = self._clients.as_service(self._pods.central(Service.COMPUTE), version)
        try:
            answer = await _quota_set(client, project_id, user_id, context.deadline)
        except UpstreamStatusError as error:
            if error.status != 400:
                raise
            # Before it shows one, Nova asks Keystone for the project; where it is not told how, it says so here, and
            # takes no limits of users either.
            LOG.warning("the central Nova shows no limits of users (does its [keystone] lead to Keystone?): %s", error)
            return MappingProxyType({})
        return numbers(quota_set_of(answer))

    async def _of_project(self, context: RequestContext, project_id: ProjectId) -> Mapping[str, object]:
        central = self._pods.central(Service.COMPUTE)
        if project_id == context.project_id:
            client, params = self._clients.as_user(context, central, _VERSION), {}
        else:
            client, params = self._clients.as_service(central, _VERSION), {"tenant_id": str(project_id)}
        return absolute_of(await client.get("/v2.1/limits", params=params, deadline=context.deadline))


def is_narrower(user: Amounts, project: Amounts) -> bool:
    """Whether a user may be over a limit that the project is not over."""
    limits = project.named()
    return any(own >= 0 and not 0 <= limits[name] <= own for name, own in user.named().items())


def numbers(values: Mapping[str, object]) -> dict[str, int]:
    """What is a number in a quota set; its ``id`` is none."""
    return {name: value for name, value in values.items() if isinstance(value, int)}


async def _quota_set(
    client: ServiceClient, project_id: ProjectId, user_id: str, deadline: Deadline
) -> Mapping[str, object]:
    path = f"/v2.1/os-quota-sets/{quote(project_id, safe='')}"
    return await client.get(path, params={"user_id": user_id}, deadline=deadline)
