# SPDX-License-Identifier: Apache-2.0
"""May an administrator use private types of volumes and of groups by name and by id, as in one Cinder, and nobody else?

Needs the lab with its pods registered.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

S = "block-storage"
ACCESS = "os-volume-type-access:is_public"
BEFORE_PROJECTS = {"OpenStack-API-Version": "volume 3.57"}
OLD = {"OpenStack-API-Version": "compute 2.35"}


def gone(caller: Caller, service: str, path: str) -> None:
    """Delete a thing, and wait until it is not there any more: what is still used refuses for a moment."""
    eventually(lambda: caller.delete(service, path), lambda status: status in (404, 200), f"{path} is gone")


@pytest.fixture
def undo(region: Region) -> Iterator[Callable[[str, str], None]]:
    """``undo(service, path)``: gone after the test, last first."""
    paths: list[tuple[str, str]] = []
    yield lambda service, path: paths.append((service, path))
    for service, path in reversed(paths):
        gone(region.admin, service, path)


@pytest.fixture
def secret(region: Region, undo: Callable[[str, str], None]) -> Json:
    """A private type of volumes that not even the administrator's project was given."""
    made = region.admin.make(S, "types", "volume_type", name=unique("fn-secret"), **{ACCESS: False})
    undo(S, f"/types/{made['id']}")
    return made


def ready(region: Region, path: str, member: str, *, status: str = "available", service: str = S) -> Json:
    def look() -> Json:
        found: Json = region.admin.good("GET", service, path)[member]
        return found

    seen = eventually(look, lambda one: str(one["status"]).lower() in (status, "error"), f"{path} is {status}")
    assert str(seen["status"]).lower() == status, seen
    return seen


@pytest.mark.parametrize("named", ["name", "id"])
def test_volumes(region: Region, tenant: Tenant, secret: Json, undo: Callable[[str, str], None], named: str) -> None:
    asked = {"size": 1, "name": unique(), "availability_zone": "az2"}
    made = region.admin.make(S, "volumes", "volume", **asked, volume_type=secret[named])
    undo(S, f"/volumes/{made['id']}")
    assert ready(region, f"/volumes/{made['id']}", "volume")["volume_type"] == secret["name"]
    plain = region.admin.make(S, "volumes", "volume", **asked)
    undo(S, f"/volumes/{plain['id']}")
    ready(region, f"/volumes/{plain['id']}", "volume")
    change = {"os-retype": {"new_type": secret[named], "migration_policy": "never"}}
    answer = region.admin("POST", S, f"/volumes/{plain['id']}/action", change)
    assert answer.status_code == 202, answer.text
    eventually(
        lambda: region.admin.good("GET", S, f"/volumes/{plain['id']}")["volume"],
        lambda seen: seen["volume_type"] == secret["name"] and seen["status"] == "available",
        "the volume has the type",
    )
    refused = tenant.here("POST", S, "/volumes", {"volume": {**asked, "volume_type": secret[named]}})
    assert refused.status_code == 404, refused.text


@pytest.mark.parametrize("named", ["name", "id"])
def test_block_devices_of_a_boot(
    region: Region, tenant: Tenant, flavor: Json, image_id: str, secret: Json, undo: Callable[[str, str], None],
    named: str,
) -> None:  # fmt: skip
    device = {
        "source_type": "image", "uuid": image_id, "destination_type": "volume", "boot_index": 0, "volume_size": 1,
        "delete_on_termination": True, "volume_type": secret[named],
    }  # fmt: skip
    server = {"name": unique(), "flavorRef": flavor["id"], "networks": "none", "availability_zone": "az2"}
    body = {"server": {**server, "block_device_mapping_v2": [device]}}
    refused = tenant.here("POST", "compute", "/servers", body)
    assert (refused.status_code, "could not be found" in refused.text) == (400, True)
    answer = region.admin("POST", "compute", "/servers", body)
    assert answer.status_code == 202, answer.text
    server_id = answer.json()["server"]["id"]
    undo("compute", f"/servers/{server_id}")
    seen = ready(region, f"/servers/{server_id}", "server", status="active", service="compute")
    (root,) = seen["os-extended-volumes:volumes_attached"]
    volume = region.admin.good("GET", S, f"/volumes/{root['id']}")["volume"]
    assert volume["volume_type"] == secret["name"]
    # Where it is attached is named with the pod, as everywhere.
    assert [one["host_name"] for one in volume["attachments"]] == [seen["OS-EXT-SRV-ATTR:host"]]
    assert seen["OS-EXT-SRV-ATTR:host"].startswith("Pod2.")


def test_groups(region: Region, tenant: Tenant, secret: Json, undo: Callable[[str, str], None]) -> None:
    kind = region.admin.make(S, "group_types", "group_type", name=unique("fn-groups"), is_public=False)
    undo(S, f"/group_types/{kind['id']}")
    for named in ("name", "id"):
        asked = {
            "name": unique(),
            "group_type": kind[named],
            "volume_types": [secret[named]],
            "availability_zone": "az2",
        }
        answer = region.admin("POST", S, "/groups", {"group": asked})
        assert answer.status_code == 202, answer.text
        path = f"/groups/{answer.json()['group']['id']}"

        def shown(path: str = path) -> Json:
            # Above 3.57 administrators are told the project, which Tempest's schema does not know.
            return dict(region.admin("GET", S, path, headers=BEFORE_PROJECTS).json()["group"])

        assert eventually(shown, lambda group: group["status"] == "available", "a group")["group_type"] == kind["id"]
        region.admin.good("POST", S, f"{path}/action", {"delete": {"delete-volumes": False}})

        def status(path: str = path) -> int:
            return region.admin("GET", S, path, headers=BEFORE_PROJECTS).status_code

        eventually(status, lambda seen: seen == 404, "no group")
        assert tenant.here("POST", S, "/groups", {"group": asked}).status_code == 404


def test_a_copy_of_another_name_is_shown_by_its_own(region: Region, tenant: Tenant) -> None:
    """Also by the old calls of the compute API."""
    name, operator = unique("fn-alike"), region.pods["Pod2"]
    own = operator.make(S, "types", "volume_type", name=name, extra_specs={"vendor:of": "the pod"})
    made = region.admin.make(S, "types", "volume_type", name=name)
    try:
        volume = tenant.volume("az2", volume_type=name)
        inside = operator.good("GET", S, f"/{operator.project_id}/volumes/{volume['id']}")["volume"]
        assert inside["volume_type"] == f"tricircle.{name}"
        path = f"/os-volumes/{volume['id']}"
        assert tenant.here("GET", "compute", path, headers=OLD).json()["volume"]["volumeType"] == name
        listed = tenant.here("GET", "compute", "/os-volumes/detail", headers=OLD).json()["volumes"]
        assert [one["volumeType"] for one in listed if one["id"] == volume["id"]] == [name]
        tenant.gone(S, f"/volumes/{volume['id']}")
    finally:
        assert region.admin.delete(S, f"/types/{made['id']}") == 202
        assert operator.delete(S, f"/types/{own['id']}") == 202
