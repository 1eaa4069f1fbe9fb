# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a subnet in a pod, and does it go by itself?

One Neutron lets a tenant delete a subnet and make another with the same addresses at once. A pod hears of the deletion
by a job, a moment later; a boot that is faster waits for it.
"""

import asyncio
import ipaddress
import logging

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, marked, text
from tricircle.copies.reach import Reach
from tricircle.errors import ConflictError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

#: Seconds between two looks at a subnet that is leaving.
_PAUSE_S = 0.3


async def is_there_already(reach: Reach, pod: Pod, subnet_id: str, body: Body, deadline: Deadline) -> bool:
    """Whether it is the subnet itself that the pod has, from a call that was late. If not, nothing is in the way any
    more.

    :param body: what the pod had refused
    :raises UnavailableError: a former subnet of the tenant's has not left in time
    :raises ConflictError: something is there that does not leave by itself
    """
    while True:
        there = await _overlapping(reach, pod, body, deadline)
        if not there:
            return False
        owner = await reach.owner.project(reach.network(pod), deadline)
        # Anybody can write a mark, but not in our project.
        marks = [marked(one.get("description")) if text(one, "project_id") == owner else None for one in there]
        if subnet_id in marks:
            return True
        seen = f"in pod {pod.name} subnets {', '.join(text(one, 'id') for one in there)} overlap with it"
        if None in marks:
            LOG.error("Subnet %s cannot be made: %s, and one is no copy of ours", subnet_id, seen)
            raise cannot_be_in(pod, subnet_id)
        # The centre has no two that overlap: these are leaving.
        if deadline.remaining_s() <= _PAUSE_S:
            LOG.warning("Subnet %s was not made in time: %s, and should have left", subnet_id, seen)
            message = f"A former subnet with addresses of {subnet_id} is still being removed. Try again later."
            raise UnavailableError(message, retry_after_s=2)
        await asyncio.sleep(_PAUSE_S)


def cannot_be_in(pod: Pod, subnet_id: str) -> ConflictError:
    """What a tenant is told; operators find why in the log."""
    return ConflictError(f"Subnet {subnet_id} cannot be in availability zone {pod.az_name}. Use another subnet.")


async def _overlapping(reach: Reach, pod: Pod, body: Body, deadline: Deadline) -> list[dict[str, object]]:
    wanted = ipaddress.ip_network(text(body, "cidr"))
    params = {"network_id": text(body, "network_id"), "fields": ("id", "cidr", "description", "project_id")}
    there = await collect(reach.network(pod), "/v2.0/subnets", "subnets", deadline, params)
    return [one for one in there if _overlap(wanted, text(one, "cidr"))]


def _overlap(wanted: ipaddress.IPv4Network | ipaddress.IPv6Network, cidr: str) -> bool:
    other = ipaddress.ip_network(cidr)
    return wanted.version == other.version and wanted.overlaps(other)
