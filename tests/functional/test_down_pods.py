# SPDX-License-Identifier: Apache-2.0
"""What do users see of a real pod whose Nova is away, or that an operator has switched off? The form of Nova's down
cells, also by Nova's own schemas."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.functional.outage import without
from tests.functional.region_world import CONF, ROOT, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

INCOMPLETE = "OpenStack-Incomplete-AZs"


@dataclass(frozen=True)
class Halved:
    """Two servers in each pod, newest first; the second pod is away."""

    tenant: Tenant
    here: list[Json]
    there: list[Json]
    whole: list[Json]


@contextmanager
def switched_off(region: Region, pod_name: str) -> Iterator[None]:
    """Within the block no process of ours asks the pod; they know within two seconds."""
    pods = region.operate("GET", "/pods").json()["pods"]
    pod_id = next(one["pod_id"] for one in pods if one["pod_name"] == pod_name)

    def put(state: str) -> None:
        said = region.operate("PUT", f"/pods/{pod_id}", {"pod": {"state": state}})
        assert said.status_code == 200, said.text

    put("disabled")
    try:
        yield
    finally:
        put("enabled")


def lacking(tenant: Tenant) -> str | None:
    """The AZs from which a list may lack servers."""
    return tenant.here("GET", "compute", "/servers").headers.get(INCOMPLETE)


@pytest.fixture(scope="module")
def made(tenant: Tenant, flavor: Json, image_id: str) -> dict[str, list[str]]:
    """Servers by AZ, newest first."""
    made: dict[str, list[str]] = {"az1": [], "az2": []}
    for zone in ("az1", "az2", "az2", "az1"):
        name = unique("fn-down")
        made[zone].insert(0, tenant.booted(zone, name=name, flavorRef=flavor["id"], imageRef=image_id))
        born = tenant.active(made[zone][0])["created"]
        # Nova tells ages by the second, and orders those of one second as nobody else can know.
        eventually(lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", born.__lt__, "the next second")
    return made


@pytest.fixture(scope="module", params=["away", "off"])
def halved(
    request: pytest.FixtureRequest, region: Region, tenant: Tenant, made: dict[str, list[str]]
) -> Iterator[Halved]:
    eventually(lambda: lacking(tenant), lambda zones: zones is None, "lists are whole")
    whole = tenant.here.list("compute", "servers/detail")
    assert ids(tenant.here.list("compute", "servers", limit=2)) == ids(whole[:2])
    by_id = {server["id"]: server for server in whole}
    with without("pod2-nova") if request.param == "away" else switched_off(region, "Pod2"):
        eventually(lambda: lacking(tenant), lambda zones: zones == "az2", "the gateway knows")
        yield Halved(tenant, [by_id[one] for one in made["az1"]], [by_id[one] for one in made["az2"]], whole)
    # Nova is back before others need the pod.
    for server_id in made["az2"]:
        path = f"/servers/{server_id}"
        eventually(lambda path=path: tenant.here("GET", "compute", path).json()["server"]["status"],  # type: ignore[misc]
                   lambda status: status == "ACTIVE", "the pod is back")  # fmt: skip
    eventually(lambda: lacking(tenant), lambda zones: zones is None, "lists are whole again")


def test_lists_name_what_is_in_it(halved: Halved) -> None:
    here = halved.tenant.here
    answer = here("GET", "compute", "/servers/detail", params={"deleted": "False"})
    servers = answer.json()["servers"]
    assert answer.headers[INCOMPLETE] == "az2"
    assert ids(servers) == ids([*halved.there, *halved.here])
    for minimal, known in zip(servers, halved.there, strict=False):
        assert set(minimal) == {"id", "status", "tenant_id", "created", "links"}
        assert minimal["status"] == "UNKNOWN"
        assert (minimal["tenant_id"], minimal["links"]) == (known["tenant_id"], known["links"])
    brief = here("GET", "compute", "/servers").json()["servers"]
    assert [set(one) for one in brief[:2]] == [{"id", "status", "links"}] * 2
    assert ids(brief) == ids(servers)


def test_a_server_of_it_is_shown_as_far_as_it_is_known(halved: Halved) -> None:
    known = halved.there[0]
    for version in ("2.69", "2.71", "2.90", "2.96"):
        headers = {"OpenStack-API-Version": f"compute {version}"}
        answer = halved.tenant.here("GET", "compute", f"/servers/{known['id']}", headers=headers)
        assert answer.status_code == 200, answer.text
        shown = answer.json()["server"]
        assert (shown["status"], shown["OS-EXT-STS:power_state"]) == ("UNKNOWN", 0)
        assert shown["OS-EXT-AZ:availability_zone"] == "az2"
        for key in ("flavor", "image", "user_id", "created", "links"):
            assert shown[key] == known[key], key
        assert answer.headers[INCOMPLETE] == "az2"


@pytest.mark.parametrize("version", ["2.1", "2.68"])
def test_older_clients_see_what_answers(halved: Halved, version: str) -> None:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    answer = halved.tenant.here("GET", "compute", "/servers/detail", headers=headers)
    assert ids(answer.json()["servers"]) == ids(halved.here)
    assert answer.headers[INCOMPLETE] == "az2"
    path = f"/servers/{halved.there[0]['id']}"
    answer = halved.tenant.here("GET", "compute", path, headers=headers)
    assert answer.status_code == 503


def test_markers_in_it_lead_on(halved: Halved) -> None:
    """The last thing of a page that was shown before, and one that never ended a page."""
    here = halved.tenant.here
    for marker in halved.there:
        place = ids(halved.whole).index(marker["id"])
        rest = [one for one in ids(halved.whole[place + 1 :]) if one in ids(halved.here)]
        answer = here("GET", "compute", "/servers", params={"marker": marker["id"], "limit": 3})
        assert answer.status_code == 200, answer.text
        assert ids(answer.json()["servers"]) == rest
        assert answer.headers[INCOMPLETE] == "az2"


def test_nothing_can_be_done_to_its_servers(halved: Halved) -> None:
    """And nothing is: the pod is not asked."""
    here, server_id = halved.tenant.here, halved.there[0]["id"]
    path = f"/servers/{server_id}"
    for method, below, body in (
        ("POST", "/action", {"os-stop": None}),
        ("POST", "/action", {"rebuild": {"imageRef": server_id}}),
        ("PUT", "", {"server": {"name": "changed"}}),
        ("PUT", "/metadata", {"metadata": {"a": "b"}}),
        ("GET", "/os-volume_attachments", None),
        ("DELETE", "", None),
    ):
        answer = here(method, "compute", path + below, body)
        assert answer.status_code == 503, f"{method} {below}: {answer.text}"
        assert int(answer.headers["Retry-After"]) > 0
    assert server_id in ids(here.list("compute", "servers"))


def test_operators_see_which_pod_it_was(halved: Halved) -> None:
    halved.tenant.here("GET", "compute", "/servers")
    command = [sys.executable, "-m", "tricircle.cmd.manage", "--config-file", str(CONF), "pod", "lists"]

    def look() -> list[list[str]]:
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()[1:]]

    eventually(look, lambda rows: [row for row in rows if row[:2] == ["Pod2", "compute"]], "the pod is named")
