# SPDX-License-Identifier: Apache-2.0
"""How does a group of volumes come to be in a pod, and how do copies of its type follow? Through the whole gateway."""

from typing import Any

from tests.api.doors.test_volume_limits import limit
from tests.api.doors.test_volumes import VOLUMES, make_type
from tests.api.whole import Whole
from tests.asgi import AsgiClient, Said
from tricircle.testing.block_storage.cinder import Cinder

V = "volume 3.71"
ROOT = "/volume/v3"


async def ask(client: AsgiClient, verb: str, path: str, body: object = None, version: str = V) -> Said:
    return await client.having(openstack_api_version=version).ask(verb, ROOT + path, body)


async def make_group_type(cloud: Whole, name: str, **specs: str) -> str:
    said = await ask(cloud.admin, "POST", "/group_types", {"group_type": {"name": name}})
    assert said.status == 202, said.body
    type_id = str(said.json()["group_type"]["id"])
    if specs:
        await ask(cloud.admin, "POST", f"/group_types/{type_id}/group_specs", {"group_specs": specs})
    return type_id


async def make(client: AsgiClient, **fields: object) -> dict[str, Any]:
    said = await ask(client, "POST", "/groups", {"group": {"volume_types": ["gold"], **fields}})
    assert said.status == 202, said.body
    return dict(said.json()["group"])


def copies(cinder: Cinder) -> dict[str, dict[str, str]]:
    return {
        one["name"]: one["group_specs"]
        for one in cinder.groups.types.values()
        if one["name"] != "default_cgsnapshot_type"
    }


async def test_a_group_is_made_in_its_zone_with_copies_of_its_types(cloud: Whole) -> None:
    gold, together = await make_type(cloud, "gold"), await make_group_type(cloud, "together", a="b")
    made = await make(cloud.tenant, group_type="together", availability_zone="az2", name="g")
    assert list(cloud.pods["Pod2"].cinder.groups.stored) == [made["id"]]
    assert copies(cloud.pods["Pod2"].cinder) == {"together": {"a": "b"}}
    assert copies(cloud.pods["Pod1"].cinder) == {}
    shown = (await ask(cloud.tenant, "GET", f"/groups/{made['id']}")).json()["group"]
    assert (shown["group_type"], shown["volume_types"], shown["availability_zone"]) == (together, [gold], "az2")
    listed = (await ask(cloud.tenant, "GET", "/groups/detail")).json()["groups"]
    assert [(one["id"], one["group_type"]) for one in listed] == [(made["id"], together)]


async def test_a_volume_of_a_group_is_made_beside_it(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    await make_group_type(cloud, "together")
    made = await make(cloud.tenant, group_type="together", availability_zone="az2")
    body = {"volume": {"size": 1, "group_id": made["id"], "volume_type": "gold"}}
    volume = (await ask(cloud.tenant, "POST", "/volumes", body)).json()["volume"]
    assert (volume["group_id"], volume["availability_zone"]) == (made["id"], "az2")
    ended = await ask(cloud.tenant, "POST", f"/groups/{made['id']}/action", {"delete": {"delete-volumes": True}})
    assert ended.status == 202
    assert cloud.pods["Pod2"].cinder.volumes == {}


async def test_a_snapshot_of_a_group_counts_every_volume_of_it(cloud: Whole) -> None:
    """Its pod shows seven volumes at once, and administrators their own project's unless they ask for all."""
    await make_type(cloud, "gold")
    await make_group_type(cloud, "together")
    made = await make(cloud.tenant, group_type="together", availability_zone="az2")
    for _ in range(9):
        body = {"volume": {"size": 1, "group_id": made["id"], "volume_type": "gold"}}
        assert (await ask(cloud.tenant, "POST", "/volumes", body)).status == 202
    for client, project in ((cloud.tenant, "demo"), (cloud.admin, "admin")):
        await limit(cloud, project, snapshots=8)
        said = await ask(client, "POST", "/group_snapshots", {"group_snapshot": {"group_id": made["id"]}})
        text = "SnapshotLimitExceeded: Maximum number of snapshots allowed (8) exceeded"
        assert (project, said.status, said.message) == (project, 413, text)


async def test_an_administrator_uses_private_group_types_by_id_and_by_name(cloud: Whole) -> None:
    await make_type(cloud, "gold", **{"os-volume-type-access:is_public": False})
    said = await ask(cloud.admin, "POST", "/group_types", {"group_type": {"name": "secret", "is_public": False}})
    type_id = said.json()["group_type"]["id"]
    for asked in ("secret", type_id):
        made = await make(cloud.admin, group_type=asked)
        shown = (await ask(cloud.admin, "GET", f"/groups/{made['id']}")).json()["group"]
        assert shown["group_type"] == type_id
        body = {"group": {"volume_types": ["gold"], "group_type": asked}}
        assert (await ask(cloud.tenant, "POST", "/groups", body)).status == 404


async def test_what_a_group_names_must_exist(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    await make_group_type(cloud, "together")
    for fields, status, text in (
        ({"group_type": "x"}, 404, "Group type with name x could not be found."),
        ({"group_type": "together", "volume_types": ["x"]}, 404, "Volume type with name x could not be found."),
        (
            {"group_type": "together", "availability_zone": "x"},
            400,
            "Invalid input received: Availability zone 'x' is invalid.",
        ),
    ):
        said = await ask(cloud.tenant, "POST", "/groups", {"group": {"volume_types": ["gold"], **fields}})
        assert (said.status, said.message) == (status, text)
    said = await ask(cloud.tenant, "POST", "/groups", {"group": {"group_type": "together"}})
    assert (said.status, "'volume_types' is a required property" in said.message) == (400, True)
    assert [pod.cinder.groups.stored for pod in cloud.pods.values()] == [{}, {}]
    assert (await ask(cloud.tenant, "POST", "/groups", {"group": {}}, "volume 3.12")).status == 404


async def test_a_pod_with_another_type_of_that_name_gets_a_distinct_copy(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    together = await make_group_type(cloud, "together", a="b")
    inside = cloud.pods["Pod2"].cinder
    own = inside.groups.new_type({"name": "together"})
    made = await make(cloud.tenant, group_type="together", availability_zone="az2")
    assert copies(inside) == {"together": {}, "tricircle.together": {"a": "b"}}
    assert inside.groups.stored[made["id"]]["group_type"] != own["id"]
    assert (await ask(cloud.tenant, "GET", f"/groups/{made['id']}")).json()["group"]["group_type"] == together


async def test_a_pods_own_type_that_is_the_same_is_used_and_left_alone(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    together = await make_group_type(cloud, "together")
    own = cloud.pods["Pod2"].cinder.groups.new_type({"name": "together"})
    made = await make(cloud.tenant, group_type=together, availability_zone="az2")
    assert cloud.pods["Pod2"].cinder.groups.stored[made["id"]]["group_type"] == own["id"]
    await ask(cloud.admin, "POST", f"/group_types/{together}/group_specs", {"group_specs": {"c": "d"}})
    await cloud.work_off()
    assert own["group_specs"] == {}
    await make(cloud.tenant, group_type=together, availability_zone="az2")
    assert copies(cloud.pods["Pod2"].cinder) == {"together": {}, "tricircle.together": {"c": "d"}}


async def test_copies_follow_a_type_and_go_with_it(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    together = await make_group_type(cloud, "together", a="b")
    made = await make(cloud.tenant, group_type="together", availability_zone="az2")
    path = f"/group_types/{together}"
    await ask(cloud.admin, "PUT", path, {"group_type": {"name": "near"}})
    await ask(cloud.admin, "DELETE", f"{path}/group_specs/a")
    await cloud.work_off()
    assert copies(cloud.pods["Pod2"].cinder) == {"near": {}}
    said = await ask(cloud.admin, "DELETE", path)
    assert (said.status, said.message) == (400, "Target group type is still in use.")
    await ask(cloud.tenant, "POST", f"/groups/{made['id']}/action", {"delete": {"delete-volumes": False}})
    assert (await ask(cloud.admin, "DELETE", path)).status == 202
    await cloud.work_off()
    assert copies(cloud.pods["Pod2"].cinder) == {}


async def test_a_copy_that_an_operator_deleted_is_made_again(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    await make_group_type(cloud, "together")
    first = await make(cloud.tenant, group_type="together", availability_zone="az2")
    await ask(cloud.tenant, "POST", f"/groups/{first['id']}/action", {"delete": {"delete-volumes": False}})
    inside = cloud.pods["Pod2"].cinder.groups
    (copy,) = [one for one in inside.types.values() if one["name"] == "together"]
    del inside.types[copy["id"]]
    await make(cloud.tenant, group_type="together", availability_zone="az2")
    assert copies(cloud.pods["Pod2"].cinder) == {"together": {}}


async def test_snapshots_of_a_transferred_volume_are_its_new_owners(cloud: Whole) -> None:
    volume = (await cloud.tenant.ask("POST", VOLUMES, {"volume": {"size": 1, "availability_zone": "az2"}})).json()
    volume_id = volume["volume"]["id"]
    taken = await ask(cloud.tenant, "POST", "/snapshots", {"snapshot": {"volume_id": volume_id}})
    snapshot_id = taken.json()["snapshot"]["id"]
    given = await ask(cloud.tenant, "POST", "/volume-transfers", {"transfer": {"volume_id": volume_id}})
    transfer = given.json()["transfer"]
    body = {"accept": {"auth_key": transfer["auth_key"]}}
    assert (await ask(cloud.other, "POST", f"/volume-transfers/{transfer['id']}/accept", body)).status == 202
    asked = cloud.pods["Pod1"].calls("block-storage")
    assert (await ask(cloud.other, "GET", f"/snapshots/{snapshot_id}")).status == 200
    assert cloud.pods["Pod1"].calls("block-storage") == asked
