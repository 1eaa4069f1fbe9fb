# SPDX-License-Identifier: Apache-2.0
"""Are facts collected where they are needed, and only there?"""

from dataclasses import replace

import pytest

from tests.unit.pods.conftest import Bench, soon
from tests.unit.servers import Clock
from tricircle.context import ProjectId
from tricircle.errors import NoValidPodError, UnavailableError
from tricircle.model.pod import Pod, Service
from tricircle.pods.capacity import Capacity, Demand
from tricircle.pods.placement import Wish
from tricircle.pods.registration import Draft
from tricircle.pods.selection import Selection
from tricircle.store.engine import transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.reply import Call

P1 = ProjectId("p1")
SMALL = Demand(vcpus=1, memory_mib=64)


@pytest.fixture
async def pods(bench: Bench) -> tuple[Pod, Pod]:
    """Two pods of one AZ."""
    one = await bench.registration.register(Draft(name="Pod1", az_name="az1"), soon())
    two = await bench.registration.register(Draft(name="Pod2", az_name="az1"), soon())
    bench.pod1.calls.clear()
    bench.pod2.calls.clear()
    return one, two


@pytest.fixture
def selection(bench: Bench) -> Selection:
    return Selection(bench.registry, bench.bindings, bench.health, bench.capacity)


async def choice(selection: Selection, wish: Wish, demand: Demand | None = SMALL) -> str:
    return (await selection.choose(wish, project_id=P1, demand=demand, deadline=soon())).name


async def test_one_able_pod_is_chosen_without_asking_anybody(
    bench: Bench, selection: Selection, pods: tuple[Pod, Pod]
) -> None:
    assert await choice(selection, Wish(az_name="az1", pod_ids=frozenset({pods[1].id}))) == "Pod2"
    assert bench.pod1.calls == bench.pod2.calls == []


async def test_a_full_pod_is_passed_over(bench: Bench, selection: Selection, pods: tuple[Pod, Pod]) -> None:
    bench.pod1.room = []
    assert await choice(selection, Wish(az_name="az1")) == "Pod2"
    bench.pod1.room, bench.pod2.room = [{}], []
    assert await choice(selection, Wish(az_name="az1")) == "Pod1"


async def test_the_bound_pod_is_preferred(bench: Bench, selection: Selection, pods: tuple[Pod, Pod]) -> None:
    for pod in pods:
        binding = await bench.bindings.ensure(P1, pod, soon())
        assert await choice(selection, Wish()) == pod.name
        await bench.bindings.remove(binding.id)


async def test_a_server_and_a_volume_meet_in_one_pod(bench: Bench, selection: Selection, pods: tuple[Pod, Pod]) -> None:
    """However much room their services have elsewhere; and the first use of a pod decides, before anything is made."""
    first, second = await choice(selection, Wish()), await choice(selection, Wish(service=Service.BLOCK_STORAGE), None)
    assert first == second
    (home,) = await bench.bindings.pods_of(P1)
    assert home == next(pod.id for pod in pods if pod.name == first)
    other = next(pod for pod in pods if pod.id != home)
    await bench.bindings.ensure(P1, other, soon())
    for wish in (Wish(), Wish(service=Service.BLOCK_STORAGE), Wish(az_name="az1")):
        assert await choice(selection, wish) == first


async def test_of_two_first_uses_at_once_the_earlier_one_decides(bench: Bench, pods: tuple[Pod, Pod]) -> None:
    among = [pod.id for pod in pods]
    for pod in reversed(pods):
        assert await bench.bindings.claim(P1, pod, among) == (pods[1].id,)
    assert set(await bench.bindings.claim(P1, pods[0], [pods[0].id])) == set(among)
    found = await bench.bindings.find(project_id=P1)
    assert [binding.are_limits_lifted for binding in found] == [False, False]
    assert (await bench.bindings.ensure(P1, pods[1], soon())).are_limits_lifted


async def test_a_pod_that_does_not_answer_is_not_chosen(
    bench: Bench, selection: Selection, pods: tuple[Pod, Pod]
) -> None:
    bench.pod1.room = []  # so that Pod2 would be chosen
    assert await choice(selection, Wish()) == "Pod2"
    away = replace(pods[1].endpoints[Service.COMPUTE], url="http://127.0.0.1:1")
    gone = replace(pods[1], endpoints={**pods[1].endpoints, Service.COMPUTE: away})
    async with transaction(bench.engine) as connection:
        await PodRows.update(connection, gone)
    bench.registry.forget()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await bench.pools.send(bench.registry.target(gone, Service.COMPUTE), Call(method="GET", path="/"), soon())
    assert not bench.health.answers(gone, Service.COMPUTE)
    assert await choice(selection, Wish()) == "Pod1"


async def test_pods_that_say_nothing_of_room_may_be_chosen(
    bench: Bench, selection: Selection, pods: tuple[Pod, Pod]
) -> None:
    bench.pod1.broken["placement"] = 500
    bench.pod2.broken["placement"] = "garbage"
    assert await choice(selection, Wish()) in {"Pod1", "Pod2"}


async def test_no_pod_says_why(selection: Selection, pods: tuple[Pod, Pod]) -> None:
    with pytest.raises(NoValidPodError) as caught:
        await choice(selection, Wish(az_name="az9"))
    assert caught.value.refused_by == "az"


async def test_explain_asks_everything_of_everybody(bench: Bench, selection: Selection, pods: tuple[Pod, Pod]) -> None:
    bench.pod1.room = []
    verdicts = await selection.explain(Wish(), project_id=P1, demand=SMALL, deadline=soon())
    assert [(verdict.candidate.pod.name, verdict.refused_by) for verdict in verdicts] == [
        ("Pod2", None),
        ("Pod1", "room"),
    ]
    assert verdicts[0].candidate.free_share == 0.25


async def test_shares_are_remembered_for_a_while(bench: Bench, pods: tuple[Pod, Pod]) -> None:
    clock = Clock()
    capacity = Capacity(bench.clients, bench.registry, clock=clock)
    assert await capacity.free_shares(pods, Service.BLOCK_STORAGE, soon()) == {pods[0].id: 0.5, pods[1].id: 0.5}
    asked = len(bench.pod1.calls)
    await capacity.free_shares(pods, Service.BLOCK_STORAGE, soon())
    assert len(bench.pod1.calls) == asked
    clock.now += 31
    await capacity.free_shares(pods, Service.BLOCK_STORAGE, soon())
    assert len(bench.pod1.calls) == asked + 1


def test_an_amount_of_nothing_is_left_out_of_the_question() -> None:
    query = Demand(vcpus=2, memory_mib=64, required=frozenset({"HW_GPU"}), forbidden=frozenset({"SLOW"})).query()
    assert query["resources"] == "VCPU:2,MEMORY_MB:64"
    assert query["required"] == "HW_GPU,!COMPUTE_STATUS_DISABLED,!SLOW"


async def test_probes_tell_who_answers(bench: Bench, pods: tuple[Pod, Pod]) -> None:
    bench.pod1.broken["network"] = 503
    pulses = {(p.pod.name, p.service): p for p in await bench.health.probe(pods, soon())}
    assert pulses["Pod1", Service.COMPUTE].is_alive
    assert pulses["Pod1", Service.NETWORK].failure == "answers 503"
    assert bench.health.silent(pods, Service.COMPUTE) == ()
    assert bench.health.silent(pods, Service.IDENTITY) == pods
