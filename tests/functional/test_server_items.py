# SPDX-License-Identifier: Apache-2.0
"""Are servers held to the centre's limits of metadata, files and size, and to the AZ they are pinned to, as in one
Nova?
"""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import Json, Region, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

#: Nova's defaults, which the centre has.
MOST_METADATA, MOST_RAM = 128, 51200


def items(count: int) -> dict[str, str]:
    return {f"key{number}": "value" for number in range(count)}


@pytest.fixture(scope="module")
def server_id(tenant: Tenant, flavor: Json, image_id: str) -> str:
    """A server with one item of metadata, pinned to az1."""
    made = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id, metadata={"mine": "1"})
    tenant.active(made)
    return made


@pytest.fixture
def big(region: Region) -> Iterator[str]:
    """A flavor with exactly as much memory as a project may have."""
    name = unique("fn-flavor")
    region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=MOST_RAM, vcpus=1, disk=1)
    yield name
    region.admin.delete("compute", f"/flavors/{name}")


def test_a_boot_with_too_much_metadata_is_refused(tenant: Tenant, flavor: Json, image_id: str) -> None:
    said = tenant.boot(flavorRef=flavor["id"], imageRef=image_id, metadata=items(MOST_METADATA + 1))
    assert said.status_code == 403
    assert said.json()["forbidden"]["message"] == f"Maximum number of metadata items exceeds {MOST_METADATA}"


@pytest.mark.parametrize(
    ("method", "path", "count", "status"),
    [
        ("POST", "/metadata", MOST_METADATA - 1, 200),
        ("POST", "/metadata", MOST_METADATA, 403),
        ("PUT", "/metadata", MOST_METADATA, 200),
        ("PUT", "/metadata", MOST_METADATA + 1, 403),
    ],
)
def test_what_a_change_makes_of_the_metadata_counts(
    tenant: Tenant, server_id: str, method: str, path: str, count: int, status: int
) -> None:
    tenant.here.good("PUT", "compute", f"/servers/{server_id}/metadata", {"metadata": {"mine": "1"}})
    said = tenant.here(method, "compute", f"/servers/{server_id}{path}", {"metadata": items(count)})
    assert said.status_code == status, said.text


def test_one_item_more_is_refused(tenant: Tenant, server_id: str) -> None:
    path = f"/servers/{server_id}/metadata"
    tenant.here.good("PUT", "compute", path, {"metadata": items(MOST_METADATA)})
    assert tenant.here("PUT", "compute", f"{path}/key0", {"meta": {"key0": "other"}}).status_code == 200
    assert tenant.here("PUT", "compute", f"{path}/new", {"meta": {"new": "one"}}).status_code == 403


def test_rebuilds_and_images_are_held_to_it_too(tenant: Tenant, server_id: str, image_id: str) -> None:
    path = f"/servers/{server_id}/action"
    rebuild = {"rebuild": {"imageRef": image_id, "metadata": items(MOST_METADATA + 1)}}
    assert tenant.here("POST", "compute", path, rebuild).status_code == 403
    image = {"createImage": {"name": unique(), "metadata": items(MOST_METADATA + 1)}}
    said = tenant.here("POST", "compute", path, image)
    assert (said.status_code, said.json()["forbidden"]["message"]) == (403, "Image metadata limit exceeded")


def test_an_administrators_resize_takes_from_the_servers_project(
    region: Region, tenant: Tenant, server_id: str, flavor: Json, image_id: str, big: str
) -> None:
    other = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(other)
    # This project has two servers; that of the administrator, who has none, would have room.
    said = region.admin("POST", "compute", f"/servers/{server_id}/action", {"resize": {"flavorRef": big}})
    assert said.status_code == 403, said.text
    assert said.json()["forbidden"]["message"].startswith("Quota exceeded for ram")


def test_a_server_is_let_go_and_pinned_again(tenant: Tenant, server_id: str) -> None:
    newest = {"OpenStack-API-Version": "compute 2.104"}

    def pin(zone: str | None) -> tuple[int, object]:
        body = {"server": {"pinned_availability_zone": zone}}
        said = tenant.here("PUT", "compute", f"/servers/{server_id}", body, headers=newest)
        server = said.json().get("server")
        return said.status_code, server["pinned_availability_zone"] if server else said.json()["conflictingRequest"]

    def shown() -> object:
        said = tenant.here("GET", "compute", f"/servers/{server_id}", headers=newest).json()
        return said["server"]["pinned_availability_zone"]

    assert shown() == "az1"
    status, why = pin("az2")
    assert status == 409
    assert "Unpin first" in str(why)
    assert pin(None) == (200, None)
    assert shown() is None
    status, why = pin("az2")
    assert status == 409
    assert "its current availability zone 'az1', but 'az2' was requested" in str(why)
    assert pin("az1") == (200, "az1")
    assert shown() == "az1"


def test_servers_of_one_call_have_one_reservation(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> None:
    said = tenant.boot(flavorRef=flavor["id"], imageRef=image_id, min_count=2, max_count=2, return_reservation_id=True)
    assert said.status_code == 202, said.text
    reservation = said.json()["reservation_id"]
    for path in ("servers", "servers/detail"):
        found = tenant.here.list("compute", path, reservation_id=reservation)
        assert len(found) == 2
        (last,) = tenant.here.list("compute", path, reservation_id=reservation, limit=1, marker=found[0]["id"])
        assert last["id"] == found[1]["id"]
        assert tenant.here.list("compute", path, reservation_id=reservation, name="nobody") == []
    shown = [region.admin.good("GET", "compute", f"/servers/{one['id']}")["server"] for one in found]
    assert {one["OS-EXT-SRV-ATTR:reservation_id"] for one in shown} == {reservation}
