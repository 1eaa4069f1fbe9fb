# SPDX-License-Identifier: Apache-2.0
"""The whole gateway in front of two fake pods, for every test of the doors."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests import mariadb
from tests.api.whole import Plan, Whole, whole


@pytest.fixture
def plan() -> Plan:
    """Two pods in two AZs; a test module may ask for something else."""
    return Plan()


@pytest.fixture
async def cloud(server: mariadb.Server, database: str, tmp_path: Path, plan: Plan) -> AsyncIterator[Whole]:
    with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        for table in ("cursors", "jobs", "job_keys", "job_history", "routings", "bindings", "pod_endpoints", "pods"):
            cursor.execute(f"DELETE FROM tricircle_{table}")
    async with whole(plan, database, tmp_path) as running:
        yield running


@pytest.fixture
def queued(server: mariadb.Server, database: str, cloud: Whole) -> Callable[[], list[tuple[str, str]]]:
    """``queued()``: type and resource of all jobs that were filed, oldest first."""

    def read() -> list[tuple[str, str]]:
        with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT type, resource_id FROM tricircle_jobs ORDER BY id")
            return [(str(row[0]), str(row[1])) for row in cursor.fetchall()]

    return read
