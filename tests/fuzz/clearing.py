# SPDX-License-Identifier: Apache-2.0
"""How does everything go that requests have made or changed, in whatever state they left it?"""

from collections.abc import Iterable

from tests.functional.region_world import Caller, Region
from tests.functional.tenants import Tenant

_FREE = {"os-reset_status": {"status": "available", "attach_status": "detached", "migration_status": "none"}}


def clear(region: Region, tenants: Iterable[Tenant]) -> None:
    """Take away what was made past the doors, the images, and what tenants cannot delete; they sweep the rest."""
    pods = list(region.pods.values())
    for tenant in tenants:
        tenant.here = tenant.sign_in()
        for image in tenant.here.list("image", "images", owner=tenant.project_id):
            tenant.here("PATCH", "image", f"/images/{image['id']}", [])
            tenant.here.delete("image", f"/images/{image['id']}")
        # A locked server is an administrator's to delete; its ports go with it.
        for caller in (region.admin, *pods):
            for server in caller.list("compute", "servers", all_tenants="1", project_id=tenant.project_id):
                caller.delete("compute", f"/servers/{server['id']}")
        tenant._sweep_all("compute", "servers")
        for operator in pods:
            _free_volumes(operator, tenant)
            _clear_networking(operator, tenant)
    for caller in (region.admin, region.pods["Pod1"]):
        for flavor in caller.list("compute", "flavors", is_public="None"):
            if flavor["name"].startswith("fuzz"):
                caller.delete("compute", f"/flavors/{flavor['id']}")
    for tenant in tenants:
        for pair in region.pods["Pod1"].list("compute", "os-keypairs", user_id=tenant.user_id):
            path = f"/os-keypairs/{pair['keypair']['name']}?user_id={tenant.user_id}"
            region.pods["Pod1"].delete("compute", path)


def _free_volumes(operator: Caller, tenant: Tenant) -> None:
    """Volumes that some request left reserved, attached or moving can be deleted, and those with others' snapshots."""
    volumes = operator.list("block-storage", "volumes/detail", all_tenants="1", project_id=tenant.project_id)
    for volume in volumes:
        if volume.get("status") not in ("available", "deleting"):
            operator("POST", "block-storage", f"/volumes/{volume['id']}/action", _FREE)
    volume_ids = {volume["id"] for volume in volumes}
    for snapshot in operator.list("block-storage", "snapshots/detail", all_tenants="1"):
        # An administrator of a domain makes snapshots that are in no project.
        if snapshot["volume_id"] in volume_ids:
            operator.delete("block-storage", f"/snapshots/{snapshot['id']}")


def _clear_networking(operator: Caller, tenant: Tenant) -> None:
    for collection in ("ports", "networks", "security-groups"):
        for thing in operator.list("network", collection):
            ours = str(thing.get("description") or "").startswith("tricircle:")
            if thing["project_id"] == tenant.project_id and not ours and thing["name"] != "default":
                operator.delete("network", f"/{collection}/{thing['id']}")
