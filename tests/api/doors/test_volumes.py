# SPDX-License-Identifier: Apache-2.0
"""How does a volume come to be, where is it, and what does its owner see of it? Through the whole gateway."""

from typing import Any

import msgspec
import pytest

from tests.api.whole import PUBLIC, Whole
from tests.asgi import AsgiClient, Said

VOLUMES = "/volume/v3/volumes"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def create(client: AsgiClient, **fields: object) -> dict[str, Any]:
    said = await client.ask("POST", VOLUMES, {"volume": {"size": 1, **fields}})
    assert said.status == 202, said.body
    return dict(said.json()["volume"])


async def refused(client: AsgiClient, **fields: object) -> Said:
    return await client.ask("POST", VOLUMES, {"volume": {"size": 1, **fields}})


def posts(cloud: Whole, region: str) -> list[str]:
    """What was asked to be made in a pod's Cinder."""
    return [path for verb, path in cloud.pods[region].calls("block-storage") if verb == "POST"]


async def test_a_volume_is_made_in_its_zone(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2", name="v", metadata={"a": "b"}, description="d")
    assert (made["availability_zone"], made["name"], made["metadata"]) == ("az2", "v", {"a": "b"})
    assert list(cloud.pods["Pod2"].cinder.volumes) == [made["id"]]
    assert posts(cloud, "Pod1") == []


async def test_the_pod_gets_its_own_zone_or_none(cloud: Whole) -> None:
    for zone in ("az1", "az2"):
        await create(cloud.tenant, availability_zone=zone)
    # Pod1 was registered without a zone of its own: it is given none. Pod2's zone has another name than ours.
    for pod in cloud.pods.values():
        (volume,) = pod.cinder.volumes.values()
        assert volume["availability_zone"] == pod.cinder.zone


async def test_links_are_ours_and_follow_the_clients_path(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    assert {link["rel"]: link["href"] for link in made["links"]} == {
        "self": f"{PUBLIC}/volume/v3/volumes/{made['id']}",
        "bookmark": f"{PUBLIC}/volume/volumes/{made['id']}",
    }
    project = cloud.project_id("demo")
    said = await cloud.tenant.ask("GET", f"/volume/v3/{project}/volumes/{made['id']}")
    links = {link["rel"]: link["href"] for link in said.json()["volume"]["links"]}
    assert links["self"] == f"{PUBLIC}/volume/v3/{project}/volumes/{made['id']}"


async def test_whatever_pods_call_themselves_links_are_ours(cloud: Whole) -> None:
    """In items, lists and next links, and where a server was made."""
    for pod in cloud.pods.values():
        pod.services["compute"].own_name = "https://canary-pod.example/os/compute"
        pod.services["block-storage"].own_name = "https://canary-pod.example:8776"
    made = [await create(cloud.tenant, availability_zone=zone) for zone in ("az1", "az2")]
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    server = {"name": "s", "flavorRef": "1", "imageRef": cloud.image_id, "networks": "none"}
    newest = cloud.tenant.having(OpenStack_API_Version="compute 2.90")
    booted = await newest.ask("POST", "/compute/v2.1/servers", {"server": server})
    assert booted.status == 202, booted.body
    assert booted.headers["location"].startswith(f"{PUBLIC}/compute/v2.1/servers/")
    answers = [booted, await newest.ask("GET", f"/compute/v2.1/servers/{booted.json()['server']['id']}")]
    for one in made:
        answers.append(await cloud.tenant.ask("GET", f"{VOLUMES}/{one['id']}"))
        assert answers[-1].json()["volume"]["links"][1]["href"] == f"{PUBLIC}/volume/volumes/{one['id']}"
    for path in (f"{VOLUMES}?limit=1", f"{VOLUMES}/detail", "/compute/v2.1/servers/detail", "/compute/v2.1/servers"):
        answers.append(await (cloud.tenant if path.startswith(VOLUMES) else newest).ask("GET", path))
        assert answers[-1].status == 200
    for answer in answers:
        assert b"canary" not in answer.body
        assert "canary" not in str(answer.headers)
        assert f"{PUBLIC}/".encode() in answer.body


@pytest.mark.parametrize("version", ["3.15", "3.59"])
async def test_a_lost_race_on_metadata_is_412(cloud: Whole, version: str) -> None:
    """In Cinder's own words, which are none."""
    client = cloud.tenant.having(OpenStack_API_Version=f"volume {version}")
    path = f"{VOLUMES}/{(await create(cloud.tenant, metadata={'a': '1'}))['id']}/metadata"
    mark = (await client.ask("GET", path)).headers["etag"]
    racers = [client.having(If_Match=mark), client.having(If_Match=mark)]
    said = [await racer.ask("PUT", path, {"metadata": {"a": str(n)}}) for n, racer in enumerate(racers, 2)]
    assert [one.status for one in said] == [200, 412]
    assert said[1].body == b""
    assert (await client.ask("GET", path)).json() == {"metadata": {"a": "2"}}


async def test_the_project_is_bound_and_its_limits_in_the_pod_are_lifted(cloud: Whole) -> None:
    await create(cloud.tenant, availability_zone="az2")
    project = cloud.project_id("demo")
    assert set(cloud.pods["Pod2"].cinder.quotas.stored[project].values()) == {-1}
    assert cloud.pods["Pod2"].nova.quotas.stored[project]["instances"] == -1
    assert project not in cloud.pods["Pod1"].cinder.quotas.stored


async def test_without_a_zone_a_project_stays_where_it_is(cloud: Whole) -> None:
    first = await create(cloud.tenant, availability_zone="az2")
    second = await create(cloud.tenant)
    assert second["availability_zone"] == first["availability_zone"] == "az2"


async def test_the_token_is_the_users_and_no_service_token_goes_along(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az1")
    stored = cloud.pods["Pod1"].cinder.volumes[made["id"]]
    assert stored["_project"] == cloud.project_id("demo")


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"availability_zone": "x"}, 400, "Availability zone 'x' is invalid."),
        ({"availability_zone": "nova"}, 400, "Availability zone 'nova' is invalid."),
        ({"availability_zone": ""}, 400, "Availability zone '' is invalid."),
        ({"volume_type": "x"}, 404, "Volume type with name x could not be found."),
        ({"volume_type": NOBODY}, 404, f"Volume type {NOBODY} could not be found."),
        (
            {"volume_type": ["x"]},
            400,
            "Invalid input for field/attribute volume_type. Value: ['x']. ['x'] is not of type 'string', 'null'",
        ),
        ({"snapshot_id": NOBODY}, 404, f"Snapshot {NOBODY} could not be found."),
        ({"source_volid": NOBODY}, 404, f"Volume {NOBODY} could not be found."),
        # What is named is looked for before the zone.
        ({"snapshot_id": NOBODY, "availability_zone": "x"}, 404, f"Snapshot {NOBODY} could not be found."),
        ({"volume_type": "x", "availability_zone": "x"}, 404, "Volume type with name x could not be found."),
        ({"imageRef": NOBODY}, 400, "Invalid image identifier or unable to access requested image."),
        (
            {"imageRef": NOBODY, "volume_type": "__DEFAULT__"},
            400,
            "Invalid image identifier or unable to access requested image.",
        ),
        ({"size": "x"}, 400, "Invalid input for field/attribute size. Value: x. 'x' does not match '^[0-9]+$'"),
        ({"size": 0}, 400, "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1"),
    ],
)
async def test_what_cannot_be_made_is_refused_before_a_pod_is_asked(
    cloud: Whole, fields: dict[str, object], status: int, message: str
) -> None:
    said = await refused(cloud.tenant, **fields)
    assert (said.status, said.message) == (status, message)
    assert posts(cloud, "Pod1") == posts(cloud, "Pod2") == []
    assert cloud.project_id("demo") not in cloud.pods["Pod1"].cinder.quotas.stored


@pytest.mark.parametrize("body", [{}, {"volume": "x"}])
async def test_a_body_without_a_volume(cloud: Whole, body: dict[str, object]) -> None:
    said = await cloud.tenant.ask("POST", VOLUMES, body)
    assert (said.status, said.message) == (400, "'volume' is a required property")


async def test_a_body_that_is_no_json(cloud: Whole) -> None:
    assert (await cloud.tenant.ask("POST", VOLUMES, b"{")).status == 400


async def test_no_token_and_a_foreign_project_in_the_path(cloud: Whole) -> None:
    assert (await cloud.doors.ask("GET", VOLUMES)).status == 401
    said = await cloud.tenant.ask("GET", f"/volume/v3/{cloud.project_id('alt')}/volumes")
    assert (said.status, said.message) == (400, "Malformed request url")


async def test_change_and_delete(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    path = f"{VOLUMES}/{made['id']}"
    said = await cloud.tenant.ask("PUT", path, {"volume": {"name": "new"}})
    assert said.json()["volume"]["name"] == "new"
    assert said.json()["volume"]["availability_zone"] == "az2"
    said = await cloud.tenant.ask("POST", f"{path}/metadata", {"metadata": {"k": "v"}})
    assert said.json() == {"metadata": {"k": "v"}}
    assert (await cloud.tenant.ask("DELETE", path)).status == 202
    said = await cloud.tenant.ask("GET", path)
    assert (said.status, said.message) == (404, f"Volume {made['id']} could not be found.")


async def test_hosts_and_ids_of_the_pod_are_not_for_tenants(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    tenant = cloud.tenant.having(openstack_api_version="volume 3.70")
    shown = (await tenant.ask("GET", f"{VOLUMES}/{made['id']}")).json()["volume"]
    assert "os-vol-host-attr:host" not in shown
    assert "canary" not in str(shown)
    assert shown["service_uuid"] not in (None, "canary-service-uuid")
    admin = cloud.admin.having(openstack_api_version="volume 3.70")
    assert (await admin.ask("GET", f"{VOLUMES}/{made['id']}")).json()["volume"]["os-vol-host-attr:host"]


async def test_a_volume_is_not_there_for_another_tenant(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    said = await cloud.other.ask("GET", f"{VOLUMES}/{made['id']}")
    assert (said.status, said.message) == (404, f"Volume {made['id']} could not be found.")


async def test_a_volume_that_was_made_in_the_pod_is_found_there(cloud: Whole) -> None:
    """A routing is an index: losing one never hides a volume."""
    made = await create(cloud.tenant, availability_zone="az2")
    cinder = cloud.pods["Pod2"].cinder
    cinder.volumes[NOBODY] = {**cinder.volumes[made["id"]], "id": NOBODY}
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/{NOBODY}")
    assert said.status == 200
    assert said.json()["volume"]["availability_zone"] == "az2"


async def test_extend_and_reset(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    path = f"{VOLUMES}/{made['id']}/action"
    assert (await cloud.tenant.ask("POST", path, {"os-extend": {"new_size": 3}})).status == 202
    assert cloud.pods["Pod2"].cinder.volumes[made["id"]]["size"] == 3
    said = await cloud.tenant.ask("POST", path, {"nonsense": {}})
    assert said.status == 400


# --- types ------------------------------------------------------------------------------------------------------------


async def make_type(cloud: Whole, name: str, **fields: object) -> str:
    body = {"volume_type": {"name": name, "extra_specs": {"volume_backend_name": "fast"}, **fields}}
    said = await cloud.admin.ask("POST", "/volume/v3/types", body)
    assert said.status == 200, said.body
    return str(said.json()["volume_type"]["id"])


async def test_a_type_is_copied_with_its_specs_and_shown_with_our_id(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    tenant = cloud.tenant.having(openstack_api_version="volume 3.70")
    for asked in ("gold", type_id):
        made = await create(tenant, availability_zone="az2", volume_type=asked)
        assert (made["volume_type"], made["volume_type_id"]) == ("gold", type_id)
    copies = [one for one in cloud.pods["Pod2"].cinder.types.stored.values() if one["name"] == "gold"]
    assert [one["extra_specs"] for one in copies] == [{"volume_backend_name": "fast"}]
    assert copies[0]["id"] != type_id
    shown = (await tenant.ask("GET", f"{VOLUMES}/detail")).json()["volumes"]
    assert {one["volume_type_id"] for one in shown} == {type_id}


async def test_the_default_type_is_the_centres(cloud: Whole) -> None:
    tenant = cloud.tenant.having(openstack_api_version="volume 3.70")
    made = await create(tenant, availability_zone="az2")
    default = (await cloud.tenant.ask("GET", "/volume/v3/types/default")).json()["volume_type"]
    assert (made["volume_type"], made["volume_type_id"]) == ("__DEFAULT__", default["id"])
    assert default["id"] not in cloud.pods["Pod2"].cinder.types.stored


async def test_a_type_of_the_pods_own_does_not_get_in_the_way(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    cinder = cloud.pods["Pod2"].cinder
    default = next(iter(cinder.types.stored.values()))
    cinder.types.stored["own"] = {**default, "id": "own", "name": "gold", "description": "mine"}
    tenant = cloud.tenant.having(openstack_api_version="volume 3.70")
    made = await create(tenant, availability_zone="az2", volume_type="gold")
    assert (made["volume_type"], made["volume_type_id"]) == ("gold", type_id)
    assert cinder.volumes[made["id"]]["_type"] != "own"


async def test_a_private_type_is_for_those_who_have_it(cloud: Whole) -> None:
    type_id = await make_type(cloud, "secret", **{"os-volume-type-access:is_public": False})
    said = await refused(cloud.tenant, volume_type="secret")
    assert (said.status, said.message) == (404, "Volume type with name secret could not be found.")
    give = {"addProjectAccess": {"project": cloud.project_id("demo")}}
    assert (await cloud.admin.ask("POST", f"/volume/v3/types/{type_id}/action", give)).status == 202
    assert (await create(cloud.tenant, volume_type="secret"))["volume_type"] == "secret"


async def test_retype_is_translated(cloud: Whole) -> None:
    type_id = await make_type(cloud, "gold")
    made = await create(cloud.tenant, availability_zone="az2")
    path = f"{VOLUMES}/{made['id']}"
    said = await cloud.tenant.ask("POST", f"{path}/action", {"os-retype": {"new_type": type_id}})
    assert said.status == 202, said.body
    assert (await cloud.tenant.ask("GET", path)).json()["volume"]["volume_type"] == "gold"
    said = await cloud.tenant.ask("POST", f"{path}/action", {"os-retype": {"new_type": "x"}})
    assert (said.status, said.message) == (404, "Volume type with name x could not be found.")


async def test_an_image_decides_the_type_of_its_volumes(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    cloud.centre.glance.images[cloud.image_id]["cinder_img_volume_type"] = "gold"
    for reference in (cloud.image_id, f"http://anywhere/{cloud.image_id}", "cirros"):
        made = await create(cloud.tenant, availability_zone="az2", imageRef=reference)
        assert made["volume_type"] == "gold"
    plain = await create(cloud.tenant, availability_zone="az2")
    assert plain["volume_type"] == "__DEFAULT__"


# --- what is made of volumes ------------------------------------------------------------------------------------------


async def snapshot(cloud: Whole, volume_id: str) -> dict[str, Any]:
    said = await cloud.tenant.ask("POST", "/volume/v3/snapshots", {"snapshot": {"volume_id": volume_id, "name": "s"}})
    assert said.status == 202, said.body
    return dict(said.json()["snapshot"])


async def test_a_snapshot_and_its_clone_are_where_the_volume_is(cloud: Whole) -> None:
    await create(cloud.tenant, availability_zone="az1")  # the project's own place is another one
    source = await create(cloud.tenant, availability_zone="az2")
    made = await snapshot(cloud, source["id"])
    assert made["id"] in cloud.pods["Pod2"].cinder.snapshots
    shown = await cloud.tenant.ask("GET", f"/volume/v3/snapshots/{made['id']}")
    assert shown.json()["snapshot"]["volume_id"] == source["id"]
    for field, origin in (("snapshot_id", made["id"]), ("source_volid", source["id"])):
        clone = await create(cloud.tenant, **{field: origin})
        assert clone["availability_zone"] == "az2"
    assert (await cloud.tenant.ask("DELETE", f"/volume/v3/snapshots/{made['id']}")).status == 202
    assert (await cloud.tenant.ask("GET", f"/volume/v3/snapshots/{made['id']}")).status == 404


@pytest.mark.parametrize(("field", "noun"), [("snapshot_id", "snapshot"), ("source_volid", "source volume")])
async def test_a_clone_in_another_zone_is_refused_in_cinders_words(cloud: Whole, field: str, noun: str) -> None:
    source = await create(cloud.tenant, availability_zone="az2")
    origin = (await snapshot(cloud, source["id"]))["id"] if field == "snapshot_id" else source["id"]
    said = await refused(cloud.tenant, availability_zone="az1", **{field: origin})
    assert said.status == 400
    assert said.message == f"Invalid input received: Volume must be in the same availability zone as the {noun}"


async def test_a_hint_pins_the_pod(cloud: Whole) -> None:
    await create(cloud.tenant, availability_zone="az1")
    near = await create(cloud.tenant, availability_zone="az2")
    body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": [near["id"]]}}
    said = await cloud.tenant.ask("POST", VOLUMES, body)
    assert said.json()["volume"]["availability_zone"] == "az2"


async def test_a_snapshot_of_nothing(cloud: Whole) -> None:
    said = await cloud.tenant.ask("POST", "/volume/v3/snapshots", {"snapshot": {"volume_id": NOBODY}})
    assert (said.status, said.message) == (404, f"Volume {NOBODY} could not be found.")
    said = await cloud.tenant.ask("POST", "/volume/v3/snapshots", {"snapshot": {}})
    assert said.status == 400
    assert "'volume_id' is a required property" in said.message


async def test_attachments(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    tenant = cloud.tenant.having(openstack_api_version="volume 3.27")
    body = {"attachment": {"volume_uuid": made["id"], "instance_uuid": NOBODY}}
    said = await tenant.ask("POST", "/volume/v3/attachments", body)
    assert said.status == 200, said.body
    attachment = said.json()["attachment"]
    listed = (await tenant.ask("GET", "/volume/v3/attachments")).json()["attachments"]
    assert listed == [{"id": attachment["id"], "status": "reserved", "instance": NOBODY, "volume_id": made["id"]}]
    assert (await tenant.ask("DELETE", f"/volume/v3/attachments/{attachment['id']}")).status == 200
    assert (await cloud.tenant.ask("GET", "/volume/v3/attachments")).status == 404


async def test_zones_are_those_of_the_cloud(cloud: Whole) -> None:
    said = await cloud.tenant.ask("GET", "/volume/v3/os-availability-zone")
    assert said.json() == {
        "availabilityZoneInfo": [
            {"zoneName": "az1", "zoneState": {"available": True}},
            {"zoneName": "az2", "zoneState": {"available": True}},
        ]
    }


@pytest.mark.parametrize(("path", "status"), [("/volume/", 300), ("/volume/v3/", 200)])
async def test_versions_have_our_links(cloud: Whole, path: str, status: int) -> None:
    # As in Cinder, the list of versions is for everybody, and what is said of one is not.
    said = await cloud.doors.ask("GET", path)
    if path == "/volume/v3/":
        assert said.status == 401
        said = await cloud.tenant.ask("GET", path)
    assert said.status == status
    (version,) = said.json()["versions"]
    assert (version["id"], version["version"], version["min_version"]) == ("v3.0", "3.71", "3.0")
    assert f"{PUBLIC}/volume/v3/" in [link["href"] for link in version["links"]]


async def test_a_named_type_counts_more_than_the_images(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    cloud.centre.glance.images[cloud.image_id]["cinder_img_volume_type"] = "nope"
    asked = {"availability_zone": "az2", "imageRef": cloud.image_id}
    assert (await create(cloud.tenant, volume_type="gold", **asked))["volume_type"] == "gold"
    assert (await refused(cloud.tenant, **asked)).status == 404
    cloud.centre.glance.images[cloud.image_id]["cinder_img_volume_type"] = "gold"
    assert (await create(cloud.tenant, **asked))["volume_type"] == "gold"


async def test_an_image_of_a_server_with_volumes_is_where_its_snapshot_is(cloud: Whole) -> None:
    """Cinder makes the volume of the snapshot, from 3.46 on."""
    await make_type(cloud, "gold")
    source = await create(cloud.tenant, availability_zone="az2", volume_type="gold", size=3)
    taken = await snapshot(cloud, source["id"])
    mapping = [{"source_type": "snapshot", "snapshot_id": taken["id"], "boot_index": 0}]
    image = cloud.centre.glance.images[cloud.image_id]
    image["block_device_mapping"] = msgspec.json.encode(mapping).decode()
    tenant = cloud.tenant.having(openstack_api_version="volume 3.46")
    made = await create(tenant, imageRef=cloud.image_id, size=4)
    assert made["id"] in cloud.pods["Pod2"].cinder.volumes
    said = await refused(tenant, imageRef=cloud.image_id, availability_zone="az1")
    assert (said.status, "same availability zone as the snapshot" in said.message) == (400, True)
    assert (await refused(cloud.tenant, imageRef=cloud.image_id, availability_zone="az1")).status == 202
    image["block_device_mapping"] = msgspec.json.encode([{**mapping[0], "snapshot_id": NOBODY}]).decode()
    assert (await refused(tenant, imageRef=cloud.image_id)).status == 404
