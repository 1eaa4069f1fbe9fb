# SPDX-License-Identifier: Apache-2.0
"""What does the centre say about the originals of copies, many at once?

Networks and what is on them are asked for by their ids, as many as a query may hold; flavors, types and server groups
are few, and read whole.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tricircle.audit.findings import Part
from tricircle.audit.inventory import LISTINGS
from tricircle.audit.paging import Item, Listing, pages
from tricircle.context import Deadline
from tricircle.copies.address_groups import members
from tricircle.copies.bodies import text, words
from tricircle.copies.origins import SLICE_OWNER, UNBOUND
from tricircle.copies.shares import ACTION
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients, ServiceClient

Body = Mapping[str, object]

#: Ids in one query: 41 characters each, and a request line may have 8 kB.
_IDS = 100
#: Glance takes them in one word.
_IMAGE_IDS = 50
#: What is asked of ports to know who is a member of a group.
_MEMBERS = ("id", "security_groups", "fixed_ips", "allowed_address_pairs")
#: How many items the centre is asked for at once.
_PAGE = 500
#: Kinds that are read whole.
_FEW = (Kind.FLAVOR, Kind.VOLUME_TYPE, Kind.SERVER_GROUP)
_VERSIONS = {Service.COMPUTE: "2.85"}


class Centre:
    """Reads originals, as the service user."""

    def __init__(self, clients: Clients, registry: Registry) -> None:
        self._clients = clients
        self._registry = registry
        self._whole: dict[Kind, dict[str, Body]] = {}

    async def originals(self, kind: Kind, ids: Iterable[str], *, deadline: Deadline) -> dict[str, Body]:
        """The originals that exist, by id. Raises as ``paging.pages``."""
        if kind in _FEW:
            whole = await self._all(kind, deadline)
            return {one: whole[one] for one in ids if one in whole}
        wanted = sorted(set(ids))
        if kind is Kind.ADDRESS_GROUP:
            return await self._remote_groups(wanted, deadline)
        found: dict[str, Body] = {}
        # Everything of a port is read: what it is bound to stands in fields that are not asked for in pods.
        listing = replace(LISTINGS[kind], params={})
        if kind is Kind.IMAGE:
            return await self._images(wanted, deadline)
        for asked in _in_portions(listing, "id", wanted):
            async for page in self._pages(asked, deadline):
                found.update({str(item["id"]): item for item in page})
        return found

    async def _remote_groups(self, wanted: Sequence[str], deadline: Deadline) -> dict[str, Body]:
        """Security groups and tenants' address groups, with the ``addresses`` that pods should know of them."""
        groups = await self.originals(Kind.SECURITY_GROUP, wanted, deadline=deadline)
        ports: dict[str, list[Body]] = {group_id: [] for group_id in groups}
        for asked in _in_portions(replace(LISTINGS[Kind.PORT], params={"fields": _MEMBERS}), "security_groups", groups):
            async for page in self._pages(asked, deadline):
                for port in page:
                    for group_id in ports.keys() & set(words(port, "security_groups")):
                        ports[group_id].append(port)
        found: dict[str, Body] = {
            group_id: {"id": group_id, "addresses": members(ports[group_id])} for group_id in groups
        }
        for asked in _in_portions(LISTINGS[Kind.ADDRESS_GROUP], "id", set(wanted) - groups.keys()):
            async for page in self._pages(asked, deadline):
                found.update({str(group["id"]): group for group in page})
        return found

    async def _images(self, wanted: Sequence[str], deadline: Deadline) -> dict[str, Body]:
        """Hidden ones included: servers can be booted from them."""
        found: dict[str, Body] = {}
        for at in range(0, len(wanted), _IMAGE_IDS):
            for is_hidden in ("false", "true"):
                ids = "in:" + ",".join(wanted[at : at + _IMAGE_IDS])
                listing = LISTINGS[Kind.IMAGE]
                asked = replace(listing, params={**listing.params, "id": ids, "os_hidden": is_hidden})
                async for page in self._pages(asked, deadline):
                    found.update({str(item["id"]): item for item in page})
        return found

    async def rbac_policies(self, network_ids: Iterable[str], *, deadline: Deadline) -> dict[str, set[str]]:
        """With whom these networks are shared, by their id; ``*`` is everybody."""
        listing = replace(LISTINGS[Part.RBAC_POLICY], params={"action": ACTION})
        found: dict[str, set[str]] = {}
        for asked in _in_portions(listing, "object_id", network_ids):
            async for page in self._pages(asked, deadline):
                for policy in page:
                    found.setdefault(text(policy, "object_id"), set()).add(text(policy, "target_tenant"))
        return found

    def ports_of(self, host: str, *, owner: str | None = None, deadline: Deadline) -> AsyncIterator[Sequence[Item]]:
        """All ports that are bound to a pod, slices included, page by page; or those with one ``device_owner``."""
        params: dict[str, str | tuple[str, ...]] = {"binding:host_id": host}
        params |= {} if owner is None else {"device_owner": owner}
        return self._pages(replace(LISTINGS[Kind.PORT], params=params), deadline)

    def claims(self, *, deadline: Deadline) -> AsyncIterator[Sequence[Item]]:
        """All ports that boots have made and not bound to a pod yet, page by page; few, if any."""
        return self._pages(replace(LISTINGS[Kind.PORT], params={"description": UNBOUND}), deadline)

    def slices_of(self, host: str, *, deadline: Deadline) -> AsyncIterator[Sequence[Item]]:
        """All ports that hold addresses for a pod itself, page by page."""
        return self.ports_of(host, owner=SLICE_OWNER, deadline=deadline)

    def trunks(self, *, deadline: Deadline) -> AsyncIterator[Sequence[Item]]:
        """All trunks, page by page."""
        return self._pages(LISTINGS[Kind.TRUNK], deadline)

    async def _all(self, kind: Kind, deadline: Deadline) -> dict[str, Body]:
        if kind not in self._whole:
            found: dict[str, Body] = {}
            async for page in self._pages(LISTINGS[kind], deadline):
                found.update({str(item["id"]): item for item in page})
            self._whole[kind] = found
        return self._whole[kind]

    def _pages(self, listing: Listing, deadline: Deadline) -> AsyncIterator[Sequence[Item]]:
        return pages(self._client(listing.service), listing, size=_PAGE, deadline=deadline)

    def _client(self, service: Service) -> ServiceClient:
        return self._clients.as_service(self._registry.central(service), _VERSIONS.get(service))


def _in_portions(listing: Listing, field: str, values: Iterable[str]) -> Iterator[Listing]:
    """The list of what has one of ``values`` in ``field``, in as many queries as it takes."""
    wanted = sorted(values)
    for at in range(0, len(wanted), _IDS):
        yield replace(listing, params={**listing.params, field: tuple(wanted[at : at + _IDS])})
