# SPDX-License-Identifier: Apache-2.0
"""What do queries and answers about routings look like? Pure. ``top_id`` and ``bottom_id`` are the first release's
words for the id at the centre and the id in the pod."""

from collections.abc import Mapping

from tricircle.context import PodId
from tricircle.doors.admin.schemas import Listing, instant, pods_of
from tricircle.errors import InvalidRequestError
from tricircle.model.routing import Kind, RoutingFilter, RoutingView

FILTERS = frozenset({"top_id", "bottom_id", "pod_id", "pod_name", "project_id", "resource_type"})


def routing_filter(listing: Listing, pods: Mapping[str, PodId]) -> RoutingFilter:
    """What a list's filters mean.

    :param pods: ids by name
    :raises InvalidRequestError: an unknown type of resource, or name of a pod
    """
    given = listing.filters
    return RoutingFilter(
        central_ids=given.get("top_id"),
        pod_resource_ids=given.get("bottom_id"),
        pod_ids=pods_of(listing, pods),
        project_ids=given.get("project_id"),
        kinds={_kind(word) for word in given["resource_type"]} if "resource_type" in given else None,
    )


def show_routing(view: RoutingView, names: Mapping[PodId, str]) -> dict[str, object]:
    """A routing as lists show it."""
    routing = view.routing
    return {
        "id": routing.id,
        "resource_type": routing.kind.value,
        "top_id": routing.central_id,
        "bottom_id": routing.pod_resource_id,
        "pod_id": routing.pod_id,
        "pod_name": names.get(routing.pod_id),
        "project_id": routing.project_id,
        "state": view.state,
        "created_at": instant(routing.created_at),
        "updated_at": instant(routing.updated_at),
    }


def show_whole(view: RoutingView, names: Mapping[PodId, str]) -> dict[str, object]:
    """A routing with all that is known."""
    routing = view.routing
    return {
        **show_routing(view, names),
        "revision": routing.revision,
        "details": dict(routing.details),
        "owner": routing.owner if view.is_held else None,
        "lease_until": instant(view.lease_until) if view.is_held else None,
    }


def _kind(word: str) -> Kind:
    if word not in list(Kind):
        raise InvalidRequestError(f"There is no resource type '{word}'. Known are: {', '.join(sorted(Kind))}.")
    return Kind(word)
