# SPDX-License-Identifier: Apache-2.0
"""What happens to hypervisors, services, hosts and migrations? Rows."""

from collections.abc import Iterator

from tricircle.doors.compute.fleet import Fleet
from tricircle.doors.compute.row_forms import gathered, later, paged
from tricircle.doors.compute.server_views import SERVICE
from tricircle.road.merge import Listing, Paging
from tricircle.road.row import Behaviour, Row


def operator_rows(fleet: Fleet) -> Iterator[Row]:
    """What only administrators see: gathered from the pods, which decide who may."""
    for path in ("/os-hypervisors", "/os-hypervisors/detail"):
        yield gathered(path, "hypervisors", versions=(None, "2.32"))
        yield gathered(path, "hypervisors", versions=("2.33", None), listing=paged("hypervisors"))
    yield Row(("GET",), "/os-hypervisors/statistics", Behaviour.SUM, handler=fleet.statistics)
    yield Row(("GET",), "/os-hypervisors/{hypervisor_id}", Behaviour.GATHER, handler=fleet.show)
    yield Row(("GET",), "/os-hypervisors/{hypervisor_id}/uptime", Behaviour.GATHER, handler=fleet.show)
    yield Row(("GET",), "/os-hypervisors/{pattern}/search", Behaviour.GATHER, handler=fleet.matching)
    yield Row(("GET",), "/os-hypervisors/{pattern}/servers", Behaviour.GATHER, handler=fleet.matching)
    yield gathered("/os-services", "services", shape=SERVICE)
    yield Row(("PUT", "DELETE"), "/os-services/{service_id}", Behaviour.ROUTE, handler=fleet.change_service)
    by_zone = Listing(paging=Paging.NONE, order=(), zone_filter="zone")
    yield gathered("/os-hosts", "hosts", versions=(None, "2.42"), listing=by_zone, shape=SERVICE)
    yield Row(("GET",), "/os-hosts/{host}", Behaviour.GATHER, handler=fleet.show)
    newest = paged("migrations", order=(("created_at", True), ("id", True), ("uuid", False)), id_key="uuid")
    yield gathered("/os-migrations", "migrations", versions=(None, "2.58"))
    yield gathered("/os-migrations", "migrations", versions=("2.59", None), listing=newest)
    for method, path in (
        ("PUT", "/os-hosts/{host}"),
        ("GET", "/os-hosts/{host}/reboot"),
        ("GET", "/os-hosts/{host}/shutdown"),
        ("GET", "/os-hosts/{host}/startup"),
        ("GET", "/os-instance_usage_audit_log"),
        ("GET", "/os-instance_usage_audit_log/{before}"),
        ("GET", "/os-console-auth-tokens/{token}"),
        ("POST", "/os-server-external-events"),
        ("POST", "/os-assisted-volume-snapshots"),
        ("DELETE", "/os-assisted-volume-snapshots/{snapshot_id}"),
    ):
        yield later(method, path)
