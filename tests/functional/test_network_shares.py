# SPDX-License-Identifier: Apache-2.0
"""A second tenant has servers in both pods on a network that its owner shares with him, until the owner does not."""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import ZONES, Json, Region, eventually, ids
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture
def friend(region: Region) -> Iterator[Tenant]:
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture
def network(tenant: Tenant) -> Iterator[Json]:
    made = tenant.network("10.81.0.0/24")
    yield made
    eventually(
        lambda: tenant.here.delete("network", f"/networks/{made['id']}"), lambda said: said in (204, 404), "network"
    )


def _shared(tenant: Tenant, network: Json, friend: Tenant) -> str:
    """The id of the policy by which the owner shares."""
    policy = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared"}
    made = tenant.here.make("network", "rbac-policies", "rbac_policy", **policy, target_tenant=friend.project_id)
    return str(made["id"])


def _revoked(tenant: Tenant, policy_id: str) -> None:
    """Neutron lets him as soon as nothing of the friend's is there."""
    path = f"/rbac-policies/{policy_id}"
    eventually(lambda: tenant.here.delete("network", path), lambda said: said == 204, "the share's end")


def _targets(region: Region, network: Json) -> dict[str, set[str]]:
    """With whom each pod shares its copy."""
    found = {}
    for pod, operator in region.pods.items():
        copies = operator.list("network", "networks", description=f"tricircle:{network['id']}")
        filters = {"object_id": ids(copies), "action": "access_as_shared"}
        policies = operator.list("network", "rbac-policies", **filters) if copies else []
        found[pod] = {str(policy["target_tenant"]) for policy in policies}
    return found


def _booted(who: Tenant, network: Json, flavor: Json, image_id: str, zones: dict[str, str]) -> list[str]:
    def boot(zone: str) -> str:
        fields = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
        # A boot that needs everything at once may be too much for a busy pod: then again, as it says.
        answer = eventually(lambda: who.boot(zone, **fields), lambda said: said.status_code != 503, zone)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    servers = [boot(zone) for zone in zones.values()]
    for server_id in servers:
        assert who.active(server_id)["status"] == "ACTIVE"
    return servers


def test_a_share_ends_in_both_pods_when_its_owner_ends_it(
    tenant: Tenant, friend: Tenant, network: Json, flavor: Json, image_id: str
) -> None:
    region = tenant.region
    policy_id = _shared(tenant, network, friend)
    servers = _booted(friend, network, flavor, image_id, ZONES)
    assert all(friend.project_id in targets for targets in _targets(region, network).values())
    assert tenant.here.delete("network", f"/rbac-policies/{policy_id}") == 409, "the friend's ports are there"
    for server_id in servers:
        friend.gone("compute", f"/servers/{server_id}")
    _revoked(tenant, policy_id)
    nobody: dict[str, set[str]] = {pod: set() for pod in ZONES}
    eventually(lambda: _targets(region, network), lambda seen: seen == nobody, "no share is left")
    assert friend.here("GET", "network", f"/networks/{network['id']}").status_code == 404
    for operator in region.pods.values():
        assert operator.list("network", "networks", description=f"tricircle:{network['id']}"), "the copies stay"

    # Shared once more, it works once more; and another share's end takes nothing of this one.
    again = _shared(tenant, network, friend)
    (server_id,) = _booted(friend, network, flavor, image_id, {"Pod1": ZONES["Pod1"]})
    others = Tenant(region)
    try:
        _revoked(tenant, _shared(tenant, network, others))
        eventually(
            lambda: region.operate("GET", f"/topologies/{network['id']}").json()["topology"]["jobs"],
            lambda jobs: not jobs,
            "the jobs of the network are done",
        )
        assert _targets(region, network) == {"Pod1": {friend.project_id}, "Pod2": set()}
    finally:
        others.sweep()
    friend.gone("compute", f"/servers/{server_id}")
    _revoked(tenant, again)
    eventually(lambda: _targets(region, network), lambda seen: seen == nobody, "no share is left")
