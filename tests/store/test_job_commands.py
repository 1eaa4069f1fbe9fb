# SPDX-License-Identifier: Apache-2.0
"""Do ``tricircle-manage job ...`` show what is in the queue and in history, and do what they say?"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests import mariadb
from tricircle.cmd import manage
from tricircle.context import PodId, ProjectId
from tricircle.jobs.claim import Claim
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.tables import job_history

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)

    @property
    def ids(self) -> list[int]:
        """The ids below the titles of a table."""
        return [int(line.split()[0]) for line in self.out.splitlines()[1:]]


Manage = Callable[..., Awaitable[Ran]]


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


@pytest.fixture
def job(
    server: mariadb.Server, database: str, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Manage:
    """``await job("list", "--all")``: the command, with settings for the test's database."""
    file = tmp_path / "tricircle.conf"
    file.write_text(f"[database]\nconnection = {server.url(database)}\n")

    async def run(*arguments: str) -> Ran:
        command = ["--config-file", str(file), "job", *arguments]
        # In a thread: the command has an event loop of its own.
        code = await asyncio.to_thread(manage.main, command)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


async def _file(queue: Queue, resource_id: str, *, pod: str = "", delay_s: float = 0) -> int:
    return await queue.append(JobType.NETWORK, resource_id, _DEMO, pod_id=PodId(pod), delay_s=delay_s)


async def _claim(queue: Queue) -> Claim:
    (claim,) = await queue.claim("worker-1", 60, 1)
    return claim


async def test_list_shows_the_queue_and_with_all_the_history(queue: Queue, job: Manage) -> None:
    done = await _file(queue, "net1")
    await queue.finish(await _claim(queue))
    broken = await _file(queue, "broken")
    await queue.fail(await _claim(queue), "ValueError: a\nb")
    fresh = await queue.append(JobType.PORT, "port1", ProjectId("other"), pod_id=PodId("pod1"))
    listed = await job("list")
    assert listed.ids == [fresh, broken]
    assert listed.out.splitlines()[1].split()[1:6] == ["port", "port1", "Pod1", "waiting", "0"]
    assert listed.out.splitlines()[2].split()[-3:] == ["ValueError:", "a", "b"]
    assert (await job("list", "--all")).ids == [fresh, broken, done]
    assert (await job("list", "--stopped")).ids == [broken]
    assert (await job("list", "--status", "done", "--status", "waiting")).ids == [fresh, done]
    assert (await job("list", "--type", "port", "--project", "other", "--pod", "Pod1", "--resource", "port1")).ids == [
        fresh
    ]
    assert (await job("list", "--project", "demo")).ids == [broken]
    unknown = await job("list", "--pod", "Nowhere")
    assert (unknown.code, unknown.err) == (
        1,
        "tricircle-manage: There is no pod Nowhere. Registered are: Pod1, Pod2, Pod3.\n",
    )


async def test_pages(queue: Queue, job: Manage) -> None:
    first, second, third = [await _file(queue, f"net{n}") for n in range(3)]
    page = await job("list", "--limit", "2")
    assert page.ids == [third, second]
    assert page.err == f"there are older ones: add --marker {second}\n"
    rest = await job("list", "--limit", "2", "--marker", str(second), "--json")
    assert [one["id"] for one in rest.json["jobs"]] == [first]
    assert rest.json["next_marker"] is None
    assert (await job("list", "--limit", "1", "--json")).json["next_marker"] == third
    assert (await job("list", "--marker", "999")).code == 1


async def test_show_tells_the_whole_story(queue: Queue, job: Manage) -> None:
    job_id = await _file(queue, "net1", pod="pod1")
    await queue.fail(await _claim(queue), "ValueError: broken", ran_s=1)
    assert (await job("redo", str(job_id))).out == "1 jobs will be tried again\n"
    await queue.finish(await _claim(queue), ran_s=1, report={"copies": 2})
    shown = await job("show", str(job_id))
    assert ["report", '{"copies":', "2}"] in [line.split() for line in shown.out.splitlines()]
    assert ["status", "done"] in [line.split() for line in shown.out.splitlines()]
    assert [line.split()[2] for line in shown.out.split("\n\n")[1].splitlines()[1:]] == ["done", "stopped"]
    told = (await job("show", str(job_id), "--json")).json["job"]
    assert (told["pod_name"], told["resource"], told["report"]) == ("Pod1", {"network_id": "net1"}, {"copies": 2})
    assert [line["error"] for line in told["history"]] == [None, "ValueError: broken"]
    missing = await job("show", "999")
    assert (missing.code, missing.err) == (1, "tricircle-manage: Job 999 could not be found.\n")


async def test_redo_of_all_and_of_some(queue: Queue, job: Manage) -> None:
    for name in ("a", "b"):
        await _file(queue, name)
        await queue.fail(await _claim(queue), "broken")
    running = await _file(queue, "c")
    claim = await _claim(queue)
    said = await job("redo", "999", str(running))
    assert (said.code, said.out) == (1, "0 jobs will be tried again\n")
    assert said.err == f"Job 999 could not be found.\nJob {running} is running. Wait for its end.\n"
    all_ = await job("redo")
    assert (all_.code, all_.out) == (0, "2 jobs will be tried again\n")
    await queue.finish(claim)
    assert {one.key.resource_id for one in await queue.claim("worker-2", 60, 10)} == {"a", "b"}


async def test_delete_and_purge(engine: Engine, queue: Queue, job: Manage) -> None:
    waits = await _file(queue, "net1", delay_s=600)
    said = await job("delete", str(waits), "999")
    assert (said.code, said.out, said.err) == (1, "1 jobs were removed\n", "Job 999 could not be found.\n")
    assert (await job("list", "--status", "deleted")).ids == [waits]
    assert (await job("purge", "--older-than", "1h")).out == "0 lines of history were removed\n"
    async with transaction(engine) as connection:
        await connection.execute(sa.update(job_history).values(finished_at=now_plus(-5400)))
    assert (await job("purge", "--older-than", "2h")).out == "0 lines of history were removed\n"
    assert (await job("purge", "--older-than", "60m")).out == "1 lines of history were removed\n"
    assert (await job("list", "--all")).ids == []


@pytest.mark.parametrize(
    "words",
    [
        ("purge",),
        ("purge", "--older-than", "7"),
        ("purge", "--older-than", "-1d"),
        ("list", "--limit", "0"),
        ("list", "--status", "old"),
        ("list", "--all", "--stopped"),
        ("delete",),
    ],
)
def test_wrong_words_end_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        manage.main(["job", *words])
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err
