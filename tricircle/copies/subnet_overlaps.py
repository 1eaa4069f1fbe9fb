# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a subnet in a pod, and does it go by itself?

One Neutron lets a tenant delete a subnet and make another with the same addresses at once. A pod hears of the deletion
by a job, a moment later; a boot that is faster waits for it.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Sequence

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, marked, text
from tricircle.copies.reach import Reach
from tricircle.errors import ConflictError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

#: Seconds between two looks at a subnet that is leaving, or two attempts to make one.
_PAUSE_S = 0.3
#: So many refusals of a pod that shows nothing are believed: it has what it does not show.
_UNSEEN_AT_MOST = 2


class Obstacle:
    """What a pod, which refuses one subnet because of another, has in its way."""

    def __init__(self, reach: Reach, pod: Pod, subnet_id: str, body: Body) -> None:
        """``body``: what the pod had refused."""
        self._reach = reach
        self._pod = pod
        self._subnet_id = subnet_id
        self._body = body
        self._unseen = 0

    async def is_itself(self, deadline: Deadline) -> bool:
        """Whether it is the subnet itself that the pod has, from a call that was late. If not, nothing is in the way
        any more, as far as can be seen. Asked after each refusal.

        :raises UnavailableError: a former subnet of the tenant's has not left in time
        :raises ConflictError: something is there that does not leave by itself, or that nobody is shown
        """
        there = await self._overlapping(deadline)
        if not there:
            await self._pass_over(deadline)
        while there:
            if await self._is_among(there, deadline):
                return True
            await self._wait(f"{self._seen(there)}, and should have left", deadline)
            there = await self._overlapping(deadline)
        return False

    async def _pass_over(self, deadline: Deadline) -> None:
        """What was refused may have left between the refusal and the look; not so twice."""
        self._unseen += 1
        seen = f"pod {self._pod.name} says that another one overlaps with it, and shows none"
        if self._unseen >= _UNSEEN_AT_MOST:
            LOG.error("Subnet %s cannot be made: %s", self._subnet_id, seen)
            raise cannot_be_in(self._pod, self._subnet_id)
        await self._wait(seen, deadline)

    async def _is_among(self, there: Sequence[Body], deadline: Deadline) -> bool:
        owner = await self._reach.owner.project(self._reach.network(self._pod), deadline)
        # Anybody can write a mark, but not in our project.
        marks = [marked(one.get("description")) if text(one, "project_id") == owner else None for one in there]
        if self._subnet_id in marks:
            return True
        if None in marks:
            seen = self._seen(there)
            LOG.error("Subnet %s cannot be made: %s, and one is no copy of ours", self._subnet_id, seen)
            raise cannot_be_in(self._pod, self._subnet_id)
        return False

    async def _wait(self, seen: str, deadline: Deadline) -> None:
        """The centre has no two that overlap: what the pod has is leaving."""
        if deadline.remaining_s() <= _PAUSE_S:
            LOG.warning("Subnet %s was not made in time: %s", self._subnet_id, seen)
            message = f"A former subnet with addresses of {self._subnet_id} is still being removed. Try again later."
            raise UnavailableError(message, retry_after_s=2)
        await asyncio.sleep(_PAUSE_S)

    def _seen(self, there: Sequence[Body]) -> str:
        return f"in pod {self._pod.name} subnets {', '.join(text(one, 'id') for one in there)} overlap with it"

    async def _overlapping(self, deadline: Deadline) -> list[dict[str, object]]:
        wanted = ipaddress.ip_network(text(self._body, "cidr"))
        fields = ("id", "cidr", "description", "project_id")
        params = {"network_id": text(self._body, "network_id"), "fields": fields}
        there = await collect(self._reach.network(self._pod), "/v2.0/subnets", "subnets", deadline, params)
        return [one for one in there if _overlap(wanted, text(one, "cidr"))]


def cannot_be_in(pod: Pod, subnet_id: str) -> ConflictError:
    """What a tenant is told; operators find why in the log."""
    return ConflictError(f"Subnet {subnet_id} cannot be in availability zone {pod.az_name}. Use another subnet.")


def _overlap(wanted: ipaddress.IPv4Network | ipaddress.IPv6Network, cidr: str) -> bool:
    other = ipaddress.ip_network(cidr)
    return wanted.version == other.version and wanted.overlaps(other)
