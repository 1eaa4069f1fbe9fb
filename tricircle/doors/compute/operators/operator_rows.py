# SPDX-License-Identifier: Apache-2.0
"""What happens to hypervisors, services, hosts and migrations? Rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tricircle.doors.compute.operators.hosts import Hosts
from tricircle.doors.compute.operators.hypervisors import Hypervisors
from tricircle.doors.compute.operators.operator_views import HYPERVISOR, MIGRATION, SERVICE, by_host
from tricircle.doors.compute.operators.services import Services
from tricircle.doors.compute.proxies.assisted_snapshots import AssistedSnapshots
from tricircle.doors.compute.row_forms import bound, gathered, paged, with_handler
from tricircle.road.listing import Listing, Paging
from tricircle.road.row import Behaviour, Row

#: The order of migrations from 2.59 on.
_NEWEST = (("created_at", True), ("id", True), ("uuid", False))


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSpecials:
    """The special cases of what only administrators see."""

    hypervisors: Hypervisors
    services: Services
    hosts: Hosts
    snapshots: AssistedSnapshots


def operator_rows(specials: OperatorSpecials) -> Iterator[Row]:
    """What only administrators see: gathered from the pods, which decide who may."""
    yield from _hypervisor_rows(specials.hypervisors)
    services = Listing(paging=Paging.NONE, order=(), adapt=by_host("host"))
    yield gathered("/os-services", "services", listing=services, shape=SERVICE)
    yield Row(("PUT",), "/os-services/{service_id}", Behaviour.ROUTE, handler=specials.services.update)
    yield Row(("DELETE",), "/os-services/{service_id}", Behaviour.ROUTE, handler=specials.services.delete)
    yield from _host_rows(specials.hosts)
    named = by_host("host", "source_compute", "dest_compute")
    whole = Listing(paging=Paging.NONE, order=(), adapt=named)
    newest = replace(paged("migrations", order=_NEWEST, id_key="uuid"), adapt=named)
    for versions, listing in (((None, "2.58"), whole), (("2.59", None), newest)):
        yield gathered("/os-migrations", "migrations", versions=versions, listing=listing, shape=MIGRATION)
    snapshots = "/os-assisted-volume-snapshots"
    yield Row(("POST",), snapshots, Behaviour.ROUTE, handler=specials.snapshots.create)
    yield Row(("DELETE",), snapshots + "/{snapshot_id}", Behaviour.ROUTE, handler=specials.snapshots.delete)


def _hypervisor_rows(hypervisors: Hypervisors) -> Iterator[Row]:
    for path in ("/os-hypervisors", "/os-hypervisors/detail"):
        yield gathered(path, "hypervisors", versions=(None, "2.32"), shape=HYPERVISOR)
        pages = gathered(path, "hypervisors", versions=("2.33", None), listing=paged("hypervisors"), shape=HYPERVISOR)
        yield with_handler(pages, bound(hypervisors.index, pages))
    yield Row(("GET",), "/os-hypervisors/statistics", Behaviour.SUM, handler=hypervisors.statistics)
    yield Row(("GET",), "/os-hypervisors/{hypervisor_id}", Behaviour.GATHER, handler=hypervisors.show)
    uptime = "/os-hypervisors/{hypervisor_id}/uptime"
    yield Row(("GET",), uptime, Behaviour.GATHER, handler=hypervisors.uptime, max_version="2.87")
    yield Row(("GET",), "/os-hypervisors/{pattern}/search", Behaviour.GATHER, handler=hypervisors.search)
    yield Row(("GET",), "/os-hypervisors/{pattern}/servers", Behaviour.GATHER, handler=hypervisors.search)


def _host_rows(hosts: Hosts) -> Iterator[Row]:
    yield Row(("GET",), "/os-hosts", Behaviour.GATHER, handler=hosts.index, max_version="2.42")
    one = "/os-hosts/{host}"
    yield Row(("GET",), one, Behaviour.ROUTE, handler=hosts.show, max_version="2.42")
    yield Row(("PUT",), one, Behaviour.ROUTE, handler=hosts.update, max_version="2.42")
    for verb in ("reboot", "shutdown", "startup"):
        yield Row(("GET",), f"{one}/{verb}", Behaviour.ROUTE, handler=hosts.power, max_version="2.42")
