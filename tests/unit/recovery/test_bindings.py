# SPDX-License-Identifier: Apache-2.0
"""Is a project bound again where it was, also where it has nothing, and nowhere else?"""

import pytest

from tests.unit.pods.conftest import Bench, soon
from tricircle.context import ProjectId
from tricircle.model.pod import Pod
from tricircle.pods.registration import Draft
from tricircle.recovery.bindings import BindingRecovery
from tricircle.recovery.report import Did, Report
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import transaction

P1, P2, OWNER = ProjectId("p1"), ProjectId("p2"), ProjectId("service")


@pytest.fixture
async def pod(bench: Bench) -> Pod:
    return await bench.registration.register(Draft(name="Pod1", az_name="az1"), soon())


async def lose(bench: Bench) -> None:
    async with transaction(bench.engine) as connection:
        for binding in await BindingRows.list(connection):
            await BindingRows.delete(connection, binding.id)


async def recovered(bench: Bench, pod: Pod, *projects: ProjectId, is_rehearsal: bool = False) -> Report:
    report = Report()
    recovery = BindingRecovery(bench.engine, bench.bindings, report, is_rehearsal=is_rehearsal)
    await recovery.run(pod, projects, owner_id=OWNER)
    return report


async def bound(bench: Bench) -> dict[ProjectId, bool]:
    return {one.project_id: one.are_limits_lifted for one in await bench.bindings.find()}


async def test_a_binding_of_who_has_nothing_is_found_by_its_limits(bench: Bench, pod: Pod) -> None:
    await bench.bindings.create(P1, pod, soon())
    await lose(bench)
    await recovered(bench, pod, is_rehearsal=True)
    assert await bound(bench) == {}
    report = await recovered(bench, pod, P2)
    assert await bound(bench) == {P1: True, P2: False}
    assert report.counts["Pod1", "binding", Did.WRITTEN] == 2
    report = await recovered(bench, pod, P2)
    assert report.counts == {("Pod1", "binding", Did.KEPT): 2}


async def test_unlimited_networks_alone_are_no_binding(bench: Bench, pod: Pod) -> None:
    for service, limits in (("network", {"port": -1}), ("compute", {"instances": 3})):
        bench.pod1.quotas[service, "p1"] = limits
    bench.pod1.quotas["network", "p2"] = {"port": -1, "network": 100}
    await recovered(bench, pod)
    assert await bound(bench) == {}


async def test_the_owner_of_copies_is_not_bound(bench: Bench, pod: Pod) -> None:
    bench.pod1.projects.add(OWNER)
    await bench.bindings.create(OWNER, pod, soon())
    await lose(bench)
    await recovered(bench, pod, OWNER)
    assert await bound(bench) == {}


async def test_a_project_that_is_no_more_is_bound_only_where_it_left_something(bench: Bench, pod: Pod) -> None:
    for project_id in (P1, P2):
        await bench.bindings.create(project_id, pod, soon())
    bench.pod1.projects.clear()
    report = await recovered(bench, pod, P2)
    assert await bound(bench) == {P2: False}
    assert report.counts["Pod1", "binding", Did.REMOVED] == 1
    assert [P2 in note for note in report.notes] == [True]
    await lose(bench)
    await recovered(bench, pod)
    assert await bound(bench) == {}


async def test_a_list_that_cannot_be_read_is_said_and_removes_nothing(bench: Bench, pod: Pod) -> None:
    await bench.bindings.create(P1, pod, soon())
    bench.pod1.lists_quotas = False
    report = await recovered(bench, pod)
    assert await bound(bench) == {P1: True}
    assert [problem.text.split(":")[0] for problem in report.problems] == ["Pod Pod1"]
