# SPDX-License-Identifier: Apache-2.0
"""What should the copy of an original look like in a pod, kind by kind? Pure: what it needs to know is handed in.

The same functions build the bodies that are sent to pods (``copies/*``), so what is compared is what is made.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tricircle.audit.compare import is_young
from tricircle.audit.findings import Holding
from tricircle.audit.seen import Seen
from tricircle.copies import (
    address_groups,
    flavor_content,
    networks,
    port_content,
    qos_policies,
    security_groups,
    subnets,
    trunks,
    volume_types,
)
from tricircle.copies.address_groups import Remote
from tricircle.copies.addresses import Slice
from tricircle.copies.bodies import Body, rows, subnet_ids, text, words
from tricircle.copies.image import content as image_content
from tricircle.copies.security_group_rules import remote_groups
from tricircle.model.pod import Pod
from tricircle.model.routing import Routing

_NOT_OWNERS = "its project is not that of copies"
_OTHER_PROJECT = "it belongs to another project than its original"
_NOT_LIKE = "it is not like its original"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """Networks.

    :ivar owner: the service user's project in the pod
    :ivar shares: ``<id in the pod>/<project>`` of every policy that shares a network
    :ivar outlived: central ids of networks that are shared with a project which has no reason for it any more
    :ivar policies: bound routings of QoS policies in the pod, by central id
    """

    pod: Pod
    owner: str
    shares: Seen
    outlived: Collection[str]
    policies: Mapping[str, Routing]

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        policy_id = text(central, "qos_policy_id")
        if policy_id and policy_id not in self.policies and not copy.is_adopted:
            return ["qos_policy_id"]
        policy = self.policies.get(policy_id)
        pod_policy_id = None if policy is None else policy.pod_resource_id
        found = [] if copy.is_adopted else list(networks.difference(central, self.pod, present, pod_policy_id))
        return [*found, *_wrong_shares(copy, self.shares, self.outlived)]

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if holding.project_id != self.owner:
            return _NOT_OWNERS
        return "" if central is None or networks.has_key(central, self.pod, holding.body) else _NOT_LIKE

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Who removes one asks for ports of servers first."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetShape:
    """Subnets.

    :ivar slices: what the pod holds of each subnet, by central id
    :ivar served: how many DHCP agents serve a network, by its id in the pod, where it is more than one
    :ivar networks: bound routings of networks in the pod, by central id
    """

    owner: str
    slices: Mapping[str, Slice]
    served: Mapping[str, int]
    networks: Mapping[str, Routing]

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``. A pod that is no home any more is the job's to find out."""
        if copy.is_adopted:
            return ()
        piece = self.slices.get(copy.central_id, Slice(port_id=None, addresses=()))
        known = copy.details.get("gateway_ip")
        gateway_ip = None if known is None else str(known)
        if subnets.lacks_addresses(central, piece, gateway_ip, self.served.get(text(present, "network_id"), 0)):
            return ["allocation_pools"]
        return subnets.difference(central, piece, gateway_ip, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if holding.project_id != self.owner:
            return _NOT_OWNERS
        if central is None:
            return ""
        network = self.networks.get(text(central, "network_id"))
        is_elsewhere = network is not None and network.pod_resource_id != holding.body.get("network_id")
        return _NOT_LIKE if is_elsewhere or central.get("cidr") != holding.body.get("cidr") else ""

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Neutron deletes no subnet that servers have addresses of."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShape:
    """Ports. ``networks``, ``subnets``, ``groups``, ``policies``: bound routings in the pod, by central id.

    :ivar elsewhere: subnets that are in another pod, and can be in no second one
    """

    pod: Pod
    networks: Mapping[str, Routing]
    subnets: Mapping[str, Routing]
    groups: Mapping[str, Routing]
    policies: Mapping[str, Routing]
    elsewhere: Collection[str] = ()

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        if not port_content.lives_in(central, self.pod, copy):
            return ["binding:host_id"]
        central = port_content.without(central, self.elsewhere)
        unknown = subnet_ids(central) - self.subnets.keys()
        if unknown:
            return ["fixed_ips"]
        project_id = text(central, "project_id")
        named = [self.groups.get(group_id) for group_id in words(central, "security_groups")]
        if any(group is None or not security_groups.is_open_to(group, project_id) for group in named):
            return ["security_groups"]
        if {text(central, "qos_policy_id")} - {""} - self.policies.keys():
            return ["qos_policy_id"]
        wanted = port_content.wanted_port(central, self.subnets, self.groups, self.policies)
        return port_content.difference(wanted, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if central is None:
            return ""
        if holding.project_id != text(central, "project_id"):
            return _OTHER_PROJECT
        body = holding.body
        network = self.networks.get(text(central, "network_id"))
        is_elsewhere = network is not None and network.pod_resource_id != body.get("network_id")
        wanted = {text(ip, "ip_address") for ip in rows(central, "fixed_ips")}
        has = {text(ip, "ip_address") for ip in rows(body, "fixed_ips")}
        is_other = central.get("mac_address") != body.get("mac_address") or bool(wanted and not wanted & has)
        return _NOT_LIKE if is_elsewhere or is_other else ""

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``."""
        return bool(holding.body.get("device_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupShape:
    """Security groups.

    :ivar shares, outlived: as of networks; None where not all was read

    :ivar remotes: what the pod has for remote groups, by central id; None where rules hold the addresses of members,
        which jobs follow
    """

    remotes: Mapping[str, Remote] | None
    shares: Seen | None = None
    outlived: Collection[str] = ()

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``. A copy that is not whole is filled by its next use."""
        if copy.revision is None:
            return ()
        wrong = _wrong_shares(copy, self.shares, self.outlived) if self.shares is not None else []
        return [*self._other_rules(central, present), *wrong]

    def _other_rules(self, central: Body, present: Body) -> Collection[str]:
        if self.remotes is None and remote_groups(central):
            return security_groups.shape_difference(central, present)
        if remote_groups(central) - (self.remotes or {}).keys():
            return ("rules",)  # one that names what the pod does not have can be in no copy
        return security_groups.difference(central, self.remotes or {}, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        return "" if central is None or holding.project_id == text(central, "project_id") else _OTHER_PROJECT

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Neutron deletes no group that a port has."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGroupShape:
    """Address groups, which hold who belongs to a group.

    :ivar owner: the service user's project in the pod
    :ivar named: ids of those that rules in the pod name; None when not all rules were read
    :ivar before: one that was made later may not be named yet
    """

    owner: str
    named: Seen | None
    before: datetime

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        found = address_groups.shape_difference(text(central, "id"), words(central, "addresses"), present)
        is_named = self.named is None or copy.pod_resource_id in self.named or is_young(present, self.before)
        return found if is_named else [*found, "rules"]

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        return "" if holding.project_id == self.owner else _NOT_OWNERS

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Rules of a group that is gone go with it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyShape:
    """QoS policies. ``owner``: the service user's project in the pod."""

    owner: str

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return qos_policies.difference(central, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        return "" if holding.project_id == self.owner else _NOT_OWNERS

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Neutron deletes no policy that something has."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkShape:
    """Trunks. ``ports``: bound routings of their ports in the pod, by central id."""

    pod: Pod
    ports: Mapping[str, Routing]

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        ids = {central_id: str(port.pod_resource_id) for central_id, port in self.ports.items()}
        return trunks.difference(central, ids, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if central is None:
            return ""
        parent = self.ports.get(text(central, "port_id"))
        is_other = parent is not None and parent.pod_resource_id != holding.body.get("port_id")
        return _NOT_LIKE if is_other or holding.project_id != text(central, "project_id") else ""

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Neutron deletes no trunk that a server has, unless it can."""
        return False


@dataclass(frozen=True, slots=True)
class FlavorShape:
    """Flavors: their mark stands in a field that only administrators write."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return flavor_content.difference(central, copy, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        return "" if flavor_content.central_id(holding.pod_resource_id) == holding.central_id else _NOT_LIKE

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Servers keep what they were booted with."""
        return False


@dataclass(frozen=True, slots=True)
class ServerGroupShape:
    """Server groups: nothing of one can be changed. Their marks stand in names, which tenants can write."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return ()

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        is_owners = central is None or holding.project_id == text(central, "project_id")
        return "" if is_owners else _OTHER_PROJECT

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Nova deletes one with members, too."""
        return False


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Images in a pod's own Glance."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``. What is the operator's own, or the centre's, is used as it is."""
        return image_content.difference(central, present) if copy.details.get("is_ours") else ()

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``. Tags are written by owners: the id must be one that a copy may have."""
        ids = image_content.pod_ids(holding.central_id or "")
        if holding.pod_resource_id not in set(ids):
            return _NOT_LIKE
        return "" if central is None or central.get("owner") == holding.project_id else _OTHER_PROJECT

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Servers and volumes have what they were made of."""
        return False


@dataclass(frozen=True, slots=True)
class VolumeTypeShape:
    """Volume types: as flavors."""

    pod: Pod

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return volume_types.difference(self.pod, central, copy, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if central is None:
            return ""
        name = str(holding.body.get("name"))
        return "" if volume_types.central_name(name) == central.get("name") else _NOT_LIKE

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Cinder deletes no type that volumes have."""
        return False


def _wrong_shares(copy: Routing, shares: Seen, outlived: Collection[str]) -> list[str]:
    """``shares`` where the copy is not shared with whom it should be, or with somebody who has no reason for it."""
    names = words(copy.details, "projects")
    is_unshared = any(f"{copy.pod_resource_id}/{project}" not in shares for project in names)
    return ["shares"] if is_unshared or copy.central_id in outlived else []
