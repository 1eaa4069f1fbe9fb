# SPDX-License-Identifier: Apache-2.0
"""Are pods found again by their aggregates, whatever of our tables is left?"""

import pytest

from tests.unit.pods.conftest import Bench, soon
from tricircle.context import PodId
from tricircle.errors import TricircleError
from tricircle.model.pod import Pod, PodState, Service
from tricircle.pods.registration import Change, Draft
from tricircle.recovery.pods import PodRecovery, RecoveredPod
from tricircle.recovery.report import Did, Report
from tricircle.store.engine import transaction
from tricircle.store.pods import PodRows


async def recovered(bench: Bench, *, is_rehearsal: bool = False) -> tuple[list[RecoveredPod], Report]:
    report = Report()
    recovery = PodRecovery(
        bench.engine, bench.catalog, bench.surveyor, bench.aggregates, central_region="RegionOne", report=report
    )
    return await recovery.run(soon(), is_rehearsal=is_rehearsal), report


async def written(bench: Bench) -> dict[str, Pod]:
    async with transaction(bench.engine) as connection:
        return {pod.name: pod for pod in await PodRows.list(connection)}


async def lose(bench: Bench) -> None:
    async with transaction(bench.engine) as connection:
        for pod in await PodRows.list(connection):
            await PodRows.delete(connection, pod.id)


@pytest.fixture
async def pod(bench: Bench) -> Pod:
    """A pod that is drained, beside the central region."""
    await bench.registration.register(Draft(name="RegionOne"), soon())
    made = await bench.registration.register(Draft(name="Pod1", az_name="az1", pod_az_name="nova"), soon())
    return await bench.registration.change(made.id, Change(state=PodState.DRAINING, dc_name="north"), soon())


def known(pod: Pod) -> tuple[object, ...]:
    return (pod.id, pod.az_name, pod.pod_az_name, pod.dc_name, pod.state, pod.endpoints, pod.facts)


async def test_a_pod_is_as_it_was(bench: Bench, pod: Pod) -> None:
    await lose(bench)
    _, report = await recovered(bench, is_rehearsal=True)
    assert report.counts["Pod1", "pod", Did.WRITTEN] == 1
    assert await written(bench) == {}
    found, report = await recovered(bench)
    assert report.problems == []
    assert [known(one.pod) for one in found] == [known(pod)]
    rows = await written(bench)
    assert known(rows["Pod1"]) == known(pod)
    assert rows["RegionOne"].is_central
    _, report = await recovered(bench)
    assert {did for _pod, _noun, did in report.counts} == {Did.KEPT}


async def test_other_aggregates_are_none_of_ours(bench: Bench, pod: Pod) -> None:
    bench.centre.aggregates[50] = {"id": 50, "name": "ag_nowhere", "availability_zone": "az9"}
    bench.centre.aggregates[51] = {"id": 51, "name": "fast", "availability_zone": None}
    found, report = await recovered(bench)
    assert [one.pod.name for one in found] == ["Pod1"]
    assert report.problems == []


async def test_a_pod_that_does_not_answer_is_known_by_the_catalog(bench: Bench, pod: Pod) -> None:
    await lose(bench)
    bench.pod1.broken = dict.fromkeys(("compute", "network"), 500)
    (found,), report = await recovered(bench)
    assert not found.answers
    assert [problem.text.split(":")[0] for problem in report.problems] == ["Pod Pod1", "Pod Pod1"]
    row = (await written(bench))["Pod1"]
    assert (row.id, row.state) == (pod.id, PodState.DRAINING)
    assert row.endpoints[Service.COMPUTE].url == bench.pod1.url("compute")
    assert row.endpoints[Service.COMPUTE].max_version is None
    bench.pod1.broken.clear()
    (found,), report = await recovered(bench)
    assert (found.answers, report.problems) == (True, [])
    assert known((await written(bench))["Pod1"]) == known(pod)


async def test_a_pod_whose_aggregate_says_nothing_gets_an_id_and_keeps_it(bench: Bench, pod: Pod) -> None:
    await lose(bench)
    for item in bench.centre.aggregates.values():
        item["metadata"] = {}
    (found,), report = await recovered(bench)
    assert found.pod.id != pod.id
    assert "does not say which id its pod had" in report.notes[0]
    await lose(bench)
    (again,), report = await recovered(bench)
    assert (again.pod.id, report.notes) == (found.pod.id, [])


async def test_a_row_that_is_left_names_the_id(bench: Bench, pod: Pod) -> None:
    for item in bench.centre.aggregates.values():
        item["metadata"] = {}
    (found,), report = await recovered(bench)
    assert (found.pod.id, report.notes) == (pod.id, [])
    assert known((await written(bench))["Pod1"]) == known(pod)


async def test_a_pod_that_was_registered_anew_since_the_backup(bench: Bench, pod: Pod) -> None:
    next(iter(bench.centre.aggregates.values()))["metadata"]["tricircle_pod_id"] = "newer"
    (found,), report = await recovered(bench)
    assert found.pod.id == PodId("newer")
    assert "registered anew" in report.notes[0]
    assert (await written(bench))["Pod1"].id == "newer"


async def test_a_row_without_an_aggregate_is_for_the_operator(bench: Bench, pod: Pod) -> None:
    bench.centre.aggregates.clear()
    found, report = await recovered(bench)
    assert found == []
    assert "no aggregate" in report.problems[0].text
    assert known((await written(bench))["Pod1"]) == known(pod)


async def test_without_the_centre_nothing_is_written(bench: Bench, pod: Pod) -> None:
    await lose(bench)
    bench.centre.broken["compute"] = 503
    with pytest.raises(TricircleError):
        await recovered(bench)
    assert "Pod1" not in await written(bench)
