# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/jobs``: the queue and its history, as operators meet them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.api.conftest import ENDPOINT, Api
from tests.asgi import Said
from tricircle.context import PodId, ProjectId
from tricircle.jobs.claim import Claim
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.store.clock import now_plus
from tricircle.store.engine import transaction
from tricircle.store.tables import job_history, jobs

NET = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a001"
JOB_FIELDS = {
    *("id", "project_id", "type", "timestamp", "status", "resource", "pod_id", "pod_name", "attempts", "error"),
    *("created_at", "not_before", "started_at", "finished_at", "owner"),
}


@pytest.fixture
def queue(api: Api) -> Queue:
    """The queue that the API speaks of."""
    return Queue(api.engine)


@pytest.fixture
async def pod_id(api: Api) -> str:
    """A registered pod, Pod1."""
    said = await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": "Pod1", "az_name": "az1"}})
    return str(said.json()["pod"]["pod_id"])


async def post(api: Api, **fields: object) -> Said:
    return await api.admin.ask("POST", "/v1.0/jobs", {"job": fields})


async def listed(api: Api, query: str = "") -> list[Mapping[str, Any]]:
    said = await api.admin.ask("GET", f"/v1.0/jobs{query}")
    assert said.status == 200, said.body
    found: list[Mapping[str, Any]] = said.json()["jobs"]
    return found


async def ids(api: Api, query: str = "") -> list[int]:
    return [job["id"] for job in await listed(api, query)]


async def show(api: Api, job_id: int) -> Any:
    said = await api.admin.ask("GET", f"/v1.0/jobs/{job_id}")
    assert said.status == 200, said.body
    return said.json()["job"]


async def claim(queue: Queue) -> Claim:
    (taken,) = await queue.claim("worker-1", 60, 1)
    return taken


async def file(queue: Queue, resource_id: str = NET, project: str = "p1", pod: str = "", delay_s: float = 0) -> int:
    return await queue.append(JobType.NETWORK, resource_id, ProjectId(project), pod_id=PodId(pod), delay_s=delay_s)


async def done(queue: Queue, resource_id: str = NET, **more: Any) -> int:
    job_id = await file(queue, resource_id, **more)
    await queue.finish(await claim(queue), ran_s=1, report={"copies": 2})
    return job_id


async def stopped(queue: Queue, resource_id: str = NET) -> int:
    job_id = await file(queue, resource_id)
    await queue.fail(await claim(queue), "ValueError: broken", ran_s=1)
    return job_id


async def test_a_job_from_its_filing_to_its_end(api: Api, queue: Queue, pod_id: str) -> None:
    said = await post(api, type="network", project_id="p1", resource={"network_id": NET}, pod_name="Pod1")
    assert said.status == 202
    job = said.json()["job"]
    assert set(job) == {*JOB_FIELDS, "report", "history", "folded_into"}
    assert job["resource"] == {"network_id": NET}
    assert (job["type"], job["project_id"], job["status"], job["attempts"]) == ("network", "p1", "waiting", 0)
    assert (job["pod_id"], job["pod_name"]) == (pod_id, "Pod1")

    taken = await claim(queue)
    assert (taken.key.resource_id, taken.key.pod_id, taken.project_id) == (NET, pod_id, "p1")
    running = await show(api, job["id"])
    assert (running["status"], running["owner"]) == ("running", "worker-1")
    assert running["started_at"] is not None

    await queue.finish(taken, ran_s=2, report={"changed": ["Pod1"]})
    ended = await show(api, job["id"])
    assert (ended["status"], ended["report"], ended["owner"]) == ("done", {"changed": ["Pod1"]}, None)
    assert ended["timestamp"] == ended["finished_at"] is not None
    assert [line["status"] for line in ended["history"]] == ["done"]
    (row,) = await listed(api)
    assert set(row) == JOB_FIELDS
    assert (row["id"], row["status"]) == (job["id"], "done")


async def test_who_filed_a_job_that_was_folded_finds_its_end(api: Api, queue: Queue) -> None:
    first, second, newest = [await file(queue) for _ in range(3)]
    await queue.finish(await claim(queue))
    assert await ids(api) == [newest]
    for older in (first, second):
        job = await show(api, older)
        assert (job["id"], job["status"], job["folded_into"]) == (older, "done", newest)
    gone = await api.admin.ask("DELETE", f"/v1.0/jobs/{first}")
    assert gone.status == 409
    assert gone.message == f"Job {first} was settled together with job {newest}; delete that one."
    again = await api.admin.ask("PUT", f"/v1.0/jobs/{first}")
    assert again.status == 409
    assert f"is done, together with job {newest}." in again.message


async def test_each_status_is_found_by_its_word_and_by_the_old_one(api: Api, queue: Queue) -> None:
    ended = await done(queue, str(uuid4()))
    given_up = await stopped(queue, str(uuid4()))
    running = await file(queue, str(uuid4()))
    await claim(queue)
    waiting = await file(queue, str(uuid4()), delay_s=600)
    removed = await file(queue, str(uuid4()), delay_s=600)
    assert (await api.admin.ask("DELETE", f"/v1.0/jobs/{removed}")).status == 200
    expected = {"done": ended, "stopped": given_up, "running": running, "waiting": waiting, "deleted": removed}
    for status, job_id in expected.items():
        assert [(job["id"], job["status"]) for job in await listed(api, f"?status={status}")] == [(job_id, status)]
    old = {"NEW": waiting, "RUNNING": running, "FAIL": given_up, "success": ended}
    for status, job_id in old.items():
        assert await ids(api, f"?status={status}") == [job_id]
    assert await ids(api, "?status=waiting&status=deleted") == [removed, waiting]
    assert await ids(api) == sorted(expected.values(), reverse=True)


async def test_filters_work_together(api: Api, queue: Queue, pod_id: str) -> None:
    wanted = await file(queue, "net1", "p1", pod_id, 60)
    await file(queue, "net1", "p2", pod_id, 60)
    everywhere = await file(queue, "net1", "p1", "", 60)
    other = await queue.append(JobType.PORT, "port1", ProjectId("p1"), pod_id=PodId(pod_id), delay_s=60)
    assert await ids(api, "?type=network&project_id=p1&pod_name=Pod1&status=waiting&resource_id=net1") == [wanted]
    assert await ids(api, f"?project_id=p1&pod_id={pod_id}") == [other, wanted]
    assert await ids(api, "?pod_id=&project_id=p1") == [everywhere]
    assert await ids(api, "?pod_id=another&pod_name=Pod1") == []
    assert await ids(api, "?type=port&status=done") == []


async def test_pages_go_through_queue_and_history_and_end(api: Api, queue: Queue) -> None:
    filed = [
        await (done(queue, f"net{number}") if number % 2 else file(queue, f"net{number}", delay_s=600))
        for number in range(7)
    ]
    seen: list[int] = []
    target = "/v1.0/jobs?limit=2&project_id=p1"
    for _ in range(4):
        said = await api.admin.ask("GET", target)
        body = said.json()
        seen += [job["id"] for job in body["jobs"]]
        if "jobs_links" not in body:
            break
        (link,) = body["jobs_links"]
        assert link["rel"] == "next"
        assert link["href"].startswith(f"{ENDPOINT}/v1.0/jobs?project_id=p1&limit=2&marker=")
        parts = urlsplit(link["href"])
        target = f"{parts.path}?{parts.query}"
    assert seen == sorted(filed, reverse=True)


async def test_a_job_that_ends_between_two_pages_breaks_nothing(api: Api, queue: Queue) -> None:
    older = await file(queue, "net1", delay_s=600)
    marker = await file(queue, "net2")
    newest = await file(queue, "net2")
    assert await ids(api, "?limit=2") == [newest, marker]
    await queue.finish(await claim(queue))
    assert await ids(api, f"?marker={marker}") == [older]


async def test_what_was_given_up_is_listed_once_and_its_story_told(api: Api, queue: Queue) -> None:
    job_id = await stopped(queue)
    assert await ids(api) == [job_id]
    said = await api.admin.ask("PUT", f"/v1.0/jobs/{job_id}")
    assert said.status == 200
    job = said.json()["job"]
    assert (job["status"], job["attempts"], job["error"]) == ("waiting", 0, "ValueError: broken")
    await queue.finish(await claim(queue))
    assert await ids(api) == [job_id]
    told = (await show(api, job_id))["history"]
    assert [(line["status"], line["error"]) for line in told] == [("done", None), ("stopped", "ValueError: broken")]


async def test_redo_of_one_that_waits_after_a_failure_is_at_once(api: Api, queue: Queue) -> None:
    job_id = await file(queue)
    await queue.retry(await claim(queue), "not now", 600)
    assert await queue.claim("worker-2", 60, 1) == []
    assert (await api.admin.ask("PUT", f"/v1.0/jobs/{job_id}", {})).status == 200
    assert (await claim(queue)).ids == (job_id,)


async def test_redo_is_refused_with_the_reason(api: Api, queue: Queue) -> None:
    precaution = await file(queue, "net1", delay_s=600)
    ended = await done(queue, "net2")
    running = await file(queue, "net3")
    await claim(queue)
    for job_id, words in (
        (precaution, "waits for its first run"),
        (ended, f"Job {ended} is done. It cannot run again; file a new one."),
        (running, f"Job {running} is running. Wait for its end."),
    ):
        said = await api.admin.ask("PUT", f"/v1.0/jobs/{job_id}")
        assert said.status == 409
        assert words in said.message
    assert await queue.claim("worker-2", 60, 10) == [], "nothing became due"
    said = await api.admin.ask("PUT", f"/v1.0/jobs/{precaution}", {"status": "done"})
    assert said.status == 400


async def test_delete(api: Api, queue: Queue) -> None:
    running = await file(queue, "net1")
    taken = await claim(queue)
    assert (await api.admin.ask("DELETE", f"/v1.0/jobs/{running}")).status == 409
    behind = await file(queue, "net1")
    said = await api.admin.ask("DELETE", f"/v1.0/jobs/{behind}")
    assert (said.status, said.json()) == (200, {})
    assert (await show(api, behind))["status"] == "deleted"
    await queue.finish(taken)
    for job_id in (running, behind):
        assert (await api.admin.ask("DELETE", f"/v1.0/jobs/{job_id}")).status == 200
        for method in ("GET", "PUT", "DELETE"):
            assert (await api.admin.ask(method, f"/v1.0/jobs/{job_id}")).status == 404
    assert await ids(api) == []


async def test_purge_takes_old_history_only(api: Api, queue: Queue) -> None:
    old = await done(queue, "net1")
    async with transaction(api.engine) as connection:
        await connection.execute(sa.update(job_history).values(finished_at=now_plus(-7200)))
    young = await done(queue, "net2")
    waits = await file(queue, "net3", delay_s=600)
    async with transaction(api.engine) as connection:
        await connection.execute(sa.update(jobs).values(created_at=now_plus(-7200)))
    said = await api.admin.ask("DELETE", "/v1.0/jobs?older_than=3600")
    assert (said.status, said.json()) == (200, {"purged": 1})
    assert await ids(api) == [waits, young]
    assert (await api.admin.ask("GET", f"/v1.0/jobs/{old}")).status == 404


@pytest.mark.parametrize(
    "query", ["", "?older_than=", "?older_than=1h", "?older_than=-1", "?older_than=1&older_than=2"]
)
@pytest.mark.parametrize("more", ["", "project_id=p1"])
async def test_purge_wants_exactly_an_age(api: Api, queue: Queue, query: str, more: str) -> None:
    job_id = await done(queue)
    target = f"/v1.0/jobs{query}" + (("&" if query else "?") + more if more else "")
    assert (await api.admin.ask("DELETE", target)).status == 400
    assert await ids(api) == [job_id]


async def test_schemas_name_the_ids_of_every_type(api: Api) -> None:
    said = await api.admin.ask("GET", "/v1.0/jobs/schemas")
    assert said.status == 200
    found = {schema["type"]: schema["resource"] for schema in said.json()["schemas"]}
    assert set(found) == set(JobType)
    assert found["keypair"] == ["user_id", "keypair_name"]
    assert found["network"] == ["network_id"]


async def test_every_type_can_be_filed_by_its_schema(api: Api) -> None:
    for schema in (await api.admin.ask("GET", "/v1.0/jobs/schemas")).json()["schemas"]:
        resource = {name: str(uuid4()) for name in schema["resource"]}
        said = await post(api, type=schema["type"], project_id="p1", resource=resource)
        assert said.status == 202, said.body
        assert said.json()["job"]["resource"] == resource


async def test_a_name_of_a_key_pair_may_hold_a_slash(api: Api, queue: Queue) -> None:
    resource = {"user_id": "u1", "keypair_name": "my/key"}
    said = await post(api, type="keypair", project_id="p1", resource=resource)
    assert said.json()["job"]["resource"] == resource
    assert (await claim(queue)).key.resource_id == "u1/my/key"


_GOOD: Mapping[str, object] = {"type": "network", "project_id": "p1", "resource": {"network_id": NET}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "routers"}, "There is no job type 'routers'."),
        ({"type": ""}, "type is missing or empty."),
        ({"type": 5}, "type must be a string."),
        ({"project_id": " "}, "project_id is missing or empty."),
        ({"project_id": "p" * 65}, "project_id must be an id of at most 64 characters."),
        ({"resource": None}, "The body has no object 'resource'."),
        ({"resource": {}}, "network_id is missing or empty"),
        ({"resource": {"network_id": "my-net"}}, "network_id must be a UUID, not 'my-net'."),
        ({"resource": {"network_id": NET, "pod_id": "x"}}, "Unknown field 'pod_id'."),
        ({"pod_name": "Nowhere"}, "There is no pod 'Nowhere'."),
        ({"pod_name": ""}, "pod_name is empty."),
        ({"status": "done"}, "Unknown field 'status'."),
        ({"type": "keypair", "resource": {"user_id": "a/b", "keypair_name": "k"}}, "user_id must not hold '/'."),
        (
            {"type": "keypair", "resource": {"user_id": "u" * 200, "keypair_name": "k" * 200}},
            "longer than 320 characters",
        ),
    ],
)
async def test_400_for_a_body_that_cannot_be(api: Api, change: dict[str, object], words: str) -> None:
    said = await post(api, **{**_GOOD, **change})
    assert said.status == 400
    assert words in said.message
    assert await ids(api) == []


async def test_400_for_bodies_without_a_job(api: Api) -> None:
    for body in ({}, {"job": []}, {"job": dict(_GOOD), "more": 1}, b"{", b"[]"):
        assert (await api.admin.ask("POST", "/v1.0/jobs", body)).status == 400
    await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": "RegionOne"}})
    assert "is the central region" in (await post(api, **_GOOD, pod_name="RegionOne")).message


@pytest.mark.parametrize(
    "query",
    [
        *(
            "colour=red",
            "limit=0",
            "limit=x",
            "limit=-1",
            f"limit={'9' * 5000}",
            "marker=x",
            "marker=999999",
            "marker=",
        ),
        *(f"marker={'9' * 19}", f"marker={'9' * 5000}", "type=routers", "status=old", "pod_name=Nowhere"),
    ],
)
async def test_400_for_queries_that_mean_nothing(api: Api, query: str) -> None:
    assert (await api.admin.ask("GET", f"/v1.0/jobs?{query}")).status == 400


@pytest.mark.parametrize("job_id", ["999999", "x", "9" * 19, "9" * 5000, "-1", "0", "%C2%B2"])
async def test_404_for_ids_of_nothing(api: Api, job_id: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert (await api.admin.ask(method, f"/v1.0/jobs/{job_id}")).status == 404


async def test_403_and_401_change_nothing(api: Api, queue: Queue) -> None:
    job_id = await stopped(queue)
    calls = [
        *(("GET", "/v1.0/jobs"), ("GET", "/v1.0/jobs/schemas"), ("GET", f"/v1.0/jobs/{job_id}")),
        *(("PUT", f"/v1.0/jobs/{job_id}"), ("DELETE", f"/v1.0/jobs/{job_id}"), ("POST", "/v1.0/jobs")),
        ("DELETE", "/v1.0/jobs?older_than=0"),
    ]
    for method, target in calls:
        body = {"job": dict(_GOOD)} if method == "POST" else None
        assert (await api.member.ask(method, target, body)).status == 403, target
        assert (await api.anonymous.ask(method, target, body)).status == 401, target
    assert [(job["id"], job["status"]) for job in await listed(api)] == [(job_id, "stopped")]


async def test_rows_of_a_newer_release_are_seen(api: Api) -> None:
    async with transaction(api.engine) as connection:
        values = {"type": "of_a_newer_release", "resource_id": "x", "payload": {}}
        await connection.execute(sa.insert(jobs).values(values))
    (job,) = await listed(api)
    assert (job["type"], job["resource"]) == ("of_a_newer_release", {"resource_id": "x"})
    assert (await api.admin.ask("DELETE", f"/v1.0/jobs/{job['id']}")).status == 409
