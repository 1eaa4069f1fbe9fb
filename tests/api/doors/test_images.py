# SPDX-License-Identifier: Apache-2.0
"""Images where one pod has a Glance of its own (Pod2) and the other uses the centre's by another address (Pod1)."""

import asyncio
from typing import Any

import pytest

from tests.api.doors.test_servers import boot, shown
from tests.api.whole import Plan, Whole
from tests.asgi import Said
from tricircle.context import PodId, ProjectId
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.store.engine import create_engine
from tricircle.testing.ailments import Ailment, Symptom

IMAGES = "/image/v2/images"
DATA = bytes(range(256)) * 1000


@pytest.fixture
def plan() -> Plan:
    return Plan(own_glances=frozenset({"Pod2"}), request_deadline_s=20.0)


@pytest.fixture
async def image(cloud: Whole) -> str:
    """A tenant's image with a property; and a flavor ``m1``."""
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    facts = {"name": "mine", "disk_format": "raw", "container_format": "bare", "hw_disk_bus": "virtio"}
    return cloud.centre.glance.put(facts, DATA, cloud.project_id("demo"))


async def boots(cloud: Whole, image_id: str, zone: str = "az2", number: int = 1) -> list[str]:
    """Servers that were booted at once from an image."""
    fields = {"imageRef": image_id, "availability_zone": zone, "networks": "none"}
    said = await asyncio.gather(*(boot(cloud, cloud.tenant, **fields) for _ in range(number)))
    assert [one.status for one in said] == [202] * number, [one.body for one in said]
    return [str(one.json()["server"]["id"]) for one in said]


async def boots_at_last(cloud: Whole, image_id: str) -> None:
    """Boot until the pod takes it."""
    async with asyncio.timeout(20):
        while (await refused(cloud, image_id)).status != 202:
            await asyncio.sleep(0.1)


async def refused(cloud: Whole, image_id: str) -> Said:
    """What is answered to a boot that may not succeed."""
    return await boot(cloud, cloud.tenant, imageRef=image_id, availability_zone="az2", networks="none")


def in_pod(cloud: Whole) -> dict[str, dict[str, Any]]:
    """What Pod2's Glance has, by id."""
    return dict(cloud.pods["Pod2"].glance.images)


def uploads(cloud: Whole) -> int:
    """How often data came into Pod2's Glance."""
    return sum(verb == "PUT" and path.endswith("/file") for verb, path in cloud.pods["Pod2"].calls("image"))


async def test_many_boots_make_one_copy(cloud: Whole, image: str) -> None:
    async with cloud.working():
        servers = await boots(cloud, image, number=8)
    copy = in_pod(cloud)[image]
    assert (copy["status"], copy["owner"], copy["hw_disk_bus"]) == ("active", cloud.project_id("demo"), "virtio")
    assert copy["tags"] == ["tricircle", f"tricircle:{image}"]
    assert cloud.pods["Pod2"].glance.data[image] == DATA
    assert uploads(cloud) == 1
    assert {(await shown(cloud, server))["image"]["id"] for server in servers} == {image}


async def test_the_central_glance_by_another_name_is_used_as_it_is(cloud: Whole, image: str) -> None:
    """Nobody works, so nothing is copied; and its end is not followed by another."""
    await boots(cloud, image, zone="az1")
    assert cloud.centre.glance.images[image]["tags"] == []
    assert (await cloud.tenant.ask("DELETE", f"{IMAGES}/{image}")).status == 204
    await cloud.work_off()
    assert in_pod(cloud) == {}


@pytest.mark.parametrize("plan", [Plan(own_glances=frozenset({"Pod2"}), request_deadline_s=4.0)])
async def test_what_takes_too_long_is_told(cloud: Whole, image: str) -> None:
    """No worker is there: the caller is told in time what is the matter, and nothing is left of the boot."""
    said = await refused(cloud, image)
    assert said.status == 503
    assert f"Image {image} is being copied to availability zone az2" in said.message
    assert int(said.headers["retry-after"]) > 0
    assert cloud.pods["Pod2"].nova.servers == {}
    async with cloud.working():
        await asyncio.sleep(0)
        assert await boots(cloud, image)


async def test_a_glance_that_does_not_answer(cloud: Whole, image: str) -> None:
    """Told at once; later it is good again."""
    cloud.pods["Pod2"].fall_ill(Ailment(symptom=Symptom.FAILING, status=503), ["image"])
    async with cloud.working():
        said = await refused(cloud, image)
        assert (said.status, "retry-after" in said.headers) == (503, True)
        cloud.pods["Pod2"].fall_ill(None, ["image"])
        await boots_at_last(cloud, image)
    assert uploads(cloud) == 1


async def test_data_that_is_not_the_image_never_becomes_a_copy(cloud: Whole, image: str) -> None:
    cloud.centre.glance.data[image] = DATA[:-1] + b"!"
    async with cloud.working():
        said = await refused(cloud, image)
        assert said.status == 503
        assert in_pod(cloud)[image]["status"] == "queued"
        cloud.centre.glance.data[image] = DATA
        await boots_at_last(cloud, image)
    assert cloud.pods["Pod2"].glance.data[image] == DATA


async def test_an_image_of_a_server_comes_home(cloud: Whole, image: str) -> None:
    """Reserved at once; filled when a worker is there; the pod's is its copy, and goes with it."""
    async with cloud.working():
        (server,) = await boots(cloud, image)
    said = await cloud.tenant.having(openstack_api_version="compute 2.90").ask(
        "POST", f"/compute/v2.1/servers/{server}/action", {"createImage": {"name": "snap", "metadata": {"a": "b"}}}
    )
    assert said.status == 202, said.body
    made = said.json()["image_id"]
    waiting = (await cloud.tenant.ask("GET", f"{IMAGES}/{made}")).json()
    assert (waiting["status"], waiting["name"], waiting["instance_uuid"]) == ("queued", "snap", server)
    await cloud.work_off()
    home = (await cloud.tenant.ask("GET", f"{IMAGES}/{made}")).json()
    assert (home["status"], home["a"], home["tags"]) == ("active", "b", [])
    assert home["owner"] == cloud.project_id("demo")
    assert cloud.centre.glance.data[made] == b"snapshot"
    assert in_pod(cloud)[made]["tags"] == ["tricircle", f"tricircle:{made}"]
    await boots(cloud, made, zone="az1")
    await boots(cloud, made, zone="az2")
    assert (await cloud.tenant.ask("DELETE", f"{IMAGES}/{made}")).status == 204
    await cloud.work_off()
    assert set(in_pod(cloud)) == {image}


async def test_an_image_that_its_owner_deletes_on_the_way(cloud: Whole, image: str) -> None:
    """Nothing of it stays in the pod."""
    async with cloud.working():
        (server,) = await boots(cloud, image)
    said = await cloud.tenant.having(openstack_api_version="compute 2.90").ask(
        "POST", f"/compute/v2.1/servers/{server}/action", {"createImage": {"name": "snap"}}
    )
    assert said.status == 202, said.body
    made = said.json()["image_id"]
    assert (await cloud.tenant.ask("DELETE", f"{IMAGES}/{made}")).status == 204
    await cloud.work_off()
    assert set(in_pod(cloud)) == {image}
    assert made not in cloud.centre.glance.images


async def test_what_a_killed_gateway_left_in_a_pod_comes_home(cloud: Whole, image: str) -> None:
    """A sweep finds an image of a server that nobody knows."""
    async with cloud.working():
        (server,) = await boots(cloud, image)
    facts = {"name": "lost", "disk_format": "raw", "container_format": "bare", "instance_uuid": server}
    pod = cloud.pods["Pod2"].glance
    made = pod.put({**facts, "visibility": "private"}, b"lost", cloud.project_id("demo"))
    pod.images[made]["created_at"] = "2020-01-01T00:00:00Z"
    operator = cloud.operators.having(x_auth_token=cloud.identities.sign_in("admin", "secret", "admin"))
    pods = (await operator.ask("GET", "/v1.0/pods")).json()["pods"]
    await sweep(cloud, next(str(one["pod_id"]) for one in pods if one["pod_name"] == "Pod2"))
    async with cloud.working(), asyncio.timeout(20):
        while cloud.centre.glance.images.get(made, {}).get("status") != "active":
            await asyncio.sleep(0.1)
    assert (await cloud.tenant.ask("GET", f"{IMAGES}/{made}")).json()["name"] == "lost"


async def test_a_copy_deleted_by_hand_is_made_under_another_id(cloud: Whole, image: str) -> None:
    """Which nobody but the operator sees."""
    async with cloud.working():
        await boots(cloud, image)
        pod = cloud.pods["Pod2"].glance
        del pod.images[image]
        pod._gone.add(image)
        (server,) = await boots(cloud, image)
    (copy,) = in_pod(cloud).values()
    assert copy["id"] != image
    assert (await shown(cloud, server))["image"]["id"] == image


async def test_copies_follow(cloud: Whole, image: str) -> None:
    async with cloud.working():
        await boots(cloud, image)
    patch = cloud.tenant.having(content_type="application/openstack-images-v2.1-json-patch")
    said = await patch.ask("PATCH", f"{IMAGES}/{image}", [{"op": "replace", "path": "/name", "value": "new"}])
    assert said.status == 200, said.body
    friend = cloud.project_id("alt")
    assert (await cloud.tenant.ask("POST", f"{IMAGES}/{image}/members", {"member": friend})).status == 200
    assert (await cloud.admin.ask("POST", f"{IMAGES}/{image}/actions/deactivate")).status == 204
    await cloud.work_off()
    copy = in_pod(cloud)[image]
    assert (copy["name"], copy["_members"], copy["status"]) == ("new", [friend], "deactivated")
    assert (await cloud.admin.ask("POST", f"{IMAGES}/{image}/actions/reactivate")).status == 204
    await cloud.work_off()
    assert in_pod(cloud)[image]["status"] == "active"


async def test_what_an_older_centre_has_forgotten_comes_home(cloud: Whole, image: str) -> None:
    """Its id is free there: nobody deleted it."""
    async with cloud.working():
        await boots(cloud, image)
    del cloud.centre.glance.images[image]
    await cloud.admin.ask("POST", f"{IMAGES}/{image}/actions/deactivate")
    queue = Queue(create_engine(cloud.settings.database))
    await queue.append(JobType.IMAGE, image, ProjectId(cloud.project_id("demo")))
    await cloud.work_off()
    home = cloud.centre.glance.images[image]
    assert (home["status"], home["name"], home["owner"]) == ("active", "mine", cloud.project_id("demo"))
    assert cloud.centre.glance.data[image] == DATA


async def sweep(cloud: Whole, pod_id: str) -> None:
    """File a sweep of a pod."""
    queue = Queue(create_engine(cloud.settings.database))
    await queue.append(JobType.SWEEP, pod_id, ProjectId(""), pod_id=PodId(pod_id))
