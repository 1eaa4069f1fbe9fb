# SPDX-License-Identifier: Apache-2.0
"""What happens to each call of Nova's API? The table; paths are those of Nova's own ``ROUTE_LIST``."""

from collections.abc import Iterator
from dataclasses import dataclass

from tricircle.doors.compute.declared.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.declared.declared_rows import declared_rows, flavor_rows
from tricircle.doors.compute.operators.aggregate_rows import aggregate_rows
from tricircle.doors.compute.operators.aggregates import Aggregates
from tricircle.doors.compute.operators.audit_logs import AuditLogs
from tricircle.doors.compute.operators.availability_zones import AvailabilityZones
from tricircle.doors.compute.operators.operator_rows import OperatorSpecials, operator_rows
from tricircle.doors.compute.proxies.external_events import ExternalEvents
from tricircle.doors.compute.proxies.image_links import ImageLinks
from tricircle.doors.compute.proxies.proxy_rows import gone_rows, proxy_rows
from tricircle.doors.compute.proxies.storage_proxies import StorageProxies
from tricircle.doors.compute.quotas.limits import Limits
from tricircle.doors.compute.quotas.usage import Usage
from tricircle.doors.compute.servers.server_rows import ServerSpecials, server_rows
from tricircle.doors.compute.versions import Versions
from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.row import Behaviour, Row

NAME, PREFIX = "compute", "/compute"
#: What Nova says of paths without a version it says to every verb.
_EVERY_METHOD = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specials:
    """The door's special cases; what they need is put together by the composition root."""

    servers: ServerSpecials
    zones: AvailabilityZones
    limits: Limits
    usage: Usage
    operators: OperatorSpecials
    aggregates: Aggregates
    audit_logs: AuditLogs
    events: ExternalEvents
    keypairs: KeypairChanges
    server_groups: ServerGroupChanges
    versions: Versions
    images: ImageLinks
    storage: StorageProxies


def rows(specials: Specials) -> tuple[Row, ...]:
    """The table under a version."""
    return (
        *_version_rows(specials.versions),
        *server_rows(specials.servers),
        *flavor_rows(),
        *declared_rows(specials.keypairs, specials.server_groups, specials.limits),
        *aggregate_rows(specials.aggregates),
        *_sums_and_zones(specials),
        *operator_rows(specials.operators),
        *proxy_rows(specials.images, specials.storage),
        *gone_rows(),
    )


def door(specials: Specials) -> Door:
    """The compute door. ``/v2`` is the same API without microversions."""
    return Door(
        name=NAME,
        prefix=PREFIX,
        service=Service.COMPUTE,
        dialect=Dialect.COMPUTE,
        versions=frozenset({"v2.1", "v2"}),
        unversioned=frozenset({"v2"}),
        rows=rows(specials),
        root_rows=tuple(_root_rows(specials.versions)),
        project_in_path=ProjectInPath.OPTIONAL,
        has_microversions=True,
        has_project_document=True,
    )


def _root_rows(versions: Versions) -> Iterator[Row]:
    yield Row(("GET",), "/", Behaviour.OURS, handler=versions.all, is_public=True)
    yield Row(_EVERY_METHOD, "/{rest...}", Behaviour.OURS, handler=versions.choices, is_public=True)


def _version_rows(versions: Versions) -> Iterator[Row]:
    yield Row(("GET",), "/", Behaviour.OURS, handler=versions.one, is_public=True)
    yield Row(("GET",), "/versions/{version_id}", Behaviour.OURS, handler=versions.one)
    yield Row(("GET",), "/extensions", Behaviour.CENTRAL)
    yield Row(("GET",), "/extensions/{alias}", Behaviour.CENTRAL)


def _sums_and_zones(specials: Specials) -> Iterator[Row]:
    policy = "os_compute_api:os-availability-zone:"
    zones = "/os-availability-zone"
    yield Row(("GET",), zones, Behaviour.OURS, handler=specials.zones.index, policy=policy + "list")
    yield Row(("GET",), zones + "/detail", Behaviour.OURS, handler=specials.zones.detail, policy=policy + "detail")
    yield Row(("GET",), "/limits", Behaviour.SUM, handler=specials.limits.limits)
    yield Row(("GET",), "/os-simple-tenant-usage", Behaviour.SUM, handler=specials.usage.index)
    yield Row(("GET",), "/os-simple-tenant-usage/{project_id}", Behaviour.SUM, handler=specials.usage.show)
    log = "/os-instance_usage_audit_log"
    yield Row(("GET",), log, Behaviour.SUM, handler=specials.audit_logs.index)
    yield Row(("GET",), log + "/{before}", Behaviour.SUM, handler=specials.audit_logs.show)
    yield Row(("POST",), "/os-server-external-events", Behaviour.ROUTE, handler=specials.events.create)
