# SPDX-License-Identifier: Apache-2.0
"""Who signs in by something else than a password? Application credentials, with and without rules."""

from datetime import UTC, datetime, timedelta

from tests.functional.region_world import Caller, Json, Region, ask, eventually, unique
from tests.functional.tenants import Tenant


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


def bound_to(tenant: Tenant, *rules: str) -> Caller:
    """The tenant's user who may do these calls only: ``compute GET /v2.1/servers``."""
    words = (rule.split() for rule in rules)
    return with_credential(
        tenant, access_rules=[{"service": service, "method": method, "path": path} for service, method, path in words]
    )


def short_lived(tenant: Tenant, seconds: float = 8.0) -> Caller:
    """The tenant's user with a token that ends in so many seconds."""
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    return with_credential(tenant, expires_at=ends.strftime("%Y-%m-%dT%H:%M:%S.%f"))


def until_ended(region: Region, caller: Caller) -> None:
    """Wait until Keystone itself takes the caller's token no more."""
    headers = {"X-Auth-Token": region.admin.token, "X-Subject-Token": caller.token}
    url = f"{region.keystone}/auth/tokens"
    eventually(lambda: ask("GET", url, headers=headers).status_code, lambda seen: seen == 404, "the token's end", 60)
