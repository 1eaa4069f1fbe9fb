# SPDX-License-Identifier: Apache-2.0
"""Do events of other services reach the Nova of each server, and do hosts of all pods stand in one report?"""

import uuid

import pytest

from tests.functional.region_world import Region
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

NEWEST = {"OpenStack-API-Version": "compute 2.93"}
PATH = "/os-server-external-events"


def test_servers_of_two_pods_and_of_none(region: Region, servers: dict[str, str]) -> None:
    stranger = str(uuid.uuid4())
    events = [
        {"name": "volume-extended", "server_uuid": servers["Pod2"], "tag": str(uuid.uuid4())},
        {"name": "network-changed", "server_uuid": stranger},
        {"name": "network-vif-plugged", "server_uuid": servers["Pod1"], "tag": str(uuid.uuid4()), "status": "failed"},
        {"name": "volume-extended", "server_uuid": servers["Pod1"]},
    ]
    answer = region.admin("POST", "compute", PATH, {"events": events}, headers=NEWEST)
    assert answer.status_code == 207, answer.text
    said = answer.json()["events"]
    assert [(event["code"], event["status"]) for event in said] == [
        (200, "completed"), (404, "failed"), (200, "completed"), (400, "failed"),
    ]  # fmt: skip
    for mine, theirs in zip(events, said, strict=True):
        assert {**mine, "code": theirs["code"], "status": theirs["status"]} == theirs


def test_all_known_is_200_as_in_the_pod(region: Region, servers: dict[str, str]) -> None:
    body = {"events": [{"name": "network-changed", "server_uuid": servers["Pod1"]}]}
    here = region.admin("POST", "compute", PATH, body, headers=NEWEST)
    there = region.pods["Pod1"]("POST", "compute", PATH, body, headers=NEWEST)
    assert (here.status_code, here.json()) == (there.status_code, there.json())


@pytest.mark.parametrize("events", [[], [{"name": "no-such-event", "server_uuid": str(uuid.uuid4())}], "x", [{}]])
def test_what_nova_refuses(region: Region, events: object) -> None:
    here = region.admin("POST", "compute", PATH, {"events": events}, headers=NEWEST)
    there = region.pods["Pod1"]("POST", "compute", PATH, {"events": events}, headers=NEWEST)
    assert there.status_code == 400
    assert (here.status_code, here.json()) == (there.status_code, there.json())


def test_not_for_tenants(tenant: Tenant, servers: dict[str, str]) -> None:
    body = {"events": [{"name": "network-changed", "server_uuid": servers["Pod1"]}]}
    assert tenant.here("POST", "compute", PATH, body, headers=NEWEST).status_code == 403
    assert tenant.here("GET", "compute", "/os-instance_usage_audit_log").status_code == 403


def test_hosts_of_all_pods_in_one_report(region: Region) -> None:
    for path, key in (("", "logs"), ("/2026-01-01 00:00:00", "log")):
        path = f"/os-instance_usage_audit_log{path}"
        whole = region.admin.good("GET", "compute", path)[f"instance_usage_audit_{key}"]
        parts = [pod.good("GET", "compute", path)[f"instance_usage_audit_{key}"] for pod in region.pods.values()]
        assert set(whole) == set(parts[0])
        for number in ("num_hosts", "num_hosts_not_run", "total_errors"):
            assert whole[number] == sum(part[number] for part in parts)
        named = {
            f"{name}.{host}" for name, part in zip(region.pods, parts, strict=True) for host in part["hosts_not_run"]
        }
        assert set(whole["hosts_not_run"]) == named
        assert len(named) == whole["num_hosts_not_run"]
        assert whole["overall_status"] == f"0 of {whole['num_hosts']} hosts done. 0 errors."
    assert region.admin("GET", "compute", "/os-instance_usage_audit_log/never").status_code == 400
