# SPDX-License-Identifier: Apache-2.0
"""What does the Admin API know? Every row is answered by ourselves, and policy is asked before its handler."""

from dataclasses import dataclass

from tricircle.doors.admin.adoptions import AdoptionCalls
from tricircle.doors.admin.bindings import BindingCalls
from tricircle.doors.admin.jobs import JobCalls
from tricircle.doors.admin.pods import PodCalls
from tricircle.doors.admin.routings import RoutingCalls
from tricircle.doors.admin.topologies import TopologyCalls
from tricircle.doors.admin.versions import VersionCalls
from tricircle.http.dialects import Dialect
from tricircle.http.message import Handler
from tricircle.road.door import Door
from tricircle.road.row import Behaviour, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The handlers of all resources."""

    pods: PodCalls
    bindings: BindingCalls
    routings: RoutingCalls
    topologies: TopologyCalls
    adoptions: AdoptionCalls
    jobs: JobCalls
    versions: VersionCalls


def door(calls: Calls) -> Door:
    """The Admin API, for a listener of its own."""
    return Door(
        name="admin",
        prefix="",
        service=None,
        dialect=Dialect.ADMIN,
        versions=frozenset({"v1.0"}),
        rows=rows(calls),
        root_rows=root_rows(calls.versions),
    )


def _row(method: str, path: str, handler: Handler, policy: str) -> Row:
    return Row((method,), path, Behaviour.OURS, handler=handler, policy=policy)


def root_rows(versions: VersionCalls) -> tuple[Row, ...]:
    """Rows in front of the version."""
    return (Row(("GET",), "/", Behaviour.OURS, handler=versions.root, is_public=True),)


def rows(calls: Calls) -> tuple[Row, ...]:
    """Rows under ``/v1.0``."""
    pods, bindings, routings, jobs = calls.pods, calls.bindings, calls.routings, calls.jobs
    return (
        Row(("GET",), "/", Behaviour.OURS, handler=calls.versions.v1, is_public=True),
        _row("GET", "/pods", pods.list, "admin_api:pods:list"),
        _row("POST", "/pods", pods.create, "admin_api:pods:create"),
        _row("GET", "/pods/{pod_id}", pods.show, "admin_api:pods:show"),
        _row("PUT", "/pods/{pod_id}", pods.update, "admin_api:pods:update"),
        _row("DELETE", "/pods/{pod_id}", pods.delete, "admin_api:pods:delete"),
        _row("GET", "/bindings", bindings.list, "admin_api:bindings:list"),
        _row("POST", "/bindings", bindings.create, "admin_api:bindings:create"),
        _row("GET", "/bindings/{binding_id}", bindings.show, "admin_api:bindings:show"),
        _row("DELETE", "/bindings/{binding_id}", bindings.delete, "admin_api:bindings:delete"),
        _row("GET", "/routings", routings.list, "admin_api:routings:list"),
        _row("GET", "/routings/{routing_id}", routings.show, "admin_api:routings:show"),
        _row("GET", "/topologies/{network_id}", calls.topologies.show, "admin_api:topologies:show"),
        _row("POST", "/adoptions", calls.adoptions.create, "admin_api:adoptions:create"),
        _row("POST", "/adoptions/observe", calls.adoptions.observe, "admin_api:adoptions:observe"),
        _row("DELETE", "/adoptions/{adoption_id}", calls.adoptions.delete, "admin_api:adoptions:delete"),
        _row("GET", "/jobs", jobs.list, "admin_api:jobs:list"),
        _row("POST", "/jobs", jobs.create, "admin_api:jobs:create"),
        _row("DELETE", "/jobs", jobs.purge, "admin_api:jobs:purge"),
        _row("GET", "/jobs/schemas", jobs.schemas, "admin_api:jobs:schema_list"),
        _row("GET", "/jobs/{job_id}", jobs.show, "admin_api:jobs:show"),
        _row("PUT", "/jobs/{job_id}", jobs.redo, "admin_api:jobs:redo"),
        _row("DELETE", "/jobs/{job_id}", jobs.delete, "admin_api:jobs:delete"),
    )
