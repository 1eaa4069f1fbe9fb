# SPDX-License-Identifier: Apache-2.0
"""May a server group say how many members a host may have, although the centre has no hosts? Needs the lab with its
pods registered.

Nova takes such a rule where it knows a compute service. The centre knows one that was there once
(docs/decisions/0048), which nobody sees.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.compute_record import OPTIONS
from tests.functional.commands import openstack
from tests.functional.region_world import ZONES, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HOST, MOST = str(OPTIONS["host"]), 2
GROUPS = "/os-server-groups"
OLD, RULES = ({"OpenStack-API-Version": f"compute {version}"} for version in ("2.42", "2.64"))


def typed(tenant: Tenant, *words: str) -> Any:
    """What the stock client prints to a tenant for a command that must succeed."""
    who = ("--os-username", tenant.name, "--os-project-name", tenant.name, "--os-compute-api-version", "2.64")
    is_quiet = "delete" in words
    done = openstack(*who, *words, *(() if is_quiet else ("-f", "json")), cloud="tricircle")
    assert done.returncode == 0, done.stderr
    return None if is_quiet else json.loads(done.stdout)


@pytest.fixture
def record(region: Region) -> Iterator[Json]:
    """The centre's compute service, as only its own API shows it. It counts before the test and after it."""
    (one,) = region.centre.list("compute", "os-services", host=HOST, binary="nova-compute")
    force_down(region, one, is_down=False)
    yield one
    force_down(region, one, is_down=False)


def force_down(region: Region, service: Json, *, is_down: bool) -> None:
    region.centre.good("PUT", "compute", f"/os-services/{service['id']}", {"forced_down": is_down})


def copies(region: Region, group_id: str) -> dict[str, list[Json]]:
    """The group's copies in each pod, as their operators see them."""
    return {
        name: [
            one
            for one in pod("GET", "compute", GROUPS, params={"all_projects": "True"}).json()["server_groups"]
            if one["name"] == f"tricircle.{group_id}"
        ]
        for name, pod in region.pods.items()
    }


def test_a_rule_is_made_and_shown_and_holds_in_each_pod(
    region: Region, tenant: Tenant, flavor: Json, image_id: str, record: Json
) -> None:
    """By the stock client. Two members may share a host; where all hosts have two, one more finds none."""
    words = ("--policy", "anti-affinity", "--rule", f"max_server_per_host={MOST}")
    group_id = typed(tenant, "server", "group", "create", *words, unique())["id"]
    shown = typed(tenant, "server", "group", "show", group_id)
    assert (shown["policy"], shown["rules"]) == ("anti-affinity", {"max_server_per_host": MOST})
    assert [one["Policy"] for one in typed(tenant, "server", "group", "list")] == ["anti-affinity"]
    (listed,) = tenant.here("GET", "compute", GROUPS, headers=RULES).json()["server_groups"]
    assert listed["rules"] == {"max_server_per_host": MOST}
    (older,) = tenant.here("GET", "compute", GROUPS, headers=OLD).json()["server_groups"]
    assert (older["policies"], "rules" in older) == (["anti-affinity"], False)

    def boot(zone: str, **count: object) -> str:
        server = {"flavorRef": flavor["id"], "imageRef": image_id, "availability_zone": zone, "networks": "none"}
        body = {"server": {"name": unique(), **server, **count}, "os:scheduler_hints": {"group": group_id}}
        return str(tenant.here.good("POST", "compute", "/servers", body)["server"]["id"])

    def members() -> list[str]:
        shown = tenant.here.good("GET", "compute", f"{GROUPS}/{group_id}")["server_group"]
        return sorted(shown["members"])

    room = {
        zone: MOST * len(region.pods[name].list("compute", "os-services", binary="nova-compute"))
        for name, zone in ZONES.items()
    }
    first, *others = ZONES.values()
    what = ("--flavor", flavor["id"], "--image", image_id, "--nic", "none", "--hint", f"group={group_id}")
    count = ("--min", str(room[first]), "--max", str(room[first]))
    typed(tenant, "server", "create", *what, "--availability-zone", first, *count, unique())
    for zone in others:
        boot(zone, min_count=room[zone], max_count=room[zone])
    servers = sorted(ids(tenant.here.list("compute", "servers")))
    assert len(servers) == sum(room.values())
    for server_id in servers:
        assert tenant.active(server_id)["status"] == "ACTIVE"
    eventually(members, lambda seen: seen == servers, "all members")
    for name, found in copies(region, group_id).items():
        assert [one["rules"] for one in found] == [{"max_server_per_host": MOST}], name

    for one_more in [boot(zone) for zone in ZONES.values()]:
        assert tenant.active(one_more)["status"] == "ERROR"
        tenant.gone("compute", f"/servers/{one_more}")
    typed(tenant, "server", "group", "delete", group_id)
    assert tenant.here("GET", "compute", f"{GROUPS}/{group_id}").status_code == 404
    eventually(lambda: copies(region, group_id), lambda seen: not any(seen.values()), "copies gone")


def test_a_centre_that_knows_no_compute_service_takes_no_such_rule(
    region: Region, tenant: Tenant, record: Json
) -> None:
    """In Nova's words. One that is forced down does not count."""
    force_down(region, record, is_down=True)
    group = {"name": unique(), "policy": "anti-affinity", "rules": {"max_server_per_host": MOST}}
    before = ids(tenant.here.list("compute", "os-server-groups"))
    refused = tenant.here("POST", "compute", GROUPS, {"server_group": group})
    text = "Creating an anti-affinity group with rule max_server_per_host > 1 is not yet supported."
    assert (refused.status_code, refused.json()["conflictingRequest"]["message"]) == (409, text)
    assert ids(tenant.here.list("compute", "os-server-groups")) == before


@pytest.mark.parametrize(
    "path",
    [
        "/os-services",
        "/os-services?binary=nova-compute",
        f"/os-services?host={HOST}",
        "/os-hypervisors",
        "/os-hypervisors/detail?with_servers=true",
        f"/os-hypervisors?hypervisor_hostname_pattern={HOST}",
        "/os-availability-zone",
        "/os-availability-zone/detail",
        "/os-aggregates",
        "/os-instance_usage_audit_log",
        "/limits",
    ],
)
def test_no_list_of_a_door_shows_it(region: Region, record: Json, path: str) -> None:
    """Not even to administrators: it is no machine, and nobody could do anything with it."""
    answer = region.admin("GET", "compute", path)
    assert answer.status_code in (200, 404), answer.text
    # A pattern that nothing has may be told back.
    assert HOST not in answer.text.replace(f"'{HOST}'", "")
    assert record["id"] not in answer.text


def test_no_list_of_old_hosts_shows_it(region: Region, record: Json) -> None:
    hosts = region.admin("GET", "compute", "/os-hosts", headers=OLD)
    assert (hosts.status_code, HOST in hosts.text) == (200, False)
    assert region.admin("GET", "compute", f"/os-hosts/{HOST}", headers=OLD).status_code == 404
    body = {"host": HOST, "binary": "nova-compute"}
    assert region.admin("PUT", "compute", "/os-services/enable", body, headers=OLD).status_code == 404


def test_no_door_changes_it(region: Region, record: Json) -> None:
    """By its id, which only the centre's operator knows, or by its name."""
    path = f"/os-services/{record['id']}"
    answers = (
        region.admin("PUT", "compute", path, {"status": "enabled"}),
        region.admin("PUT", "compute", path, {"forced_down": True}),
        region.admin("DELETE", "compute", path),
    )
    assert [answer.status_code for answer in answers] == [404, 404, 404], [answer.text for answer in answers]
    aggregate = region.admin.make("compute", "os-aggregates", "aggregate", name=unique())
    added = region.admin("POST", "compute", f"/os-aggregates/{aggregate['id']}/action", {"add_host": {"host": HOST}})
    region.admin.good("DELETE", "compute", f"/os-aggregates/{aggregate['id']}")
    assert added.status_code == 404, added.text
    (after,) = region.centre.list("compute", "os-services", host=HOST, binary="nova-compute")
    assert (after["status"], after["forced_down"]) == ("disabled", False)
