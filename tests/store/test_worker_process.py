# SPDX-License-Identifier: Apache-2.0
"""What becomes of running jobs when a worker's process is told to stop, told twice, or killed?"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import mariadb
from tricircle.context import ProjectId
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.store.engine import Engine

pytestmark = pytest.mark.mariadb

_ROOT = Path(__file__).resolve().parent.parent.parent
Start = Callable[[float, float], "subprocess.Popen[str]"]


@pytest.fixture
def start(server: mariadb.Server, database: str, engine: Engine) -> Iterator[Start]:
    """Starts workers whose bodies take so many seconds, with so many seconds of grace."""
    started: list[subprocess.Popen[str]] = []

    def begin(body_s: float, grace_s: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.store.worker_process", server.url(database), str(body_s), str(grace_s)]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def _file(engine: Engine) -> Queue:
    queue = Queue(engine)
    await queue.append(JobType.NETWORK, "net1", ProjectId("demo"))
    return queue


async def test_sigterm_lets_a_job_end(engine: Engine, start: Start) -> None:
    queue = await _file(engine)
    process = start(0.5, 10)
    assert _line(process) == "begin net1"
    process.send_signal(signal.SIGTERM)
    assert _line(process) == "end net1"
    assert _line(process) == "closed"
    assert process.wait(timeout=10) == 0
    assert await queue.waiting() == []


async def test_after_the_grace_jobs_are_given_back(engine: Engine, start: Start) -> None:
    queue = await _file(engine)
    process = start(60, 0.2)
    assert _line(process) == "begin net1"
    process.send_signal(signal.SIGTERM)
    assert _line(process) == "closed"
    assert process.wait(timeout=10) == 0
    assert len(await queue.claim("next", 30, 10)) == 1, "the key was given back, not left to run out"


async def test_a_second_signal_ends_at_once(engine: Engine, start: Start) -> None:
    await _file(engine)
    process = start(60, 60)
    assert _line(process) == "begin net1"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert _line(process) == "closed"
    assert process.wait(timeout=10) == 1


async def test_a_killed_workers_job_is_taken_over_when_its_lease_is_over(engine: Engine, start: Start) -> None:
    queue = await _file(engine)
    killed = start(60, 60)
    assert _line(killed) == "begin net1"
    killed.kill()
    killed.wait(timeout=10)
    heir = start(0, 60)
    assert _line(heir) == "begin net1"
    assert _line(heir) == "end net1"
    heir.send_signal(signal.SIGTERM)
    assert heir.wait(timeout=10) == 0
    assert await queue.waiting() == []
