# SPDX-License-Identifier: Apache-2.0
"""What may be chosen of an image in a pod's own Glance, and what can never be undone?"""

import hashlib
import json
import uuid

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

DATA = bytes(4096)
BINARY = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def _image(**fields: object) -> dict[str, object]:
    return {"name": unique("image"), "disk_format": "raw", "container_format": "bare", **fields}


def test_an_image_with_a_chosen_id(cloud: Cloud, undo: Undo) -> None:
    image_id = str(uuid.uuid4())
    answer = cloud.tenant("POST", "image", "/v2/images", _image(id=image_id))
    undo(cloud.tenant, "image", f"/v2/images/{image_id}")
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/v2/images/{image_id}")
    made = answer.json()
    assert (made["id"], made["status"], made["visibility"]) == (image_id, "queued", "shared")
    assert (made["self"], made["file"]) == (f"/v2/images/{image_id}", f"/v2/images/{image_id}/file")
    headers = {"Content-Type": "application/octet-stream"}
    assert cloud.tenant("PUT", "image", f"/v2/images/{image_id}/file", DATA, headers).status_code == 204
    shown = cloud.tenant.good("GET", "image", f"/v2/images/{image_id}")
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    assert cloud.tenant("GET", "image", f"/v2/images/{image_id}/file").content == DATA


def test_a_deleted_id_is_gone_for_good(cloud: Cloud) -> None:
    image_id = str(uuid.uuid4())
    assert cloud.tenant("POST", "image", "/v2/images", _image(id=image_id)).status_code == 201
    assert cloud.tenant("POST", "image", "/v2/images", _image(id=image_id)).status_code == 409
    assert cloud.tenant("DELETE", "image", f"/v2/images/{image_id}").status_code == 204
    assert cloud.tenant("GET", "image", f"/v2/images/{image_id}").status_code == 404
    assert cloud.tenant("POST", "image", "/v2/images", _image(id=image_id)).status_code == 409


def test_a_tenant_publishes_nothing(cloud: Cloud) -> None:
    assert cloud.tenant("POST", "image", "/v2/images", _image(visibility="public")).status_code == 403
    assert cloud.tenant("POST", "image", "/v2/images", _image(owner=cloud.other.project_id)).status_code == 403


def test_lists_are_paths_with_a_schema(cloud: Cloud, undo: Undo) -> None:
    made = [cloud.tenant("POST", "image", "/v2/images", _image()).json()["id"] for _ in range(2)]
    for image_id in made:
        undo(cloud.tenant, "image", f"/v2/images/{image_id}")
    body = cloud.tenant.good("GET", "image", f"/v2/images?limit=1&owner={cloud.tenant.project_id}")
    assert body["schema"] == "/v2/schemas/images"
    assert body["first"].startswith("/v2/images?")
    assert f"marker={body['images'][0]['id']}" in body["next"]
    assert cloud.tenant("GET", "image", f"/v2/images?marker={uuid.uuid4()}").status_code == 400


def test_novas_image_proxy_lists_the_images_it_can_boot(cloud: Cloud) -> None:
    images = cloud.tenant.good("GET", "compute", "/v2.1/images")["images"]
    assert cloud.image_id in {image["id"] for image in images}
    answer = cloud.tenant("GET", "compute", "/v2.1/images", headers={"OpenStack-API-Version": "compute 2.36"})
    assert answer.status_code == 404


def _filled(cloud: Cloud, undo: Undo, **fields: object) -> str:
    image_id = str(cloud.tenant.good("POST", "image", "/v2/images", _image(**fields))["id"])
    undo(cloud.tenant, "image", f"/v2/images/{image_id}")
    path = f"/v2/images/{image_id}/file"
    assert cloud.tenant("PUT", "image", path, DATA, BINARY).status_code == 204
    return image_id


def test_the_hash_is_of_the_data(cloud: Cloud, undo: Undo) -> None:
    shown = cloud.tenant.good("GET", "image", f"/v2/images/{_filled(cloud, undo)}")
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(DATA).hexdigest())


def test_an_administrator_finds_images_of_others_by_tag_and_property(cloud: Cloud, undo: Undo) -> None:
    mark = unique("mark")
    image_id = _filled(cloud, undo, tags=["tricircle", mark], visibility="private", instance_uuid=mark)
    for query in (f"tag={mark}", f"instance_uuid={mark}", f"id=in:{image_id},{uuid.uuid4()}"):
        found = cloud.admin.good("GET", "image", f"/v2/images?{query}&visibility=all")["images"]
        assert [image["id"] for image in found] == [image_id], query
    assert cloud.admin.good("GET", "image", f"/v2/images?tag={mark}&visibility=public")["images"] == []


def test_a_patch_changes_fields_properties_and_tags(cloud: Cloud, undo: Undo) -> None:
    image_id = _filled(cloud, undo, tags=["old"], colour="blue")
    changes = [
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "remove", "path": "/colour"},
        {"op": "add", "path": "/a~1b", "value": "x"},
        {"op": "replace", "path": "/tags", "value": ["tricircle"]},
    ]
    patch = json.dumps(changes).encode()
    answer = cloud.admin("PATCH", "image", f"/v2/images/{image_id}", patch, PATCH)
    assert answer.status_code == 200, answer.text
    shown = cloud.tenant.good("GET", "image", f"/v2/images/{image_id}")
    assert (shown["name"], "colour" in shown, shown["a/b"], shown["tags"]) == ("new", False, "x", ["tricircle"])
    assert cloud.admin("PATCH", "image", f"/v2/images/{image_id}", changes).status_code == 415


def test_what_is_deactivated_gives_tenants_no_data(cloud: Cloud, undo: Undo) -> None:
    path = f"/v2/images/{_filled(cloud, undo)}"
    assert cloud.other("POST", "image", f"{path}/actions/deactivate").status_code == 404
    assert cloud.tenant("POST", "image", f"{path}/actions/deactivate").status_code == 204
    assert cloud.tenant.good("GET", "image", path)["status"] == "deactivated"
    assert cloud.tenant("GET", "image", f"{path}/file").status_code == 403
    assert cloud.admin("POST", "image", f"{path}/actions/reactivate").status_code == 204
    assert cloud.tenant("GET", "image", f"{path}/file").content == DATA


def test_members_see_what_is_shared_with_them(cloud: Cloud, undo: Undo) -> None:
    path = f"/v2/images/{_filled(cloud, undo)}"
    friend = cloud.other.project_id
    assert cloud.other("GET", "image", path).status_code == 404
    assert cloud.admin("POST", "image", f"{path}/members", {"member": friend}).status_code == 200
    assert cloud.admin("POST", "image", f"{path}/members", {"member": friend}).status_code == 409
    assert [one["member_id"] for one in cloud.admin.good("GET", "image", f"{path}/members")["members"]] == [friend]
    assert cloud.other("GET", "image", path).status_code == 200
    assert cloud.admin("DELETE", "image", f"{path}/members/{friend}").status_code == 204
    assert cloud.other("GET", "image", path).status_code == 404


def test_data_is_written_once(cloud: Cloud, undo: Undo) -> None:
    image_id = _filled(cloud, undo)
    assert cloud.tenant("PUT", "image", f"/v2/images/{image_id}/file", DATA, BINARY).status_code == 409
