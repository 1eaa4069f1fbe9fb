# SPDX-License-Identifier: Apache-2.0
"""Do the calls that Nova keeps for old clients work on real services: volumes, snapshots and addresses by way of it?"""

import pytest

from tests.functional.region_world import Json, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

OLD = {"OpenStack-API-Version": "compute 2.1"}


def test_a_volume_and_a_snapshot_are_made_and_listed(tenant: Tenant) -> None:
    body = {"volume": {"size": 1, "display_name": unique(), "availability_zone": "az2"}}
    made = tenant.here("POST", "compute", "/os-volumes", body, headers=OLD)
    assert made.status_code == 200, made.text
    volume = made.json()["volume"]
    assert (volume["displayName"], volume["availabilityZone"]) == (body["volume"]["display_name"], "az2")
    assert tenant.reached("block-storage", f"/volumes/{volume['id']}", "volume", "available")
    listed = tenant.here("GET", "compute", "/os-volumes?limit=1", headers=OLD).json()["volumes"]
    assert [one["id"] for one in listed] == [volume["id"]]
    shown = tenant.here("GET", "compute", f"/os-volumes/{volume['id']}", headers=OLD).json()["volume"]
    assert shown["availabilityZone"] == "az2"
    snap = {"snapshot": {"volume_id": volume["id"], "display_name": unique()}}
    answer = tenant.here("POST", "compute", "/os-snapshots", snap, headers=OLD)
    assert answer.status_code == 200, answer.text
    snapshot = answer.json()["snapshot"]
    assert snapshot["volumeId"] == volume["id"]
    tenant.reached("block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
    assert tenant.here("DELETE", "compute", f"/os-snapshots/{snapshot['id']}", headers=OLD).status_code == 202
    path = f"/snapshots/{snapshot['id']}"
    eventually(lambda: tenant.here("GET", "block-storage", path).status_code, lambda seen: seen == 404, "no snapshot")
    assert tenant.here("DELETE", "compute", f"/os-volumes/{volume['id']}", headers=OLD).status_code == 202
    refused = tenant.here("POST", "compute", "/os-volumes", {"volume": {"display_name": "x"}}, headers=OLD)
    assert (refused.status_code, "'size' is a required property" in refused.text) == (400, True)
    assert tenant.here("POST", "compute", "/os-volumes", body).status_code == 404  # gone from 2.36 on


def test_a_server_gets_one_more_address_and_loses_it(tenant: Tenant, flavor: Json, image_id: str) -> None:
    network = tenant.network("10.77.0.0/24")
    server_id = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id, networks=[{"uuid": network["id"]}])
    tenant.active(server_id)

    def addresses() -> list[str]:
        shown = tenant.here.good("GET", "compute", f"/servers/{server_id}")["server"]["addresses"]
        return [one["addr"] for one in shown[network["name"]]]

    def act(**action: object) -> int:
        return tenant.here("POST", "compute", f"/servers/{server_id}/action", action, headers=OLD).status_code

    before = addresses()
    assert act(addFixedIp={"networkId": network["id"]}) == 202
    after = eventually(addresses, lambda seen: len(seen) == 2, "second address")
    (new,) = set(after) - set(before)
    assert act(removeFixedIp={"address": new}) == 202
    eventually(addresses, lambda seen: seen == before, "first address alone")
    assert act(removeFixedIp={"address": "10.77.0.250"}) == 400
    assert act(addFloatingIp={"address": "172.31.255.1"}) == 404
    tenant.gone("compute", f"/servers/{server_id}")
