# SPDX-License-Identifier: Apache-2.0
"""Where are, and of what type are, the volumes that pods make by themselves? Needs the lab with its pods registered.

For servers and of backups; also of images of servers with volumes, with either topology of images: Pod2 has a Glance of
its own.
"""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import ZONES, Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def device(source: str, **fields: object) -> Json:
    """A volume of 1 GiB that goes with its server."""
    made = {"source_type": source, "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    return {**made, "boot_index": 0 if source == "image" else -1, **fields}


def volumes_of(tenant: Tenant, server_id: str) -> list[Json]:
    """The volumes of a server, as the block-storage door shows them."""
    server = tenant.here.good("GET", "compute", f"/servers/{server_id}")["server"]
    attached = [one["id"] for one in server["os-extended-volumes:volumes_attached"]]
    return [tenant.here.good("GET", "block-storage", f"/volumes/{one}")["volume"] for one in attached]


@pytest.mark.parametrize("zone", ZONES.values())
def test_an_image_of_a_server_with_volumes(tenant: Tenant, flavor: Json, image_id: str, zone: str) -> None:
    """Its snapshots are in one pod only: a boot from it goes there by itself, and nowhere else."""
    (other,) = set(ZONES.values()) - {zone}
    first = tenant.booted(zone, flavorRef=flavor["id"], block_device_mapping_v2=[device("image", uuid=image_id)])
    tenant.active(first)
    asked = {"createImage": {"name": unique("fn-image")}}
    made = tenant.here.good("POST", "compute", f"/servers/{first}/action", asked)["image_id"]
    try:
        image = eventually(
            lambda: tenant.here.good("GET", "image", f"/images/{made}"),
            lambda seen: seen["status"] == "active",
            "the image is active",
        )
        assert '"snapshot_id"' in image["block_device_mapping"]
        refused = tenant.boot(other, flavorRef=flavor["id"], imageRef=made)
        assert refused.status_code == 400, refused.text
        assert f"Server is in: {other}. Volumes are in: {zone}." in refused.text
        second = tenant.booted(None, flavorRef=flavor["id"], imageRef=made)
        tenant.active(second)
        assert [one["availability_zone"] for one in volumes_of(tenant, second)] == [zone]
        assert tenant.volume(None, imageRef=made)["availability_zone"] == zone
        for server_id in (first, second):
            tenant.gone("compute", f"/servers/{server_id}")
    finally:
        tenant.here.delete("image", f"/images/{made}")


@pytest.fixture
def gold(region: Region, tenant: Tenant) -> Iterator[str]:
    """A type of the centre that is the project's default there."""
    made = region.admin.make("block-storage", "types", "volume_type", name=unique("fn-gold"))
    path, version = f"/default-types/{tenant.project_id}", {"OpenStack-API-Version": "volume 3.62"}
    body = {"default_type": {"volume_type": made["id"]}}
    answer = region.admin("PUT", "block-storage", path, body, headers=version)
    assert answer.status_code == 200, answer.text
    yield str(made["name"])
    assert region.admin("DELETE", "block-storage", path, headers=version).status_code == 204
    for collection in ("snapshots", "volumes"):
        for one in tenant.here.list("block-storage", collection):
            tenant.gone("block-storage", f"/{collection}/{one['id']}")
    # No volume is left of it: it goes, also in pods that had it as a default.
    assert region.admin.delete("block-storage", f"/types/{made['id']}") == 202
    for operator in region.pods.values():

        def names(operator: Caller = operator) -> list[str]:
            return [str(one["name"]) for one in operator.list("block-storage", "types", is_public="None")]

        eventually(names, lambda seen: made["name"] not in seen, "the copy is gone")


@pytest.mark.parametrize("zone", ZONES.values())
def test_volumes_that_a_pod_makes_have_the_projects_default_type(
    tenant: Tenant, flavor: Json, image_id: str, gold: str, zone: str
) -> None:
    devices = [device("image", uuid=image_id), device("blank")]
    server_id = tenant.booted(zone, flavorRef=flavor["id"], block_device_mapping_v2=devices)
    tenant.active(server_id)
    assert [one["volume_type"] for one in volumes_of(tenant, server_id)] == [gold, gold]
    tenant.gone("compute", f"/servers/{server_id}")
    source = tenant.volume(zone, volume_type="__DEFAULT__")
    backup = tenant.here.make("block-storage", "backups", "backup", volume_id=source["id"])
    path = f"/backups/{backup['id']}"
    assert tenant.reached("block-storage", path, "backup", "available")["status"] == "available"
    restored = tenant.here.good("POST", "block-storage", f"{path}/restore", {"restore": {"name": unique()}})["restore"]
    volume = tenant.reached("block-storage", f"/volumes/{restored['volume_id']}", "volume", "available")
    assert (volume["volume_type"], volume["availability_zone"]) == (gold, zone)
    tenant.gone("block-storage", path)


@pytest.mark.parametrize("zone", ZONES.values())
def test_a_type_that_is_limited_to_a_zone(region: Region, tenant: Tenant, flavor: Json, zone: str) -> None:
    (other,) = set(ZONES.values()) - {zone}
    specs = {"RESKEY:availability_zones": zone}
    made = region.admin.make("block-storage", "types", "volume_type", name=unique("fn-near"), extra_specs=specs)
    volume = tenant.volume(None, volume_type=made["name"])
    assert volume["availability_zone"] == zone
    wanted = {"volume": {"size": 1, "volume_type": made["id"], "availability_zone": other}}
    refused = tenant.here("POST", "block-storage", "/volumes", wanted)
    assert (refused.status_code, f"Availability zone '{other}' is invalid." in refused.text) == (400, True)
    tenant.gone("block-storage", f"/volumes/{volume['id']}")
    assert region.admin.delete("block-storage", f"/types/{made['id']}") == 202
