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


#: Facts about physical networks: the pod's names of the centre's, and those that its agents are wired to.
PHYSICAL_NETWORKS, WIRES = "physical_networks", "wires"
#: The fact how many DHCP agents there are.
DHCP_AGENTS = "dhcp_agents"


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
    :ivar facts: what was found out: ``network_extensions`` (list of aliases), ``wires`` (the pod's physical networks,
        where its agents tell), ``dhcp_agents`` (how many), ``aggregate_id`` (of ``ag_<name>`` at the central compute
        service); and what the operator said: ``physical_networks`` (see the property)
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

    @property
    def physical_networks(self) -> Mapping[str, str]:
        """What the pod calls the centre's physical networks, where it does so otherwise than the centre.

        >>> facts = {"physical_networks": {"wan": "physnet7", "far": "far"}}
        >>> Pod(id=PodId("1"), name="Pod1", az_name="az1", facts=facts).physical_networks
        {'wan': 'physnet7'}
        """
        known = self.facts.get(PHYSICAL_NETWORKS)
        pairs = known.items() if isinstance(known, Mapping) else ()
        return {str(central): str(own) for central, own in pairs if central != own}
