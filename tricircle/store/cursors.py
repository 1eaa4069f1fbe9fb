# SPDX-License-Identifier: Apache-2.0
"""How far had a list come in each pod when its page ended?"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import cursors
from tricircle.store.upsert import upsert

#: Seconds during which a use is not written down again: reading a page should not cost a write.
_USE_GRAIN_S = 3600.0


class CursorRows:
    """Positions of lists. Every method runs in the caller's transaction."""

    @staticmethod
    async def get(connection: AsyncConnection, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        """Per pod the last id that was taken from it (None: nothing yet); None when nothing is written down."""
        is_stale = (cursors.c.used_at < now_plus(-_USE_GRAIN_S)).label("is_stale")
        statement = sa.select(cursors.c.positions, is_stale).where(*_is(list_key, marker))
        row = (await connection.execute(statement)).first()
        if row is None:
            return None
        if row.is_stale:
            await connection.execute(sa.update(cursors).where(*_is(list_key, marker)).values(used_at=now()))
        return {PodId(pod): position for pod, position in row.positions.items()}

    @staticmethod
    async def put(
        connection: AsyncConnection, list_key: str, marker: str, positions: Mapping[PodId, str | None]
    ) -> None:
        """Write positions down, in place of older ones."""
        await upsert(
            connection,
            cursors,
            {"list_key": list_key, "marker": marker, "positions": dict(positions)},
            keys=("list_key", "marker"),
            changes=lambda brought: {"positions": brought("positions"), "used_at": now()},
        )

    @staticmethod
    async def purge(connection: AsyncConnection, *, unused_s: float, limit: int) -> int:
        """Remove up to ``limit`` positions that nobody used for ``unused_s`` seconds; how many went."""
        old = (
            sa.select(cursors.c.list_key, cursors.c.marker)
            .where(cursors.c.used_at < now_plus(-unused_s))
            .order_by(cursors.c.used_at)
            .limit(limit)
        )
        keys = [(row.list_key, row.marker) for row in await connection.execute(old)]
        if not keys:
            return 0
        gone = sa.delete(cursors).where(sa.tuple_(cursors.c.list_key, cursors.c.marker).in_(keys))
        return (await connection.execute(gone)).rowcount


def _is(list_key: str, marker: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (cursors.c.list_key == list_key, cursors.c.marker == marker)
