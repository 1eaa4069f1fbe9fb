# SPDX-License-Identifier: Apache-2.0
"""Are a project's limits lifted where it is bound, once, and said when they are not?"""

import asyncio
import logging

import pytest

from tests.unit.pods.conftest import Bench, soon
from tests.unit.servers import Clock
from tricircle.context import ProjectId
from tricircle.errors import ConflictError, UnavailableError, UnprocessableError
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.pods.registration import Draft

P1 = ProjectId("p1")


@pytest.fixture
async def pod(bench: Bench) -> Pod:
    made = await bench.registration.register(Draft(name="Pod1", az_name="az1"), soon())
    bench.pod1.calls.clear()
    return made


def limits(bench: Bench) -> set[int]:
    return {value for quota in bench.pod1.quotas.values() for value in quota.values()}


async def test_first_use_binds_and_lifts_in_three_services(bench: Bench, pod: Pod) -> None:
    binding = await bench.bindings.ensure(P1, pod, soon())
    assert binding.are_limits_lifted
    assert {service for service, _project in bench.pod1.quotas} == {"compute", "block-storage", "network"}
    assert limits(bench) == {-1}
    assert await bench.bindings.pods_of(P1) == (pod.id,)
    assert bench.pod1.tokens == {"", "service-token"}


async def test_who_is_in_no_project_is_bound_nowhere(bench: Bench, pod: Pod) -> None:
    assert await bench.bindings.ensure(ProjectId(""), pod, soon()) is None
    assert await bench.bindings.find() == ()
    assert bench.pod1.calls == []


async def test_further_uses_ask_nobody_but_see_a_removed_binding_in_time(bench: Bench, pod: Pod) -> None:
    clock = Clock()
    bindings = Bindings(bench.engine, bench.clients, bench.registry, clock=clock)
    first = await bindings.ensure(P1, pod, soon())
    asked = len(bench.pod1.calls)
    assert await bindings.ensure(P1, pod, soon()) == first
    assert len(bench.pod1.calls) == asked
    await bench.bindings.remove(first.id)
    clock.now += 61
    again = await bindings.ensure(P1, pod, soon())
    assert again.id != first.id
    writes = [call for call in bench.pod1.calls[asked:] if call.startswith("PUT")]
    assert writes == []


async def test_another_process_finds_the_binding_done(bench: Bench, pod: Pod) -> None:
    first = await bench.bindings.ensure(P1, pod, soon())
    asked = len(bench.pod1.calls)
    other = Bindings(bench.engine, bench.clients, bench.registry)
    assert (await other.ensure(P1, pod, soon())).id == first.id
    assert len(bench.pod1.calls) == asked


async def test_requests_at_the_same_time_make_one_binding(bench: Bench, pod: Pod) -> None:
    processes = [Bindings(bench.engine, bench.clients, bench.registry) for _ in range(4)]
    made = await asyncio.gather(*(bindings.ensure(P1, pod, soon()) for bindings in processes))
    assert len({binding.id for binding in made}) == 1
    assert len(await bench.bindings.find()) == 1


@pytest.mark.parametrize("service", ["compute", "block-storage", "network"])
async def test_a_pod_that_fails_is_tried_again_by_the_next_use(bench: Bench, pod: Pod, service: str) -> None:
    bench.pod1.broken[service] = 500
    with pytest.raises(UnavailableError) as caught:
        await bench.bindings.ensure(P1, pod, soon())
    assert "Pod1" not in caught.value.message
    assert await bench.bindings.find(project_id=P1) == ()
    bench.pod1.broken.clear()
    assert (await bench.bindings.ensure(P1, pod, soon())).are_limits_lifted
    assert limits(bench) == {-1}


async def test_a_project_that_does_not_exist(bench: Bench, pod: Pod) -> None:
    with pytest.raises(UnprocessableError) as caught:
        await bench.bindings.create(ProjectId("nobody"), pod, soon())
    assert caught.value.message == "Project nobody does not exist."
    assert await bench.bindings.find() == ()


async def test_a_binding_made_beforehand(bench: Bench, pod: Pod) -> None:
    made = await bench.bindings.create(P1, pod, soon())
    assert made.created_at is not None
    assert await bench.bindings.get(made.id) == made
    with pytest.raises(ConflictError):
        await bench.bindings.create(P1, pod, soon())
    assert await bench.bindings.remove(made.id)
    assert not await bench.bindings.remove(made.id)


async def test_a_pod_that_does_not_lift_makes_no_binding_beforehand(bench: Bench, pod: Pod) -> None:
    bench.pod1.broken["compute"] = 500
    with pytest.raises(UnavailableError):
        await bench.bindings.create(P1, pod, soon())
    assert await bench.bindings.find() == ()


async def test_unified_limits_are_told_to_the_operator(
    bench: Bench, pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    bench.pod1.has_unified_limits = True
    with caplog.at_level(logging.WARNING):
        await bench.bindings.ensure(P1, pod, soon())
    assert "Pod1/compute keeps limits of project p1" in caplog.text
    assert "compute instances" in await bench.bindings.bounded(P1, pod, soon())
