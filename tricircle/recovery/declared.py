# SPDX-License-Identifier: Apache-2.0
"""What does the centre declare, all of it at once? Read as the service user, before a recovery compares pods with it.

Everything is held in memory: a recovery asks for every object once per pod. Of ports only what a comparison needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tricircle.audit.inventory import LISTINGS, PAGE
from tricircle.audit.paging import Listing, pages
from tricircle.context import Deadline, ProjectId
from tricircle.copies.addresses import device_id
from tricircle.copies.bodies import Body, member, rows, text
from tricircle.copies.origins import is_slice
from tricircle.copies.subnet_content import is_automatic
from tricircle.errors import UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.registry import Registry
from tricircle.recovery.at_once import at_once
from tricircle.upstream.client import Clients, ServiceClient

#: The versions that copies are made by, see ``copies/flavors.py`` and ``copies/server_groups.py``.
_COMPUTE_VERSION = "2.85"
_HOST = "binding:host_id"
_PORT_FIELDS = (
    *("id", "project_id", "network_id", "name", "admin_state_up", "mac_address", "fixed_ips", "security_groups"),
    *("port_security_enabled", "allowed_address_pairs", "extra_dhcp_opts", "device_id", "device_owner"),
    *("qos_policy_id", "numa_affinity_policy", "dns_name", "hints", "trusted"),
    *(_HOST, "binding:profile", "revision_number", "description", "created_at", "updated_at"),
)
_PORTS = Listing(service=Service.NETWORK, path="/v2.0/ports", key="ports", params={"fields": _PORT_FIELDS})

_KINDS = (
    Kind.NETWORK,
    Kind.SUBNET,
    Kind.SECURITY_GROUP,
    Kind.ADDRESS_GROUP,
    Kind.QOS_POLICY,
    Kind.TRUNK,
    Kind.FLAVOR,
    Kind.SERVER_GROUP,
    Kind.VOLUME_TYPE,
)
#: Lists of extensions that a central Neutron may be without.
_OPTIONAL = (LISTINGS[Kind.QOS_POLICY], LISTINGS[Kind.TRUNK])

Bodies = Mapping[str, Body]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The centre's objects by id.

    :ivar owner_id: the project that networks and subnets in pods belong to: the service user's
    :ivar ports: without those that hold slices
    :ivar slices: those; by pod name and subnet
    :ivar addresses: every (subnet, address) that is given to a port
    """

    owner_id: ProjectId
    networks: Bodies = field(default_factory=dict)
    subnets: Bodies = field(default_factory=dict)
    groups: Bodies = field(default_factory=dict)
    address_groups: Bodies = field(default_factory=dict)
    policies: Bodies = field(default_factory=dict)
    ports: Bodies = field(default_factory=dict)
    trunks: Bodies = field(default_factory=dict)
    slices: Mapping[tuple[str, str], Body] = field(default_factory=dict)
    addresses: frozenset[tuple[str, str]] = frozenset()
    flavors: Bodies = field(default_factory=dict)
    server_groups: Bodies = field(default_factory=dict)
    volume_types: Bodies = field(default_factory=dict)

    def slice_of(self, pod: Pod, subnet_id: str) -> Body | None:
        """The port with the pod's slice of a subnet, or None.

        Neutron gives slices of other subnets an address of one that lives by router advertisements: that is no slice.
        """
        return None if is_automatic(self.subnets.get(subnet_id, {})) else self.slices.get((pod.name, subnet_id))

    def with_slice(self, pod: Pod, subnet_id: str, port: Body) -> "Declared":
        """The same with this slice."""
        given = {(text(ip, "subnet_id"), text(ip, "ip_address")) for ip in rows(port, "fixed_ips")}
        slices = {**self.slices, (pod.name, subnet_id): port}
        return replace(self, slices=slices, addresses=self.addresses | given)


def is_keyed(port: Body, pod: Pod, subnet_id: str) -> bool:
    """Whether a slice port is found by the pod's id; one of a pod that got a new id is not."""
    return port.get("device_id") == device_id(pod.id, subnet_id)


def of_ports(ports: Bodies) -> tuple[dict[str, Body], dict[tuple[str, str], Body], frozenset[tuple[str, str]]]:
    """Ports, slices and addresses as ``Declared`` has them. Pure."""
    others: dict[str, Body] = {}
    slices: dict[tuple[str, str], Body] = {}
    addresses = set()
    for port_id, port in ports.items():
        given = {(text(ip, "subnet_id"), text(ip, "ip_address")) for ip in rows(port, "fixed_ips")}
        addresses |= given
        if is_slice(port):
            slices |= {(text(port, _HOST), subnet_id): port for subnet_id, _address in given}
        else:
            others[port_id] = port
    return others, slices, frozenset(addresses)


class Centre:
    """Reads what is declared."""

    def __init__(self, clients: Clients, registry: Registry) -> None:
        self._clients = clients
        self._registry = registry

    def client(self, service: Service) -> ServiceClient:
        """A central service, as the service user."""
        version = _COMPUTE_VERSION if service is Service.COMPUTE else None
        return self._clients.as_service(self._registry.central(service), version)

    async def declared(self, deadline: Deadline) -> Declared:
        """Everything. Raises as ``paging.pages``: without the whole of it nothing can be told from nothing."""
        listings = (_PORTS, *(LISTINGS[kind] for kind in _KINDS))
        ports, *lists = await at_once([self._listed(one, deadline) for one in listings], limit=len(listings))
        found = dict(zip(_KINDS, lists, strict=True))
        others, slices, addresses = of_ports(ports)
        return Declared(
            owner_id=await self._owner(deadline),
            networks=found[Kind.NETWORK],
            subnets=found[Kind.SUBNET],
            groups=found[Kind.SECURITY_GROUP],
            address_groups=found[Kind.ADDRESS_GROUP],
            policies=found[Kind.QOS_POLICY],
            ports=others,
            trunks=found[Kind.TRUNK],
            slices=slices,
            addresses=addresses,
            flavors=found[Kind.FLAVOR],
            server_groups=found[Kind.SERVER_GROUP],
            volume_types=found[Kind.VOLUME_TYPE],
        )

    async def _listed(self, listing: Listing, deadline: Deadline) -> dict[str, Body]:
        """The same as ``all``; nothing where the centre's Neutron has no such extension."""
        try:
            return await self.all(listing, deadline)
        except UpstreamStatusError as error:
            if error.status != 404 or listing not in _OPTIONAL:
                raise
            return {}

    async def all(self, listing: Listing, deadline: Deadline) -> dict[str, Body]:
        """All of one list, by id. Raises as ``paging.pages``."""
        found: dict[str, Body] = {}
        async for page in pages(self.client(listing.service), listing, size=PAGE, deadline=deadline):
            found |= {str(item["id"]): item for item in page}
        return found

    async def _owner(self, deadline: Deadline) -> ProjectId:
        answer = await self.client(Service.NETWORK).get("/v2.0/quotas/project", deadline=deadline)
        return ProjectId(text(member(answer, "project"), "project_id"))
