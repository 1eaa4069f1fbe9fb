# SPDX-License-Identifier: Apache-2.0
"""Whose is a sub-port that leaves its trunk while somebody brings it to the trunk's pod?

The centre does what others do to it at the instant that a test names: before it answers one of our calls.
"""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tricircle.context import Deadline, PodId
from tricircle.copies.origins import SUB_PORT_OWNER
from tricircle.copies.sub_ports import SubPorts
from tricircle.copies.trunks import Trunks
from tricircle.errors import NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.upstream.reply import Reply

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
HOST = "binding:host_id"
OF_SERVER = {HOST: "Pod2", "device_owner": "compute:az2", "device_id": "server"}


class Centre:
    """A trunk with the sub-ports s1 and s2; writes are refused as Neutron does, and files jobs.

    :ivar before: what happens before the call of that name is answered, once
    """

    def __init__(self) -> None:
        self.networking, self.queue = self, self
        self.target = SimpleNamespace(label="RegionOne/network")
        self.members: list[str] | None = ["s1", "s2"]
        self.ports_there: dict[str, dict[str, Any]] = {
            one: {"id": one, "project_id": "demo", HOST: "", "device_owner": "", "device_id": "", "revision_number": 1}
            for one in ("s1", "s2")
        }
        self.before: dict[str, Callable[[], None]] = {}
        self.always: Callable[[], None] = lambda: None
        self.filed: list[tuple[JobType, str, str]] = []
        self.status = 200

    def _reach(self, name: str) -> None:
        self.before.pop(name, lambda: None)()

    def leaves(self, port_id: str) -> None:
        """As Neutron's driver: who is bound as a sub-port by now is let go of."""
        assert self.members is not None
        self.members.remove(port_id)
        if self.ports_there[port_id]["device_owner"] == SUB_PORT_OWNER:
            self.changes(port_id, **{HOST: "", "device_owner": ""})

    def changes(self, port_id: str, **values: object) -> None:
        port = self.ports_there[port_id]
        self.ports_there[port_id] = {**port, **values, "revision_number": port["revision_number"] + 1}

    async def trunk(self, trunk_id: str, **_: object) -> dict[str, object]:
        self._reach("trunk")
        if self.members is None:
            raise NotFoundError("There is no trunk.")
        rows = [{"port_id": one, "segmentation_type": "vlan", "segmentation_id": int(one[1:])} for one in self.members]
        return {"id": trunk_id, "name": "t", "project_id": "demo", "port_id": "parent", "sub_ports": rows}

    async def trunks(self, _filters: object, **_: object) -> list[dict[str, object]]:
        self._reach("trunks")
        return [] if self.members is None else [await self.trunk("t1")]

    async def ports(self, filters: dict[str, list[str]], **_: object) -> list[dict[str, object]]:
        self._reach("ports")
        return [dict(self.ports_there[one]) for one in filters["id"] if one in self.ports_there]

    async def port(self, port_id: str, **_: object) -> dict[str, object]:
        self._reach("port")
        if port_id not in self.ports_there:
            raise NotFoundError("There is no port.")
        return dict(self.ports_there[port_id])

    async def reply(self, _method: str, path: str, *, body: Any, headers: Any, **_: object) -> Reply:
        port_id = path.rsplit("/", 1)[1]
        self._reach(f"write {port_id}")
        self.always()
        status = self.status
        port = self.ports_there.get(port_id)
        if port is None:
            status = 404
        elif headers != [(b"if-match", f"revision_number={port['revision_number']}".encode())]:
            status = 412
        elif status == 200:
            self.changes(port_id, **body["port"])
        said = {"port": self.ports_there.get(port_id)} if status == 200 else {"NeutronError": {"type": "x"}}
        return Reply(status=status, headers=[], body=json.dumps(said).encode())

    async def append(self, job_type: JobType, port_id: str, _project: str, *, pod_id: str) -> None:
        self.filed.append((job_type, port_id, pod_id))

    def home(self, port_id: str) -> tuple[str, str]:
        """Host and owner."""
        port = self.ports_there[port_id]
        return port[HOST], port["device_owner"]


class World:
    def __init__(self) -> None:
        self.centre = Centre()
        self.reach: Any = SimpleNamespace(central=self.centre, queue=self.centre)
        self.copied: list[str] = []

    async def ensure(self, _pod: Pod, port: dict[str, Any], **_: object) -> SimpleNamespace:
        self.centre._reach(f"copy {port['id']}")
        self.copied.append(port["id"])
        return SimpleNamespace(pod_resource_id=f"{port['id']}-copy")

    async def bring(self) -> list[str]:
        """What a job, or a boot, does for a trunk that it has read; the copies that go into the pod's trunk."""
        ports: Any = SimpleNamespace(ensure=self.ensure)
        trunk = await self.centre.trunk("t1")
        found = await Trunks(self.reach, ports)._sub_ports(POD, trunk, Deadline.after(5))
        return sorted(found)


@pytest.fixture
def world() -> World:
    return World()


async def test_sub_ports_are_bound_and_copied(world: World) -> None:
    assert await world.bring() == ["s1-copy", "s2-copy"]
    assert world.centre.home("s1") == ("Pod1", SUB_PORT_OWNER)
    assert world.centre.filed == []


@pytest.mark.parametrize("instant", ["ports", "write s1", "copy s1", "copy s2"])
async def test_one_that_leaves_meanwhile_is_let_go(world: World, instant: str) -> None:
    """Before it is bound the driver finds it free, and does nothing; after that it lets go of it, and its job may have
    run before the copy was there.
    """
    world.centre.before[instant] = lambda: world.centre.leaves("s1")
    assert await world.bring() == ["s2-copy"]
    assert world.centre.home("s1") == ("", "")
    assert world.centre.home("s2") == ("Pod1", SUB_PORT_OWNER)
    jobs = [(JobType.PORT, "s1", "pod1")]
    assert world.centre.filed == (jobs if "s1" in world.copied else [])


@pytest.mark.parametrize("instant", ["ports", "write s1", "copy s1"])
async def test_one_that_became_a_servers_meanwhile_stays_the_servers(world: World, instant: str) -> None:
    def taken() -> None:
        world.centre.leaves("s1")
        world.centre.changes("s1", **OF_SERVER)

    world.centre.before[instant] = taken
    assert await world.bring() == ["s2-copy"]
    assert world.centre.home("s1") == ("Pod2", "compute:az2")


async def test_one_that_only_changed_is_bound_all_the_same(world: World) -> None:
    world.centre.before["write s1"] = lambda: world.centre.changes("s1", name="new")
    assert await world.bring() == ["s1-copy", "s2-copy"]


async def test_one_that_somebody_else_bound_is_brought(world: World) -> None:
    bound = {HOST: "Pod1", "device_owner": SUB_PORT_OWNER}
    world.centre.before["write s1"] = lambda: world.centre.changes("s1", **bound)
    assert await world.bring() == ["s1-copy", "s2-copy"]


async def test_one_that_leaves_and_is_deleted_is_nobodys(world: World) -> None:
    def deleted() -> None:
        world.centre.leaves("s1")
        del world.centre.ports_there["s1"]

    for instant in ("ports", "write s1", "copy s1"):
        world.centre.__init__()  # type: ignore[misc]
        world.centre.before[instant] = deleted
        assert await world.bring() == ["s2-copy"]


async def test_a_trunk_that_goes_takes_all_with_it(world: World) -> None:
    def gone() -> None:
        world.centre.members = None

    world.centre.before["copy s1"] = gone
    assert await world.bring() == []
    assert (world.centre.home("s1"), world.centre.home("s2")) == (("", ""), ("", ""))


async def test_one_that_is_missing_is_not_passed_over(world: World) -> None:
    del world.centre.ports_there["s2"]
    with pytest.raises(NotFoundError, match="no port s2"):
        await world.bring()


async def test_one_that_is_changed_all_the_time_is_for_later(world: World) -> None:
    world.centre.always = lambda: world.centre.changes("s1", name="again")
    with pytest.raises(UnavailableError):
        await world.bring()


async def test_a_refusal_of_the_centre_is_an_error(world: World) -> None:
    world.centre.status = 500
    with pytest.raises(UpstreamStatusError):
        await world.bring()


async def test_a_sweep_lets_go_only_of_what_is_bound_still(world: World) -> None:
    subs, deadline = SubPorts(world.reach), Deadline.after(5)
    world.centre.members = ["s2"]
    assert not await subs.let_go(POD, "s1", deadline)
    world.centre.changes("s1", **{HOST: "Pod1", "device_owner": SUB_PORT_OWNER})
    world.centre.before["write s1"] = lambda: world.centre.changes("s1", **OF_SERVER)
    assert not await subs.let_go(POD, "s1", deadline)
    assert world.centre.home("s1") == ("Pod2", "compute:az2")
    world.centre.changes("s1", **{HOST: "Pod1", "device_owner": SUB_PORT_OWNER})
    assert await subs.let_go(POD, "s1", deadline)
    assert world.centre.home("s1") == ("", "")
    assert not await subs.let_go(POD, "gone", deadline)


async def test_one_that_came_back_to_a_trunk_is_not_let_go(world: World) -> None:
    """A user added it after all trunks were read; who brings it finds it bound, and does nothing."""
    subs, deadline = SubPorts(world.reach), Deadline.after(5)
    world.centre.changes("s1", **{HOST: "Pod1", "device_owner": SUB_PORT_OWNER})
    assert not await subs.let_go(POD, "s1", deadline)
    assert world.centre.home("s1") == ("Pod1", SUB_PORT_OWNER)
    assert world.centre.filed == []


async def test_one_that_comes_back_while_it_is_let_go_is_brought_again(world: World) -> None:
    """Neutron does not count an addition to a trunk as a change of the port."""
    subs, deadline = SubPorts(world.reach), Deadline.after(5)
    world.centre.changes("s1", **{HOST: "Pod1", "device_owner": SUB_PORT_OWNER})
    world.centre.members = ["s2"]
    world.centre.before["write s1"] = lambda: setattr(world.centre, "members", ["s1", "s2"])
    assert await subs.let_go(POD, "s1", deadline)
    assert world.centre.filed == [(JobType.TRUNK, "t1", "pod1")]
    assert await world.bring() == ["s1-copy", "s2-copy"]
    assert world.centre.home("s1") == ("Pod1", SUB_PORT_OWNER)
