# SPDX-License-Identifier: Apache-2.0
"""Does a job that an operator files by hand put right what somebody changed inside a pod, and leave a story?"""

import asyncio
import json
import socket
import urllib.request
from dataclasses import replace
from typing import Any

from tests.api.doors.test_servers import booted, network
from tests.api.whole import Whole
from tricircle.app.worker import worker

__all__ = ["network"]  # a fixture


async def job(cloud: Whole, job_id: int) -> dict[str, Any]:
    said = await cloud.operators.ask("GET", f"/v1.0/jobs/{job_id}")
    assert said.status == 200, said.body
    found: dict[str, Any] = said.json()["job"]
    return found


def copy(cloud: Whole, pod: str) -> dict[str, Any]:
    """The only network in a pod."""
    (found,) = cloud.pods[pod].neutron.resources["networks"].values()
    return found


async def test_a_job_by_hand_mends_a_copy_in_one_pod(cloud: Whole, network: str) -> None:
    for zone in ("az1", "az2"):
        await booted(cloud, network, availability_zone=zone)
    await cloud.work_off()
    for pod in ("Pod1", "Pod2"):
        assert copy(cloud, pod)["admin_state_up"] is True
        copy(cloud, pod)["admin_state_up"] = False
    wanted = {
        "type": "network",
        "project_id": cloud.project_id("demo"),
        "resource": {"network_id": network},
        "pod_name": "Pod2",
    }
    said = await cloud.operators.ask("POST", "/v1.0/jobs", {"job": wanted})
    assert said.status == 202, said.body
    filed = said.json()["job"]
    assert (filed["status"], filed["pod_name"]) == ("waiting", "Pod2")
    await cloud.work_off()
    assert copy(cloud, "Pod2")["admin_state_up"] is True
    assert copy(cloud, "Pod1")["admin_state_up"] is False, "the job was about the other pod"
    ended = await job(cloud, filed["id"])
    assert (ended["status"], ended["error"]) == ("done", None)
    del wanted["pod_name"]
    assert (await cloud.operators.ask("POST", "/v1.0/jobs", {"job": wanted})).status == 202
    await cloud.work_off()
    assert copy(cloud, "Pod1")["admin_state_up"] is True


async def test_a_job_about_something_that_is_nowhere_simply_ends(cloud: Whole) -> None:
    for schema in (await cloud.operators.ask("GET", "/v1.0/jobs/schemas")).json()["schemas"]:
        resource = dict.fromkeys(schema["resource"], "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a001")
        wanted = {"type": schema["type"], "project_id": cloud.project_id("demo"), "resource": resource}
        said = await cloud.operators.ask("POST", "/v1.0/jobs", {"job": wanted})
        assert said.status == 202, said.body
    await cloud.work_off()
    listed = (await cloud.operators.ask("GET", "/v1.0/jobs")).json()["jobs"]
    assert listed
    assert {entry["status"] for entry in listed} == {"done"}


async def test_tenants_see_no_jobs(cloud: Whole) -> None:
    headers = cloud.tenant._headers
    said = await cloud.operators.having(x_auth_token=headers["x-auth-token"]).ask("GET", "/v1.0/jobs")
    assert said.status == 403


async def test_a_worker_shows_its_numbers_where_its_settings_say(cloud: Whole) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = replace(cloud.settings, worker=replace(cloud.settings.worker, metrics_port=port))

    def page(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    async with worker(settings):
        assert json.loads(await asyncio.to_thread(page, "/healthz")) == {"status": "ok"}
        assert "tricircle_jobs_total" in await asyncio.to_thread(page, "/metrics")
