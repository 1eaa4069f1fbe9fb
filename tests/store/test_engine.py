# SPDX-License-Identifier: Apache-2.0
"""What do other rooms hear when the database refuses, hangs, dies and comes back?"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests import mariadb
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.errors import DatabaseCollisionError, DuplicateRowError, ReferencedRowError, UnavailableError
from tricircle.model.binding import Binding
from tricircle.model.pod import Pod
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Engine, create_engine, transact, transaction
from tricircle.store.pods import PodRows
from tricircle.store.tables import pods

pytestmark = pytest.mark.mariadb


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[mariadb.Server]:
    """A server that a test may stop and freeze."""
    with mariadb.server(tmp_path) as running:
        running.run("CREATE DATABASE own")
        yield running


async def _one(engine: Engine, within_s: float = 8.0) -> int:
    async with transaction(engine, within_s=within_s) as connection:
        return int((await connection.execute(sa.text("SELECT 1"))).scalar_one())


async def test_a_session_reads_what_is_committed_in_utc_and_strict(engine: Engine) -> None:
    async with transaction(engine) as connection:
        row = (
            await connection.execute(
                sa.text("SELECT @@tx_isolation, @@time_zone, @@sql_mode, @@innodb_lock_wait_timeout")
            )
        ).one()
    assert row[0] == "READ-COMMITTED"
    assert row[1] == "+00:00"
    assert "STRICT_TRANS_TABLES" in row[2]
    assert row[3] == 3


async def test_an_error_in_the_block_rolls_back(engine: Engine) -> None:
    async def fail_half_way() -> None:
        async with transaction(engine) as connection:
            await PodRows.insert(connection, Pod(id=PodId("p9"), name="P9", az_name="az9"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail_half_way()
    async with transaction(engine) as connection:
        assert await PodRows.get(connection, PodId("p9")) is None


async def test_duplicates_and_references_have_names(engine: Engine) -> None:
    with pytest.raises(DuplicateRowError):
        async with transaction(engine) as connection:
            await PodRows.insert(connection, Pod(id=PodId("other"), name="Pod1", az_name="az1"))
    binding = Binding(id="b", project_id=ProjectId("p"), pod_id=PodId("none"))
    with pytest.raises(ReferencedRowError):
        async with transaction(engine) as connection:
            await BindingRows.insert(connection, binding)


async def test_a_mistake_in_our_sql_is_not_called_an_outage(engine: Engine) -> None:
    with pytest.raises(sa.exc.SQLAlchemyError):
        async with transaction(engine) as connection:
            await connection.execute(sa.text("SELECT no_such_column FROM tricircle_pods"))
    with pytest.raises(sa.exc.SQLAlchemyError):
        async with transaction(engine) as connection:
            await connection.execute(sa.text("SELECT 1 FROM no_such_table"))


async def _fails_with(engine: Engine, number: int) -> None:
    signal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'Got error'"
    async with transaction(engine) as connection:
        await connection.execute(sa.text(f"BEGIN NOT ATOMIC {signal}; END"))


@pytest.mark.parametrize("number", [1020, 1180, 1205, 1213, 3101])
async def test_numbers_that_say_run_it_again(engine: Engine, number: int) -> None:
    """The numbers are the server's own; only the reason is made up."""
    with pytest.raises(DatabaseCollisionError):
        await _fails_with(engine, number)
    assert await _one(engine) == 1


@pytest.mark.parametrize("number", [1021, 1030, 1040, 1047, 1053, 1105, 1114, 1290, 1317, 1836, 2013])
async def test_numbers_that_say_not_now(engine: Engine, number: int) -> None:
    with pytest.raises(UnavailableError) as caught:
        await _fails_with(engine, number)
    assert not isinstance(caught.value, DatabaseCollisionError)
    assert await _one(engine) == 1


async def test_a_connection_that_loses_packets_is_an_outage_and_let_go(server: mariadb.Server, database: str) -> None:
    url = make_url(server.url(database))
    is_losing = False

    async def relay(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        nonlocal is_losing
        reader, writer = await asyncio.open_connection(url.host, url.port)

        async def there() -> None:
            while data := await client.read(65536):
                writer.write(data)
            writer.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(there())
            while data := bytearray(await reader.read(65536)):
                if is_losing:
                    data[3] += 7  # the number of the packet
                    is_losing = False
                answers.write(data)
            answers.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as front:
        through = url.set(port=front.sockets[0].getsockname()[1])
        settings = DatabaseSettings(connection=through.render_as_string(hide_password=False), pool_size=1)
        engine = create_engine(settings)
        assert await _one(engine) == 1

        async def lose() -> None:
            nonlocal is_losing
            async with transaction(engine) as connection:
                is_losing = True
                await connection.execute(sa.text("SELECT 1"))

        with pytest.raises(UnavailableError):
            await lose()
        assert await _one(engine) == 1
        await engine.dispose()


async def test_a_deadlock_is_a_collision_and_is_run_again(engine: Engine) -> None:
    """Two transactions change the same two rows in opposite order; both succeed in the end."""
    barrier = asyncio.Barrier(2)
    tries: list[str] = []

    async def change(first: str, second: str) -> None:
        is_first_try = True

        async def work(connection: sa.ext.asyncio.AsyncConnection) -> None:
            nonlocal is_first_try
            tries.append(first)
            await connection.execute(sa.update(pods).where(pods.c.id == first).values(dc_name=first))
            if is_first_try:
                is_first_try = False
                await barrier.wait()
            await connection.execute(sa.update(pods).where(pods.c.id == second).values(dc_name=first))

        await transact(engine, work)

    async with asyncio.TaskGroup() as group:
        group.create_task(change("pod1", "pod2"))
        group.create_task(change("pod2", "pod1"))
    assert len(tries) > 2, "nobody collided, so this test showed nothing"


async def test_a_row_that_stays_locked_is_a_collision(engine: Engine) -> None:
    async with transaction(engine, within_s=30) as holder:
        await holder.execute(sa.update(pods).where(pods.c.id == "pod1").values(dc_name="held"))
        with pytest.raises(DatabaseCollisionError):
            async with transaction(engine) as connection:
                await connection.execute(sa.update(pods).where(pods.c.id == "pod1").values(dc_name="wanted"))


async def test_a_server_that_is_not_there_is_said_at_once() -> None:
    engine = create_engine(DatabaseSettings(connection="mysql+asyncmy://root@127.0.0.1:1/none"))
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        await _one(engine)
    assert time.monotonic() - started < 4
    assert "127.0.0.1" not in caught.value.message
    await engine.dispose()


async def test_an_exhausted_pool_is_said(server: mariadb.Server, database: str) -> None:
    settings = DatabaseSettings(connection=server.url(database), pool_size=1, max_overflow=0, pool_timeout_s=0.2)
    engine = create_engine(settings)
    async with transaction(engine) as connection:
        await connection.execute(sa.text("SELECT 1"))
        with pytest.raises(UnavailableError):
            await _one(engine)
    await engine.dispose()


async def test_a_restart_of_the_server_is_healed_without_help(own_server: mariadb.Server) -> None:
    engine = create_engine(DatabaseSettings(connection=own_server.url("own"), pool_size=2))
    assert await _one(engine) == 1
    own_server.stop()
    with pytest.raises(UnavailableError):
        await _one(engine)
    own_server.start()
    assert await _one(engine) == 1
    await engine.dispose()


async def test_a_server_that_hangs_costs_seconds_and_is_healed(own_server: mariadb.Server) -> None:
    engine = create_engine(DatabaseSettings(connection=own_server.url("own"), pool_size=2))
    assert await _one(engine) == 1
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, own_server.process.pid, os.WSTOPPED | os.WNOWAIT)  # the signal takes a moment
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await _one(engine, within_s=1.0)
        assert time.monotonic() - started < 7
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    assert await _one(engine) == 1
    await engine.dispose()


async def test_cancelled_requests_leave_the_pool_whole(server: mariadb.Server, database: str) -> None:
    engine = create_engine(DatabaseSettings(connection=server.url(database), pool_size=2, max_overflow=0))

    async def slow() -> None:
        async with transaction(engine) as connection:
            await connection.execute(sa.text("SELECT SLEEP(30)"))

    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.gather(slow(), slow())
    assert await _one(engine) == 1
    await engine.dispose()
