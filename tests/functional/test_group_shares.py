# SPDX-License-Identifier: Apache-2.0
"""Is a security group that its owner shares with another project that project's to use, in real pods, and until when?

Through the doors, with two projects; at the end nothing of either is left in a pod.
"""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import ZONES, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture
def friend(region: Region) -> Iterator[Tenant]:
    """Another project; it is gone at the end, whatever happens."""
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture
def stranger(region: Region) -> Iterator[Tenant]:
    """A project that never uses a pod, and has all that it likes at the centre."""
    made = Tenant(region)
    limits = {"quota": {"security_group": -1, "security_group_rule": -1}}
    region.admin.good("PUT", "network", f"/quotas/{made.project_id}", limits)
    yield made
    made.sweep()


class Lent:
    """A group of the tenant's, and what becomes of it."""

    def __init__(self, owner: Tenant, friend: Tenant) -> None:
        self.owner, self.friend, self.region = owner, friend, owner.region
        self.group: Json = owner.here.make("network", "security-groups", "security_group", name=unique("lent"))

    def share(self) -> str:
        """The id of the policy."""
        values = {"object_type": "security_group", "object_id": self.group["id"], "action": "access_as_shared"}
        target = {"target_tenant": self.friend.project_id}
        return str(self.owner.here.make("network", "rbac-policies", "rbac_policy", **values, **target)["id"])

    def revoke(self, policy_id: str) -> int:
        return self.owner.here.delete("network", f"/rbac-policies/{policy_id}")

    def act(self, action: str, server_id: str) -> int:
        body = {action: {"name": self.group["id"]}}
        return self.friend.here("POST", "compute", f"/servers/{server_id}/action", body).status_code

    def seen(self, server_id: str) -> tuple[bool, bool]:
        """Whether the friend sees it in a server, and in the server's list."""
        server = self.friend.here.good("GET", "compute", f"/servers/{server_id}")["server"]
        path = f"/servers/{server_id}/os-security-groups"
        listed = self.friend.here.good("GET", "compute", path)["security_groups"]
        in_server = {group["name"] for group in server.get("security_groups", [])}
        return self.group["name"] in in_server, self.group["id"] in {group["id"] for group in listed}

    def shares(self) -> dict[str, int]:
        """How many shares of groups with the friend are in each pod."""
        found = {}
        for pod, operator in self.region.pods.items():
            policies = operator.list("network", "rbac-policies", target_tenant=self.friend.project_id)
            found[pod] = len([one for one in policies if one["object_type"] == "security_group"])
        return found

    def copies(self) -> list[str]:
        marked = f"tricircle:{self.group['id']}"
        return [
            pod
            for pod, operator in self.region.pods.items()
            if operator.list("network", "security-groups", description=marked)
        ]


def test_a_shared_group_is_the_friends_in_both_pods_and_leaves_nothing(
    tenant: Tenant, friend: Tenant, flavor: Json, image_id: str
) -> None:
    lent = Lent(tenant, friend)
    network = friend.network("10.61.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    first, second = ZONES.values()
    server_id = friend.booted(first, **wanted)
    friend.active(server_id)
    assert lent.act("addSecurityGroup", server_id) == 404, "it is not shared yet"
    policy_id = lent.share()
    assert lent.act("addSecurityGroup", server_id) == 202
    assert lent.seen(server_id) == (True, True)
    other_id = friend.booted(second, **wanted, security_groups=[{"name": lent.group["id"]}])
    friend.active(other_id)
    assert lent.seen(other_id) == (True, True)
    assert lent.shares() == dict.fromkeys(ZONES, 1)
    assert lent.revoke(policy_id) == 409, "ports are in it"

    for one in (server_id, other_id):
        assert lent.act("removeSecurityGroup", one) == 202
        assert lent.seen(one) == (False, False)
    assert lent.revoke(policy_id) == 204
    eventually(lent.shares, lambda left: not any(left.values()), "no share is left in a pod", 120)
    assert lent.act("addSecurityGroup", server_id) == 404
    assert sorted(lent.copies()) == sorted(ZONES)
    assert tenant.here.delete("network", f"/security-groups/{lent.group['id']}") == 204
    eventually(lent.copies, lambda left: not left, "no copy is left in a pod", 120)


def test_a_large_group_of_an_owner_who_was_never_in_the_pod_is_whole_there(
    stranger: Tenant, friend: Tenant, flavor: Json, image_id: str
) -> None:
    """Limits that pods have for the owner do not count: here no group, and fewer rules than it has."""
    for operator in friend.region.pods.values():
        limits = {"quota": {"security_group": 0, "security_group_rule": 20}}
        operator.good("PUT", "network", f"/quotas/{stranger.project_id}", limits)
    lent = Lent(stranger, friend)
    lent.share()
    rule = {"security_group_id": lent.group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
    wanted = list(range(1, 46))
    for at in range(0, len(wanted), 15):
        rules = [{**rule, "port_range_min": port, "port_range_max": port} for port in wanted[at : at + 15]]
        stranger.here.good("POST", "network", "/security-group-rules", {"security_group_rules": rules})
    network = friend.network("10.63.0.0/24")
    fields = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    for zone in ZONES.values():
        server = friend.active(friend.booted(zone, **fields, security_groups=[{"name": lent.group["id"]}]))
        assert server["status"] == "ACTIVE"
    for pod, operator in friend.region.pods.items():
        (copy,) = operator.list("network", "security-groups", description=f"tricircle:{lent.group['id']}")
        assert copy["project_id"] == stranger.project_id
        opened = [rule["port_range_min"] for rule in copy["security_group_rules"] if rule["protocol"]]
        assert sorted(opened) == wanted, pod
    bound = friend.region.operate("GET", "/bindings").json()["pod_bindings"]
    assert stranger.project_id not in {binding["tenant_id"] for binding in bound}
