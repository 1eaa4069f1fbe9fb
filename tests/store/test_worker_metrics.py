# SPDX-License-Identifier: Apache-2.0
"""Does a worker show how it fares, how its runs ended and how deep the queue is, when it is asked to?"""

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.store.test_worker import _SETTINGS
from tricircle.app.exposure import shown
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import ProjectId
from tricircle.jobs.depths import show_depths
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import Body, JobRun, Worker
from tricircle.model.job import JobType
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import jobs

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def _get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


async def _metric(port: int, name: str) -> float | None:
    _, text = await _get(port, "/metrics")
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


async def _health(port: int) -> tuple[int, str]:
    status, text = await _get(port, "/healthz")
    return status, json.loads(text)["status"]


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)


async def _body(run: JobRun) -> None:
    if run.resource_id == "broken":
        raise ValueError("broken")


def _worker(queue: Queue, body: Body = _body, **more: float) -> Worker:
    return Worker(queue, {JobType.NETWORK: body}, replace(_SETTINGS, max_attempts=1), **more)  # type: ignore[arg-type]


async def test_a_working_worker_shows_its_numbers(engine: Engine, queue: Queue, port: int) -> None:
    worker = _worker(queue)
    async with shown(worker, Desk(engine), replace(_SETTINGS, metrics_port=port)):
        counters = [f'tricircle_jobs_total{{outcome="{word}",type="network"}}' for word in ("done", "stopped")]
        before = [await _metric(port, counter) or 0 for counter in counters]
        running = asyncio.ensure_future(worker.run())
        await queue.append(JobType.NETWORK, "fine", _DEMO)
        await queue.append(JobType.NETWORK, "broken", _DEMO)

        async def both_ended() -> bool:
            return [await _metric(port, counter) for counter in counters] == [number + 1 for number in before]

        await _until(both_ended)
        assert await _health(port) == (200, "ok")
        worker.stop()
        assert await _health(port) == (200, "stopping")
        await running
        assert (await _get(port, "/"))[0] == (await _get(port, "/metrics/x"))[0] == 404
        assert (await _get(port, "/metrics", "POST"))[0] == 405
    with pytest.raises(urllib.error.URLError):
        await _get(port, "/healthz")


async def test_the_gauges_tell_the_depth_of_the_queue(engine: Engine, queue: Queue, port: int) -> None:
    async with shown(_worker(queue), Desk(engine), replace(_SETTINGS, metrics_port=port)):
        for number in range(3):
            await queue.append(JobType.NETWORK, f"net{number}", _DEMO)
        (failed,) = await queue.claim("w1", 60, 1)
        await queue.fail(failed, "broken")
        await queue.claim("w1", 60, 1)
        await queue.append(JobType.PORT, "later", _DEMO, delay_s=600)
        async with transaction(engine) as connection:
            await connection.execute(sa.update(jobs).values(created_at=now_plus(-100)))
        await show_depths(Desk(engine))
        for state in ("waiting", "running", "stopped"):
            assert await _metric(port, f'tricircle_queue_jobs{{state="{state}",type="network"}}') == 1
        assert await _metric(port, 'tricircle_queue_jobs{state="waiting",type="port"}') == 1
        assert await _metric(port, 'tricircle_queue_jobs{state="waiting",type="subnet"}') == 0
        oldest = await _metric(port, 'tricircle_queue_oldest_seconds{type="network"}')
        assert oldest is not None
        assert 100 <= oldest < 160
        # It was filed for later and is not late.
        assert await _metric(port, 'tricircle_queue_oldest_seconds{type="port"}') == 0


async def test_gauges_of_a_queue_that_cannot_be_counted_are_away(engine: Engine, queue: Queue, port: int) -> None:
    async with shown(_worker(queue), Desk(engine), replace(_SETTINGS, metrics_port=port)):
        name = 'tricircle_queue_jobs{state="waiting",type="network"}'
        await show_depths(Desk(engine))
        assert await _metric(port, name) == 0
        nowhere = create_engine(DatabaseSettings(connection="mysql://nobody@127.0.0.1:1/none", connect_timeout_s=1))

        async def is_away() -> bool:
            # The worker's own first count may end after ours.
            await show_depths(Desk(nowhere))
            return await _metric(port, name) is None

        await _until(is_away)


async def test_a_worker_without_database_is_well_and_one_that_stalls_is_not(
    engine: Engine, queue: Queue, port: int
) -> None:
    nowhere = create_engine(DatabaseSettings(connection="mysql://nobody@127.0.0.1:1/none", connect_timeout_s=1))
    waiting = _worker(Queue(nowhere))
    async with shown(waiting, Desk(engine), replace(_SETTINGS, metrics_port=port)):
        running = asyncio.ensure_future(waiting.run())

        async def is_outage() -> bool:
            return await _health(port) == (200, "waiting for the database")

        await _until(is_outage)
        waiting.stop()
        await running
    stalled = _worker(queue, stalled_s=0)
    async with shown(stalled, Desk(engine), replace(_SETTINGS, metrics_port=port)):
        assert await _health(port) == (503, "stalled")


async def test_a_port_that_is_taken_costs_the_pages_only(engine: Engine, queue: Queue, port: int) -> None:
    settings = replace(_SETTINGS, metrics_port=port)
    async with (
        shown(_worker(queue), Desk(engine), settings) as first,
        shown(_worker(queue), Desk(engine), settings) as second,
    ):
        assert first is not None
        assert second is None
        assert (await _get(port, "/healthz"))[0] == 200


async def test_nobody_listens_unless_asked(engine: Engine, queue: Queue) -> None:
    async with shown(_worker(queue), Desk(engine), _SETTINGS) as exporter:
        assert exporter is None
