# SPDX-License-Identifier: Apache-2.0
"""Do encryption and QoS of a type reach the pods, and do changes? And what happens when volumes change hands."""

from typing import Any

from tests.api.doors.test_volumes import VOLUMES, create, make_type, refused
from tests.api.whole import Whole
from tricircle.testing.block_storage.cinder import Cinder

ENCRYPTION = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}


def copy(cinder: Cinder, name: str) -> dict[str, Any]:
    (found,) = [one for one in cinder.types.stored.values() if one["name"] == name]
    return found


async def encrypt(cloud: Whole, type_id: str) -> None:
    said = await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/encryption", {"encryption": ENCRYPTION})
    assert said.status == 200, said.body


async def test_encryption_goes_along(cloud: Whole) -> None:
    type_id = await make_type(cloud, "secret")
    await encrypt(cloud, type_id)
    await create(cloud.tenant, availability_zone="az2", volume_type="secret")
    inside = copy(cloud.pods["Pod2"].cinder, "secret")["_encryption"]
    assert {key: inside[key] for key in ENCRYPTION} == ENCRYPTION


async def test_encryption_of_a_type_with_volumes_cannot_change(cloud: Whole) -> None:
    type_id = await make_type(cloud, "secret")
    await create(cloud.tenant, availability_zone="az2", volume_type="secret")
    body = {"encryption": ENCRYPTION}
    said = await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/encryption", body)
    assert (said.status, said.message) == (400, "Cannot create encryption specs. Volume type in use.")
    await cloud.ports["Pod2"].refuse()
    assert (await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/encryption", body)).status == 503


async def test_no_volume_in_the_clear_when_a_pod_cannot_follow(cloud: Whole) -> None:
    type_id = await make_type(cloud, "secret")
    first = await create(cloud.tenant, availability_zone="az2", volume_type="secret")
    # As if a volume had come between the look and the change.
    cloud.centre.cinder.types.stored[type_id]["_encryption"] = {**ENCRYPTION, "encryption_id": "e"}
    said = await refused(cloud.tenant, availability_zone="az2", volume_type="secret")
    assert said.status == 409
    assert "encryption" in said.message
    assert list(cloud.pods["Pod2"].cinder.volumes) == [first["id"]]
    assert (await refused(cloud.tenant, availability_zone="az1", volume_type="secret")).status == 202


async def test_volumes_are_found_by_their_types_id(cloud: Whole) -> None:
    """Each pod has another one for its copy, and one of its own may be found as it is shown."""
    type_id = await make_type(cloud, "gold")
    made = [(await create(cloud.tenant, availability_zone=zone, volume_type="gold"))["id"] for zone in ("az1", "az2")]
    own = (await create(cloud.tenant, availability_zone="az2"))["id"]
    default = cloud.pods["Pod2"].cinder.volumes[own]["_type"]
    for wanted, found in ((type_id, made), (default, [own]), ("00000000-0000-4000-8000-000000000000", [])):
        said = await cloud.admin.ask("GET", f"{VOLUMES}?all_tenants=1&volume_type_id={wanted}")
        assert {one["id"] for one in said.json()["volumes"]} == set(found), wanted


async def test_an_administrator_uses_private_types_by_id_and_by_name(cloud: Whole) -> None:
    """Cinder's list hides them from administrators who do not ask for them; members never see them."""
    type_id = await make_type(cloud, "secret", **{"os-volume-type-access:is_public": False})
    made = [await create(cloud.admin, volume_type=asked, availability_zone="az2") for asked in ("secret", type_id)]
    assert [one["volume_type"] for one in made] == ["secret", "secret"]
    other = await create(cloud.admin, availability_zone="az2")
    change = {"os-retype": {"new_type": "secret", "migration_policy": "never"}}
    said = await cloud.admin.ask("POST", f"{VOLUMES}/{other['id']}/action", change)
    assert said.status == 202, said.body
    pools = await cloud.admin.having(openstack_api_version="volume 3.35").ask(
        "GET", "/volume/v3/scheduler-stats/get_pools?volume_type=secret"
    )
    assert pools.status == 200, pools.body
    for asked in ("secret", type_id):
        assert (await refused(cloud.tenant, volume_type=asked)).status == 404


async def test_a_type_with_volumes_stays(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    made = await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    path = f"/volume/v3/types/{type_id}"
    said = await cloud.admin.ask("DELETE", path)
    assert (said.status, said.message) == (400, "Target volume type is still in use.")
    assert (await cloud.tenant.ask("DELETE", path)).status == 403
    await cloud.tenant.ask("DELETE", f"{VOLUMES}/{made['id']}")
    assert (await cloud.admin.ask("DELETE", path)).status == 202


async def test_copies_follow_by_themselves_and_go_with_their_type(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    for zone in ("az1", "az2"):
        made = await create(cloud.tenant, availability_zone=zone, volume_type="gold")
        await cloud.tenant.ask("DELETE", f"{VOLUMES}/{made['id']}")
    path = f"/volume/v3/types/{type_id}"
    await cloud.admin.ask("PUT", path, {"volume_type": {"name": "platinum"}})
    await encrypt(cloud, type_id)
    await cloud.admin.ask("DELETE", f"{path}/extra_specs/volume_backend_name")
    await cloud.work_off()
    for pod in cloud.pods.values():
        inside = copy(pod.cinder, "platinum")
        assert (inside["extra_specs"], inside["_encryption"]["cipher"]) == ({}, ENCRYPTION["cipher"])
    assert (await cloud.admin.ask("DELETE", path)).status == 202
    await cloud.work_off()
    for pod in cloud.pods.values():
        assert [one["name"] for one in pod.cinder.types.stored.values()] == ["__DEFAULT__"]


async def test_a_pods_own_type_is_used_and_left_alone(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    cinder = cloud.pods["Pod2"].cinder
    default = next(iter(cinder.types.stored.values()))
    own = {
        **default,
        "id": "own",
        "name": "gold",
        "description": "mine",
        "extra_specs": {"volume_backend_name": "fast"},
    }
    cinder.types.stored["own"] = own
    first = await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    assert cinder.volumes[first["id"]]["_type"] == "own"
    specs = {"extra_specs": {"volume_backend_name": "other"}}
    await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/extra_specs", specs)
    await cloud.work_off()
    second = await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    assert cinder.volumes[second["id"]]["_type"] != "own"
    assert second["volume_type"] == "gold"
    assert own["extra_specs"] == {"volume_backend_name": "fast"}


async def test_a_changed_type_is_changed_where_it_is_used_next(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    specs = {"extra_specs": {"volume_backend_name": "faster", "more": "yes"}}
    assert (await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/extra_specs", specs)).status == 200
    renamed = {"volume_type": {"name": "platinum"}}
    assert (await cloud.admin.ask("PUT", f"/volume/v3/types/{type_id}", renamed)).status == 200
    made = await create(cloud.tenant, availability_zone="az2", volume_type="platinum")
    assert made["volume_type"] == "platinum"
    inside = copy(cloud.pods["Pod2"].cinder, "platinum")
    assert inside["extra_specs"] == {"volume_backend_name": "faster", "more": "yes"}
    shown = (await cloud.tenant.ask("GET", f"{VOLUMES}/detail")).json()["volumes"]
    assert {one["volume_type"] for one in shown} == {"platinum"}


async def test_a_qos_spec_goes_along_and_follows(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    body = {"qos_specs": {"name": "fast", "consumer": "front-end", "total_iops_sec": "100"}}
    qos_id = (await cloud.admin.ask("POST", "/volume/v3/qos-specs", body)).json()["qos_specs"]["id"]
    path = f"/volume/v3/qos-specs/{qos_id}"
    assert (await cloud.admin.ask("GET", f"{path}/associate?vol_type_id={type_id}")).status == 202
    await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    cinder = cloud.pods["Pod2"].cinder
    inside = cinder.qos.stored[copy(cinder, "gold")["qos_specs_id"]]
    assert (inside["name"], inside["consumer"]) == (f"tricircle-{qos_id}", "front-end")
    assert inside["specs"] == {"total_iops_sec": "100"}
    assert (await cloud.admin.ask("PUT", path, {"qos_specs": {"total_iops_sec": "7"}})).status == 200
    await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    assert inside["specs"] == {"total_iops_sec": "7"}
    assert (await cloud.admin.ask("GET", f"{path}/disassociate?vol_type_id={type_id}")).status == 202
    await create(cloud.tenant, availability_zone="az2", volume_type="gold")
    assert copy(cinder, "gold")["qos_specs_id"] is None
    assert cinder.qos.stored == {}


async def test_changes_of_types_and_qos_specs_file_jobs(cloud: Whole, queued: Any) -> None:
    type_id = await make_type(cloud, "gold")
    assert queued() == []
    specs = {"extra_specs": {"a": "b"}}
    await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/extra_specs", specs)
    assert queued() == [("volume_type", type_id)]
    body = {"qos_specs": {"name": "fast", "consumer": "front-end"}}
    qos_id = (await cloud.admin.ask("POST", "/volume/v3/qos-specs", body)).json()["qos_specs"]["id"]
    await cloud.admin.ask("GET", f"/volume/v3/qos-specs/{qos_id}/associate?vol_type_id={type_id}")
    assert queued() == [("volume_type", type_id)] * 2
    said = await cloud.tenant.ask("PUT", f"/volume/v3/qos-specs/{qos_id}", {"qos_specs": {"a": "b"}})
    assert said.status == 403
    assert len(queued()) == 2


async def test_a_volume_changes_hands(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    body = {"transfer": {"volume_id": made["id"]}}
    transfer = (await cloud.tenant.ask("POST", "/volume/v3/os-volume-transfer", body)).json()["transfer"]
    listed = (await cloud.tenant.ask("GET", "/volume/v3/os-volume-transfer")).json()["transfers"]
    assert [set(one) for one in listed] == [{"id", "volume_id", "name", "links"}]
    path = f"/volume/v3/os-volume-transfer/{transfer['id']}/accept"
    said = await cloud.other.ask("POST", path, {"accept": {"auth_key": transfer["auth_key"]}})
    assert said.status == 202, said.body
    # The new owner's project is bound to the pod, and its limits there are lifted: the pod's would bite otherwise.
    assert cloud.pods["Pod2"].cinder.quotas.stored[cloud.project_id("alt")]["volumes"] == -1
    assert (await cloud.other.ask("GET", f"{VOLUMES}/{made['id']}")).status == 200
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/{made['id']}")).status == 404
    used = (await cloud.other.ask("GET", "/volume/v3/limits")).json()["limits"]["absolute"]["totalVolumesUsed"]
    assert used == 1


async def test_a_summary_is_a_sum(cloud: Whole) -> None:
    await create(cloud.tenant, availability_zone="az1", metadata={"colour": "red"})
    await create(cloud.tenant, availability_zone="az2", size=3, metadata={"colour": "blue", "shape": "round"})
    tenant = cloud.tenant.having(openstack_api_version="volume 3.36")
    summary = (await tenant.ask("GET", f"{VOLUMES}/summary")).json()["volume-summary"]
    assert (summary["total_count"], summary["total_size"]) == (2, 4)
    assert {key: sorted(values) for key, values in summary["metadata"].items()} == {
        "colour": ["blue", "red"],
        "shape": ["round"],
    }
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/summary")).status == 404


async def test_a_type_can_be_limited_to_zones(cloud: Whole) -> None:
    """It chooses the pod, and its copy names the pod's own zone; where there is none it says nothing."""
    specs = {"RESKEY:availability_zones": "az2, az7", "a": "b"}
    type_id = await make_type(cloud, "near", extra_specs=specs)
    cinder = cloud.pods["Pod2"].cinder
    made = await create(cloud.tenant, volume_type="near")
    assert made["id"] in cinder.volumes
    assert copy(cinder, "near")["extra_specs"] == {"RESKEY:availability_zones": cinder.zone, "a": "b"}
    said = await refused(cloud.tenant, volume_type="near", availability_zone="az1")
    assert (said.status, said.message) == (400, "Availability zone 'az1' is invalid.")
    changed = {"extra_specs": {"RESKEY:availability_zones": "az1"}}
    assert (await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/extra_specs", changed)).status == 200
    assert (await create(cloud.tenant, volume_type="near"))["id"] in cloud.pods["Pod1"].cinder.volumes
    assert copy(cloud.pods["Pod1"].cinder, "near")["extra_specs"] == {"a": "b"}, "Pod1 has no zone of its own"
    await cloud.work_off()
    assert copy(cinder, "near")["extra_specs"] == {"RESKEY:availability_zones": "az1", "a": "b"}
    await make_type(cloud, "nowhere", extra_specs={"RESKEY:availability_zones": "az7"})
    said = await refused(cloud.tenant, volume_type="nowhere")
    assert said.message == "Volume type is only supported in these availability zones: ['az7']"
