# SPDX-License-Identifier: Apache-2.0
"""What does a pod hold that can be ours?

Everything that users run there, of all projects; and of what exists for everybody's use (networks, flavors ...) all of
it, because a copy whose mark an operator has taken away is still a copy. Whether an object is ours is for others to
judge: tenants can write descriptions, so a mark alone proves nothing.

One page at a time, so memory holds a page and not a pod. The end of an iterator means that the list was complete (see
``paging.py``).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from tricircle.audit.findings import Holding, Part
from tricircle.audit.paging import Item, Listing, pages
from tricircle.context import Deadline, ProjectId
from tricircle.copies import address_groups, qos_policies, server_groups, trunks
from tricircle.copies.bodies import marked, text, words
from tricircle.copies.image import content as image_content
from tricircle.copies.image.glances import show_image
from tricircle.copies.reach import show
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.registry import Registry
from tricircle.pods.spoken import spoken
from tricircle.upstream.client import Clients, ServiceClient

#: How many items a pod is asked for at once; it may give fewer.
PAGE = 500


#: Owned kinds, in an order in which what others refer to comes first.
OWNED = (
    Kind.SERVER,
    Kind.VOLUME,
    Kind.SNAPSHOT,
    Kind.BACKUP,
    Kind.GROUP,
    Kind.GROUP_SNAPSHOT,
    Kind.ATTACHMENT,
)
#: Kinds of copies, and their parts.
COPIED: tuple[Kind | Part, ...] = (
    Kind.NETWORK,
    Kind.SUBNET,
    Kind.SECURITY_GROUP,
    Kind.ADDRESS_GROUP,
    Kind.QOS_POLICY,
    Kind.PORT,
    Kind.TRUNK,
    Kind.FLAVOR,
    Kind.VOLUME_TYPE,
    Kind.SERVER_GROUP,
    Kind.IMAGE,
    Part.RBAC_POLICY,
)

_EVERYBODYS = {"all_tenants": "1"}
_PORT_FIELDS = (
    *("id", "description", "project_id", "created_at", "name", "admin_state_up", "mac_address", "network_id"),
    *("port_security_enabled", "allowed_address_pairs", "fixed_ips", "security_groups", "extra_dhcp_opts"),
    *("device_id", "device_owner", "binding:host_id", "binding:vif_type", "status", "revision_number", "qos_policy_id"),
    *("numa_affinity_policy", "device_profile", "dns_name", "hints", "trusted", "binding:vnic_type"),
)


def _volumes(path: str, key: str, microversion: str | None = None) -> Listing:
    return Listing(service=Service.BLOCK_STORAGE, path=path, key=key, params=_EVERYBODYS, microversion=microversion)


def _network(path: str, params: Mapping[str, str | tuple[str, ...]] | None = None) -> Listing:
    return Listing(service=Service.NETWORK, path=f"/v2.0/{path}", key=path.replace("-", "_"), params=params or {})


LISTINGS: Mapping[Kind | Part, Listing] = {
    Kind.SERVER: Listing(service=Service.COMPUTE, path="/v2.1/servers/detail", key="servers", params=_EVERYBODYS),
    Kind.VOLUME: _volumes("/v3/volumes/detail", "volumes"),
    Kind.SNAPSHOT: _volumes("/v3/snapshots/detail", "snapshots"),
    Kind.BACKUP: _volumes("/v3/backups/detail", "backups"),
    Kind.GROUP: _volumes("/v3/groups/detail", "groups", "3.13"),
    Kind.GROUP_SNAPSHOT: _volumes("/v3/group_snapshots/detail", "group_snapshots", "3.29"),
    Kind.ATTACHMENT: _volumes("/v3/attachments", "attachments", "3.27"),
    Kind.NETWORK: _network("networks"),
    Kind.SUBNET: _network("subnets"),
    Kind.SECURITY_GROUP: _network("security-groups"),
    Kind.ADDRESS_GROUP: _network("address-groups"),
    Kind.QOS_POLICY: Listing(service=Service.NETWORK, path=qos_policies.PATH, key="policies"),
    Kind.PORT: _network("ports", {"fields": _PORT_FIELDS}),
    Kind.TRUNK: _network("trunks"),
    Kind.FLAVOR: Listing(
        service=Service.COMPUTE, path="/v2.1/flavors/detail", key="flavors", params={"is_public": "None"}
    ),
    Kind.VOLUME_TYPE: Listing(
        service=Service.BLOCK_STORAGE, path="/v3/types", key="volume_types", params={"is_public": "None"}
    ),
    Kind.SERVER_GROUP: Listing(
        service=Service.COMPUTE,
        path="/v2.1/os-server-groups",
        key="server_groups",
        params={"all_projects": "True"},
        has_markers=False,
    ),
    Kind.IMAGE: Listing(service=Service.IMAGE, path="/v2/images", key="images", params={"visibility": "all"}),
    Part.RBAC_POLICY: _network("rbac-policies"),
}
#: What we would like to speak: from there on bodies have what we read, and no later change matters.
_SPOKEN = {Service.COMPUTE: "2.85", Service.BLOCK_STORAGE: "3.62"}
#: Where one object is, and under which key, where that is not the list's path and the kind's name.
_SHOWN: Mapping[Kind | Part, tuple[str, str]] = {
    Kind.SERVER: ("/v2.1/servers", "server"),
    Kind.VOLUME: ("/v3/volumes", "volume"),
    Kind.SNAPSHOT: ("/v3/snapshots", "snapshot"),
    Kind.BACKUP: ("/v3/backups", "backup"),
    Kind.GROUP: ("/v3/groups", "group"),
    Kind.GROUP_SNAPSHOT: ("/v3/group_snapshots", "group_snapshot"),
    Kind.FLAVOR: ("/v2.1/flavors", "flavor"),
    Kind.QOS_POLICY: (qos_policies.PATH, "policy"),
}
#: Kinds that only some pods' Neutrons know.
_EXTENSIONS: Mapping[Kind | Part, str] = {
    Kind.QOS_POLICY: qos_policies.EXTENSION,
    Kind.ADDRESS_GROUP: address_groups.EXTENSION,
    Kind.TRUNK: trunks.EXTENSION,
}
_CALL_S = 60.0
#: Where services write who owns an object.
_OWNERS = (
    "project_id",
    "tenant_id",
    "os-vol-tenant-attr:tenant_id",
    "os-extended-snapshot-attributes:project_id",
    "os-backup-project-attr:project_id",
    "owner",
)


class Inventory:
    """Reads what pods hold, as the service user."""

    def __init__(self, clients: Clients, registry: Registry, *, page: int = PAGE) -> None:
        self._clients = clients
        self._registry = registry
        self._page = page

    @staticmethod
    def holds(pod: Pod, kind: Kind | Part) -> bool:
        """Whether the pod's services have such a list at all."""
        listing = LISTINGS[kind]
        endpoint, extension = pod.endpoints.get(listing.service), _EXTENSIONS.get(kind)
        if endpoint is None or extension not in (None, *words(pod.facts, "network_extensions")):
            return False
        if listing.microversion is None or not endpoint.max_version:
            return True
        return spoken(pod, listing.service, listing.microversion) == listing.microversion

    async def pages(self, pod: Pod, kind: Kind | Part, *, deadline: Deadline) -> AsyncIterator[Sequence[Holding]]:
        """Everything of a kind in a pod, page by page; nothing when the pod has no such service.

        The iterator ends only when the list is complete. Raises as ``paging.pages``.
        """
        if not self.holds(pod, kind):
            return
        client = self._client(pod, LISTINGS[kind].service)
        async for items in pages(client, LISTINGS[kind], size=self._page, deadline=deadline):
            yield [holding(kind, item) for item in items]

    async def is_gone(self, pod: Pod, kind: Kind, pod_resource_id: str, *, deadline: Deadline) -> bool:
        """Whether the pod's service itself says that there is no such object. Raises like ``ServiceClient.get``."""
        path, key = _SHOWN.get(kind, (LISTINGS[kind].path, kind.value))
        client = self._client(pod, LISTINGS[kind].service)
        if kind is Kind.IMAGE:
            return await show_image(client, pod_resource_id, deadline.within(_CALL_S)) is None
        found = await show(client, f"{path}/{quote(pod_resource_id, safe='')}", key, deadline.within(_CALL_S))
        return found is None

    async def each(self, pod: Pod, kind: Kind | Part, *, deadline: Deadline) -> AsyncIterator[Holding]:
        """The same, one by one."""
        async for page in self.pages(pod, kind, deadline=deadline):
            for one in page:
                yield one

    def _client(self, pod: Pod, service: Service) -> ServiceClient:
        wanted = _SPOKEN.get(service)
        version = None if wanted is None else spoken(pod, service, wanted)
        return self._clients.as_service(self._registry.target(pod, service), version)


def holding(kind: Kind | Part, item: Item) -> Holding:
    """One item of a list as a record. Pure."""
    owner = next((item[name] for name in _OWNERS if item.get(name)), None)
    return Holding(
        kind=kind,
        pod_resource_id=text(item, "id"),
        central_id=_central_id(kind, item),
        project_id=None if owner is None else ProjectId(str(owner)),
        created_at=instant(item.get("created_at") or item.get("created")),
        body=item,
    )


def _central_id(kind: Kind | Part, item: Item) -> str | None:
    if kind in OWNED:
        return text(item, "id")
    if kind is Kind.SERVER_GROUP:
        return server_groups.marked_id(item.get("name"))
    if kind is Kind.IMAGE:
        return image_content.marked(item)
    return marked(item.get("description"))


def instant(written: object) -> datetime | None:
    """A service's time, UTC; None when it is none.

    >>> instant("2026-01-02T03:04:05Z")
    datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(written, str):
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
