# SPDX-License-Identifier: Apache-2.0
"""Do the copies of a server group have its rule, and go with it, whichever pod is away then? With fake pods on real
sockets.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.whole import Plan, Whole
from tests.job_runs import job_run
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.app.worker import bodies
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.errors import TricircleError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import EVERY_POD, JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.testing.ailments import Ailment, Symptom

Json = dict[str, Any]
GROUPS = "/compute/v2.1/os-server-groups"


@dataclass(kw_only=True)
class Stage:
    """A tenant's group that boots have taken to both pods."""

    cloud: Whole
    rooms: Rooms
    pods: dict[str, Pod]
    group_id: str

    async def delete(self) -> int:
        return (await self.cloud.tenant.ask("DELETE", f"{GROUPS}/{self.group_id}")).status

    def forgotten(self) -> None:
        """The centre knows the group no more, and no job was filed."""
        del self.cloud.centre.nova.server_groups.stored[self.group_id]

    async def agree(self, pod_id: PodId = EVERY_POD) -> None:
        """The job that the door files, as a worker does it."""
        await bodies(self.rooms)[JobType.SERVER_GROUP](self._run(JobType.SERVER_GROUP, self.group_id, pod_id))

    async def sweep(self, name: str) -> list[str]:
        """What a sweep of the pod finds about server groups."""
        sweeps = Sweeps(self.rooms.reach, Inventory(self.rooms.clients, self.rooms.registry), in_flight_s=0)
        pod_id = self.pods[name].id
        report: Any = await sweeps.agree(self._run(JobType.SWEEP, pod_id, pod_id))
        return [one["what"] for one in report["named"] if one["kind"] == "server_group"]

    def inside(self, name: str) -> dict[str, Json]:
        return self.cloud.pods[name].nova.server_groups.stored

    async def rows(self) -> set[str]:
        """Ids of the pods that have a routing of the group."""
        return {str(one.pod_id) for one in await self.rooms.routings.copies_of(Kind.SERVER_GROUP, self.group_id)}

    def _run(self, job_type: JobType, resource_id: str, pod_id: PodId) -> JobRun:
        return job_run(job_type, resource_id, pod_id, "p", seconds=30)


@pytest.fixture
def plan() -> Plan:
    """Time enough for a busy machine."""
    return Plan(request_deadline_s=60, list_deadline_s=30)


def _context(cloud: Whole) -> RequestContext:
    """The tenant, as in his boot."""
    return RequestContext(
        request_id="req-test",
        token=cloud.identities.sign_in("demo", "secret", "demo"),
        user_id="demo",
        project_id=ProjectId(cloud.project_id("demo")),
        roles=frozenset({"member"}),
        deadline=Deadline.after(30),
    )


@pytest.fixture
async def stage(cloud: Whole) -> AsyncIterator[Stage]:
    rooms = open_rooms(cloud.settings)
    try:
        tenant = cloud.tenant.having(openstack_api_version="compute 2.90")
        body = {"server_group": {"name": "web", "policy": "soft-anti-affinity"}}
        group = (await tenant.ask("POST", GROUPS, body)).json()["server_group"]
        pods = {pod.name: pod for pod in await rooms.registry.pods() if not pod.is_central}
        here = Stage(cloud=cloud, rooms=rooms, pods=pods, group_id=group["id"])
        for name, pod in pods.items():
            await rooms.copies.server_groups.ensure(pod, _context(cloud), group, Deadline.after(30))
            assert [one["name"] for one in here.inside(name).values()] == [f"tricircle.{group['id']}"]
        yield here
    finally:
        await rooms.close()


def _with_a_rule(most: int) -> Json:
    rules = {"max_server_per_host": most}
    return {"server_group": {"name": "spread", "policy": "anti-affinity", "rules": rules}}


async def test_a_rule_comes_to_the_pods(stage: Stage) -> None:
    tenant = stage.cloud.tenant.having(openstack_api_version="compute 2.90")
    made = (await tenant.ask("POST", GROUPS, _with_a_rule(2))).json()["server_group"]
    assert made["rules"] == {"max_server_per_host": 2}
    for name, pod in stage.pods.items():
        pod_group_id = await stage.rooms.copies.server_groups.ensure(
            pod, _context(stage.cloud), made, Deadline.after(30)
        )
        copy = stage.inside(name)[pod_group_id]
        assert (copy["policy"], copy["rules"]) == ("anti-affinity", {"max_server_per_host": 2})


async def test_a_centre_that_knows_no_compute_service_takes_no_such_rule(stage: Stage) -> None:
    """In Nova's words; a rule that is the policy itself is taken."""
    groups = stage.cloud.centre.nova.server_groups
    groups.knows_a_compute, known = False, set(groups.stored)
    tenant = stage.cloud.tenant.having(openstack_api_version="compute 2.90")
    refused = await tenant.ask("POST", GROUPS, _with_a_rule(2))
    text = "Creating an anti-affinity group with rule max_server_per_host > 1 is not yet supported."
    assert (refused.status, refused.json()["conflictingRequest"]["message"]) == (409, text)
    assert set(groups.stored) == known
    assert (await tenant.ask("POST", GROUPS, _with_a_rule(1))).status == 200


async def test_both_copies_go_by_the_job_of_the_deletion(
    stage: Stage, queued: Callable[[], list[tuple[str, str]]]
) -> None:
    first, second = stage.pods["Pod1"], stage.pods["Pod2"]
    await stage.agree(first.id)
    assert len(await stage.rows()) == 2, "the group is there"
    assert await stage.delete() == 204
    assert queued() == [("server_group", stage.group_id)]
    for pod in (first, second):
        await stage.agree(pod.id)
    assert (stage.inside("Pod1"), stage.inside("Pod2"), await stage.rows()) == ({}, {}, set())


async def test_a_pod_that_is_away_keeps_only_its_own(stage: Stage) -> None:
    """Whichever was asked first: each pod has a job of its own, which waits until the pod is back."""
    first, second = stage.pods["Pod1"], stage.pods["Pod2"]
    assert await stage.delete() == 204
    stage.cloud.pods["Pod1"].fall_ill(Ailment(symptom=Symptom.FAILING, status=503), ["compute"])
    await stage.agree()
    waiting = await stage.rooms.queue.waiting()
    assert {first.id, second.id} <= {job.pod_id for job in waiting if job.type is JobType.SERVER_GROUP}
    await stage.agree(second.id)
    with pytest.raises(TricircleError):
        await stage.agree(first.id)
    assert (stage.inside("Pod2"), await stage.rows()) == ({}, {str(first.id)})
    stage.cloud.pods["Pod1"].fall_ill(None, ["compute"])
    await stage.agree(first.id)
    assert (stage.inside("Pod1"), await stage.rows()) == ({}, set())


async def test_a_group_that_the_centre_refuses_to_delete_has_no_job(
    stage: Stage, queued: Callable[[], list[tuple[str, str]]]
) -> None:
    assert (await stage.cloud.other.ask("DELETE", f"{GROUPS}/{stage.group_id}")).status == 404
    assert queued() == []


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_sweep_finds_copies_of_which_the_centre_knows_nothing(stage: Stage, *, is_written: bool) -> None:
    """Also where no row says whose copy it is. What the operator made himself stays."""
    assert await stage.sweep("Pod1") == []
    stage.forgotten()
    own = {"id": "own", "name": "ops", "policy": "affinity", "rules": {}, "members": [], "project_id": "ops"}
    stage.inside("Pod1")["own"] = {**own, "user_id": "ops"}
    if not is_written:
        for copy in await stage.rooms.routings.copies_of(Kind.SERVER_GROUP, stage.group_id):
            await stage.rooms.routings.forget(copy.id)
    assert await stage.sweep("Pod1") == ["outlived" if is_written else "orphan"]
    await stage.agree(stage.pods["Pod1"].id)
    assert set(stage.inside("Pod1")) == {"own"}
    assert stage.pods["Pod1"].id not in await stage.rows()
    assert await stage.sweep("Pod1") == []


async def test_a_group_of_another_project_with_our_mark_stays(stage: Stage) -> None:
    """Names are the tenant's to write in a pod that he reaches."""
    (mine,) = stage.inside("Pod1").values()
    stage.inside("Pod1")["false"] = {**mine, "id": "false", "project_id": "somebody"}
    assert await stage.sweep("Pod1") == ["foreign"]
    assert await stage.delete() == 204
    await stage.agree(stage.pods["Pod1"].id)
    assert set(stage.inside("Pod1")) == {"false"}
