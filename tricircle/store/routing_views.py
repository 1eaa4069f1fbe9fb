# SPDX-License-Identifier: Apache-2.0
"""Which routings are there, for operators: newest first, by what they are about, and with who works on them?"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.model.routing import NETWORK_ID, Kind, RoutingFilter, RoutingView
from tricircle.store.clock import now
from tricircle.store.routings import routing_of
from tricircle.store.tables import routings


class RoutingViews:
    """What operators see. Every method runs in the caller's transaction and locks nothing."""

    @staticmethod
    async def get(connection: AsyncConnection, routing_id: int) -> RoutingView | None:
        """One routing, or None."""
        row = (await connection.execute(_seen().where(routings.c.id == routing_id))).first()
        return None if row is None else _view(row)

    @staticmethod
    async def page(
        connection: AsyncConnection, wanted: RoutingFilter, *, before: int | None, limit: int
    ) -> list[RoutingView]:
        """Up to ``limit`` routings with ids below ``before``, newest first."""
        statement = _seen()
        for column, values in (
            (routings.c.central_id, wanted.central_ids),
            (routings.c.pod_resource_id, wanted.pod_resource_ids),
            (routings.c.pod_id, wanted.pod_ids),
            (routings.c.project_id, wanted.project_ids),
            (routings.c.kind, wanted.kinds),
        ):
            if values is not None:
                statement = statement.where(column.in_(sorted(values)))
        if wanted.network_id is not None:
            statement = statement.where(
                routings.c.kind.in_([Kind.SUBNET.value, Kind.PORT.value]),
                routings.c.details[NETWORK_ID].as_string() == wanted.network_id,
            )
        if before is not None:
            statement = statement.where(routings.c.id < before)
        rows = await connection.execute(statement.order_by(routings.c.id.desc()).limit(limit))
        return [_view(row) for row in rows]


def _seen() -> sa.Select[Any]:
    is_held = sa.func.coalesce(routings.c.lease_until >= now(), sa.false()).label("is_held")
    return sa.select(routings, is_held)


def _view(row: sa.Row[Any]) -> RoutingView:
    return RoutingView(routing=routing_of(row), is_held=bool(row.is_held), lease_until=row.lease_until)
