# SPDX-License-Identifier: Apache-2.0
"""What becomes of a network in two pods that got a subnet which can be in one only? With fake pods on real sockets.

The centre's fake gives no addresses that follow from MACs: what Neutron would write into ports is written here.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.whole import Whole
from tests.job_runs import job_run
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import Deadline
from tricircle.copies.bodies import mark
from tricircle.errors import ConflictError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod

Json = dict[str, Any]
SLAAC = {"cidr": "fd00:9::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}


@dataclass(kw_only=True)
class Stage:
    """Two pods, and a tenant's network with a port in each."""

    cloud: Whole
    rooms: Rooms
    pods: list[Pod]
    network: Json
    ports: list[Json]

    async def make(self, collection: str, **values: object) -> Json:
        singular = collection.removesuffix("s")
        said = await self.cloud.tenant.ask("POST", f"/network/v2.0/{collection.replace('_', '-')}", {singular: values})
        assert said.status == 201, said.body
        return dict(said.json()[singular])

    def bound(self, port: Json, pod: Pod) -> Json:
        """The port as the centre has it when its host is set to a pod."""
        central = self.cloud.centre.neutron.resources["ports"][port["id"]]
        central |= {"binding:host_id": pod.name, "device_id": f"on-{pod.name}", "device_owner": "compute:az"}
        return central

    async def slaac(self) -> Json:
        """A subnet that lives by router advertisements, with an address of it in each port as Neutron gives them."""
        subnet = await self.make("subnets", network_id=self.network["id"], **SLAAC)
        for number, port in enumerate(self.ports):
            central = self.cloud.centre.neutron.resources["ports"][port["id"]]
            central["fixed_ips"].append({"subnet_id": subnet["id"], "ip_address": f"fd00:9::{number + 1}"})
            central["revision_number"] += 1
        return subnet

    async def agree(self, number: int) -> None:
        """The job of a port in its pod."""
        await self.rooms.copies.ports.agree(self._run(JobType.PORT, self.ports[number]["id"], self.pods[number]))

    async def sweep(self, number: int) -> list[Json]:
        """What a sweep of the pod finds about ports."""
        sweeps = Sweeps(self.rooms.reach, Inventory(self.rooms.clients, self.rooms.registry), in_flight_s=0)
        report: Any = await sweeps.agree(self._run(JobType.SWEEP, self.pods[number].id, self.pods[number]))
        return [dict(one) for one in report["named"] if one["kind"] == "port" and one["what"] == "differs"]

    def inside(self, number: int, collection: str, central_id: str) -> list[Json]:
        held = self.cloud.pods[self.pods[number].name].neutron.resources[collection]
        return [one for one in held.values() if one["description"] == mark(central_id)]

    def addresses(self, number: int) -> int:
        """How many the copy of a port has."""
        (copy,) = self.inside(number, "ports", self.ports[number]["id"])
        return len(copy["fixed_ips"])

    def _run(self, job_type: JobType, resource_id: str, pod: Pod) -> JobRun:
        return job_run(job_type, resource_id, pod.id, "p", seconds=30)


@pytest.fixture
async def stage(cloud: Whole) -> AsyncIterator[Stage]:
    rooms = open_rooms(cloud.settings)
    try:
        pods = sorted((pod for pod in await rooms.registry.pods() if not pod.is_central), key=lambda pod: pod.name)
        here = Stage(cloud=cloud, rooms=rooms, pods=pods, network={}, ports=[])
        here.network = await here.make("networks", name="n")
        await here.make("subnets", network_id=here.network["id"], cidr="10.9.0.0/24", ip_version=4)
        yield here
    finally:
        await rooms.close()


async def _in_both(here: Stage) -> None:
    for pod in here.pods:
        here.ports.append(await here.make("ports", network_id=here.network["id"]))
        await here.rooms.copies.ports.ensure(pod, here.bound(here.ports[-1], pod), deadline=Deadline.after(30))


async def test_the_rest_of_a_port_follows_where_the_subnet_cannot_be(stage: Stage) -> None:
    await _in_both(stage)
    await stage.slaac()
    await stage.agree(0)
    assert stage.addresses(0) == 2
    strict = await stage.make("security_groups", name="strict")
    stage.cloud.centre.neutron.resources["ports"][stage.ports[1]["id"]]["security_groups"] = [strict["id"]]
    await stage.agree(1)
    (group,), (copy,) = (
        stage.inside(1, "security_groups", strict["id"]),
        stage.inside(1, "ports", stage.ports[1]["id"]),
    )
    assert (copy["security_groups"], len(copy["fixed_ips"])) == ([group["id"]], 1)
    assert await stage.sweep(1) == [], "every sweep would file a job that can do nothing"


async def test_a_pod_that_needs_the_subnet_first_has_it(stage: Stage) -> None:
    """Whichever: each port in the other one follows without."""
    await _in_both(stage)
    await stage.slaac()
    await stage.agree(1)
    await stage.agree(0)
    assert [stage.addresses(number) for number in (0, 1)] == [1, 2]


async def test_a_new_port_is_refused_where_the_network_would_come_to_a_second_pod(stage: Stage) -> None:
    """The subnet is in no pod yet; ports where the network is have addresses of it, and need it."""
    stage.ports.append(await stage.make("ports", network_id=stage.network["id"]))
    first, second = stage.pods
    ensure = stage.rooms.copies.ports.ensure
    await ensure(first, stage.bound(stage.ports[0], first), deadline=Deadline.after(30))
    stage.ports.append(await stage.make("ports", network_id=stage.network["id"]))
    await stage.slaac()
    with pytest.raises(ConflictError, match=r"router advertisements .*: it is in az1"):
        await ensure(second, stage.bound(stage.ports[1], second), deadline=Deadline.after(30))
    assert stage.inside(1, "networks", stage.network["id"]) == []
    await stage.agree(0)
    assert stage.addresses(0) == 2
