# SPDX-License-Identifier: Apache-2.0
"""Do changes and deletions of what is declared at the centre follow in real pods, beside those of ``test_copies``?"""

import pytest

from tests.functional.region_world import Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab


def test_access_to_a_private_flavor_follows_and_so_does_its_end(region: Region, tenant: Tenant, image_id: str) -> None:
    name, admin, pod = unique("fn-private"), region.admin, region.pods["Pod1"]
    fields = {"name": name, "id": name, "ram": 64, "vcpus": 1, "disk": 1}
    admin.make("compute", "flavors", "flavor", **fields, **{"os-flavor-access:is_public": False})
    path, mine = f"/flavors/{name}/action", {"tenant": tenant.project_id}
    assert tenant.boot("az1", flavorRef=name, imageRef=image_id).status_code == 400  # it is not there for the tenant
    admin.good("POST", "compute", path, {"addTenantAccess": mine})
    server_id = tenant.booted("az1", flavorRef=name, imageRef=image_id)
    tenant.active(server_id)

    def allowed() -> list[Json]:
        found: list[Json] = pod.good("GET", "compute", f"/flavors/{name}/os-flavor-access")["flavor_access"]
        return found

    assert [one["tenant_id"] for one in allowed()] == [tenant.project_id]
    admin.good("POST", "compute", path, {"removeTenantAccess": mine})
    eventually(allowed, lambda seen: not seen, "access ends in the pod")
    tenant.gone("compute", f"/servers/{server_id}")
    assert admin.delete("compute", f"/flavors/{name}") == 202
    eventually(lambda: pod("GET", "compute", f"/flavors/{name}").status_code, lambda seen: seen == 404, "copy gone")


def test_a_deleted_group_takes_its_copies_along(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> None:
    group = tenant.here.make("compute", "os-server-groups", "server_group", name=unique(), policy="anti-affinity")
    hints = {"os:scheduler_hints": {"group": group["id"]}}
    server = {"name": unique(), "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id}
    answer = tenant.here("POST", "compute", "/servers", {"server": {**server, "availability_zone": "az1"}, **hints})
    assert answer.status_code == 202, answer.text
    server_id = answer.json()["server"]["id"]
    tenant.active(server_id)
    shown = tenant.here.good("GET", "compute", f"/os-server-groups/{group['id']}")["server_group"]
    assert shown["members"] == [server_id]

    def copies() -> list[str]:
        mine = tenant.inside["Pod1"].list("compute", "os-server-groups")
        return [str(one["name"]) for one in mine]

    assert f"tricircle.{group['id']}" in copies()
    tenant.gone("compute", f"/servers/{server_id}")
    assert tenant.here.delete("compute", f"/os-server-groups/{group['id']}") == 204
    eventually(copies, lambda names: f"tricircle.{group['id']}" not in names, "the copy is gone")
