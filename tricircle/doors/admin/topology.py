# SPDX-License-Identifier: Apache-2.0
"""What does a network look like over all pods: which hold which pieces of it, and what is still to be done? Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.doors.admin.job_schemas import show_job
from tricircle.model.job_view import JobView
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, RoutingView

Json = Mapping[str, object]

#: What of the network at the centre tells an operator how it is stretched.
_NETWORK_FIELDS = (
    "id",
    "name",
    "project_id",
    "status",
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
    "mtu",
    "availability_zone_hints",
    "shared",
    "router:external",
)
_KINDS = (Kind.NETWORK, Kind.SUBNET, Kind.PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A network as it was found.

    :ivar pieces: the network itself, its subnets and its ports at the centre, by kind
    :ivar routings: those of the pieces, in all pods
    :ivar jobs: those in the queue about the pieces
    """

    network: Json
    pieces: Mapping[Kind, Sequence[Json]]
    routings: Sequence[RoutingView]
    jobs: Sequence[JobView] = field(default=())


def piece_ids(pieces: Mapping[Kind, Sequence[Json]]) -> set[str]:
    """The ids at the centre of all pieces."""
    return {str(piece["id"]) for kind in _KINDS for piece in pieces.get(kind, ())}


def show_topology(seen: Seen, pods: Iterable[Pod]) -> dict[str, object]:
    """The body: the network, per pod its pieces there, what is in no pod, and the jobs that are not done."""
    known = {(kind, str(piece["id"])): piece for kind, pieces in seen.pieces.items() for piece in pieces}
    in_pods: dict[str, list[dict[str, object]]] = {}
    placed = set()
    for view in sorted(seen.routings, key=lambda view: (_KINDS.index(view.routing.kind), view.routing.id)):
        routing = view.routing
        key = (routing.kind, routing.central_id)
        placed.add(key)
        in_pods.setdefault(routing.pod_id, []).append(_piece(view, known.get(key), seen.jobs))
    by_id = {str(pod.id): pod for pod in pods}
    names = {pod.id: pod.name for pod in by_id.values()}
    return {
        "network": {name: seen.network.get(name) for name in _NETWORK_FIELDS},
        "pods": [_pod(by_id.get(pod_id), pod_id, pieces) for pod_id, pieces in sorted(in_pods.items())],
        "in_no_pod": [
            {
                "resource_type": kind.value,
                "id": piece_id,
                "name": piece.get("name"),
                "status": piece.get("status"),
                "jobs": [job.id for job in seen.jobs if job.resource_id == piece_id],
            }
            for (kind, piece_id), piece in known.items()
            if (kind, piece_id) not in placed
        ],
        "jobs": [show_job(job, names) for job in seen.jobs],
    }


def _pod(pod: Pod | None, pod_id: str, pieces: Sequence[Json]) -> dict[str, object]:
    return {
        "pod_id": pod_id,
        "pod_name": pod.name if pod else None,
        "az_name": pod.az_name if pod else None,
        "state": pod.state.value if pod else None,
        "pieces": pieces,
    }


def _piece(view: RoutingView, piece: Json | None, jobs: Sequence[JobView]) -> dict[str, object]:
    """One copy. Without an original at the centre it is one that is still to be removed."""
    routing = view.routing
    mine = [job.id for job in jobs if job.resource_id == routing.central_id and job.pod_id in ("", routing.pod_id)]
    shown: dict[str, object] = {
        "resource_type": routing.kind.value,
        "id": routing.central_id,
        "pod_resource_id": routing.pod_resource_id,
        "name": piece.get("name") if piece else None,
        "status": piece.get("status") if piece else None,
        "state": view.state if piece else "leaving",
        "is_adopted": routing.is_adopted,
        "routing_id": routing.id,
        "jobs": mine,
    }
    if routing.kind is Kind.SUBNET:
        shown |= {"cidr": piece.get("cidr") if piece else None, "gateway_ip": routing.details.get("gateway_ip")}
    if routing.kind is Kind.PORT:
        addresses = piece.get("fixed_ips") if piece else None
        shown |= {
            "server_id": routing.details.get("server_id"),
            "ip_addresses": [ip["ip_address"] for ip in addresses] if isinstance(addresses, list) else [],
        }
    return shown
