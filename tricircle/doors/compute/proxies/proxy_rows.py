# SPDX-License-Identifier: Apache-2.0
"""What happens to what Nova does for other services, or does not do any more? Rows."""

from collections.abc import Iterator

from tricircle.doors.compute.proxies.image_links import ImageLinks
from tricircle.doors.compute.proxies.storage_proxies import StorageProxies
from tricircle.doors.compute.row_forms import bound, gathered, with_handler
from tricircle.doors.compute.servers.server_views import PROXIED_VOLUME
from tricircle.model.job import JobType
from tricircle.model.routing import Kind
from tricircle.road.row import Behaviour, Row

#: The last microversion at which Nova stands in for the volume service.
_PROXY_END = "2.35"


#: Changes of images, which copies follow in pods that have a Glance of their own.
_IMAGE_CHANGES = (
    (("DELETE",), "/images/{image_id}"),
    (("POST", "PUT"), "/images/{image_id}/metadata"),
    (("PUT", "DELETE"), "/images/{image_id}/metadata/{key}"),
)


def proxy_rows(images: ImageLinks, storage: StorageProxies) -> Iterator[Row]:
    """What Nova fetches from other services, up to 2.35 and 2.38: from central ones, but for volumes."""
    yield Row(("GET",), "/images", Behaviour.CENTRAL, handler=images.central)
    yield Row(("GET",), "/images/detail", Behaviour.CENTRAL, handler=images.central)
    yield Row(("GET",), "/images/{image_id}", Behaviour.CENTRAL, handler=images.central)
    yield Row(("GET",), "/images/{image_id}/metadata", Behaviour.CENTRAL)
    yield Row(("GET",), "/images/{image_id}/metadata/{key}", Behaviour.CENTRAL)
    for verbs, path in _IMAGE_CHANGES:
        yield Row(verbs, path, Behaviour.DECLARE, jobs=((JobType.IMAGE, "image_id"),))
    for path in ("/os-networks", "/os-tenant-networks", "/os-security-groups", "/os-floating-ips"):
        yield Row(("GET", "POST"), path, Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-networks/{network_id}", Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-tenant-networks/{network_id}", Behaviour.CENTRAL)
    yield Row(("GET", "PUT", "DELETE"), "/os-security-groups/{group_id}", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-security-group-rules", Behaviour.CENTRAL)
    yield Row(("DELETE",), "/os-security-group-rules/{rule_id}", Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-floating-ips/{floating_ip_id}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-floating-ip-pools", Behaviour.CENTRAL)
    creates = {"volume": storage.create_volume, "snapshot": storage.create_snapshot}
    for noun, kind, shape in (("volume", Kind.VOLUME, PROXIED_VOLUME), ("snapshot", Kind.SNAPSHOT, None)):
        path = f"/os-{noun}s"
        for where in (path, f"{path}/detail"):
            listed = gathered(where, f"{noun}s", versions=(None, _PROXY_END), shape=shape)
            yield with_handler(listed, bound(storage.index, listed))
        yield Row(("POST",), path, Behaviour.PLACE, handler=creates[noun], max_version=_PROXY_END)
        yield Row(
            ("GET", "DELETE"),
            f"{path}/{{{noun}_id}}",
            Behaviour.ROUTE,
            kind=kind,
            id_param=f"{noun}_id",
            singular=noun,
            shape=shape,
            max_version=_PROXY_END,
        )


def gone_rows() -> Iterator[Row]:
    """Removed from Nova, which says so itself (410), and what needs a bare-metal service at the centre."""
    for path in ("/os-agents", "/os-cells", "/os-cloudpipe", "/os-floating-ips-bulk", "/os-baremetal-nodes"):
        yield Row(("GET", "POST"), path, Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), "/os-agents/{agent_id}", Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-baremetal-nodes/{node_id}", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-baremetal-nodes/{node_id}/action", Behaviour.CENTRAL)
    for path in ("capacities", "detail", "info"):
        yield Row(("GET",), f"/os-cells/{path}", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-cells/sync_instances", Behaviour.CENTRAL)
    yield Row(("GET", "PUT", "DELETE"), "/os-cells/{cell_id}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-cells/{cell_id}/capacities", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-certificates", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-certificates/{certificate_id}", Behaviour.CENTRAL)
    yield Row(("PUT",), "/os-cloudpipe/{vpn_id}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-fixed-ips/{address}", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-fixed-ips/{address}/action", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-floating-ip-dns", Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), "/os-floating-ip-dns/{domain}", Behaviour.CENTRAL)
    yield Row(("GET", "PUT", "DELETE"), "/os-floating-ip-dns/{domain}/entries/{entry}", Behaviour.CENTRAL)
    yield Row(("GET", "PUT"), "/os-floating-ips-bulk/{range}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-fping", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-fping/{server_id}", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-networks/add", Behaviour.CENTRAL)
    yield Row(("POST",), "/os-networks/{network_id}/action", Behaviour.CENTRAL)
    yield Row(("GET", "POST"), "/os-security-group-default-rules", Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-security-group-default-rules/{rule_id}", Behaviour.CENTRAL)
