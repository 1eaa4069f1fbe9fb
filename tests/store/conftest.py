# SPDX-License-Identifier: Apache-2.0
"""What do the tests of the store share? One MariaDB server, and a database of its own for every test."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests import mariadb
from tricircle.conf.settings import DatabaseSettings
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import metadata, pods

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """The server that all tests of this storey share."""
    if missing := mariadb.missing_programs():
        pytest.fail(f"{', '.join(missing)} not found: install the Debian package mariadb-server")
    with mariadb.server(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture
def database(server: mariadb.Server) -> Iterator[str]:
    """The name of an empty database."""
    name = f"store_{next(_numbers)}"
    server.run(f"CREATE DATABASE {name}")
    yield name
    server.run(f"DROP DATABASE {name}")


@pytest.fixture
def settings(server: mariadb.Server, database: str) -> DatabaseSettings:
    """Settings for an empty database."""
    return DatabaseSettings(connection=server.url(database), pool_size=10, max_overflow=30)


@pytest.fixture
async def engine(settings: DatabaseSettings) -> AsyncIterator[Engine]:
    """An engine on a database that holds our tables and the pods pod1, pod2, pod3."""
    engine = create_engine(settings)
    async with transaction(engine, within_s=60) as connection:
        await connection.run_sync(metadata.create_all)
        rows = [{"id": f"pod{n}", "name": f"Pod{n}", "az_name": f"az{n}"} for n in (1, 2, 3)]
        await connection.execute(pods.insert(), rows)
    yield engine
    await engine.dispose()
