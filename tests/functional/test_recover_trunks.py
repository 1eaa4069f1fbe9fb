# SPDX-License-Identifier: Apache-2.0
"""Does a running server keep its trunk when the centre comes back from a backup that is older than the trunk?

What the pod has stays as it was; the centre has trunk and ports under new ids, and the tenant goes on with them.
"""

from pathlib import Path

import pytest

from tests.functional.lost_books import Books
from tests.functional.region_world import Caller, Json, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

TAG = 101


@pytest.fixture
def books() -> Books:
    return Books()


def _named(caller: Caller, collection: str, name: object) -> Json:
    (found,) = caller.list("network", collection, name=name)
    return found


def _port(tenant: Tenant, cidr: str) -> Json:
    return tenant.here.make("network", "ports", "port", network_id=tenant.network(cidr)["id"], name=unique())


def _what_the_pod_has(pod: Caller, trunk: Json, *ports: Json) -> Json:
    copies = {name: _named(pod, "ports", name) for name in (one["name"] for one in ports)}
    copy = _named(pod, "trunks", trunk["name"])
    return {
        "trunk": {name: copy[name] for name in ("id", "port_id", "sub_ports", "admin_state_up")},
        "ports": {name: (one["id"], one["mac_address"], one["fixed_ips"]) for name, one in copies.items()},
    }


def test_a_trunk_that_the_centre_forgot_is_there_again(
    tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path
) -> None:
    centre, pod = tenant.region.centre, tenant.region.pods["Pod1"]
    books.drained()
    books.dump_schema(tmp_path / "older.sql")
    parent, sub = _port(tenant, "10.72.0.0/24"), _port(tenant, "10.73.0.0/24")
    tags = [{"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": TAG}]
    trunk = tenant.here.make("network", "trunks", "trunk", port_id=parent["id"], sub_ports=tags, name=unique())
    boot = {"flavorRef": flavor["id"], "imageRef": image_id}
    server = tenant.booted("az1", networks=[{"port": parent["id"]}], **boot)
    assert tenant.active(server)["status"] == "ACTIVE"
    books.drained()
    before = _what_the_pod_has(pod, trunk, parent, sub)
    assert [row["segmentation_id"] for row in before["trunk"]["sub_ports"]] == [TAG]
    books.recovered(tmp_path / "older.sql", tmp_path / "schema.sql")
    books.drained()

    again, first, second = (
        _named(centre, "trunks", trunk["name"]),
        _named(centre, "ports", parent["name"]),
        _named(centre, "ports", sub["name"]),
    )
    assert again["port_id"] == first["id"]
    assert [(row["port_id"], row["segmentation_id"]) for row in again["sub_ports"]] == [(second["id"], TAG)]
    assert (first["device_id"], first["binding:host_id"]) == (server, "Pod1")
    assert (second["device_owner"], second["binding:host_id"]) == ("trunk:subport", "Pod1")
    assert _what_the_pod_has(pod, trunk, parent, sub) == before
    marks = {_named(pod, "ports", one["name"])["description"] for one in (first, second)}
    assert marks == {f"tricircle:{one['id']}" for one in (first, second)}
    assert _named(pod, "trunks", trunk["name"])["description"] == f"tricircle:{again['id']}"

    # The tenant goes on with it.
    path = f"/trunks/{again['id']}/remove_subports"
    tenant.here.good("PUT", "network", path, {"sub_ports": [{"port_id": second["id"]}]})
    eventually(
        lambda: _named(pod, "trunks", trunk["name"])["sub_ports"], lambda left: left == [], "the sub-port leaves"
    )
    tenant.gone("compute", f"/servers/{server}")
    eventually(lambda: tenant.here.delete("network", f"/trunks/{again['id']}"), lambda said: said == 204, "trunk gone")
