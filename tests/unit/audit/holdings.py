# SPDX-License-Identifier: Apache-2.0
"""What is in a pod, and what is known of it, in tests of comparisons?"""

from datetime import UTC, datetime, timedelta

from tricircle.audit import compare
from tricircle.audit.findings import Holding
from tricircle.context import PodId, ProjectId
from tricircle.model.routing import Kind, Routing, RoutingState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
OLD = "2026-02-01T00:00:00Z"
NEW = "2026-03-01T13:00:00Z"
DEMO = ProjectId("demo")


def routing(central_id: str, pod_id: str | None, *, id_: int = 1, kind: Kind = Kind.NETWORK) -> Routing:
    return Routing(
        id=id_, central_id=central_id, kind=kind, pod_id=PodId("p1"), project_id=DEMO, pod_resource_id=pod_id
    )


def state(row: Routing, *, is_held: bool = False, is_old: bool = True) -> RoutingState:
    return RoutingState(routing=row, is_held=is_held, is_old=is_old)


def holding(
    pod_id: str, central_id: str | None, *, project: str = "demo", created_at: datetime = LONG_AGO, **body: object
) -> Holding:
    return Holding(
        kind=Kind.NETWORK,
        pod_resource_id=pod_id,
        central_id=central_id,
        project_id=ProjectId(project),
        created_at=created_at,
        body={"name": "web", **body},
    )


def original(name: str = "web", project: str = "demo", updated_at: str = OLD) -> dict[str, object]:
    return {"name": name, "project_id": project, "updated_at": updated_at}


def known(**values: object) -> compare.Known:
    return compare.Known(**{"rows": {}, "before": NOW, **values})  # type: ignore[arg-type]
