# SPDX-License-Identifier: Apache-2.0
"""Which consoles were given out, and are they still good?

Only the digest of a token is here, and what opens the console in its pod is sealed with the token itself: who reads the
table can open nothing.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.console import Console
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import consoles


class ConsoleRows:
    """Every method runs in the caller's transaction."""

    @staticmethod
    async def insert(connection: AsyncConnection, values: dict[str, object], *, ttl_s: float) -> None:
        """Write down a console that is good for ``ttl_s`` seconds. ``values``: the other columns, by name."""
        await connection.execute(sa.insert(consoles).values(values | {"expires_at": now_plus(ttl_s)}))

    @staticmethod
    async def use(connection: AsyncConnection, token_hash: str, *, most: int) -> tuple[Console, str] | None:
        """A console that is still good, and what is sealed of it; counts as one use.

        :param most: uses of one token that are allowed; 0: any number
        """
        is_good = [consoles.c.token_hash == token_hash, consoles.c.expires_at > now()]
        if most:
            is_good.append(consoles.c.uses < most)
        counted = await connection.execute(sa.update(consoles).where(*is_good).values(uses=consoles.c.uses + 1))
        return await ConsoleRows.look(connection, token_hash) if counted.rowcount else None

    @staticmethod
    async def look(connection: AsyncConnection, token_hash: str) -> tuple[Console, str] | None:
        """As :meth:`use`, without counting, whatever was used already."""
        statement = sa.select(consoles).where(consoles.c.token_hash == token_hash, consoles.c.expires_at > now())
        row = (await connection.execute(statement)).first()
        return None if row is None else (_console(row), row.sealed)

    @staticmethod
    async def by_id(connection: AsyncConnection, console_id: str) -> Console | None:
        """The console whose pages have this id in their addresses, while it is good."""
        statement = sa.select(consoles).where(consoles.c.id == console_id, consoles.c.expires_at > now())
        row = (await connection.execute(statement)).first()
        return None if row is None else _console(row)

    @staticmethod
    async def purge(connection: AsyncConnection, *, limit: int) -> int:
        """Remove up to ``limit`` consoles that are good no more; how many went."""
        old = sa.select(consoles.c.id).where(consoles.c.expires_at <= now()).order_by(consoles.c.expires_at)
        ids = list((await connection.execute(old.limit(limit))).scalars())
        if ids:
            await connection.execute(sa.delete(consoles).where(consoles.c.id.in_(ids)))
        return len(ids)


def _console(row: Any) -> Console:
    return Console(
        id=row.id,
        type=row.type,
        server_id=row.server_id,
        pod_id=PodId(row.pod_id),
        project_id=ProjectId(row.project_id),
        user_id=row.user_id,
        base=row.base,
        expires_at=row.expires_at,
    )
