# SPDX-License-Identifier: Apache-2.0
"""Why can a network not be in a pod, and what do tenants and operators hear of it?"""

import logging
import re
from collections.abc import Collection

from tricircle.copies.bodies import Body, rows, text, words
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.pod import Pod

LOG = logging.getLogger(__name__)

#: How Neutron says that a segment is taken, that it does not know a physical network, and which MTU it can carry.
_SEGMENT_IN_USE = ("VlanIdInUse", "FlatNetworkInUse")
_UNKNOWN_WIRE = re.compile(r"physical_network '[^']*' unknown for")
_MTU_TOO_BIG = re.compile(r"MTU is too big, maximum is (\d+)")


def check_zone(pod: Pod, network: Body) -> None:
    """:raises ConflictError: the network is limited to other AZs, or it consists of several segments"""
    network_id, hints = text(network, "id"), words(network, "availability_zone_hints")
    if hints and pod.az_name not in hints:
        raise ConflictError(f"Network {network_id} is limited to availability zones: {', '.join(sorted(hints))}.")
    if rows(network, "segments"):
        raise ConflictError(f"Network {network_id} has several segments and can be in no availability zone.")


def largest_mtu(error: UpstreamStatusError) -> int | None:
    """The largest MTU that a pod can carry, when it refused a larger one."""
    found = _MTU_TOO_BIG.search(error.body) if error.status == 400 else None
    return None if found is None else int(found[1])


def refusal(pod: Pod, network: Body, error: UpstreamStatusError) -> ConflictError | None:
    """What a tenant is told of the pod's refusal to make the copy; None when it speaks of something else."""
    if error.status == 409 and any(word in error.body for word in _SEGMENT_IN_USE):
        return segment_taken(pod, network)
    if error.status == 400 and _UNKNOWN_WIRE.search(error.body):
        return no_wire(pod, network)
    return None


def segment_taken(pod: Pod, network: Body) -> ConflictError:
    """What a tenant is told of a segment that the pod uses for something else; operators find which in the log."""
    network_id = text(network, "id")
    LOG.error(
        "Network %s cannot be made in pod %s: VLAN %s of physical network %s is used there for something else",
        network_id,
        pod.name,
        network.get("provider:segmentation_id"),
        network.get("provider:physical_network"),
    )
    return ConflictError(f"Network {network_id} cannot be in availability zone {pod.az_name}. Use another network.")


def no_wire(pod: Pod, network: Body, zones: Collection[str] = ()) -> ConflictError:
    """What a tenant is told of a network that the pod is not wired to; operators find why in the log.

    :param zones: the AZs that are wired to it, as far as that is known
    """
    network_id, physnet = text(network, "id"), text(network, "provider:physical_network")
    LOG.error(
        "Network %s cannot be made in pod %s: it has no physical network %s. Wire it there, or say what it is called: "
        "openstack multiregion networking pod set --physical-network %s=<name> %s",
        network_id,
        pod.name,
        pod.physical_networks.get(physnet, physnet),
        physnet,
        pod.name,
    )
    others = sorted(set(zones) - {pod.az_name})
    remedy = f"It can be in: {', '.join(others)}." if others else "Use another network."
    return ConflictError(f"Network {network_id} cannot be in availability zone {pod.az_name}. {remedy}")


def no_second_pod(network: Body, zone: str) -> ConflictError:
    """What a tenant is told of a network that cannot be in two pods.

    :param zone: where it is; empty: not known
    """
    where = f": it is in {zone}" if zone else ""
    return ConflictError(f"Network {text(network, 'id')} cannot span availability zones{where}.")
