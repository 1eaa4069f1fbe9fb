# SPDX-License-Identifier: Apache-2.0
"""Is a flavor in a pod what it is at the centre, whatever the pod has of its own?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.job_runs import job_run
from tests.unit.doors.compute.cloud import Cloud, cloud
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.flavor_content import central_id, digest
from tricircle.copies.flavors import Flavors
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.testing.exchange import Asked, Said

DEMO, ALT = ProjectId("demo"), ProjectId("alt")


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A centre with the flavor m1, and two pods."""
    made = await cloud(tmp_path)
    made.flavor()
    yield made
    await made.engine.dispose()


async def pod_of(sky: Cloud, pod_id: str = "pod1") -> Pod:
    found = await sky.registry.get(PodId(pod_id))
    assert found is not None
    return found


async def central(sky: Cloud, flavor_id: str = "m1") -> dict[str, Any]:
    context = sky.context("admin", "admin")
    client = sky.clients.as_user(context, sky.registry.central("compute"), "2.85")  # type: ignore[arg-type]
    found = await client.get(f"/v2.1/flavors/{flavor_id}", deadline=Deadline.after(5))
    return dict(found["flavor"])  # type: ignore[call-overload]


async def ensure(sky: Cloud, project: ProjectId = DEMO, flavor_id: str = "m1") -> str:
    flavors = Flavors(sky.reach)
    pod = await pod_of(sky)
    return await flavors.ensure(pod, await central(sky, flavor_id), project_id=project, deadline=Deadline.after(5))


def stored(sky: Cloud) -> dict[str, dict[str, Any]]:
    return sky.apps["pod1"].nova.flavors.stored


async def agree(sky: Cloud, flavor_id: str = "m1") -> None:
    run = job_run(JobType.FLAVOR, flavor_id, PodId("pod1"), DEMO, seconds=5)
    await Flavors(sky.reach).agree(run)


async def test_id_name_sizes_and_extra_specs_are_copied(sky: Cloud) -> None:
    sky.flavor(swap=512, _specs={"hw:cpu_policy": "shared"})
    assert await ensure(sky) == "m1"
    copy = stored(sky)["m1"]
    assert (copy["name"], copy["ram"], copy["vcpus"], copy["disk"], copy["swap"]) == ("m1", 64, 1, 1, 512)
    assert copy["_specs"] == {"hw:cpu_policy": "shared"}
    asked = len(sky.wires.calls)
    assert await ensure(sky) == "m1"
    assert [call[0] for call in sky.wires.calls[asked:]] == ["central"], "a copy that is known costs the pod nothing"


async def test_a_pods_own_equal_flavor_is_used_and_never_removed(sky: Cloud) -> None:
    stored(sky)["m1"] = dict(sky.flavor())
    assert await ensure(sky) == "m1"
    del sky.apps["central"].nova.flavors.stored["m1"]
    await agree(sky)
    assert "m1" in stored(sky)
    assert await sky.routings.copy_in(Kind.FLAVOR, "m1", PodId("pod1")) is None


@pytest.mark.parametrize("own", [{"ram": 128}, {"name": "other"}, {"_specs": {"a": "b"}}, {"_public": False}])
async def test_another_shape_under_the_id_gets_a_distinct_copy(sky: Cloud, own: dict[str, Any]) -> None:
    stored(sky)["m1"] = {**sky.flavor(), **own}
    assert await ensure(sky) == "tricircle.m1"
    assert stored(sky)["tricircle.m1"]["name"] == "tricircle.m1"
    assert central_id("tricircle.m1") == "m1"


async def test_a_taken_name_gets_a_distinct_copy(sky: Cloud) -> None:
    stored(sky)["x"] = {**sky.flavor(), "id": "x"}
    assert await ensure(sky) == "tricircle.m1"


async def test_a_flavor_that_begins_with_the_prefix_is_not_confused(sky: Cloud) -> None:
    sky.flavor("tricircle.m1")
    assert await ensure(sky, flavor_id="tricircle.m1") == "tricircle.tricircle.m1"


async def test_when_every_name_is_taken_it_is_said(sky: Cloud) -> None:
    for flavor_id in ("m1", "tricircle.m1"):
        stored(sky)[flavor_id] = {**sky.flavor(), "id": flavor_id, "ram": 1}
    with pytest.raises((ConflictError, UpstreamStatusError)):
        await ensure(sky)


async def test_a_flavor_made_again_with_other_sizes_is_copied_again(sky: Cloud) -> None:
    await ensure(sky)
    sky.flavor(ram=256)
    assert await ensure(sky) == "m1"
    assert stored(sky)["m1"]["ram"] == 256


async def test_extra_specs_follow_in_place(sky: Cloud) -> None:
    sky.flavor(_specs={"a": "1", "b": "2"})
    await ensure(sky)
    number = stored(sky)["m1"]["_number"]
    sky.flavor(_specs={"a": "1", "c": "3"})
    await agree(sky)
    assert stored(sky)["m1"]["_specs"] == {"a": "1", "c": "3"}
    assert stored(sky)["m1"]["_number"] == number
    copy = await sky.routings.copy_in(Kind.FLAVOR, "m1", PodId("pod1"))
    assert copy is not None
    assert copy.revision == digest(await central(sky))


async def test_access_to_a_private_flavor_is_given_once_and_taken(sky: Cloud) -> None:
    sky.flavor(_public=False, _projects={DEMO, ALT})
    await ensure(sky, DEMO)
    await ensure(sky, ALT)
    await ensure(sky, ALT)
    assert stored(sky)["m1"]["_projects"] == {DEMO, ALT}
    sky.apps["central"].nova.flavors.stored["m1"]["_projects"] = {DEMO}
    await agree(sky)
    assert stored(sky)["m1"]["_projects"] == {DEMO}


async def test_access_is_given_to_those_alone_who_have_it_at_the_centre(sky: Cloud) -> None:
    sky.flavor(_public=False, _projects={DEMO})
    assert await ensure(sky, ALT) == "m1"
    assert stored(sky)["m1"]["_projects"] == set()
    await ensure(sky, DEMO)
    assert stored(sky)["m1"]["_projects"] == {DEMO}


async def test_access_that_ends_while_it_is_given_is_taken_back(sky: Cloud) -> None:
    """The job of its end may have been in the pod before."""
    flavor = sky.flavor(_public=False, _projects={DEMO})
    flavors = sky.apps["pod1"].nova.flavors
    give = flavors._access

    def give_too_late(asked: Asked, flavor_id: str) -> Said:
        flavor["_projects"] = set()
        return give(asked, flavor_id)

    flavors._access = give_too_late  # type: ignore[method-assign]
    assert await ensure(sky, DEMO) == "m1"
    assert stored(sky)["m1"]["_projects"] == set()
    copy = await sky.routings.copy_in(Kind.FLAVOR, "m1", PodId("pod1"))
    assert copy is not None
    assert copy.details["projects"] == []


async def test_access_that_nobody_wrote_down_is_taken_from_our_copy_alone(sky: Cloud) -> None:
    sky.flavor(_public=False, _projects={DEMO})
    await ensure(sky, DEMO)
    stored(sky)["m1"]["_projects"].add(ALT)
    await agree(sky)
    assert stored(sky)["m1"]["_projects"] == {DEMO}
    own = sky.flavor("m2", _public=False, _projects={DEMO})
    stored(sky)["m2"] = {**own, "_projects": {ALT}}
    await ensure(sky, DEMO, "m2")
    sky.apps["central"].nova.flavors.stored["m2"]["_projects"] = set()
    await agree(sky, "m2")
    assert stored(sky)["m2"]["_projects"] == {ALT}


async def test_a_deleted_flavor_goes_from_the_pods(sky: Cloud) -> None:
    await ensure(sky)
    del sky.apps["central"].nova.flavors.stored["m1"]
    await agree(sky)
    assert "m1" not in stored(sky)
    assert await sky.routings.copies_of(Kind.FLAVOR, "m1") == []
    await agree(sky)


def test_the_digest_ignores_how_a_microversion_shows_things() -> None:
    old = {"name": "a", "vcpus": 1, "ram": 64, "disk": 1, "swap": "", "extra_specs": {"x": "1", "y": "2"}}
    new = {**old, "swap": 0, "description": "d", "extra_specs": {"y": "2", "x": "1"}}
    assert digest(old) == digest(new)
    assert digest(old) != digest({**old, "ram": 65})
