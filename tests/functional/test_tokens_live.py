# SPDX-License-Identifier: Apache-2.0
"""Which tokens open the doors, what do they open behind them, and until when? On a real Keystone."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from lab.topology import PASSWORD, load_lab
from tests.functional.region_world import CONF, ROOT, Caller, Json, Region, ask, eventually, unique
from tests.functional.tenants import Tenant
from tricircle.conf.load import load
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.keystone.session import ServiceTokens
from tricircle.model.pod import Service
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call, Target

pytestmark = pytest.mark.lab
#: Nobody is believed for longer.
LONGEST_S = 60.0
#: A call at every door that needs nothing but a token.
ANYWHERE = [
    ("compute", "/servers"), ("block-storage", "/volumes"), ("network", "/networks"), ("image", "/images"),
    ("identity", "/auth/catalog"),
]  # fmt: skip
_RULES = [
    {"service": "compute", "method": "GET", "path": "/v2.1/os-availability-zone"},
    {"service": "compute", "method": "GET", "path": "/v2.1/servers"},
    {"service": "compute", "method": "GET", "path": "/v2.1/servers/*"},
    {"service": "compute", "method": "POST", "path": "/v2.1/servers"},
    {"service": "network", "method": "GET", "path": "/v2.0/networks"},
    {"service": "block-storage", "method": "GET", "path": "/v3/volumes"},
]


def signed_in(region: Region, identity: Json) -> Caller:
    """Whoever signs in by something else than a password. ``identity``: the body's ``auth``."""
    answer = ask("POST", f"{region.identity}/auth/tokens", json={"auth": identity})
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    return Caller(
        roots=region.doors,
        token=answer.headers["X-Subject-Token"],
        project_id=token["project"]["id"],
        user_id=token["user"]["id"],
    )


def with_credential(tenant: Tenant, **values: object) -> Caller:
    """The tenant's user by an application credential."""
    path = f"users/{tenant.user_id}/application_credentials"
    made = tenant.here.make("identity", path, "application_credential", name=unique(), **values)
    credential = {"id": made["id"], "secret": made["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": credential}
    return signed_in(tenant.region, {"identity": identity})


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


def test_access_rules_are_enforced_at_the_doors(tenant: Tenant) -> None:
    caller = with_credential(tenant, access_rules=_RULES)
    # What we answer ourselves.
    assert caller("GET", "compute", "/os-availability-zone").status_code == 200
    # What no rule names is refused as by any service.
    for method, service, path in (
        ("DELETE", "compute", "/servers/4f5b6cb5-7f0e-4b7e-a3fb-0d2b9be1f9a0"),
        ("GET", "compute", "/flavors"),
        ("GET", "block-storage", "/snapshots"),
        ("GET", "network", "/ports"),
        ("GET", "image", "/images"),
    ):
        answer = caller(method, service, path)
        assert answer.status_code == 401, (path, answer.text)


def test_services_that_take_no_access_rules_are_said_to(tenant: Tenant, flavor: Json, image_id: str) -> None:
    """The lab's services are as they come: none knows its own name in such rules."""
    caller = with_credential(tenant, access_rules=_RULES)
    boot = {"server": {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}}
    for answer in (
        caller("GET", "compute", "/servers"),
        caller("GET", "network", "/networks"),
        caller("GET", "block-storage", "/volumes"),
        caller("POST", "compute", "/servers", boot),
    ):
        _says_so(answer)
    assert tenant.here.list("compute", "servers") == []


def _says_so(answer: requests.Response) -> None:
    assert answer.status_code == 403, (answer.url, answer.status_code, answer.text)
    assert "access rules" in answer.text
    assert not any(pod in answer.text for pod in ("Pod1", "Pod2"))


def test_work_for_a_user_outlives_the_token(tenant: Tenant) -> None:
    """User and service token together are good after the user's has ended; alone it is not."""
    ends = datetime.now(UTC) + timedelta(seconds=6)
    caller = with_credential(tenant, expires_at=ends.strftime("%Y-%m-%dT%H:%M:%S.%f"))
    assert caller("GET", "network", "/networks").status_code == 200
    time.sleep(max((ends - datetime.now(UTC)).total_seconds(), 0) + 1.5)
    assert caller("GET", "network", "/networks").status_code == 401
    asyncio.run(_work(caller))


async def _work(caller: Caller) -> None:
    lab, settings = load_lab(ROOT), load(["--config-file", str(CONF)], prog="test")
    pools, tokens = Pools(settings.upstream), ServiceTokens(settings)
    context = RequestContext(
        request_id="req-00000000-0000-4000-8000-000000000000",
        token=caller.token,
        user_id=caller.user_id,
        project_id=ProjectId(caller.project_id),
        roles=frozenset({"member"}),
        deadline=Deadline.after(30),
    )
    places = {"central": lab.url("neutron"), **{pod.region: pod.url("neutron") for pod in lab.pods}}
    try:
        for place, url in places.items():
            target = Target(pod=place, service=Service.NETWORK, url=url, label=place)
            client = Clients(pools, tokens).as_user(context, target)
            assert "networks" in await client.get("/v2.0/networks", deadline=context.deadline)
            alone = Call(method="GET", path="/v2.0/networks", headers=[(b"x-auth-token", caller.token.encode())])
            assert (await pools.send(target, alone, context.deadline)).status == 401
    finally:
        tokens.close()
        await pools.close()
