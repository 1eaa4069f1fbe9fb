# SPDX-License-Identifier: Apache-2.0
"""Where does a resource live, under which id, and who works on it?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tricircle.context import PodId, ProjectId

#: The detail of ports and trunks that says which status their copy was last seen to have.
STATUS = "status"
#: The detail of subnets and ports that says on which network of the centre they are, also when it has forgotten them.
#: Missing where that could not be known: while the copy is being made, and of what was gone at the centre before its
#: copy was written down (what a process that died had left in a pod).
NETWORK_ID = "network_id"
#: The detail of networks and subnets that were in the pod before us: they are used, and neither changed nor deleted.
ADOPTED = "is_adopted"
#: The detail of servers that says which AZ their user asked for; ports of ours keep it too (``copies/origins.py``).
ASKED_AZ = "asked_az"


class Kind(StrEnum):
    """What a routing or a job is about. Owned kinds keep the pod's id; of declared kinds the row is a copy."""

    # owned: runs in exactly one pod
    SERVER = "server"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    BACKUP = "backup"
    GROUP = "group"
    GROUP_SNAPSHOT = "group_snapshot"
    ATTACHMENT = "attachment"
    TRANSFER = "transfer"
    # declared: written down at the centre, copied into pods
    FLAVOR = "flavor"
    KEYPAIR = "keypair"  # central id is "<user id>/<name>"
    SERVER_GROUP = "server_group"
    VOLUME_TYPE = "volume_type"
    GROUP_TYPE = "group_type"
    IMAGE = "image"
    NETWORK = "network"
    SUBNET = "subnet"
    PORT = "port"
    SECURITY_GROUP = "security_group"
    # central id is that of a security group, whose members it holds, or of a tenant's address group
    ADDRESS_GROUP = "address_group"
    QOS_POLICY = "qos_policy"
    TRUNK = "trunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The record that a resource lives (or has a copy) in a pod.

    :ivar central_id: id at the centre; for owned kinds equal to ``pod_resource_id``
    :ivar pod_resource_id: id in the pod; None until *bound*
    :ivar owner: who holds the lease (process and request), None when nobody does
    :ivar revision: what of the central object was last realised: a revision number, or a digest of its shape
    :ivar details: facts of the kind; for ports ``origin`` ("gateway": made by us for a boot, "user": brought by the
    user) and
        ``server_id``; for subnets ``gateway_ip`` and ``slice_port_id``; for both ``network_id``
    :ivar resources: the resource vector a reservation holds (``{"instances": 1, "cores": 2, ...}``)
    """

    id: int
    central_id: str
    kind: Kind
    pod_id: PodId
    project_id: ProjectId
    pod_resource_id: str | None = None
    owner: str | None = None
    revision: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_adopted(self) -> bool:
        """Whether what it speaks of is an operator's own, which is used and left as it is."""
        return bool(self.details.get(ADOPTED))

    @property
    def is_bound(self) -> bool:
        """Whether the pod-side id is known."""
        return self.pod_resource_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingState:
    """A routing as it stood at one moment of the database's clock.

    :ivar is_held: somebody works on it, under a lease that has not run out
    :ivar is_old: last written before the instant that was asked about
    """

    routing: Routing
    is_held: bool
    is_old: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingView:
    """A routing as operators see it.

    :ivar is_held: somebody works on it, under a lease that has not run out
    :ivar lease_until: when the lease of its owner ends or ended; None without one
    """

    routing: Routing
    is_held: bool
    lease_until: datetime | None

    @property
    def state(self) -> str:
        """``bound``: the id in the pod is known. ``working``: somebody is at it now. ``claimed``: neither; whoever
        began it is gone, and the next one looks in the pod first.
        """
        if self.is_held:
            return "working"
        return "bound" if self.routing.is_bound else "claimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingFilter:
    """Which routings are meant; None means any value.

    :ivar network_id: only subnets and ports on this network; no index helps to find them
    """

    central_ids: Collection[str] | None = None
    pod_resource_ids: Collection[str] | None = None
    pod_ids: Collection[str] | None = None
    project_ids: Collection[str] | None = None
    kinds: Collection[Kind] | None = None
    network_id: str | None = None
