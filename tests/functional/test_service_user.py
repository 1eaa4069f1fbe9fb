# SPDX-License-Identifier: Apache-2.0
"""What do users and operators hear when the service user of a cloud has lost the role admin, and is it over when it is
given back? With the real Keystone, whose tokens lose a role while they live.

Services remember for minutes what Keystone said of a token, and serve it as before. So gateway and worker start anew
here, and get tokens that nobody knows.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.process import Supervisor
from lab.services import tricircle
from lab.topology import load_lab
from tests.functional.region_world import CONF, ROOT, Json, Region, eventually
from tests.functional.tenants import Tenant
from tricircle.conf.load import load
from tricircle.context import Deadline
from tricircle.errors import ServiceUserError
from tricircle.keystone.session import ServiceTokens

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

USER = "tricircle"


def _path(region: Region) -> str:
    admin = region.admin
    (user,) = admin.list("identity", "users", name=USER)
    (project,) = admin.list("identity", "projects", name="service")
    (role,) = admin.list("identity", "roles", name="admin")
    return f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"


@contextmanager
def _without_the_role(region: Region) -> Iterator[None]:
    path = _path(region)
    region.admin.good("DELETE", "identity", path)
    try:
        yield
    finally:
        region.admin.good("PUT", "identity", path)


def _restart() -> None:
    """Gateway and worker, as after a crash of their machine."""
    lab = load_lab(ROOT)
    supervisor, services = Supervisor(lab.run, lab.logs), tricircle.services(lab)
    names = {service.name for service in services}
    supervisor.stop([one for one in supervisor.records() if one.name in names])
    for service in services:
        supervisor.start(service)
    supervisor.wait_ready(services)


async def test_a_token_loses_the_role_while_it_lives(region: Region) -> None:
    """That of a process that runs all the while is not confirmed any more, and no other is had."""
    tokens = ServiceTokens(load(["--config-file", str(CONF)], prog="test"))
    try:
        token = await tokens.token(Deadline.after(30))
        await tokens.confirm(token, Deadline.after(30))
        with _without_the_role(region):
            with pytest.raises(ServiceUserError, match="no role 'admin'"):
                await tokens.confirm(token, Deadline.after(30))
            with pytest.raises(ServiceUserError):
                await tokens.token(Deadline.after(30))
        await tokens.confirm(token, Deadline.after(30))
    finally:
        tokens.close()


def _checked() -> tuple[int, str]:
    command = [str(ROOT / ".venv" / "bin" / "tricircle-manage"), "--config-file", str(CONF), "pod", "check", "Pod1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    return done.returncode, done.stdout + done.stderr


def _copies(tenant: Tenant, network: Json) -> dict[str, list[str]]:
    """What the first pod has of a network."""
    pod = tenant.region.pods["Pod1"]
    (copy,) = pod.list("network", "networks", description=f"tricircle:{network['id']}")
    return {
        name: sorted(str(one["id"]) for one in pod.list("network", name, network_id=copy["id"]))
        for name in ("subnets", "ports")
    }


def test_a_role_that_is_taken_stops_our_work_and_nothing_is_forgotten(
    tenant: Tenant, flavor: Json, image_id: str
) -> None:
    region = tenant.region
    network = tenant.network("10.72.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    server = tenant.booted("az1", **wanted)
    tenant.active(server)
    fine = _checked()
    assert "service user" not in fine[1], fine[1]
    before = _copies(tenant, network)
    with _without_the_role(region):
        code, said = _checked()
        assert (code, "has no role 'admin' in its project" in said) == (1, True), said
        _restart()
        refused = tenant.boot("az1", **wanted)
        assert (refused.status_code, "role" in refused.text) == (503, False), refused.text
        # What users do with their own tokens goes on.
        assert tenant.here.good("GET", "compute", f"/servers/{server}")["server"]["status"] == "ACTIVE"
        assert set(before["ports"]) <= set(_copies(tenant, network)["ports"])
    eventually(_checked, lambda seen: "service user" not in seen[1], "the check is as before", 60)
    again = eventually(
        lambda: tenant.boot("az1", **wanted), lambda answer: answer.status_code == 202, "a boot is taken", 60
    )
    second = str(again.json()["server"]["id"])
    tenant.active(second)
    for server_id in (server, second):
        tenant.gone("compute", f"/servers/{server_id}")
