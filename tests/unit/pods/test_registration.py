# SPDX-License-Identifier: Apache-2.0
"""Do pods come and go whole?"""

import pytest

from tests.unit.pods.conftest import Bench, soon
from tricircle.context import PodId, ProjectId
from tricircle.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ReferencedRowError,
    TricircleError,
    UnavailableError,
    UnprocessableError,
)
from tricircle.jobs.queue import Queue
from tricircle.ledger.routings import Routings
from tricircle.model.binding import Binding
from tricircle.model.job import EVERY_POD, JobType
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.aggregates import Identity
from tricircle.pods.registration import Change, Draft
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import transaction
from tricircle.store.pods import PodRows
from tricircle.store.routings import RoutingRows


async def register(bench: Bench, name: str, az_name: str = "") -> Pod:
    return await bench.registration.register(Draft(name=name, az_name=az_name), soon())


async def refusal(bench: Bench, name: str, az_name: str = "") -> TricircleError:
    before = await names(bench)
    with pytest.raises(TricircleError) as caught:
        await register(bench, name, az_name)
    assert await names(bench) == before
    return caught.value


async def names(bench: Bench) -> list[str]:
    async with transaction(bench.engine) as connection:
        return [pod.name for pod in await PodRows.list(connection)]


def aggregates(bench: Bench) -> dict[str, str]:
    return {item["name"]: item["availability_zone"] for item in bench.centre.aggregates.values()}


async def hold(bench: Bench, pod: Pod, kind: Kind, central_id: str) -> None:
    routing = Routing(
        id=0,
        central_id=central_id,
        kind=kind,
        pod_id=pod.id,
        project_id=ProjectId("p1"),
        pod_resource_id=central_id,
    )
    async with transaction(bench.engine) as connection:
        await RoutingRows.record(connection, routing)


async def test_the_central_region_has_no_aggregate(bench: Bench) -> None:
    pod = await register(bench, "RegionOne")
    assert pod.is_central
    assert pod.created_at is not None
    assert aggregates(bench) == {}


async def test_a_pod_has_endpoints_versions_and_an_aggregate(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    assert pod.state is PodState.ENABLED
    assert pod.endpoints[Service.COMPUTE].max_version == "2.96"
    assert aggregates(bench) == {"ag_Pod1": "az1"}
    assert pod.facts["aggregate_id"] == next(iter(bench.centre.aggregates))
    assert await bench.registry.by_name("Pod1") == pod


async def test_names_that_cannot_be(bench: Bench) -> None:
    assert isinstance(await refusal(bench, "Pod1"), InvalidRequestError)
    await register(bench, "RegionOne")
    error = await refusal(bench, "Pod1")
    assert isinstance(error, ConflictError)
    assert "Give az_name" in error.message
    assert isinstance(await refusal(bench, "RegionOne", "az1"), ConflictError)
    await register(bench, "Pod1", "az1")
    assert isinstance(await refusal(bench, "Pod1", "az2"), ConflictError)
    assert aggregates(bench) == {"ag_Pod1": "az1"}


async def test_a_pod_cannot_be_called_like_the_central_region_even_before_it_is_there(bench: Bench) -> None:
    assert isinstance(await refusal(bench, "RegionOne", "az1"), ConflictError)


async def test_what_does_not_answer_is_not_registered(bench: Bench) -> None:
    bench.pod1.broken["network"] = 500
    error = await refusal(bench, "Pod1", "az1")
    assert isinstance(error, UnprocessableError)
    assert f"network at {bench.pod1.url('network')} answers" in error.message
    assert aggregates(bench) == {}


async def test_keystone_away_writes_nothing(bench: Bench) -> None:
    bench.catalog.is_away = True
    assert isinstance(await refusal(bench, "Pod1", "az1"), UnavailableError)


async def test_a_central_nova_that_fails_leaves_nothing(bench: Bench) -> None:
    bench.centre.refused["POST compute /v2.1/os-aggregates"] = 500
    await refusal(bench, "Pod1", "az1")
    assert aggregates(bench) == {}
    bench.centre.refused.clear()
    await register(bench, "Pod1", "az1")


async def test_a_zone_that_nova_refuses_is_said_in_its_words(bench: Bench) -> None:
    error = await refusal(bench, "Pod1", "internal")
    assert isinstance(error, UnprocessableError)
    assert "reserved zone" in error.message


async def test_an_aggregate_of_an_earlier_attempt_is_adopted(bench: Bench) -> None:
    bench.centre.aggregates[77] = {"id": 77, "name": "ag_Pod1", "availability_zone": "old"}
    pod = await register(bench, "Pod1", "az1")
    assert pod.facts["aggregate_id"] == 77
    assert aggregates(bench) == {"ag_Pod1": "az1"}


async def test_states_and_fields_change_one_by_one(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    drained = await bench.registration.change(pod.id, Change(state=PodState.DRAINING), soon())
    assert (drained.state, drained.az_name) == (PodState.DRAINING, "az1")
    moved = await bench.registration.change(pod.id, Change(dc_name="north", pod_az_name="nova"), soon())
    assert (moved.state, moved.dc_name, moved.pod_az_name) == (PodState.DRAINING, "north", "nova")
    assert moved.updated_at is not None
    assert moved.endpoints == pod.endpoints


async def test_moving_to_another_az_moves_the_aggregate(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    await bench.registration.change(pod.id, Change(az_name="az9"), soon())
    assert aggregates(bench) == {"ag_Pod1": "az9"}
    assert await bench.registry.az_names() == ("az9",)


async def test_enabling_surveys_anew_and_repairs_the_aggregate(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    bench.centre.aggregates.clear()
    del bench.catalog.places["id-image", "public", "Pod1"]
    changed = await bench.registration.change(pod.id, Change(state=PodState.ENABLED), soon())
    assert Service.IMAGE not in changed.endpoints
    assert aggregates(bench) == {"ag_Pod1": "az1"}
    bench.pod1.broken["compute"] = 500
    with pytest.raises(UnprocessableError):
        await bench.registration.change(pod.id, Change(state=PodState.ENABLED), soon())


async def test_a_dead_pod_can_be_disabled(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    bench.pod1.broken = dict.fromkeys(("compute", "network", "block-storage"), 500)
    changed = await bench.registration.change(pod.id, Change(state=PodState.DISABLED), soon())
    assert changed.state is PodState.DISABLED
    assert await bench.registry.enabled() == ()


async def test_changes_that_cannot_be(bench: Bench) -> None:
    central, pod = await register(bench, "RegionOne"), await register(bench, "Pod1", "az1")
    with pytest.raises(InvalidRequestError):
        await bench.registration.change(central.id, Change(state=PodState.DISABLED), soon())
    with pytest.raises(UnprocessableError):
        await bench.registration.change(pod.id, Change(az_name=""), soon())
    with pytest.raises(NotFoundError):
        await bench.registration.change(PodId("nobody"), Change(dc_name="x"), soon())
    assert (await bench.registration.change(central.id, Change(dc_name="x"), soon())).dc_name == "x"


async def test_an_empty_pod_goes_with_its_aggregate_and_bindings(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    async with transaction(bench.engine) as connection:
        await BindingRows.insert(connection, Binding(id="b1", project_id=ProjectId("p1"), pod_id=pod.id))
    await hold(bench, pod, Kind.FLAVOR, "f1")
    await hold(bench, pod, Kind.SECURITY_GROUP, "g1")
    await bench.registration.remove(pod.id, soon())
    assert await names(bench) == []
    assert aggregates(bench) == {}
    assert await bench.bindings.find() == ()
    assert await bench.registry.by_name("Pod1") is None
    with pytest.raises(NotFoundError):
        await bench.registration.remove(pod.id, soon())
    await register(bench, "Pod1", "az1")


async def test_a_pod_that_holds_something_stays_and_says_what(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    for kind, count in ((Kind.SERVER, 2), (Kind.VOLUME, 1), (Kind.NETWORK, 1), (Kind.FLAVOR, 3)):
        for number in range(count):
            await hold(bench, pod, kind, f"{kind}-{number}")
    with pytest.raises(ConflictError) as caught:
        await bench.registration.remove(pod.id, soon())
    assert caught.value.message == (
        "Pod 'Pod1' still holds 2 servers, 1 volume, 1 network. Drain the pod and remove these first."
    )
    assert aggregates(bench) == {"ag_Pod1": "az1"}
    assert await names(bench) == ["Pod1"]


async def test_a_pod_that_is_lost_goes_with_all_that_it_held(bench: Bench) -> None:
    pod, other = await register(bench, "Pod1", "az1"), await register(bench, "Pod2", "az2")
    for kind in (Kind.SERVER, Kind.NETWORK, Kind.SUBNET, Kind.PORT, Kind.FLAVOR):
        await hold(bench, pod, kind, f"{kind}-1")
    await hold(bench, other, Kind.SUBNET, "subnet-1")
    with pytest.raises(ConflictError, match=r"Pod 'Pod1' is enabled\. Disable it before"):
        await bench.registration.remove(pod.id, soon(), is_lost=True)
    await bench.registration.change(pod.id, Change(state=PodState.DISABLED), soon())
    await bench.registration.remove(pod.id, soon(), is_lost=True)
    assert await names(bench) == ["Pod2"]
    assert aggregates(bench) == {"ag_Pod2": "az2"}
    routings = Routings(bench.engine)
    assert await routings.of_pod(pod.id) == {}
    assert [copy.pod_id for copy in await routings.copies_of(Kind.SUBNET, "subnet-1")] == [other.id]
    jobs = [(job.type, job.resource_id, job.pod_id) for job in await Queue(bench.engine).waiting()]
    assert jobs == [(JobType.SUBNET, "subnet-1", EVERY_POD)], "the other pod may have inherited the gateway"


async def test_the_central_region_goes_last(bench: Bench) -> None:
    central, pod = await register(bench, "RegionOne"), await register(bench, "Pod1", "az1")
    with pytest.raises(ConflictError):
        await bench.registration.remove(central.id, soon())
    await bench.registration.remove(pod.id, soon())
    await bench.registration.remove(central.id, soon())
    assert await names(bench) == []


async def test_a_central_nova_that_fails_keeps_the_pod(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    bench.centre.broken["compute"] = 503
    with pytest.raises(TricircleError):
        await bench.registration.remove(pod.id, soon())
    assert await names(bench) == ["Pod1"]
    bench.centre.broken.clear()
    await bench.registration.remove(pod.id, soon())


def said(bench: Bench) -> Identity | None:
    (item,) = bench.centre.aggregates.values()
    return Identity.read(item["metadata"])


async def test_the_aggregate_says_what_the_pod_is(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    assert said(bench) == Identity(id=pod.id)
    names = {"wan": "physnet7", "far": "fibre"}
    change = Change(state=PodState.DRAINING, dc_name="north", pod_az_name="nova", physical_networks=names)
    changed = await bench.registration.change(pod.id, change, soon())
    assert said(bench) == Identity.of(changed)
    assert changed.state is PodState.DRAINING


async def test_a_pod_is_drained_while_the_central_nova_is_away_and_told_later(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    bench.centre.broken["compute"] = 503
    assert (await bench.registration.change(pod.id, Change(state=PodState.DRAINING), soon())).dc_name == ""
    bench.centre.broken.clear()
    assert said(bench) == Identity(id=pod.id)
    changed = await bench.registration.change(pod.id, Change(dc_name="north"), soon())
    assert said(bench) == Identity.of(changed)


async def test_a_pod_that_was_known_before_keeps_its_id(bench: Bench) -> None:
    metadata = Identity(id=PodId("known-before"), state=PodState.DRAINING).metadata()
    bench.centre.aggregates[77] = {"id": 77, "name": "ag_Pod1", "availability_zone": "az1", "metadata": metadata}
    pod = await register(bench, "Pod1", "az1")
    assert pod.id == "known-before"
    assert said(bench) == Identity(id=pod.id, state=PodState.ENABLED)


async def test_the_database_itself_keeps_a_pod_that_is_in_use(bench: Bench) -> None:
    pod = await register(bench, "Pod1", "az1")
    await hold(bench, pod, Kind.SERVER, "s1")
    with pytest.raises(ReferencedRowError):
        async with transaction(bench.engine) as connection:
            await PodRows.delete(connection, pod.id)
