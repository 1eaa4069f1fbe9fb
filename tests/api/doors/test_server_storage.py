# SPDX-License-Identifier: Apache-2.0
"""Is storage that pods make for servers held against its limits? Through the whole gateway."""

import asyncio

import pytest

from tests.api.doors.test_quota_race import PATIENT, Books, books, look, makes, server_limit
from tests.api.doors.test_servers import SERVERS, boot, network
from tests.api.doors.test_volume_limits import limit
from tests.api.doors.test_volumes import create, make_type, refused, snapshot
from tests.api.whole import Plan, Whole
from tests.asgi import Said
from tricircle.testing.ailments import Ailment, Symptom

__all__ = ["books", "network"]
TOO_LARGE = (
    "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
    "Requested {}G, quota is {}G and {}G has been consumed."
)
TOO_MANY = "VolumeLimitExceeded: Maximum number of volumes allowed (3) exceeded for quota 'volumes'."


@pytest.fixture
def plan() -> Plan:
    return PATIENT


def blank(size: int = 1, **fields: object) -> dict[str, object]:
    return {"source_type": "blank", "destination_type": "volume", "boot_index": -1, "volume_size": size, **fields}


def root(cloud: Whole, size: int = 1, **fields: object) -> dict[str, object]:
    """A root disk that is made from the image."""
    return blank(size, source_type="image", uuid=cloud.image_id, boot_index=0, **fields)


async def boot_with(cloud: Whole, *devices: dict[str, object], zone: str = "az1", **fields: object) -> Said:
    asked = {"networks": "none", "availability_zone": zone, "block_device_mapping_v2": list(devices), **fields}
    return await boot(cloud, cloud.tenant, **asked)


def made(cloud: Whole) -> int:
    return sum(len(pod.cinder.volumes) for pod in cloud.pods.values())


async def build(cloud: Whole) -> None:
    """Have all servers built: the fakes do it when somebody looks."""
    assert (await cloud.tenant.ask("GET", f"{SERVERS}/detail")).status == 200


async def test_of_many_boots_and_volumes_at_once_as_many_as_allowed_are_made(
    cloud: Whole, network: str, books: Books
) -> None:
    await limit(cloud, volumes=3)
    boots = (boot_with(cloud, root(cloud), zone=f"az{1 + number % 2}", imageRef="") for number in range(4))
    said = await asyncio.gather(*boots, *(refused(cloud.tenant) for _ in range(4)))
    assert sum(one.status == 202 for one in said) == 3
    assert {one.message for one in said if one.status != 202} == {TOO_MANY}
    assert {one.status for one in said[:4]} <= {202, 403}
    assert {one.status for one in said[4:]} <= {202, 413}
    await build(cloud)
    assert made(cloud) == 3
    await look(cloud)
    assert books.sql("SELECT id FROM tricircle_reservations WHERE service = 'block-storage'") == []


async def test_a_refusal_is_novas_with_cinders_words(cloud: Whole, network: str, books: Books) -> None:
    await limit(cloud, gigabytes=4, per_volume_gigabytes=3)
    said = await boot_with(cloud, root(cloud, 3), blank(2))
    assert said.status == 403
    assert said.json()["forbidden"] == {
        "code": 403,
        "message": TOO_LARGE.format(5, 4, 0),
    }
    said = await boot_with(cloud, root(cloud, 4))
    assert said.message == "VolumeSizeExceedsLimit: Requested volume size 4G is larger than maximum allowed limit 3G."
    assert books.reserved() == 0, "nor is a server reserved that was not made"
    assert (await boot_with(cloud, root(cloud, 3), blank(1))).status == 202


async def test_volumes_count_before_they_are_made(cloud: Whole, network: str, books: Books) -> None:
    """Nova answers long before it asks Cinder."""
    await limit(cloud, volumes=3)
    cloud.pods["Pod1"].nova.is_conductor_away = True
    assert (await boot_with(cloud, root(cloud), blank())).status == 202
    assert made(cloud) == 0
    for device, status in ((blank(), 202), (blank(), 403)):
        assert (await boot_with(cloud, device, zone="az2")).status == status
    assert (await refused(cloud.tenant)).status == 413
    cloud.pods["Pod1"].nova.conduct()
    await build(cloud)
    assert made(cloud) == 3
    await look(cloud)
    assert books.reserved() == 0


async def test_as_many_servers_as_their_volumes_allow(cloud: Whole, network: str, books: Books) -> None:
    await limit(cloud, volumes=5)
    await server_limit(cloud, instances=4)
    devices = [root(cloud), blank()]
    said = await boot_with(cloud, *devices, min_count=3, max_count=4)
    assert (said.status, said.message) == (403, TOO_MANY.replace("3", "5"))
    assert (await boot_with(cloud, *devices, min_count=1, max_count=4)).status == 202
    assert len(cloud.pods["Pod1"].nova.servers) == 2
    await build(cloud)
    await look(cloud)
    assert (made(cloud), books.reserved()) == (4, 0)


async def test_types_are_those_of_the_device_or_its_snapshot_or_the_default(cloud: Whole, network: str) -> None:
    await make_type(cloud, "gold")
    source = await create(cloud.tenant, volume_type="gold", size=2, availability_zone="az1")
    taken = await snapshot(cloud, source["id"])
    default = (await cloud.tenant.ask("GET", "/volume/v3/types/default")).json()["volume_type"]["name"]
    of_snapshot = {"source_type": "snapshot", "destination_type": "volume", "uuid": taken["id"], "boot_index": -1}
    await limit(cloud, volumes_gold=1)
    for device in (blank(volume_type="gold"), of_snapshot):
        said = await boot_with(cloud, device)
        assert (said.status, said.message) == (
            403,
            "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes_gold'.",
        )
    assert (await boot_with(cloud, blank())).status == 202
    await limit(cloud, volumes_gold=-1, gigabytes=6, **{f"volumes_{default}": 1})
    assert f"'volumes_{default}'" in (await boot_with(cloud, blank())).message
    # 2 GiB of the volume, 2 of the snapshot, 1 of the first server: the snapshot's size is too much.
    assert (await boot_with(cloud, of_snapshot)).message.endswith("Requested 2G, quota is 6G and 5G has been consumed.")


async def central_default(cloud: Whole, type_id: str) -> None:
    body = {"default_type": {"volume_type": type_id}}
    admin = cloud.admin.having(openstack_api_version="volume 3.62")
    assert (await admin.ask("PUT", f"/volume/v3/default-types/{cloud.project_id('demo')}", body)).status == 200


def types_in(cloud: Whole, pod: str) -> list[str]:
    """Names of the types of all volumes of a pod, oldest first."""
    cinder = cloud.pods[pod].cinder
    return [str(cinder.types.stored[volume["_type"]]["name"]) for volume in cinder.volumes.values()]


async def test_volumes_that_a_pod_makes_get_the_centres_default(cloud: Whole, network: str) -> None:
    """Whatever the pod's operator has set, and whatever the centre has changed since."""
    gold, silver = await make_type(cloud, "gold"), await make_type(cloud, "silver")
    for type_id, name in ((gold, "gold"), (silver, "silver"), (silver, "silver")):
        await central_default(cloud, type_id)
        assert (await boot_with(cloud, root(cloud), blank(), imageRef="")).status == 202
        await build(cloud)
        assert types_in(cloud, "Pod1")[-2:] == [name, name]
    puts = [path for verb, path in cloud.pods["Pod1"].calls("block-storage") if verb == "PUT"]
    assert sum("/default-types/" in path for path in puts) == 2, "nothing is said that the pod knows already"


async def test_a_default_that_a_pods_operator_deleted_is_made_again(cloud: Whole, network: str) -> None:
    await central_default(cloud, await make_type(cloud, "gold"))
    await create(cloud.tenant, availability_zone="az1")
    cinder = cloud.pods["Pod1"].cinder
    cinder.volumes.clear()
    (copy,) = [one["id"] for one in cinder.types.stored.values() if one["name"] == "gold"]
    del cinder.types.stored[copy]
    assert (await boot_with(cloud, blank())).status == 202
    await build(cloud)
    assert types_in(cloud, "Pod1") == ["gold"]


async def test_a_type_goes_though_pods_had_it_as_a_default(cloud: Whole, network: str) -> None:
    gold = await make_type(cloud, "gold")
    await central_default(cloud, gold)
    assert (await boot_with(cloud, blank())).status == 202
    await build(cloud)
    assert types_in(cloud, "Pod1") == ["gold"]
    cinder = cloud.pods["Pod1"].cinder
    cinder.volumes.clear()
    await central_default(cloud, await make_type(cloud, "silver"))
    assert (await cloud.admin.ask("DELETE", f"/volume/v3/types/{gold}")).status == 202
    await cloud.work_off()
    assert [one["name"] for one in cinder.types.stored.values()] == ["__DEFAULT__"]
    assert cinder.types.defaults == {}


async def test_an_image_says_what_type_its_volumes_have(cloud: Whole, network: str) -> None:
    await make_type(cloud, "gold")
    cloud.centre.glance.images[cloud.image_id]["cinder_img_volume_type"] = "gold"
    assert (await boot_with(cloud, root(cloud), imageRef="")).status == 202
    assert "gold" in [one["name"] for one in cloud.pods["Pod1"].cinder.types.stored.values()]
    # A pod that has another type of that name would take its own: there it is said how the copy is called.
    cinder = cloud.pods["Pod2"].cinder
    own = {**next(iter(cinder.types.stored.values())), "id": "own", "name": "gold", "extra_specs": {"a": "b"}}
    cinder.types.stored["own"] = own
    assert (await boot_with(cloud, root(cloud), imageRef="", zone="az2")).status == 202
    await build(cloud)
    assert types_in(cloud, "Pod2") == ["tricircle.gold"]
    asked = {"name": "vm", "flavorRef": "1", "networks": "none", "availability_zone": "az2"}
    older = cloud.tenant.having(openstack_api_version="compute 2.66")
    said = await older.ask("POST", SERVERS, {"server": {**asked, "block_device_mapping_v2": [root(cloud)]}})
    assert (said.status, "2.67" in said.message) == (409, True)
    cloud.centre.glance.images[cloud.image_id]["cinder_img_volume_type"] = "nope"
    said = await boot_with(cloud, root(cloud), imageRef="")
    assert (said.status, said.message) == (400, "Volume type with name nope could not be found.")


async def test_a_server_is_where_the_types_of_its_volumes_may_be(cloud: Whole, network: str) -> None:
    await make_type(cloud, "near", extra_specs={"RESKEY:availability_zones": "az2"})
    asked = {"networks": "none", "block_device_mapping_v2": [blank(volume_type="near")]}
    assert (await boot(cloud, cloud.tenant, **asked)).status == 202
    assert len(cloud.pods["Pod2"].nova.servers) == 1
    said = await boot(cloud, cloud.tenant, availability_zone="az1", **asked)
    assert (said.status, said.message) == (
        400,
        "Volume type near is only supported in these availability zones: az2.",
    )


async def test_volumes_that_are_there_already_take_nothing(cloud: Whole, network: str, books: Books) -> None:
    made_before = await create(cloud.tenant, availability_zone="az1")
    await limit(cloud, volumes=1)
    device = {"source_type": "volume", "destination_type": "volume", "uuid": made_before["id"], "boot_index": 0}
    assert (await boot_with(cloud, device, imageRef="")).status == 202
    local = {"source_type": "blank", "destination_type": "local", "volume_size": 1, "boot_index": -1}
    assert (await boot_with(cloud, local)).status == 202


@pytest.mark.parametrize("status", [409, 503])
async def test_nothing_is_kept_when_the_pod_refuses(cloud: Whole, network: str, books: Books, status: int) -> None:
    await limit(cloud, volumes=1)
    cloud.pods["Pod1"].fall_ill(Ailment(symptom=Symptom.FAILING, status=status, only=makes), ["compute"])
    assert (await boot_with(cloud, root(cloud))).status == status
    assert books.reserved() == 0


async def test_what_nobody_knows_counts_until_the_pod_can_say(cloud: Whole, network: str, books: Books) -> None:
    await limit(cloud, volumes=1)
    lost = Ailment(symptom=Symptom.CUT, is_carried_out=True, only=makes)
    cloud.pods["Pod1"].fall_ill(lost, ["compute"])
    assert (await boot_with(cloud, root(cloud))).status == 504
    cloud.pods["Pod1"].fall_ill(None)
    assert (await refused(cloud.tenant)).status == 413
    await build(cloud)
    books.let_time_pass()
    assert (await refused(cloud.tenant)).status == 413
    await look(cloud)
    assert (made(cloud), books.reserved()) == (1, 0)


async def test_a_deleted_server_makes_no_volumes(cloud: Whole, network: str, books: Books) -> None:
    await limit(cloud, volumes=1)
    cloud.pods["Pod1"].nova.is_conductor_away = True
    said = await boot_with(cloud, root(cloud))
    assert (await cloud.tenant.ask("DELETE", f"{SERVERS}/{said.json()['server']['id']}")).status == 204
    assert (await refused(cloud.tenant)).status == 202
    await look(cloud)
    assert books.reserved() == 0


async def test_an_image_of_a_server_takes_a_snapshot_of_each_volume(cloud: Whole, network: str, books: Books) -> None:
    said = await boot_with(cloud, root(cloud, 2), blank(1), imageRef="")
    path = f"{SERVERS}/{said.json()['server']['id']}/action"
    await build(cloud)
    for limits, message in (
        ({"snapshots": 1}, "SnapshotLimitExceeded: Maximum number of snapshots allowed (1) exceeded"),
        (
            {"snapshots": 2, "gigabytes": 5},
            TOO_LARGE.format(3, 5, 3),
        ),
    ):
        await limit(cloud, **limits)
        said = await cloud.tenant.ask("POST", path, {"createImage": {"name": "i"}})
        assert (said.status, said.message) == (403, message)
    await limit(cloud, gigabytes=6)
    assert (await cloud.tenant.ask("POST", path, {"createImage": {"name": "i"}})).status == 202
    assert len(cloud.pods["Pod1"].cinder.snapshots) == 2
    assert (await cloud.tenant.ask("POST", path, {"createImage": {"name": "j"}})).status == 403
    await look(cloud)
    assert books.reserved() == 0


async def test_an_administrator_boots_with_private_types(cloud: Whole, network: str) -> None:
    type_id = await make_type(cloud, "secret", **{"os-volume-type-access:is_public": False})
    for asked in ("secret", type_id):
        devices = [root(cloud, volume_type=asked)]
        said = await boot(cloud, cloud.admin, networks="none", imageRef="", block_device_mapping_v2=devices)
        assert said.status == 202, said.body
    said = await boot_with(cloud, root(cloud, volume_type="secret"), imageRef="")
    assert (said.status, said.message) == (400, "Volume type secret could not be found.")
