# SPDX-License-Identifier: Apache-2.0
"""May a project use the security group of another one that the centre shares with it, in its pods too, and how long?

With fake pods on real sockets, whose Nova looks for groups with the user's token as Nova does. The centre's fake has
none of our drivers: the jobs that they would file are carried out here.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.whole import Whole
from tests.asgi import Said
from tests.job_runs import job_run
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import ProjectId
from tricircle.copies.bodies import mark
from tricircle.errors import RetryLaterError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

Json = dict[str, Any]
SERVERS = "/compute/v2.1/servers"


@dataclass(kw_only=True)
class Stage:
    """A group of one tenant, shared with his friend, who has a server on a network of his own."""

    cloud: Whole
    rooms: Rooms
    pod: Pod
    friend: ProjectId
    group: Json
    policy_id: str = ""
    server_id: str = ""
    ports: list[str] = field(default_factory=list)

    async def boot(self, **fields: object) -> None:
        """The friend's server."""
        network = (await self.cloud.other.ask("POST", "/network/v2.0/networks", {"network": {"name": "n"}})).json()
        subnet = {"network_id": network["network"]["id"], "cidr": "10.9.0.0/24", "ip_version": 4}
        assert (await self.cloud.other.ask("POST", "/network/v2.0/subnets", {"subnet": subnet})).status == 201
        nics = [{"uuid": network["network"]["id"]}]
        body = {"name": "vm", "flavorRef": "1", "imageRef": self.cloud.image_id, "networks": nics, **fields}
        said = await self.cloud.other.ask("POST", SERVERS, {"server": {**body, "availability_zone": "az1"}})
        assert said.status == 202, said.body
        self.server_id = str(said.json()["server"]["id"])
        self.ports = [one for one, port in self.centre["ports"].items() if port["device_id"] == self.server_id]

    async def act(self, action: str) -> Said:
        path = f"{SERVERS}/{self.server_id}/action"
        return await self.cloud.other.ask("POST", path, {action: {"name": self.group["id"]}})

    async def seen(self) -> tuple[set[str], set[str]]:
        """Names of the groups that the friend sees: in his server, and in its list of groups."""
        server = (await self.cloud.other.ask("GET", f"{SERVERS}/{self.server_id}")).json()["server"]
        listed = (await self.cloud.other.ask("GET", f"{SERVERS}/{self.server_id}/os-security-groups")).json()
        return (
            {group["name"] for group in server.get("security_groups", [])},
            {group["name"] for group in listed["security_groups"]},
        )

    async def share(self) -> None:
        policy = {"object_type": "security_group", "object_id": self.group["id"], "action": "access_as_shared"}
        body = {"rbac_policy": {**policy, "target_tenant": self.friend}}
        said = await self.cloud.tenant.ask("POST", "/network/v2.0/rbac-policies", body)
        assert said.status == 201, said.body
        self.policy_id = str(said.json()["rbac_policy"]["id"])

    async def revoke(self) -> int:
        return (await self.cloud.tenant.ask("DELETE", f"/network/v2.0/rbac-policies/{self.policy_id}")).status

    async def agree(self, job_type: JobType, resource_id: str) -> None:
        """A job that the driver files, in the pod."""
        copies = self.rooms.copies
        bodies = {JobType.PORT: copies.ports.agree, JobType.SECURITY_GROUP: copies.groups.agree}
        await bodies[job_type](self._run(job_type, resource_id))

    async def sweep(self) -> list[tuple[str, str]]:
        """Kind and note of what differs in the pod."""
        sweeps = Sweeps(self.rooms.reach, Inventory(self.rooms.clients, self.rooms.registry), in_flight_s=0)
        report: Any = await sweeps.agree(self._run(JobType.SWEEP, self.pod.id))
        return [(one["kind"], one["note"]) for one in report["named"] if one["what"] == "differs"]

    def _run(self, job_type: JobType, resource_id: str) -> JobRun:
        return job_run(job_type, resource_id, self.pod.id, "p", seconds=30)

    @property
    def centre(self) -> dict[str, dict[str, Json]]:
        return self.cloud.centre.neutron.resources

    @property
    def inside(self) -> dict[str, dict[str, Json]]:
        return self.cloud.pods[self.pod.name].neutron.resources

    def copy(self) -> Json:
        (found,) = [
            one for one in self.inside["security_groups"].values() if one["description"] == mark(self.group["id"])
        ]
        return found

    def shared(self) -> set[str]:
        """Projects that the pod shares groups with."""
        policies = self.inside["rbac_policies"].values()
        return {one["target_tenant"] for one in policies if one["object_type"] == "security_group"}

    async def row(self) -> Routing:
        found = await self.rooms.routings.copy_in(Kind.SECURITY_GROUP, self.group["id"], self.pod.id)
        assert found is not None
        return found


@pytest.fixture
async def stage(cloud: Whole) -> AsyncIterator[Stage]:
    rooms = open_rooms(cloud.settings)
    try:
        flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
        assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
        pods = {pod.name: pod for pod in await rooms.registry.pods()}
        said = await cloud.tenant.ask("POST", "/network/v2.0/security-groups", {"security_group": {"name": "lent"}})
        friend = ProjectId(cloud.project_id("alt"))
        here = Stage(cloud=cloud, rooms=rooms, pod=pods["Pod1"], friend=friend, group=said.json()["security_group"])
        await here.share()
        yield here
    finally:
        await rooms.close()


async def test_a_group_comes_to_a_server_and_leaves_it(stage: Stage) -> None:
    await stage.boot()
    assert (await stage.act("addSecurityGroup")).status == 202
    assert stage.shared() == {stage.friend}
    assert await stage.seen() == ({"default", "lent"}, {"default", "lent"})
    assert stage.group["id"] in stage.centre["ports"][stage.ports[0]]["security_groups"]
    assert await stage.sweep() == []
    assert await stage.revoke() == 409, "his port is in it"
    assert (await stage.act("removeSecurityGroup")).status == 202
    assert await stage.seen() == ({"default"}, {"default"})
    assert await stage.revoke() == 204
    await stage.agree(JobType.SECURITY_GROUP, stage.group["id"])
    assert (stage.shared(), (await stage.row()).details.get("projects")) == (set(), [])
    assert (await stage.act("addSecurityGroup")).status == 404


async def test_a_server_that_is_booted_with_it_shows_it(stage: Stage) -> None:
    await stage.boot(security_groups=[{"name": stage.group["id"]}])
    assert await stage.seen() == ({"lent"}, {"lent"})
    assert (await stage.act("removeSecurityGroup")).status == 202


async def test_a_port_that_has_yet_to_leave_keeps_the_share(stage: Stage) -> None:
    await stage.boot(security_groups=[{"name": stage.group["id"]}])
    stage.centre["ports"][stage.ports[0]]["security_groups"] = []
    assert await stage.revoke() == 204
    with pytest.raises(RetryLaterError, match="security group"):
        await stage.agree(JobType.SECURITY_GROUP, stage.group["id"])
    assert stage.shared() == {stage.friend}
    await stage.agree(JobType.PORT, stage.ports[0])
    await stage.agree(JobType.SECURITY_GROUP, stage.group["id"])
    assert stage.shared() == set()


async def test_a_sweep_finds_what_is_not_shared_and_what_is_for_no_reason(stage: Stage) -> None:
    """The first as a release before this one made it; the second when a job was lost."""
    await stage.boot(security_groups=[{"name": stage.group["id"]}])
    stage.inside["rbac_policies"] = {
        key: one for key, one in stage.inside["rbac_policies"].items() if one["object_type"] == "network"
    }
    assert await stage.sweep() == [("security_group", "shares")]
    await stage.rooms.routings.update((await stage.row()).id, details={"projects": []})
    assert await stage.sweep() == [("port", "security_groups")]
    await stage.agree(JobType.PORT, stage.ports[0])
    assert (stage.shared(), await stage.sweep()) == ({stage.friend}, [])
    stage.centre["ports"][stage.ports[0]]["security_groups"] = []
    await stage.agree(JobType.PORT, stage.ports[0])
    assert await stage.revoke() == 204
    assert await stage.sweep() == [("security_group", "shares")]
    await stage.agree(JobType.SECURITY_GROUP, stage.group["id"])
    assert (stage.shared(), await stage.sweep()) == (set(), [])


async def test_the_copy_of_a_deleted_group_takes_its_shares_along(stage: Stage) -> None:
    await stage.boot()
    assert (await stage.act("addSecurityGroup")).status == 202
    assert (await stage.act("removeSecurityGroup")).status == 202
    group_id = stage.copy()["id"]
    assert await stage.revoke() == 204
    assert (await stage.cloud.tenant.ask("DELETE", f"/network/v2.0/security-groups/{stage.group['id']}")).status == 204
    await stage.agree(JobType.SECURITY_GROUP, stage.group["id"])
    assert (stage.shared(), group_id in stage.inside["security_groups"]) == (set(), False)
