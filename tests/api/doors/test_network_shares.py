# SPDX-License-Identifier: Apache-2.0
"""Does a pod's share of a network end with the centre's, and does no boot lose what it needs meanwhile?

With fake pods on real sockets. What others do in the middle of a call is done when it asks a service for something.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.whole import Whole
from tests.job_runs import job_run
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import mark
from tricircle.errors import RetryLaterError, UnavailableError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked
from tricircle.testing.network.sharing import new_policy

Json = dict[str, Any]


@dataclass(kw_only=True)
class Stage:
    """A tenant's network that is in a pod, and a friend of his."""

    cloud: Whole
    rooms: Rooms
    pod: Pod
    friend: ProjectId
    network: Json

    async def share(self, target: str = "") -> str:
        """The owner shares it at the centre; the policy's id."""
        policy = {"object_type": "network", "object_id": self.network["id"], "action": "access_as_shared"}
        body = {"rbac_policy": {**policy, "target_tenant": target or self.friend}}
        said = await self.cloud.tenant.ask("POST", "/network/v2.0/rbac-policies", body)
        assert said.status == 201, said.body
        return str(said.json()["rbac_policy"]["id"])

    async def revoke(self, policy_id: str) -> int:
        return (await self.cloud.tenant.ask("DELETE", f"/network/v2.0/rbac-policies/{policy_id}")).status

    async def port(self) -> Json:
        """The friend's own at the centre."""
        body = {"port": {"network_id": self.network["id"]}}
        said = await self.cloud.other.ask("POST", "/network/v2.0/ports", body)
        assert said.status == 201, said.body
        return dict(said.json()["port"])

    async def lend(self) -> None:
        """What a boot of the friend's does in the pod before it makes his port there."""
        networks = self.rooms.copies.networks
        await networks.ensure(self.pod, self.network["id"], self.friend, deadline=Deadline.after(10))

    async def agree(self) -> None:
        """The network's job in the pod."""
        await self.rooms.copies.networks.agree(self._run(JobType.NETWORK, self.network["id"]))

    async def sweep(self) -> list[Json]:
        """What a sweep of the pod finds about networks."""
        sweeps = Sweeps(self.rooms.reach, Inventory(self.rooms.clients, self.rooms.registry), in_flight_s=0)
        report: Any = await sweeps.agree(self._run(JobType.SWEEP, self.pod.id))
        return [dict(one) for one in report["named"] if one["kind"] == "network"]

    def _run(self, job_type: JobType, resource_id: str) -> JobRun:
        return job_run(job_type, resource_id, self.pod.id, "p")

    @property
    def inside(self) -> dict[str, dict[str, Json]]:
        """What the pod's Neutron holds."""
        return self.cloud.pods[self.pod.name].neutron.resources

    def shared(self) -> set[str]:
        """Projects that the pod shares the copy with."""
        return {policy["target_tenant"] for policy in self.inside["rbac_policies"].values()}

    async def row(self) -> Routing:
        found = await self.rooms.routings.copy_in(Kind.NETWORK, self.network["id"], self.pod.id)
        assert found is not None
        return found

    async def names(self) -> object:
        return (await self.row()).details.get("projects")

    def stay(self) -> Json:
        """A port of the friend's in the pod that has yet to leave it."""
        (copy,) = self.inside["networks"].values()
        pod = self.cloud.pods[self.pod.name].neutron
        made = pod._store("ports", {**pod._port({"network_id": copy["id"]}, self.friend), "project_id": self.friend})
        made["description"] = mark("gone")
        return made

    def meanwhile(self, place: Any, method: str, path: str, turn: int, do: Callable[[], object]) -> None:
        """Do something as soon as a service is asked so for the ``turn``-th time."""
        count = [0]

        def heard(asked: Asked) -> bool:
            if asked.method == method and asked.path.startswith(path):
                count[0] += 1
                if count[0] == turn:
                    do()
            return False

        place.fall_ill(Ailment(symptom=Symptom.FAILING, only=heard), ("network",))


@pytest.fixture
async def stage(cloud: Whole) -> AsyncIterator[Stage]:
    rooms = open_rooms(cloud.settings)
    try:
        pods = {pod.name: pod for pod in await rooms.registry.pods()}
        said = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": "common"}})
        friend = ProjectId(cloud.project_id("alt"))
        here = Stage(cloud=cloud, rooms=rooms, pod=pods["Pod1"], friend=friend, network=said.json()["network"])
        owner, deadline = ProjectId(cloud.project_id("demo")), Deadline.after(10)
        await rooms.copies.networks.ensure(here.pod, here.network["id"], owner, deadline=deadline)
        yield here
    finally:
        await rooms.close()


async def test_a_share_ends_in_the_pod_as_at_the_centre(stage: Stage) -> None:
    owner = stage.cloud.project_id("demo")
    policy_id, port = await stage.share(), await stage.port()
    await stage.lend()
    assert stage.shared() == {owner, stage.friend}
    await stage.agree()
    assert stage.shared() == {owner, stage.friend}
    assert await stage.revoke(policy_id) == 409, "his port is there"
    del stage.cloud.centre.neutron.resources["ports"][port["id"]]
    assert await stage.revoke(policy_id) == 204
    await stage.agree()
    assert (stage.shared(), await stage.names()) == ({owner}, [owner])


async def test_a_network_that_is_everybodys_stays_so(stage: Stage) -> None:
    owner = stage.cloud.project_id("demo")
    policy = {"object_type": "network", "object_id": stage.network["id"], "action": "access_as_shared"}
    said = await stage.cloud.admin.ask(
        "POST", "/network/v2.0/rbac-policies", {"rbac_policy": {**policy, "target_tenant": "*"}}
    )
    await stage.lend()
    await stage.agree()
    assert stage.shared() == {owner, stage.friend}
    path = f"/network/v2.0/rbac-policies/{said.json()['rbac_policy']['id']}"
    assert (await stage.cloud.admin.ask("DELETE", path)).status == 204
    await stage.agree()
    assert stage.shared() == {owner}


async def test_a_port_that_has_yet_to_leave_keeps_the_share(stage: Stage) -> None:
    await stage.lend()
    port = stage.stay()
    with pytest.raises(RetryLaterError):
        await stage.agree()
    assert stage.friend in stage.shared()
    del stage.inside["ports"][port["id"]]
    await stage.agree()
    assert stage.friend not in stage.shared()


async def test_a_port_that_an_administrator_made_keeps_the_share(stage: Stage) -> None:
    """He may make one for a project to which the network does not belong, and which has no access."""
    body = {"port": {"network_id": stage.network["id"], "project_id": stage.friend}}
    assert (await stage.cloud.admin.ask("POST", "/network/v2.0/ports", body)).status == 201
    await stage.lend()
    await stage.agree()
    assert stage.friend in stage.shared()
    assert await stage.sweep() == []


async def test_a_project_that_is_back_before_the_last_look_keeps_its_share(stage: Stage) -> None:
    await stage.lend()
    centre = stage.cloud.centre.neutron

    def back() -> None:
        centre._store("ports", {**centre._port({"network_id": stage.network["id"]}, ""), "project_id": stage.friend})

    # The job has taken the name away, and asks once more.
    stage.meanwhile(stage.cloud.centre, "GET", "/v2.0/rbac-policies", 2, back)
    await stage.agree()
    assert stage.friend in stage.shared()
    assert stage.friend in list(await stage.names())  # type: ignore[call-overload]


async def test_a_boot_in_the_middle_of_the_end_shares_anew(stage: Stage) -> None:
    """It comes when the job has decided: it waits for the job, and finds no share."""
    await stage.lend()
    boots: list[asyncio.Task[None]] = []

    def boot() -> None:
        boots.append(asyncio.ensure_future(stage.lend()))

    stage.meanwhile(stage.cloud.pods["Pod1"], "DELETE", "/v2.0/rbac-policies/", 1, boot)
    run = stage._run(JobType.NETWORK, stage.network["id"])
    lease = await stage.rooms.reach.leases.hold(await stage.row(), owner="job", ttl_s=30)
    assert lease is not None
    network = await stage.rooms.reach.central.network(stage.network["id"], deadline=run.deadline)
    await stage.rooms.copies.networks.shares.agree(stage.pod, await stage.row(), network, run.deadline)
    assert stage.friend not in stage.shared()
    assert not boots[0].done()
    await stage.rooms.reach.leases.release(lease)
    await boots[0]
    assert stage.friend in stage.shared()
    assert stage.friend in list(await stage.names())  # type: ignore[call-overload]


async def test_many_projects_at_one_instant_are_all_written_down(stage: Stage) -> None:
    projects = [ProjectId(f"p{number}") for number in range(5)]
    ensure, deadline = stage.rooms.copies.networks.ensure, Deadline.after(10)
    await asyncio.gather(*(ensure(stage.pod, stage.network["id"], one, deadline=deadline) for one in projects))
    assert set(projects) <= set(await stage.names())  # type: ignore[call-overload]
    assert set(projects) <= stage.shared()


async def test_who_has_the_row_for_too_long_is_not_waited_for(stage: Stage) -> None:
    lease = await stage.rooms.reach.leases.hold(await stage.row(), owner="somebody", ttl_s=30)
    assert lease is not None
    with pytest.raises(UnavailableError, match="Somebody else works"):
        await stage.rooms.copies.networks.ensure(
            stage.pod, stage.network["id"], stage.friend, deadline=Deadline.after(0.5)
        )
    assert stage.friend not in stage.shared()


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_sweep_finds_a_share_that_outlived_its_reason(stage: Stage, is_written: bool) -> None:
    """Also one of which a process that died wrote nothing down; never an operator's own."""
    policy_id = await stage.share()
    await stage.lend()
    (copy,) = stage.inside["networks"].values()
    pod = stage.cloud.pods["Pod1"].neutron
    own = new_policy(
        pod.resources,
        {"object_type": "network", "object_id": copy["id"], "action": "access_as_shared", "target_tenant": "theirs"},
    )
    pod._store("rbac_policies", {**own, "project_id": "operators"})
    assert await stage.sweep() == []
    assert await stage.revoke(policy_id) == 204
    if not is_written:
        names = [stage.cloud.project_id("demo")]
        await stage.rooms.routings.update((await stage.row()).id, details={"projects": names})
    (found,) = await stage.sweep()
    assert (found["what"], found["note"]) == ("differs", "shares")
    await stage.agree()
    assert stage.shared() == {stage.cloud.project_id("demo"), "theirs"}
    assert await stage.sweep() == []
