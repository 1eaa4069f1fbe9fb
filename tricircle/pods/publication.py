# SPDX-License-Identifier: Apache-2.0
"""Does Keystone send users to our doors? What the central region has to list, and how it comes to.

What is right stays untouched, so it may be done again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tricircle.conf.settings import GatewaySettings
from tricircle.context import Deadline
from tricircle.keystone.catalog import CatalogEndpoint, CatalogService, Region
from tricircle.pods.survey import CatalogReader

_INTERFACES = ("public", "internal", "admin")


class CatalogWriter(CatalogReader, Protocol):
    """What a publication needs of Keystone; see ``keystone.catalog.Catalog``."""

    async def ensure_region(
        self, region_id: str, deadline: Deadline, *, parent_id: str | None = None, description: str = ""
    ) -> Region:
        """The region, made or moved below its parent."""
        ...

    async def ensure_service(
        self, service_type: str, name: str, deadline: Deadline, *, description: str = ""
    ) -> CatalogService:
        """The service of a type, made if it was missing."""
        ...

    async def ensure_endpoint(
        self, service_id: str, interface: str, region_id: str, url: str, deadline: Deadline
    ) -> CatalogEndpoint:
        """The endpoint with this URL, made or changed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A service that the central region must list.

    :ivar interfaces: those that lead to us
    """

    type: str
    name: str
    url: str
    description: str
    interfaces: tuple[str, ...] = _INTERFACES


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing in Keystone and what became of it."""

    what: str
    name: str
    url: str = ""
    result: str


def entries(gateway: GatewaySettings) -> tuple[Entry, ...]:
    """What the central region has to list."""
    doors = gateway.public_endpoint
    volume = f"{doors}/volume/v3/%(project_id)s"
    return (
        Entry(type="compute", name="nova", url=f"{doors}/compute/v2.1", description="Compute of all pods"),
        Entry(
            type="compute_legacy",
            name="nova_legacy",
            url=f"{doors}/compute/v2/%(project_id)s",
            description="Compute of all pods, for old clients",
        ),
        Entry(type="block-storage", name="cinder", url=volume, description="Block storage of all pods"),
        Entry(type="volumev3", name="cinderv3", url=volume, description="Block storage of all pods, for old clients"),
        Entry(type="image", name="glance", url=f"{doors}/image", description="Images for all pods"),
        Entry(type="network", name="neutron", url=f"{doors}/network", description="Networks across pods"),
        # Services validate tokens at the internal or admin endpoint: these go on leading to Keystone itself, so that
        # pods do not depend on us.
        Entry(
            type="identity",
            name="keystone",
            url=f"{doors}/identity",
            description="Identity",
            interfaces=("public",),
        ),
        Entry(
            type="Cascading",
            name="tricircle",
            url=f"{gateway.admin_endpoint}/v1.0",
            description="Pods and bindings, for operators",
        ),
    )


async def publish(
    catalog: CatalogWriter,
    pod_names: Sequence[str],
    gateway: GatewaySettings,
    deadline: Deadline,
    *,
    is_dry: bool = False,
) -> list[Step]:
    """Everything that was looked at, with its result. ``is_dry``: nothing is changed, results say what would be."""
    steps = await _regions(catalog, pod_names, gateway.central_region, deadline, is_dry=is_dry)
    services = {service.type: service.id for service in await catalog.services(deadline)}
    endpoints = {
        (endpoint.service_id, endpoint.interface): endpoint
        for endpoint in await catalog.endpoints(deadline, gateway.central_region)
    }
    for entry in entries(gateway):
        service_id = services.get(entry.type)
        steps.append(Step(what="service", name=f"{entry.name} ({entry.type})", result=_done(service_id is not None)))
        if service_id is None and not is_dry:
            made = await catalog.ensure_service(entry.type, entry.name, deadline, description=entry.description)
            service_id = made.id
        for interface in entry.interfaces:
            step = _endpoint_step(entry, interface, endpoints, service_id)
            steps.append(step)
            if step.result != "unchanged" and not is_dry and service_id is not None:
                await catalog.ensure_endpoint(service_id, interface, gateway.central_region, entry.url, deadline)
    return steps


async def _regions(
    catalog: CatalogWriter, pod_names: Sequence[str], central: str, deadline: Deadline, *, is_dry: bool
) -> list[Step]:
    known = {region.id: region for region in await catalog.regions(deadline)}
    steps = [Step(what="region", name=central, result=_done(central in known))]
    if central not in known and not is_dry:
        await catalog.ensure_region(central, deadline, description="The region that users see")
    for name in pod_names:
        region = known.get(name)
        if region is None:
            steps.append(Step(what="region", name=name, result="missing: the pod's region is not in Keystone"))
            continue
        is_child = region.parent_id == central
        steps.append(Step(what="region", name=name, result="unchanged" if is_child else f"made a child of {central}"))
        if not is_child and not is_dry:
            await catalog.ensure_region(name, deadline, parent_id=central)
    return steps


def _endpoint_step(
    entry: Entry, interface: str, endpoints: Mapping[tuple[str, str], CatalogEndpoint], service_id: str | None
) -> Step:
    found = endpoints.get((service_id, interface)) if service_id is not None else None
    result = "created" if found is None else "unchanged" if found.url == entry.url else f"changed from {found.url}"
    return Step(what="endpoint", name=f"{entry.type} {interface}", url=entry.url, result=result)


def _done(is_there: bool) -> str:
    return "unchanged" if is_there else "created"
