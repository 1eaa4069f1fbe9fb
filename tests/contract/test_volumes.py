# SPDX-License-Identifier: Apache-2.0
"""How does a volume live in a pod's Cinder, with its types, snapshots and limits?"""

from collections.abc import Callable

import pytest

from tests.contract.cloud import Cloud, eventually, unique
from tests.contract.conftest import Undo

Volume = Callable[..., dict]
NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_create_is_202_without_location(cloud: Cloud, undo: Undo) -> None:
    body = {"volume": {"size": 1, "name": unique("volume"), "metadata": {"a": "b"}}}
    answer = cloud.tenant("POST", "block-storage", "/v3/volumes", body, {"OpenStack-API-Version": "volume 3.70"})
    assert answer.status_code == 202
    made = answer.json()["volume"]
    undo(cloud.tenant, "block-storage", f"/v3/volumes/{made['id']}")
    assert "Location" not in answer.headers
    assert (made["status"], made["size"], made["metadata"]) == ("creating", 1, {"a": "b"})
    assert made["availability_zone"] == cloud.zone
    assert made["volume_type"] == "__DEFAULT__"
    default = cloud.tenant.good("GET", "block-storage", "/v3/types/default")["volume_type"]
    assert made["volume_type_id"] == default["id"]
    eventually(
        lambda: cloud.tenant.good("GET", "block-storage", f"/v3/volumes/{made['id']}")["volume"]["status"],
        lambda status: status == "available",
    )


def test_a_volume_type_id_shows_from_3_63_only(cloud: Cloud, volume: Volume) -> None:
    path = f"/v3/volumes/{volume()['id']}"
    old = cloud.tenant.good("GET", "block-storage", path, OpenStack_API_Version="volume 3.62")["volume"]
    new = cloud.tenant.good("GET", "block-storage", path, OpenStack_API_Version="volume 3.63")["volume"]
    assert "volume_type_id" not in old
    assert new["volume_type_id"]


def test_hosts_are_for_operators(cloud: Cloud, volume: Volume) -> None:
    path = f"/v3/volumes/{volume()['id']}"
    assert "os-vol-host-attr:host" not in cloud.tenant.good("GET", "block-storage", path)["volume"]
    assert cloud.admin.good("GET", "block-storage", path)["volume"]["os-vol-host-attr:host"]


def test_change_and_delete(cloud: Cloud, volume: Volume) -> None:
    path = f"/v3/volumes/{volume()['id']}"
    changed = cloud.tenant.good("PUT", "block-storage", path, {"volume": {"name": "renamed", "description": "d"}})
    assert (changed["volume"]["name"], changed["volume"]["description"]) == ("renamed", "d")
    assert cloud.tenant.good("POST", "block-storage", f"{path}/metadata", {"metadata": {"k": "v"}}) == {
        "metadata": {"k": "v"}
    }
    assert cloud.tenant("DELETE", "block-storage", path).status_code == 202
    eventually(lambda: cloud.tenant("GET", "block-storage", path).status_code, lambda code: code == 404)


def test_extend(cloud: Cloud, volume: Volume) -> None:
    path = f"/v3/volumes/{volume()['id']}"
    assert cloud.tenant("POST", "block-storage", f"{path}/action", {"os-extend": {"new_size": 2}}).status_code == 202
    eventually(lambda: cloud.tenant.good("GET", "block-storage", path)["volume"]["size"], lambda size: size == 2)


def test_a_snapshot_and_a_volume_from_it(cloud: Cloud, volume: Volume, undo: Undo) -> None:
    source = volume()
    body = {"snapshot": {"volume_id": source["id"], "name": unique("snapshot")}}
    answer = cloud.tenant("POST", "block-storage", "/v3/snapshots", body)
    assert answer.status_code == 202
    made = answer.json()["snapshot"]
    assert (made["status"], made["volume_id"], made["size"]) == ("creating", source["id"], 1)
    path = f"/v3/snapshots/{made['id']}"
    undo(cloud.tenant, "block-storage", path)
    eventually(
        lambda: cloud.tenant.good("GET", "block-storage", path)["snapshot"]["status"],
        lambda status: status == "available",
    )
    listed = cloud.tenant.good("GET", "block-storage", f"/v3/snapshots/detail?volume_id={source['id']}")["snapshots"]
    assert [one["id"] for one in listed] == [made["id"]]
    refused = cloud.tenant("DELETE", "block-storage", f"/v3/volumes/{source['id']}")
    assert refused.status_code == 400
    clone = volume(size=1, snapshot_id=made["id"])
    assert clone["snapshot_id"] == made["id"]


BAD = [
    ({"availability_zone": "x"}, 400, "Availability zone 'x' is invalid."),
    ({"volume_type": "x"}, 404, "Volume type with name x could not be found."),
    ({"volume_type": NOBODY}, 404, f"Volume type {NOBODY} could not be found."),
    ({"snapshot_id": NOBODY}, 404, f"Snapshot {NOBODY} could not be found."),
    ({"source_volid": NOBODY}, 404, f"Volume {NOBODY} could not be found."),
    ({"imageRef": NOBODY}, 400, "Invalid image identifier or unable to access requested image."),
    ({"size": "x"}, 400, "Invalid input for field/attribute size. Value: x. 'x' does not match '^[0-9]+$'"),
]


@pytest.mark.parametrize(("fields", "status", "message"), BAD)
def test_a_create_that_names_what_is_not_there(cloud: Cloud, fields: dict, status: int, message: str) -> None:
    answer = cloud.tenant("POST", "block-storage", "/v3/volumes", {"volume": {"size": 1, **fields}})
    assert answer.status_code == status
    fault = {400: "badRequest", 404: "itemNotFound"}[status]
    assert answer.json() == {fault: {"code": status, "message": message}}


def test_a_body_without_a_volume(cloud: Cloud) -> None:
    answer = cloud.tenant("POST", "block-storage", "/v3/volumes", {})
    assert answer.json() == {"badRequest": {"code": 400, "message": "'volume' is a required property"}}


def test_an_image_may_be_named_by_a_url(cloud: Cloud, volume: Volume) -> None:
    made = volume(imageRef=f"http://anywhere/images/{cloud.image_id}")
    assert made["bootable"] == "true"


@pytest.fixture
def volume_type(cloud: Cloud, undo: Undo) -> dict:
    body = {"volume_type": {"name": unique("gold"), "description": "d", "extra_specs": {"volume_backend_name": "x"}}}
    made = cloud.admin.good("POST", "block-storage", "/v3/types", body)["volume_type"]
    undo(cloud.admin, "block-storage", f"/v3/types/{made['id']}")
    return dict(made)


def test_a_type_is_found_by_id_and_not_by_name(cloud: Cloud, volume_type: dict) -> None:
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/types/{volume_type['id']}")["volume_type"]
    assert (shown["name"], shown["extra_specs"]) == (volume_type["name"], {})
    assert cloud.tenant("GET", "block-storage", f"/v3/types/{volume_type['name']}").status_code == 404
    admin = cloud.admin.good("GET", "block-storage", f"/v3/types/{volume_type['id']}")["volume_type"]
    assert admin["extra_specs"] == {"volume_backend_name": "x"}


def test_the_id_of_a_type_cannot_be_chosen(cloud: Cloud) -> None:
    body = {"volume_type": {"name": unique("x"), "id": NOBODY}}
    assert cloud.admin("POST", "block-storage", "/v3/types", body).status_code == 400


def test_a_taken_name_of_a_type_is_409(cloud: Cloud, volume_type: dict) -> None:
    answer = cloud.admin("POST", "block-storage", "/v3/types", {"volume_type": {"name": volume_type["name"]}})
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Volume Type {volume_type['name']} already exists."


def test_extra_specs_of_a_type(cloud: Cloud, volume_type: dict) -> None:
    path = f"/v3/types/{volume_type['id']}/extra_specs"
    cloud.admin.good("POST", "block-storage", path, {"extra_specs": {"a": "b"}})
    assert cloud.admin.good("GET", "block-storage", path)["extra_specs"] == {"volume_backend_name": "x", "a": "b"}
    assert cloud.admin("DELETE", "block-storage", f"{path}/a").status_code == 202
    assert cloud.admin("DELETE", "block-storage", f"{path}/a").status_code == 404


def test_a_private_type_and_its_access(cloud: Cloud, undo: Undo) -> None:
    body = {"volume_type": {"name": unique("private"), "os-volume-type-access:is_public": False}}
    made = cloud.admin.good("POST", "block-storage", "/v3/types", body)["volume_type"]
    path = f"/v3/types/{made['id']}"
    undo(cloud.admin, "block-storage", path)
    names = lambda: [one["name"] for one in cloud.tenant.good("GET", "block-storage", "/v3/types")["volume_types"]]  # noqa: E731
    assert made["name"] not in names()
    give = {"addProjectAccess": {"project": cloud.tenant.project_id}}
    assert cloud.admin("POST", "block-storage", f"{path}/action", give).status_code == 202
    assert made["name"] in names()
    assert cloud.admin("POST", "block-storage", f"{path}/action", give).status_code == 409
    access = cloud.admin.good("GET", "block-storage", f"{path}/os-volume-type-access")["volume_type_access"]
    assert [one["project_id"] for one in access] == [cloud.tenant.project_id]


def test_a_type_in_use_stays(cloud: Cloud, volume: Volume, undo: Undo) -> None:
    made = cloud.admin.good("POST", "block-storage", "/v3/types", {"volume_type": {"name": unique("used")}})
    type_id = made["volume_type"]["id"]
    undo(cloud.admin, "block-storage", f"/v3/types/{type_id}")
    seen = volume(volume_type=made["volume_type"]["name"])
    assert seen["volume_type"] == made["volume_type"]["name"]
    answer = cloud.admin("DELETE", "block-storage", f"/v3/types/{type_id}")
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Target volume type is still in use."


def test_an_attachment_is_listed_briefly(cloud: Cloud, volume: Volume, undo: Undo) -> None:
    made = volume()
    headers = {"OpenStack-API-Version": "volume 3.27"}
    body = {"attachment": {"volume_uuid": made["id"], "instance_uuid": NOBODY}}
    answer = cloud.tenant("POST", "block-storage", "/v3/attachments", body, headers)
    assert answer.status_code == 200
    attachment = answer.json()["attachment"]
    assert (attachment["volume_id"], attachment["instance"], attachment["status"]) == (made["id"], NOBODY, "reserved")
    listed = cloud.tenant("GET", "block-storage", "/v3/attachments", headers=headers).json()["attachments"]
    assert [set(one) for one in listed if one["id"] == attachment["id"]] == [{"id", "status", "instance", "volume_id"}]
    detailed = cloud.tenant("GET", "block-storage", "/v3/attachments/detail", headers=headers).json()["attachments"]
    more = {"attached_at", "detached_at", "attach_mode", "connection_info"}
    assert [set(one) - more for one in detailed if one["id"] == attachment["id"]] == [set(listed[0])]
    gone = cloud.tenant("DELETE", "block-storage", f"/v3/attachments/{attachment['id']}", headers=headers)
    assert (gone.status_code, gone.json()) == (200, {"attachments": []})


def test_attachments_come_in_pages_without_links(cloud: Cloud, volume: Volume) -> None:
    headers = {"OpenStack-API-Version": "volume 3.27"}
    made = []
    for _ in range(2):
        body = {"attachment": {"volume_uuid": volume()["id"], "instance_uuid": NOBODY}}
        answer = cloud.tenant("POST", "block-storage", "/v3/attachments", body, headers)
        made.append(answer.json()["attachment"]["id"])
    try:
        seen: list[str] = []
        query = "limit=1"
        for _ in range(50):
            page = cloud.tenant("GET", "block-storage", f"/v3/attachments?{query}", headers=headers).json()
            assert set(page) == {"attachments"}
            if not page["attachments"]:
                break
            seen += [one["id"] for one in page["attachments"]]
            query = f"limit=1&marker={seen[-1]}"
        assert set(made) <= set(seen)
        assert len(seen) == len(set(seen))
    finally:
        for attachment in made:
            cloud.tenant("DELETE", "block-storage", f"/v3/attachments/{attachment}", headers=headers)


@pytest.mark.parametrize("version", ["3.14", "3.15", "3.71"])
def test_metadata_is_replaced_by_who_knows_it(cloud: Cloud, volume: Volume, version: str) -> None:
    """From 3.15 on it has a mark; who names an older one is refused without a word."""
    path = f"/v3/volumes/{volume()['id']}/metadata"
    asked = {"OpenStack-API-Version": f"volume {version}"}
    mark = cloud.tenant("GET", "block-storage", path, headers=asked).headers.get("Etag")
    assert (mark is not None) == (version != "3.14")
    first = cloud.tenant("PUT", "block-storage", path, {"metadata": {"a": "1"}}, {**asked, "If-Match": mark or "x"})
    assert (first.status_code, first.json()) == (200, {"metadata": {"a": "1"}})
    late = cloud.tenant("PUT", "block-storage", path, {"metadata": {"a": "2"}}, {**asked, "If-Match": mark or "x"})
    assert (late.status_code, late.content == b"") == ((200, False) if mark is None else (412, True))
    assert cloud.tenant.good("GET", "block-storage", path)["metadata"] == {"a": "2" if mark is None else "1"}
