# SPDX-License-Identifier: Apache-2.0
"""Which tokens open the doors, and what do they open behind them? On a real Keystone."""

import time
from collections.abc import Iterator

import pytest

from lab.topology import PASSWORD
from tests.functional.credentials import signed_in, with_credential
from tests.functional.region_world import Caller, Json, Region, ask, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab
#: Nobody is believed for longer.
LONGEST_S = 60.0
#: A call at every door that needs nothing but a token.
ANYWHERE = [
    ("compute", "/servers"), ("block-storage", "/volumes"), ("network", "/networks"), ("image", "/images"),
    ("identity", "/auth/catalog"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trustee(tenant: Tenant, region: Region) -> Iterator[Caller]:
    """Somebody else, with the tenant's trust."""
    admin, name = region.admin, unique("trustee")
    user = admin.make("identity", "users", "user", name=name, password=PASSWORD, domain_id="default")
    trust = {
        "trustor_user_id": tenant.user_id, "trustee_user_id": user["id"], "project_id": tenant.project_id,
        "impersonation": False, "roles": [{"name": "member"}],
    }  # fmt: skip
    made = tenant.here.make("identity", "OS-TRUST/trusts", "trust", **trust)
    password = {"user": {"id": user["id"], "password": PASSWORD}}
    identity = {"methods": ["password"], "password": password}
    yield signed_in(region, {"identity": identity, "scope": {"OS-TRUST:trust": {"id": made["id"]}}})
    tenant.here.delete("identity", f"/OS-TRUST/trusts/{made['id']}")
    admin.delete("identity", f"/users/{user['id']}")


def test_a_revoked_token_is_refused_everywhere_in_time(tenant: Tenant, region: Region) -> None:
    here = tenant.sign_in()
    for service, path in ANYWHERE:
        assert here("GET", service, path).status_code == 200
    headers = {"X-Auth-Token": here.token}
    admin_api = f"{region.admin_api}/pods"
    assert ask("GET", admin_api, headers=headers).status_code == 403
    # Past our door, which would forget the token at once.
    revoked = ask("DELETE", f"{region.keystone}/auth/tokens", headers={**headers, "X-Subject-Token": here.token})
    assert revoked.status_code == 204
    until = time.monotonic() + LONGEST_S
    for service, path in ANYWHERE:
        left = max(until - time.monotonic(), 0.1)
        eventually(lambda s=service, p=path: here("GET", s, p).status_code, lambda seen: seen == 401, service, left)  # type: ignore[misc]
    eventually(
        lambda: ask("GET", admin_api, headers=headers).status_code, lambda seen: seen == 401, "Admin API",
        max(until - time.monotonic(), 0.1),
    )  # fmt: skip


def test_a_token_revoked_through_us_is_refused_at_once(tenant: Tenant) -> None:
    here = tenant.sign_in()
    assert here("GET", "compute", "/servers").status_code == 200
    assert here("DELETE", "identity", "/auth/tokens", headers={"X-Subject-Token": here.token}).status_code == 204
    assert here("GET", "compute", "/servers").status_code == 401


@pytest.mark.parametrize("who", ["credential", "trust"])
def test_boot_and_delete_without_a_password(
    tenant: Tenant, flavor: Json, image_id: str, trustee: Caller, who: str
) -> None:
    """An application credential without rules, and a trust, carry a boot, a look, a deletion, and the jobs behind."""
    caller = trustee if who == "trust" else with_credential(tenant, unrestricted=True)
    network = tenant.network("10.91.0.0/24" if who == "trust" else "10.92.0.0/24")
    body = {
        "name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "availability_zone": "az2",
        "networks": [{"uuid": network["id"]}],
    }  # fmt: skip
    server = caller.make("compute", "servers", "server", **body)
    path = f"/servers/{server['id']}"
    eventually(lambda: caller.good("GET", "compute", path)["server"]["status"], lambda seen: seen == "ACTIVE", path)
    assert caller.delete("compute", path) == 204
    eventually(lambda: caller("GET", "compute", path).status_code, lambda seen: seen == 404, f"{path} gone")
    mine = {"network_id": network["id"], "device_owner": "compute:nova"}
    eventually(lambda: tenant.here.list("network", "ports", **mine), lambda left: not left, "its ports are gone")
