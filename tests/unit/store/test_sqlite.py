# SPDX-License-Identifier: Apache-2.0
"""Does the store's own logic hold on SQLite, so that other storeys may test on it? Locks and races are MariaDB's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.errors import DuplicateRowError, ReferencedRowError
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.positions import Positions
from tricircle.ledger.routings import Routings
from tricircle.model.binding import Binding
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.store import schema
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.store.tables import metadata

_POD1 = PodId("pod1")
_DEMO = ProjectId("demo")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """A database in a file, with one pod."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'store.db'}"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
        await PodRows.insert(connection, Pod(id=_POD1, name="Pod1", az_name="az1"))
    yield engine
    await engine.dispose()


async def test_keys_are_kept(engine: Engine) -> None:
    with pytest.raises(DuplicateRowError):
        async with transaction(engine) as connection:
            await PodRows.insert(connection, Pod(id=PodId("other"), name="Pod1", az_name="az1"))
    binding = Binding(id="b", project_id=_DEMO, pod_id=PodId("none"))
    with pytest.raises(ReferencedRowError):
        async with transaction(engine) as connection:
            await BindingRows.insert(connection, binding)


async def test_routings_and_leases(engine: Engine) -> None:
    leases, routings = Leases(engine), Routings(engine)
    lease = await leases.take(Kind.NETWORK, "n", _POD1, _DEMO, owner="t", ttl_s=30)
    assert isinstance(lease, Lease)
    assert await leases.take(Kind.NETWORK, "n", _POD1, _DEMO, owner="t", ttl_s=30) is None
    await leases.renew(lease)
    bound = await leases.bind(lease, "pn", revision="1", details={"a": 1})
    assert isinstance(await leases.take(Kind.NETWORK, "n", _POD1, _DEMO, owner="t", ttl_s=30), Routing)
    assert await routings.update(bound.id, details={"b": 2})
    found = await routings.copy_in(Kind.NETWORK, "n", _POD1)
    assert found is not None
    assert found.details == {"a": 1, "b": 2}

    run_out = await leases.take(Kind.SUBNET, "s", _POD1, _DEMO, owner="t", ttl_s=-1)
    assert isinstance(run_out, Lease)
    again = await leases.take(Kind.SUBNET, "s", _POD1, _DEMO, owner="t", ttl_s=30)
    assert isinstance(again, Lease)
    assert not again.is_new
    await routings.record(Kind.SERVER, "vm", _POD1, _DEMO, details={"x": 1})
    assert (await routings.record(Kind.SERVER, "vm", _POD1, _DEMO, details={"y": 2})).details == {"x": 1, "y": 2}


async def test_positions(engine: Engine) -> None:
    positions = Positions(engine)
    await positions.save("k", "m", {_POD1: "a"})
    await positions.save("k", "m", {_POD1: "b"})
    assert await positions.load("k", "m") == {"pod1": "b"}
    assert await positions.purge(unused_s=-5) == 1


async def test_jobs(engine: Engine) -> None:
    queue = Queue(engine)
    await queue.append(JobType.NETWORK, "n", _DEMO, payload={"a": 1})
    await queue.append(JobType.NETWORK, "n", _DEMO, delay_s=60)
    (claim,) = await queue.claim("w", -1, 10)
    assert claim.payload == {"a": 1}
    (heir,) = await queue.claim("w", 30, 10)
    assert heir.attempts == 1
    await queue.retry(heir, "error", -1)
    (again,) = await queue.claim("w", 30, 10)
    await queue.fail(again, "error")
    assert await queue.redo() == 1
    (last,) = await queue.claim("w", 30, 10)
    await queue.finish(last)
    assert len(await queue.waiting()) == 1


def test_migrations(tmp_path: Path) -> None:
    settings = DatabaseSettings(connection=f"sqlite:///{tmp_path / 'empty.db'}")
    schema.upgrade(settings)
    assert schema.check(settings).is_right
    schema.downgrade(settings, "base")
    assert schema.check(settings).current is None
