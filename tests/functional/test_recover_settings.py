# SPDX-License-Identifier: Apache-2.0
"""Do running servers keep what was set of their networks and ports when the centre comes back from an older backup?

What was set is set by a stock tenant and the operator, the loss and the recovery are real; afterwards jobs have made
the pod agree with the centre, so the pod says who won.
"""

from pathlib import Path

import pytest

from tests.functional.lost_books import Books
from tests.functional.region_world import Caller, Json, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

OF_NETWORK = {"mtu": 1300, "dns_domain": "tenant.example.org."}
OF_PORT = {
    "extra_dhcp_opts": [{"opt_name": "domain-search", "opt_value": "tenant.example.org", "ip_version": 4}],
    "numa_affinity_policy": "preferred",
    "dns_name": "www",
}
#: A server only takes a port with its own name, or none; the owner names it later.
UNNAMED = {name: value for name, value in OF_PORT.items() if name != "dns_name"}
#: As a rule of Neutron's own makes it: no lab has the hardware, so it is written where Neutron keeps it.
DIRECT = "UPDATE neutron_pod1.ml2_port_bindings SET vnic_type = 'direct' WHERE port_id = %s"


@pytest.fixture
def books() -> Books:
    return Books()


def _policy(admin: Caller, tenant: Tenant) -> Json:
    policy = admin.make("network", "qos/policies", "policy", name=unique(), project_id=tenant.project_id)
    rule = {"max_kbps": 5000, "max_burst_kbps": 500, "direction": "egress"}
    path = f"qos/policies/{policy['id']}/bandwidth_limit_rules"
    admin.make("network", path, "bandwidth_limit_rule", **rule)
    return policy


def _set(thing: Json, wanted: Json) -> Json:
    return {name: thing[name] for name in wanted}


def _copy(pod: Caller, collection: str, name: object) -> Json:
    (found,) = pod.list("network", collection, name=name)
    return found


def test_an_older_centre_takes_no_settings_away(
    tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path
) -> None:
    centre, pod, admin = tenant.region.centre, tenant.region.pods["Pod1"], tenant.region.admin
    books.drained()
    books.dump_schema(tmp_path / "older.sql")
    of_network, of_port = _policy(admin, tenant), _policy(admin, tenant)
    network = tenant.network("10.71.0.0/24", **OF_NETWORK)
    admin.good("PUT", "network", f"/networks/{network['id']}", {"network": {"qos_policy_id": of_network["id"]}})
    port = tenant.here.make("network", "ports", "port", network_id=network["id"], name=unique(), **UNNAMED)
    admin.good("PUT", "network", f"/ports/{port['id']}", {"port": {"qos_policy_id": of_port["id"]}})
    boot = {"flavorRef": flavor["id"], "imageRef": image_id}
    server = tenant.booted("az1", networks=[{"port": port["id"]}], **boot)
    unnamed = tenant.booted("az1", networks=[{"uuid": network["id"]}], **boot)
    for server_id in (server, unnamed):
        assert tenant.active(server_id)["status"] == "ACTIVE"
    tenant.here.good("PUT", "network", f"/ports/{port['id']}", {"port": {"dns_name": OF_PORT["dns_name"]}})
    books.drained()
    copy, policies = _copy(pod, "ports", port["name"]), ("networks", "ports")
    books.tables.run(DIRECT, copy["id"])
    before = {one: _copy(pod, one, name) for one, name in zip(policies, (network["name"], port["name"]), strict=True)}
    assert _set(before["ports"], OF_PORT) == OF_PORT
    assert _set(before["networks"], OF_NETWORK) == OF_NETWORK
    books.recovered(tmp_path / "older.sql", tmp_path / "schema.sql")
    books.drained()

    (again,) = centre.list("network", "networks", name=network["name"])
    (imported,) = centre.list("network", "ports", device_id=server)
    assert _set(again, OF_NETWORK) == OF_NETWORK
    assert _set(imported, OF_PORT) == OF_PORT
    assert imported["binding:vnic_type"] == "direct"
    for thing, former in ((again, of_network), (imported, of_port)):
        policy = centre.good("GET", "network", f"/qos/policies/{thing['qos_policy_id']}")["policy"]
        assert (policy["name"], policy["project_id"]) == (former["name"], tenant.project_id)
        assert [rule["max_kbps"] for rule in policy["rules"]] == [5000]
    (other,) = centre.list("network", "ports", device_id=unnamed)
    assert other["dns_name"] == "", "the pod's Nova gave it the name of the server"

    def as_before() -> bool:
        now = _copy(pod, "networks", network["name"]), _copy(pod, "ports", port["name"])
        fields = ("mtu", "dns_domain", "qos_policy_id"), (*OF_PORT, "qos_policy_id", "binding:vnic_type")
        kept = [_set(one, dict.fromkeys(names)) for one, names in zip(now, fields, strict=True)]
        was = [_set(before[one], dict.fromkeys(names)) for one, names in zip(policies, fields, strict=True)]
        marks = {now[0]["description"], now[1]["description"]}
        return kept == was and marks == {f"tricircle:{again['id']}", f"tricircle:{imported['id']}"}

    eventually(as_before, bool, "the pod has what it had, and the new marks")
    for server_id in (server, unnamed):
        tenant.gone("compute", f"/servers/{server_id}")
