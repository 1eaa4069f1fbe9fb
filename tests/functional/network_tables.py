# SPDX-License-Identifier: Apache-2.0
"""The central database from the side: every job row as it is committed, and failures planted with triggers.

The lab's worker takes rows away within a second, so a trigger keeps a copy of each; what is rolled back leaves none.
Planted failures name one object, so nobody else who uses the lab meets them. Triggers come and go in a thread: they
wait for open transactions, some of which are those of the test's own loop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from urllib.parse import parse_qs, urlsplit

import pymysql
from pymysql.cursors import DictCursor

_KEPT = "network_test_jobs"


class Tables:
    """The central schema."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = {
            "user": parts.username,
            "password": parts.password or "",
            "database": parts.path.strip("/"),
            "autocommit": True,
            "cursorclass": DictCursor,
        }
        query = parse_qs(parts.query)
        if "unix_socket" in query:
            self._where["unix_socket"] = query["unix_socket"][0]
        else:
            self._where |= {"host": parts.hostname, "port": parts.port or 3306}

    def run(self, sql: str, *values: object) -> list[dict[str, object]]:
        """One statement and its rows."""
        with closing(pymysql.connect(**self._where)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def jobs(self, resource_id: object) -> list[dict[str, object]]:
        """The job rows of an object that were committed, oldest first."""
        return self.run(f"SELECT * FROM {_KEPT} WHERE resource_id = %s ORDER BY id", resource_id)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep what is committed to the job table."""
        await self._drop()
        await self._change(
            f"CREATE TABLE {_KEPT} (id BIGINT PRIMARY KEY, type VARCHAR(32), resource_id VARCHAR(320), "
            "project_id VARCHAR(64), revision BIGINT, payload TEXT)"
        )
        await self._change(
            f"CREATE TRIGGER {_KEPT} AFTER INSERT ON tricircle_jobs FOR EACH ROW INSERT IGNORE INTO {_KEPT} "
            "VALUES (NEW.id, NEW.type, NEW.resource_id, NEW.project_id, NEW.revision, NEW.payload)"
        )
        try:
            yield
        finally:
            await self._drop()

    @asynccontextmanager
    async def failing(self, when: str, table: str, condition: str) -> AsyncIterator[None]:
        """Let one statement on one row fail, such as ``BEFORE DELETE`` ``ports`` ``OLD.id = '...'``."""
        name = f"{_KEPT}_failure"
        await self._change(
            f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW BEGIN IF {condition} THEN "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'planted'; END IF; END"
        )
        try:
            yield
        finally:
            await self._change(f"DROP TRIGGER IF EXISTS {name}")

    async def _drop(self) -> None:
        await self._change(f"DROP TRIGGER IF EXISTS {_KEPT}")
        await self._change(f"DROP TABLE IF EXISTS {_KEPT}")

    async def _change(self, sql: str) -> None:
        await asyncio.to_thread(self.run, sql)
