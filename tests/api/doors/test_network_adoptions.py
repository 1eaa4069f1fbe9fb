# SPDX-License-Identifier: Apache-2.0
"""Is an adoption never left half done: while boots go on, when it is refused on the way, and after a process died?

With fake pods on real sockets. What others do in the middle of a call is done when the call asks a service for
something; what a process that died leaves is written into the database, or left by a call that hears nothing any more.
"""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests import mariadb
from tests.api.dying import PATIENT, Deaths
from tests.api.whole import Whole
from tests.asgi import AsgiClient, Said
from tests.job_runs import job_run
from tricircle.app.recovery import recover
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import mark
from tricircle.errors import ConflictError, RetryLaterError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import ADOPTED, Kind, Routing
from tricircle.recovery.report import Report
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

Json = dict[str, Any]
CIDR = "10.9.0.0/24"
#: The gateways: the tenant's, and the one that the operator's servers know.
HERE, THERE = "10.9.0.1", "10.9.0.254"
SLAAC = {"cidr": "fd00:9::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}


@dataclass(kw_only=True)
class Stage:
    """A tenant's network, the operator's own in a pod with the same wire, and whoever asks."""

    cloud: Whole
    rooms: Rooms
    pod: Pod
    other: Pod
    operator: AsgiClient
    sql: Callable[[str], list[tuple[Any, ...]]]
    network: Json
    subnet: Json
    theirs: Json
    there: Json

    async def ask(self, path: str = "") -> Said:
        """An adoption of the one for the other."""
        body = {"network_id": self.network["id"], "pod_name": self.pod.name, "pod_network_id": self.theirs["id"]}
        return await self.cloud.operators.ask("POST", f"/v1.0/adoptions{path}", {"adoption": body})

    async def adopted(self) -> str:
        said = await self.ask()
        assert said.status == 201, said.body
        return str(said.json()["adoption"]["id"])

    async def end(self, adoption_id: str) -> Said:
        return await self.cloud.operators.ask("DELETE", f"/v1.0/adoptions/{adoption_id}")

    async def own(self, collection: str, **values: object) -> Json:
        """Something of the operator's in his pod."""
        path, singular = f"/network/v2.0/{collection}", collection.removesuffix("s")
        said = await self.operator.ask("POST", path, {singular: values})
        assert said.status == 201, said.body
        return dict(said.json()[singular])

    async def central(self, collection: str, **values: object) -> Json:
        """Something of the tenant's at the centre."""
        singular = collection.removesuffix("s")
        said = await self.cloud.tenant.ask("POST", f"/network/v2.0/{collection}", {singular: values})
        assert said.status == 201, said.body
        return dict(said.json()[singular])

    def held(self) -> set[str]:
        """The addresses that nobody at the centre gets, since pods have them."""
        ports = self.cloud.centre.neutron.resources["ports"].values()
        return {
            ip["ip_address"] for port in ports if port["device_owner"] == "network:dhcp" for ip in port["fixed_ips"]
        }

    @property
    def inside(self) -> dict[str, dict[str, Json]]:
        """What the pod's Neutron holds."""
        return self.cloud.pods[self.pod.name].neutron.resources

    async def row(self, kind: Kind, central_id: str) -> Routing | None:
        return await self.rooms.routings.copy_in(kind, central_id, self.pod.id)

    async def rows(self) -> tuple[Routing | None, Routing | None]:
        """The routings of network and subnet."""
        return await self.row(Kind.NETWORK, self.network["id"]), await self.row(Kind.SUBNET, self.subnet["id"])

    def write(self, kind: Kind, central_id: str, pod: Pod, pod_id: str | None) -> None:
        """A routing as somebody else makes it."""
        values = f"'{central_id}', '{kind.value}', '{pod.id}', 'p', {f'{pod_id!r}' if pod_id else 'NULL'}"
        self.sql(
            "INSERT INTO tricircle_routings "
            "(central_id, kind, pod_id, project_id, pod_resource_id, details, resources, created_at) "
            f"VALUES ({values}, '{{}}', '{{}}', UTC_TIMESTAMP(6))"
        )

    def meanwhile(self, place: Any, method: str, path: str, do: Callable[[], object]) -> None:
        """Do something as soon as a service is asked so, once."""
        left = [do]

        def heard(asked: Asked) -> bool:
            if left and (asked.method, asked.path) == (method, path):
                left.pop()()
            return False

        place.fall_ill(Ailment(symptom=Symptom.FAILING, only=heard), ("network",))


@pytest.fixture
async def stage(cloud: Whole, server: mariadb.Server, database: str) -> AsyncIterator[Stage]:
    def sql(statement: str) -> list[tuple[Any, ...]]:
        with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    rooms = open_rooms(cloud.settings)
    try:
        pods = {pod.name: pod for pod in await rooms.registry.pods()}
        token = cloud.identities.sign_in("admin", "secret", "admin")
        operator = AsgiClient(cloud.pods["Pod1"]).having(x_auth_token=token)
        made: Json = {"network": {}, "subnet": {}, "theirs": {}, "there": {}}
        here = Stage(cloud=cloud, rooms=rooms, pod=pods["Pod1"], other=pods["Pod2"], operator=operator, sql=sql, **made)
        here.network = await here.central("networks", name="tenants")
        here.subnet = await here.central("subnets", network_id=here.network["id"], cidr=CIDR, ip_version=4)
        whole = cloud.centre.neutron.resources["networks"][here.network["id"]]
        key = {name: value for name, value in whole.items() if name.startswith("provider:")}
        here.theirs = await here.own("networks", name="own", mtu=whole["mtu"], **key)
        here.there = await here.own(
            "subnets", network_id=here.theirs["id"], cidr=CIDR, ip_version=4, gateway_ip=THERE, allocation_pools=[]
        )
        yield here
    finally:
        await rooms.close()


async def test_the_pods_own_gateway_is_kept_and_given_back(stage: Stage) -> None:
    said = await stage.ask("/observe")
    assert (said.status, said.json()["adoption"]["to_reserve"]) == (200, 1)
    adoption_id = await stage.adopted()
    assert stage.held() == {THERE}
    assert (await stage.end(adoption_id)).status == 200
    assert (stage.held(), await stage.rows()) == (set(), (None, None))
    assert stage.theirs["id"] in stage.inside["networks"]


async def test_a_port_that_has_the_pods_own_gateway_is_in_the_way(stage: Stage) -> None:
    await stage.central("ports", network_id=stage.network["id"], fixed_ips=[{"ip_address": THERE}])
    said = await stage.ask()
    assert said.status == 409
    assert f"address {THERE}: port" in said.message
    assert "give the pod's subnet another gateway" in said.message


async def test_a_copy_of_ours_that_came_meanwhile_is_not_adopted(stage: Stage) -> None:
    stage.meanwhile(
        stage.cloud.pods["Pod1"],
        "GET",
        "/v2.0/rbac-policies",
        lambda: stage.write(Kind.NETWORK, stage.network["id"], stage.pod, "copy"),
    )
    said = await stage.ask()
    assert said.status == 409
    assert "has another copy in pod Pod1: copy" in said.message
    assert stage.held() == set()
    assert (await stage.rows())[1] is None


async def test_what_was_begun_is_undone_when_a_boot_was_faster(stage: Stage) -> None:
    """The lease on the network ran out on the way, and somebody bound it to a copy."""
    bind = "UPDATE tricircle_routings SET pod_resource_id = 'copy', owner = NULL WHERE kind = 'network'"
    stage.meanwhile(stage.cloud.centre, "POST", "/v2.0/ports", lambda: stage.sql(bind))
    said = await stage.ask()
    assert said.status == 409
    assert "has another copy in pod Pod1: copy" in said.message
    network, subnet = await stage.rows()
    assert network is not None
    assert not network.is_adopted
    assert (subnet, stage.held()) == (None, set())


@pytest.mark.parametrize("pod_id", ["elsewhere", ""])
async def test_a_subnet_that_is_something_else_is_refused(stage: Stage, pod_id: str) -> None:
    """Another subnet of the pod; or a copy of ours, if with the same id."""
    more = {"cidr": "10.10.0.0/24", "ip_version": 4}
    subnet = await stage.central("subnets", network_id=stage.network["id"], **more)
    there = await stage.own("subnets", network_id=stage.theirs["id"], **more)
    stage.write(Kind.SUBNET, subnet["id"], stage.pod, pod_id or there["id"])
    said = await stage.ask()
    assert said.status == 409
    assert f"Subnet {subnet['id']} has another copy" in said.message
    # The first of the two was bound by this call.
    assert (await stage.rows(), stage.held()) == ((None, None), set())
    assert await stage.row(Kind.SUBNET, subnet["id"]) is not None


async def test_what_died_between_subnets_and_network_is_completed(stage: Stage) -> None:
    await stage.adopted()
    stage.sql("DELETE FROM tricircle_routings WHERE kind = 'network'")
    stage.write(Kind.NETWORK, stage.network["id"], stage.pod, None)
    before = (await stage.rows())[1]
    await stage.adopted()
    network, subnet = await stage.rows()
    assert network is not None
    assert (network.pod_resource_id, network.is_adopted) == (stage.theirs["id"], True)
    assert before is not None
    assert subnet is not None
    assert (subnet.id, subnet.details) == (before.id, before.details)
    assert stage.held() == {THERE}


async def _port_of(stage: Stage) -> tuple[Json, Deadline]:
    port = await stage.central("ports", network_id=stage.network["id"])
    return stage.cloud.centre.neutron.resources["ports"][port["id"]], Deadline.after(10)


async def test_an_adopted_subnet_is_not_used_on_a_copy_of_the_network(stage: Stage) -> None:
    """An adoption died, the operator took his segment away, and a boot made a copy of the network."""
    await stage.adopted()
    stage.sql("DELETE FROM tricircle_routings WHERE kind = 'network'")
    stage.inside["networks"][stage.theirs["id"]]["provider:segmentation_id"] = 7
    port, deadline = await _port_of(stage)
    ports = stage.rooms.copies.ports
    with pytest.raises(ConflictError, match="Use another subnet"):
        await ports.ensure(stage.pod, port, deadline=deadline)
    assert stage.there["id"] in stage.inside["subnets"]
    # What is left of the adoption goes by its job; then the subnet has a copy of ours, too.
    await stage.cloud.work_off()
    assert (await stage.rows())[1] is None
    copy = await ports.ensure(stage.pod, port, deadline=deadline)
    network, subnet = await stage.rows()
    assert network is not None
    assert subnet is not None
    assert not subnet.is_adopted
    shown = stage.inside["ports"][str(copy.pod_resource_id)]
    assert shown["network_id"] == network.pod_resource_id != stage.theirs["id"]
    assert stage.inside["subnets"][str(subnet.pod_resource_id)]["network_id"] == network.pod_resource_id


async def test_an_adopted_subnet_that_the_operator_deleted_is_forgotten(stage: Stage) -> None:
    await stage.adopted()
    assert (await stage.operator.ask("DELETE", f"/network/v2.0/networks/{stage.theirs['id']}")).status == 204
    stage.sql("DELETE FROM tricircle_routings WHERE kind = 'network'")
    port, deadline = await _port_of(stage)
    await stage.rooms.copies.ports.ensure(stage.pod, port, deadline=deadline)
    subnet = (await stage.rows())[1]
    assert subnet is not None
    assert (subnet.is_adopted, subnet.pod_resource_id == stage.there["id"]) == (False, False)


async def test_ports_that_come_while_an_adoption_ends_keep_it(stage: Stage) -> None:
    adoption_id = await stage.adopted()
    port, _ = await _port_of(stage)
    before = (await stage.rows())[1]
    stage.meanwhile(
        stage.cloud.centre, "GET", "/v2.0/subnets", lambda: stage.write(Kind.PORT, port["id"], stage.pod, None)
    )
    said = await stage.end(adoption_id)
    assert (said.status, "1 ports" in said.message) == (409, True)
    network, subnet = await stage.rows()
    assert before is not None
    assert network is not None
    assert subnet is not None
    assert (subnet.pod_resource_id, subnet.details) == (before.pod_resource_id, before.details)
    assert stage.held() == {THERE}


async def test_the_end_that_a_process_died_in_is_completed(stage: Stage) -> None:
    adoption_id = await stage.adopted()
    stage.sql("DELETE FROM tricircle_routings WHERE kind = 'subnet'")
    assert (await stage.end(adoption_id)).status == 200
    assert (await stage.rows(), stage.held()) == ((None, None), set())


async def test_the_end_waits_for_whoever_works_on_it(stage: Stage) -> None:
    adoption_id = await stage.adopted()
    network, _ = await stage.rows()
    assert network is not None
    async with stage.rooms.reach.holding(network, Deadline.after(10)):
        said = await stage.end(adoption_id)
        assert (said.status, "retry-after" in said.headers) == (503, True)
        said = await stage.ask()
        assert (said.status, "retry-after" in said.headers) == (503, True)
    assert (await stage.end(adoption_id)).status == 200


async def test_of_a_subnet_with_router_advertisements_nothing_is_held(stage: Stage) -> None:
    subnet = await stage.central("subnets", network_id=stage.network["id"], **SLAAC)
    there = await stage.own("subnets", network_id=stage.theirs["id"], **SLAAC)
    address = {"subnet_id": there["id"], "ip_address": "fd00:9::f816:3eff:fe00:1"}
    await stage.own("ports", network_id=stage.theirs["id"], fixed_ips=[address])
    said = await stage.ask("/observe")
    assert said.json()["adoption"]["to_reserve"] == 1, "the gateway of the other subnet"
    adoption_id = await stage.adopted()
    assert stage.held() == {THERE}
    row = await stage.row(Kind.SUBNET, subnet["id"])
    assert row is not None
    assert (row.pod_resource_id, row.is_adopted, row.details["is_automatic"]) == (there["id"], True, True)
    assert (await stage.end(adoption_id)).status == 200
    assert await stage.row(Kind.SUBNET, subnet["id"]) is None


async def test_a_subnet_with_router_advertisements_is_in_one_pod(stage: Stage) -> None:
    subnet = await stage.central("subnets", network_id=stage.network["id"], **SLAAC)
    await stage.own("subnets", network_id=stage.theirs["id"], **SLAAC)
    stage.write(Kind.SUBNET, subnet["id"], stage.other, "copy")
    said = await stage.ask()
    assert said.status == 409
    assert f"subnet {SLAAC['cidr']}: pods (centre: az2, pod: az1)" in said.message


async def _leaving(stage: Stage) -> tuple[str, Json]:
    """An adoption in which a project was given the network for a port, which has yet to leave the pod."""
    adoption_id = await stage.adopted()
    demo = ProjectId(stage.cloud.project_id("demo"))
    await stage.rooms.copies.networks.ensure(stage.pod, stage.network["id"], demo, deadline=Deadline.after(10))
    more = {"project_id": demo, "description": mark("gone"), "fixed_ips": [{"ip_address": "10.9.0.9"}]}
    port = await stage.own("ports", network_id=stage.theirs["id"], **more)
    in_use = Ailment(
        symptom=Symptom.FAILING,
        status=409,
        only=lambda asked: asked.method == "DELETE" and asked.path.startswith("/v2.0/rbac-policies/"),
    )
    stage.cloud.pods["Pod1"].fall_ill(in_use, ("network",))
    return adoption_id, port


async def test_a_share_that_a_leaving_port_needs_is_taken_back_later(stage: Stage) -> None:
    adoption_id, port = await _leaving(stage)
    said = await stage.end(adoption_id)
    assert (said.status, "have yet to leave" in said.message) == (409, True)
    assert (await stage.rows())[0] is not None
    stage.cloud.pods["Pod1"].fall_ill(None, ("network",))
    del stage.inside["ports"][port["id"]]
    assert (await stage.end(adoption_id)).status == 200
    assert (await stage.rows(), stage.inside["rbac_policies"]) == ((None, None), {})


async def test_a_port_that_is_known_to_be_leaving_keeps_all_of_it(stage: Stage) -> None:
    adoption_id, port = await _leaving(stage)
    stage.write(Kind.PORT, "gone", stage.pod, port["id"])
    said = await stage.end(adoption_id)
    assert (said.status, "1 ports" in said.message) == (409, True)
    assert None not in await stage.rows()
    assert stage.held() == {THERE}


async def test_a_project_with_ports_of_its_own_keeps_its_share(stage: Stage) -> None:
    adoption_id, port = await _leaving(stage)
    stage.inside["ports"][port["id"]]["description"] = ""
    assert (await stage.end(adoption_id)).status == 200
    assert (await stage.rows())[0] is None
    assert len(stage.inside["rbac_policies"]) == 1


async def test_a_share_that_nobody_wrote_down_is_taken_back_too(stage: Stage) -> None:
    """Two projects at one instant: one of the two names may be lost. An operator's own share stays."""
    adoption_id = await stage.adopted()
    share = {"object_type": "network", "object_id": stage.theirs["id"], "action": "access_as_shared"}
    policy = {"rbac_policy": {**share, "target_tenant": "theirs"}}
    theirs = await stage.operator.ask("POST", "/network/v2.0/rbac-policies", policy)
    assert theirs.status == 201
    demo = ProjectId(stage.cloud.project_id("demo"))
    await stage.rooms.copies.networks.ensure(stage.pod, stage.network["id"], demo, deadline=Deadline.after(10))
    network, _ = await stage.rows()
    assert network is not None
    assert await stage.rooms.reach.routings.update(network.id, details={"projects": []})
    assert (await stage.end(adoption_id)).status == 200
    assert list(stage.inside["rbac_policies"]) == [theirs.json()["rbac_policy"]["id"]]


async def test_the_job_of_a_deleted_network_comes_again_for_its_shares(stage: Stage) -> None:
    _, port = await _leaving(stage)
    del stage.cloud.centre.neutron.resources["networks"][stage.network["id"]]
    run = job_run(JobType.NETWORK, stage.network["id"], stage.pod.id, "p", payload={"deleted": True})
    with pytest.raises(RetryLaterError):
        await stage.rooms.copies.networks.agree(run)
    network, _ = await stage.rows()
    assert network is not None
    assert network.details[ADOPTED] is True
    stage.cloud.pods["Pod1"].fall_ill(None, ("network",))
    del stage.inside["ports"][port["id"]]
    await stage.rooms.copies.networks.agree(run)
    assert ((await stage.rows())[0], stage.inside["rbac_policies"]) == (None, {})


@pytest.fixture
async def deaths(stage: Stage) -> AsyncIterator[Deaths]:
    made = Deaths(cloud=stage.cloud, rooms=stage.rooms)
    yield made
    await made.bury()


_PATIENT = pytest.mark.parametrize("plan", [PATIENT], ids=["patient"])


@_PATIENT
@pytest.mark.parametrize("is_carried_out", [False, True])
async def test_an_adoption_that_dies_at_any_call_is_completed_and_ended(
    stage: Stage, deaths: Deaths, is_carried_out: bool
) -> None:
    before = dict(stage.inside["networks"][stage.theirs["id"]])
    number = 1
    while await deaths.dies(stage.ask(), number, is_carried_out=is_carried_out):
        network, subnet = await stage.rows()
        is_bound = network is not None and network.is_bound
        assert not is_bound or (subnet is not None and subnet.is_bound and stage.held() == {THERE}), number
        adoption_id = await stage.adopted()
        network, subnet = await stage.rows()
        assert network is not None
        assert subnet is not None
        assert (network.pod_resource_id, network.is_adopted) == (stage.theirs["id"], True), number
        assert (subnet.pod_resource_id, subnet.is_adopted) == (stage.there["id"], True), number
        assert stage.held() == {THERE}, number
        assert (await stage.end(adoption_id)).status == 200
        assert (stage.held(), await stage.rows()) == (set(), (None, None)), number
        number += 1
    assert number > 10
    assert stage.inside["networks"][stage.theirs["id"]] == before


@_PATIENT
async def test_a_sweep_leaves_what_a_dead_adoption_keeps_for_the_one_who_asks_again(
    stage: Stage, deaths: Deaths
) -> None:
    """Which then takes the port that is there: to give it back first would be to ask for the addresses once more."""
    sweeps = Sweeps(stage.rooms.reach, Inventory(stage.rooms.clients, stage.rooms.registry), in_flight_s=0)
    ports, kept = stage.cloud.centre.neutron.resources["ports"], 0
    for number in itertools.count(1):
        if not await deaths.dies(stage.ask(), number, is_carried_out=True):
            break
        before = set(ports)
        kept += len(before)
        await sweeps.agree(_sweep(stage.pod))
        stage.sql("DELETE FROM tricircle_jobs WHERE type = 'sweep'")  # the next one, in two minutes
        await stage.cloud.work_off()
        assert set(ports) == before, number
        adoption_id = await stage.adopted()
        assert set(ports) >= before, number
        assert stage.held() == {THERE}, number
        assert (await stage.end(adoption_id)).status == 200
    assert kept > 2, "deaths after the addresses were kept"


@_PATIENT
@pytest.mark.parametrize("is_carried_out", [False, True])
async def test_an_end_that_dies_at_any_call_is_completed(stage: Stage, deaths: Deaths, is_carried_out: bool) -> None:
    demo = ProjectId(stage.cloud.project_id("demo"))
    for number in itertools.count(1):
        adoption_id = await stage.adopted()
        # Shared with a project whose port has left again.
        await stage.rooms.copies.networks.ensure(stage.pod, stage.network["id"], demo, deadline=Deadline.after(30))
        if not await deaths.dies(stage.end(adoption_id), number, is_carried_out=is_carried_out):
            break
        said = await stage.end(adoption_id)
        assert said.status == 200, (number, said.body)
        assert (stage.held(), await stage.rows(), stage.inside["rbac_policies"]) == (set(), (None, None), {}), number
    assert number > 5
    assert (stage.held(), await stage.rows(), stage.inside["rbac_policies"]) == (set(), (None, None), {})
    assert stage.there["id"] in stage.inside["subnets"]


async def test_an_adoption_is_known_again_when_the_books_were_lost(stage: Stage) -> None:
    """By what the port says that keeps the pod's addresses; no sweep gives them back meanwhile."""
    theirs = {"object_type": "network", "object_id": stage.theirs["id"], "action": "access_as_shared"}
    pod = stage.cloud.pods[stage.pod.name].neutron
    pod._store("rbac_policies", {**theirs, "target_tenant": "theirs", "project_id": "operators"})
    await stage.adopted()
    before, held = [_told(row) for row in await stage.rows()], stage.held()
    stage.sql("DELETE FROM tricircle_routings")
    sweeps = Sweeps(stage.rooms.reach, Inventory(stage.rooms.clients, stage.rooms.registry), in_flight_s=0)
    await sweeps.agree(_sweep(stage.pod))
    assert stage.held() == held != set()
    for _ in range(2):
        await recover(stage.cloud.settings, Report(), is_rehearsal=False)
        assert [_told(row) for row in await stage.rows()] == before
    assert before[0][2]["lent"] == ["theirs"]
    said = await stage.ask()
    assert said.status == 201, said.body
    assert (await stage.end(str(said.json()["adoption"]["id"]))).status == 200
    assert stage.held() == set()


async def test_a_network_that_is_gone_is_no_adoption(stage: Stage) -> None:
    await stage.adopted()
    stage.sql("DELETE FROM tricircle_routings")
    for collection, one in (("subnets", stage.there), ("networks", stage.theirs)):
        del stage.inside[collection][one["id"]]
    report = Report()
    await recover(stage.cloud.settings, report, is_rehearsal=False)
    assert await stage.rows() == (None, None)
    assert any(f"{stage.theirs['id']} had been adopted" in note for note in report.notes)


def _sweep(pod: Pod) -> JobRun:
    return job_run(JobType.SWEEP, pod.id, pod.id, "p", seconds=30)


def _told(row: Routing | None) -> tuple[object, object, Any, object]:
    """What a routing says."""
    assert row is not None
    return row.pod_resource_id, row.project_id, dict(row.details), row.revision
