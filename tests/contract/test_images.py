# SPDX-License-Identifier: Apache-2.0
"""What may be chosen of an image in a pod's own Glance, and what can never be undone?"""

import uuid

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

DATA = bytes(4096)


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
