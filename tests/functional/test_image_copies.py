# SPDX-License-Identifier: Apache-2.0
"""Is a pod with a Glance of its own no other to users than one that uses the central Glance?

Pod2 of the lab has one, Pod1 has not: so both topologies are run here, side by side.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from lab.process import Supervisor
from lab.topology import load_lab
from tests.functional.outage import without
from tests.functional.region_world import ROOT, Caller, Json, Region, at_once, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

SHARED, OWN = "az1", "az2"
_BINARY = {"Content-Type": "application/octet-stream"}
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.fixture(scope="module")
def pod(region: Region) -> Caller:
    """The operator of the pod that has a Glance of its own."""
    if not load_lab(ROOT).pod_glance:
        pytest.skip("the lab runs with one Glance for all: start it with --pod-glance")
    return region.pods["Pod2"]


class Pictures:
    """Images of the tenant; all of them go at the end."""

    def __init__(self, tenant: Tenant) -> None:
        self.here = tenant.here
        self.ids: list[str] = []

    def make(self, data: bytes, **fields: object) -> str:
        """An image at the centre, with this data."""
        body = {"name": unique("fn-image"), "disk_format": "raw", "container_format": "bare", **fields}
        image = self.here.good("POST", "image", "/images", body)
        self.ids.append(image["id"])
        stored = self.here("PUT", "image", f"/images/{image['id']}/file", data, headers=_BINARY)
        assert stored.status_code == 204, stored.text
        return str(image["id"])

    def show(self, image_id: str) -> Json:
        """As its owner sees it."""
        found: Json = self.here.good("GET", "image", f"/images/{image_id}")
        return found

    def active(self, image_id: str) -> Json:
        """The image once it can be used."""
        self.ids.append(image_id)
        return eventually(lambda: self.show(image_id), lambda seen: seen["status"] == "active", f"image {image_id}")

    def change(self, image_id: str, *changes: Json) -> None:
        """Patch it."""
        said = requests.patch(
            self.here.roots["image"] + f"/images/{image_id}",
            json=list(changes),
            headers={"X-Auth-Token": self.here.token, **_PATCH},
            timeout=60,
        )
        assert said.status_code == 200, said.text


@pytest.fixture(scope="module")
def pictures(tenant: Tenant) -> Iterator[Pictures]:
    made = Pictures(tenant)
    yield made
    for image_id in made.ids:
        tenant.here.delete("image", f"/images/{image_id}")


def copies(pod: Caller, image_id: str) -> list[Json]:
    """The copies of an image in a pod, by its mark."""
    found: list[Json] = pod.good("GET", "image", "/images", tag=f"tricircle:{image_id}", visibility="all")["images"]
    return found


def data_of(caller: Caller, image_id: str) -> bytes:
    """All of an image's data."""
    answer = caller("GET", "image", f"/images/{image_id}/file", headers={"Accept": "*/*"})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_ten_boots_at_once_make_one_copy(tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures) -> None:
    """With all that matters of it; and servers show the image as the centre has it."""
    data = os.urandom(1_500_000)
    image_id = pictures.make(data, hw_disk_bus="virtio", min_ram=1, visibility="private")
    boots = [lambda: tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)] * 10
    servers = at_once(boots)
    assert [tenant.active(server_id)["image"]["id"] for server_id in servers] == [image_id] * 10
    (copy,) = copies(pod, image_id)
    assert copy["id"] == image_id
    assert copy["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert (copy["hw_disk_bus"], copy["min_ram"], copy["visibility"]) == ("virtio", 1, "private")
    assert (copy["owner"], copy["protected"]) == (tenant.project_id, False)
    for server_id in servers:
        tenant.gone("compute", f"/servers/{server_id}")


def test_the_other_topology_needs_no_copy(tenant: Tenant, flavor: Json, region: Region, pictures: Pictures) -> None:
    """Pod1 uses the central Glance."""
    image_id = pictures.make(b"shared")
    server_id = tenant.booted(SHARED, flavorRef=flavor["id"], imageRef=image_id)
    assert tenant.active(server_id)["image"]["id"] == image_id
    assert copies(region.centre, image_id) == []
    tenant.gone("compute", f"/servers/{server_id}")


def test_an_image_of_a_server_comes_home_and_boots_in_the_other_pod(
    tenant: Tenant, flavor: Json, image_id: str, pod: Caller, pictures: Pictures
) -> None:
    """Under the id that its owner was told at once."""
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    wanted = {"createImage": {"name": "fn-snap", "metadata": {"colour": "blue"}}}
    made = tenant.here.good("POST", "compute", f"/servers/{server_id}/action", wanted)["image_id"]
    assert pictures.show(made)["status"] in ("queued", "saving", "active")
    image = pictures.active(made)
    assert (image["name"], image["colour"], image["instance_uuid"]) == ("fn-snap", "blue", server_id)
    assert image["base_image_ref"] == image_id
    assert (image["owner"], image["tags"]) == (tenant.project_id, [])
    assert data_of(tenant.here, made) == data_of(pod, made)
    eventually(lambda: copies(pod, made), lambda seen: len(seen) == 1, "the pod's image is the copy now")
    for zone in (SHARED, OWN):
        again = tenant.booted(zone, flavorRef=flavor["id"], imageRef=made)
        assert tenant.active(again)["image"]["id"] == made
        tenant.gone("compute", f"/servers/{again}")
    assert tenant.here.delete("image", f"/images/{made}") == 204
    eventually(lambda: pod("GET", "image", f"/images/{made}").status_code, lambda seen: seen == 404, "copy gone")
    tenant.gone("compute", f"/servers/{server_id}")


def _now() -> str:
    """The time as services write it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_backups_rotate(tenant: Tenant, flavor: Json, image_id: str, pod: Caller, pictures: Pictures) -> None:
    """Of three backups two stay, at the centre and in the pod."""
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    made: list[str] = []
    for number in range(3):
        asked = {"createBackup": {"name": f"fn-backup-{number}", "backup_type": "daily", "rotation": 2}}
        answer = tenant.here.good("POST", "compute", f"/servers/{server_id}/action", asked)
        made.append(answer["image_id"])
        made_at = pictures.active(made[-1])["created_at"]
        tenant.active(server_id)
        # Glance tells ages by the second: of two of one second, whichever may be the older.
        eventually(_now, made_at.__lt__, "the next second")

    def left(caller: Caller) -> set[str]:
        found = caller.list("image", "images", instance_uuid=server_id, visibility="all")
        return {str(image["id"]) for image in found}

    eventually(lambda: left(tenant.here), lambda seen: seen == set(made[1:]), "two are left at the centre")
    eventually(lambda: left(pod), lambda seen: seen == set(made[1:]), "two are left in the pod")
    tenant.gone("compute", f"/servers/{server_id}")


def test_shelving_and_back(tenant: Tenant, flavor: Json, image_id: str) -> None:
    """What a shelved server is kept in is its owner's to see, and goes when the server is back."""
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    tenant.here.good("POST", "compute", f"/servers/{server_id}/action", {"shelve": None})

    def kept() -> list[Json]:
        return tenant.here.list("image", "images", instance_uuid=server_id)

    (image,) = eventually(kept, lambda seen: [one["status"] for one in seen] == ["active"], "the image is home")
    assert image["name"].endswith("-shelved")
    tenant.reached("compute", f"/servers/{server_id}", "server", "SHELVED_OFFLOADED")
    tenant.here.good("POST", "compute", f"/servers/{server_id}/action", {"unshelve": None})
    tenant.active(server_id)
    eventually(kept, lambda seen: seen == [], "the image is gone")
    tenant.gone("compute", f"/servers/{server_id}")


def test_rebuild_and_rescue_with_images_of_the_centre(
    tenant: Tenant, flavor: Json, image_id: str, pod: Caller, pictures: Pictures
) -> None:
    """And not with an image that only the pod's operator has."""
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    other, third = pictures.make(b"rebuilt"), pictures.make(b"rescued")
    rebuilt = tenant.here.good("POST", "compute", f"/servers/{server_id}/action", {"rebuild": {"imageRef": other}})
    assert rebuilt["server"]["image"]["id"] == other
    tenant.active(server_id)
    asked = {"rescue": {"rescue_image_ref": third}}
    tenant.here.good("POST", "compute", f"/servers/{server_id}/action", asked)
    tenant.reached("compute", f"/servers/{server_id}", "server", "RESCUE")
    assert (len(copies(pod, other)), len(copies(pod, third))) == (1, 1)
    tenant.here.good("POST", "compute", f"/servers/{server_id}/action", {"unrescue": None})
    tenant.active(server_id)
    (canary,) = pod.list("image", "images", name="canary-image-pod2")
    asked = {"rebuild": {"imageRef": canary["id"]}}
    refused = tenant.here("POST", "compute", f"/servers/{server_id}/action", asked)
    assert (refused.status_code, "Cannot find image for rebuild" in refused.text) == (400, True)
    tenant.gone("compute", f"/servers/{server_id}")


def test_volumes_of_images_and_images_of_volumes(tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures) -> None:
    """Filled from a copy; uploaded, and at home under the id that was told."""
    image_id = pictures.make(os.urandom(70_000), hw_machine_type="q35")
    volume = tenant.volume(OWN, imageRef=image_id)
    assert volume["volume_image_metadata"]["image_id"] == image_id
    assert volume["volume_image_metadata"]["hw_machine_type"] == "q35"
    assert len(copies(pod, image_id)) == 1
    asked = {"image_name": "fn-uploaded", "disk_format": "raw", "container_format": "bare", "force": False}
    said = tenant.here.good(
        "POST", "block-storage", f"/volumes/{volume['id']}/action", {"os-volume_upload_image": asked}
    )
    made = said["os-volume_upload_image"]["image_id"]
    image = pictures.active(made)
    assert (image["name"], image["owner"]) == ("fn-uploaded", tenant.project_id)
    device = {
        "source_type": "image", "destination_type": "volume", "uuid": made, "volume_size": 1, "boot_index": 0,
        "delete_on_termination": True,
    }  # fmt: skip
    server_id = tenant.booted(SHARED, flavorRef=flavor["id"], block_device_mapping_v2=[device])
    tenant.active(server_id)
    tenant.gone("compute", f"/servers/{server_id}")
    tenant.gone("block-storage", f"/volumes/{volume['id']}")


def test_copies_follow_and_go(tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures) -> None:
    """Properties, who may use it, whether it may be used at all, and its end."""
    image_id = pictures.make(b"followed", hw_rng_model="virtio")
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    pictures.change(
        image_id,
        {"op": "replace", "path": "/name", "value": "fn-renamed"},
        {"op": "remove", "path": "/hw_rng_model"},
        {"op": "add", "path": "/hw_video_model", "value": "vga"},
    )

    def copy() -> Json:
        return copies(pod, image_id)[0]

    seen = eventually(copy, lambda found: found["name"] == "fn-renamed", "the copy has the new name")
    assert ("hw_rng_model" in seen, seen["hw_video_model"]) == (False, "vga")
    friend = tenant.region.admin.project_id
    tenant.here.good("POST", "image", f"/images/{image_id}/members", {"member": friend})

    def shared_with() -> list[str]:
        found = pod.good("GET", "image", f"/images/{image_id}/members")["members"]
        return [str(one["member_id"]) for one in found]

    eventually(shared_with, lambda found: found == [friend], "the copy is shared, too")
    admin = tenant.region.admin
    admin.good("POST", "image", f"/images/{image_id}/actions/deactivate")
    eventually(copy, lambda found: found["status"] == "deactivated", "the copy is out of use")
    admin.good("POST", "image", f"/images/{image_id}/actions/reactivate")
    eventually(copy, lambda found: found["status"] == "active", "and in use again")
    assert tenant.here.delete("image", f"/images/{image_id}") == 204
    eventually(lambda: copies(pod, image_id), lambda found: found == [], "the copy is gone")
    tenant.gone("compute", f"/servers/{server_id}")


def test_a_copy_that_an_operator_deleted_is_made_anew(
    tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures
) -> None:
    """The pod never takes its id again; nobody but the operator sees that it has another one now."""
    image_id = pictures.make(b"deleted by hand")
    first = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(first)
    assert pod.delete("image", f"/images/{image_id}") == 204
    second = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    seen = tenant.active(second)
    assert seen["image"]["id"] == image_id
    assert image_id in seen["image"]["links"][0]["href"]
    (copy,) = copies(pod, image_id)
    assert copy["id"] != image_id
    assert [one["image"]["id"] for one in tenant.here.list("compute", "servers/detail")] == [image_id] * 2
    for server_id in (first, second):
        tenant.gone("compute", f"/servers/{server_id}")


def test_a_glance_that_is_away(tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures) -> None:
    """503 for what needs it, and nothing is left; good again when it is back."""
    image_id = pictures.make(b"later")
    with without("pod2-glance", ROOT):
        answer = tenant.boot(OWN, flavorRef=flavor["id"], imageRef=image_id)
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert tenant.active(tenant.booted(SHARED, flavorRef=flavor["id"], imageRef=image_id))

    def again() -> requests.Response:
        return tenant.boot(OWN, flavorRef=flavor["id"], imageRef=image_id)

    answer = eventually(again, lambda seen: seen.status_code == 202, "it boots again")
    tenant.active(answer.json()["server"]["id"])
    assert len(copies(pod, image_id)) == 1


def test_memory_stays_small(tenant: Tenant, flavor: Json, pod: Caller, pictures: Pictures) -> None:
    """An image of a hundred megabytes is carried in pieces."""
    image_id = pictures.make(os.urandom(100_000_000))
    before = _worker_memory()
    server_id = tenant.booted(OWN, flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    assert _worker_memory() - before < 40_000
    assert copies(pod, image_id)[0]["size"] == 100_000_000
    tenant.gone("compute", f"/servers/{server_id}")


def _worker_memory() -> int:
    """The most that the worker ever held, kB."""
    lab = load_lab(ROOT)
    supervisor = Supervisor(lab.run, lab.logs)
    worker = supervisor.running("tricircle-worker")
    assert worker is not None
    held = [Path(f"/proc/{pid}/status").read_text() for pid in supervisor.members(worker)]
    return max(int(line.split()[1]) for text in held for line in text.splitlines() if line.startswith("VmHWM"))
