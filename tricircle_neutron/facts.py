# SPDX-License-Identifier: Apache-2.0
"""What does the central Neutron know of the pods, read on the session of the request?"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm

from tricircle.model.pod import PodState
from tricircle.store import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFact:
    """A pod as a host of ports. ``name`` is the value of ``binding:host_id``; only administrators ever see it."""

    id: str
    name: str
    az_name: str
    state: PodState
    created_at: object
    updated_at: object


def pods(session: orm.Session) -> list[PodFact]:
    """Every registered pod but the centre's own row, by name."""
    columns = tables.pods.c
    query = (
        sa.select(columns.id, columns.name, columns.az_name, columns.state, columns.created_at, columns.updated_at)
        .where(columns.az_name != "")
        .order_by(columns.name)
    )
    return [
        PodFact(
            id=row.id,
            name=row.name,
            az_name=row.az_name,
            state=PodState(row.state),
            created_at=row.created_at,
            updated_at=row.updated_at or row.created_at,
        )
        for row in session.execute(query)
    ]


def pod_named(session: orm.Session, name: str) -> PodFact | None:
    """The pod that may carry ports under this host name, or None: unknown pods and disabled ones carry nothing new."""
    for pod in pods(session):
        if pod.name == name and pod.state is not PodState.DISABLED:
            return pod
    return None


def pod_id_of(session: orm.Session, name: str) -> str | None:
    """The id of the pod with this host name, whatever its state, or None."""
    return session.execute(sa.select(tables.pods.c.id).where(tables.pods.c.name == name)).scalar()


def zones(session: orm.Session) -> dict[str, bool]:
    """Each availability zone, and whether one of its pods takes new resources."""
    found: dict[str, bool] = {}
    for pod in pods(session):
        found[pod.az_name] = found.get(pod.az_name, False) or pod.state is PodState.ENABLED
    return found


def unknown_zones(session: orm.Session, wanted: Sequence[str]) -> list[str]:
    """Those of ``wanted`` that no pod has, sorted."""
    return sorted(set(wanted) - set(zones(session)))
