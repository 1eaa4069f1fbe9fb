# SPDX-License-Identifier: Apache-2.0
"""What do we know of a pod?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tricircle.context import PodId


class Service(StrEnum):
    """A service API that a pod or the centre serves. Values are Keystone service types (the
    service-types-authority's names)."""

    COMPUTE = "compute"
    BLOCK_STORAGE = "block-storage"
    IMAGE = "image"
    NETWORK = "network"
    PLACEMENT = "placement"
    IDENTITY = "identity"


#: Types under which Keystone may list a service, best first (service-types-authority aliases).
CATALOG_TYPES: Mapping[Service, tuple[str, ...]] = {
    Service.COMPUTE: ("compute",),
    Service.BLOCK_STORAGE: ("block-storage", "volumev3", "block-store", "volume"),
    Service.IMAGE: ("image",),
    Service.NETWORK: ("network",),
    Service.PLACEMENT: ("placement",),
    Service.IDENTITY: ("identity",),
}


class PodState(StrEnum):
    """What the operator wants of a pod."""

    ENABLED = "enabled"  # takes new resources
    DRAINING = "draining"  # serves what it has, takes nothing new
    DISABLED = "disabled"  # is not asked at all; its resources answer 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a pod serves an API, and which microversions.

    ``url`` is the service root *without* version and project, no trailing slash: ``http://10.0.0.5:8774``, so that
    ``url + '/v2.1/servers'`` is a call. ``prefix`` is what the catalog had behind the root (``/v2.1``, ``/v3``,
    ``''``).
    """

    service: Service
    url: str
    prefix: str = ""
    min_version: str | None = None
    max_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One OpenStack deployment behind us, or (``az_name == ''``) the central region itself.

    :ivar name: the Keystone region name, unique; never shown to a tenant
    :ivar az_name: the AZ that tenants see
    :ivar pod_az_name: AZ to pass to the pod when it must be given one; empty = pass none
    :ivar dc_name: free text of the operator
    :ivar facts: what was found out: ``network_extensions`` (list of aliases), ``physical_networks`` (map central ->
    pod),
        ``aggregate_id`` (of ``ag_<name>`` at the central compute service)
    """

    id: PodId
    name: str
    az_name: str
    pod_az_name: str = ""
    dc_name: str = ""
    state: PodState = PodState.ENABLED
    endpoints: Mapping[Service, Endpoint] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_central(self) -> bool:
        """Whether this row stands for the central region (the original's "top pod")."""
        return not self.az_name
