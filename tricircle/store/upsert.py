# SPDX-License-Identifier: Apache-2.0
"""How is a row inserted, or changed where its key is taken, in one statement?"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

#: Called with "the value that the insert brought" by column name; returns what to set on the row that is there.
Changes = Callable[[Callable[[str], sa.ColumnElement[Any]]], Mapping[str, object]]


async def upsert(
    connection: AsyncConnection,
    table: sa.Table,
    values: Mapping[str, object],
    *,
    keys: tuple[str, ...],
    changes: Changes,
) -> None:
    """Insert ``values``, or apply ``changes`` to the row that has the same ``keys`` (a unique key of the table).

    No changes means: leave the row as it is. Never for tables that a tenant's transaction writes: an upsert waits for
    locks.
    """
    if connection.dialect.name == "sqlite":
        insert = sqlite.insert(table).values(values)
        changed = changes(lambda name: insert.excluded[name])
        statement: sa.Insert = insert.on_conflict_do_nothing(index_elements=keys)
        if changed:
            statement = insert.on_conflict_do_update(index_elements=keys, set_=dict(changed))
    else:
        fresh = mysql.insert(table).values(values)
        changed = changes(lambda name: fresh.inserted[name])
        statement = fresh.on_duplicate_key_update(dict(changed) or {keys[0]: table.c[keys[0]]})
    await connection.execute(statement)
