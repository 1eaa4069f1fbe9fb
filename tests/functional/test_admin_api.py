# SPDX-License-Identifier: Apache-2.0
"""Do the Admin API, its commands and ``tricircle-manage`` work on real services? Leaves the lab's pods as they were."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.functional.commands import openstack, shown

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / ".lab"
API = "http://127.0.0.1:19999/v1.0"
KEYSTONE = "http://127.0.0.1:20500/v3"
NOVA = "http://127.0.0.1:20774/v2.1"
AZ_OF = {"RegionOne": "", "Pod1": "az1", "Pod2": "az2"}


def token(user: str, project: str) -> str:
    domain = {"id": "default"}
    password = {"user": {"name": user, "password": "labpw", "domain": domain}}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": password},
            "scope": {"project": {"name": project, "domain": domain}},
        }
    }
    answer = requests.post(f"{KEYSTONE}/auth/tokens", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


@pytest.fixture(scope="module")
def admin() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-Auth-Token"] = token("admin", "admin")
        yield session


@pytest.fixture(scope="module")
def pods(admin: requests.Session) -> dict[str, dict[str, Any]]:
    """The lab's pods by name, registered if they were not."""
    known = {pod["pod_name"] for pod in admin.get(f"{API}/pods", timeout=30).json()["pods"]}
    for name, az_name in AZ_OF.items():
        if name not in known:
            answer = admin.post(f"{API}/pods", json={"pod": {"pod_name": name, "az_name": az_name}}, timeout=60)
            assert answer.status_code == 200, answer.text
    return {pod["pod_name"]: pod for pod in admin.get(f"{API}/pods", timeout=30).json()["pods"]}


def manage(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / ".venv" / "bin" / "tricircle-manage"), "--config-file", str(LAB / "etc" / "tricircle.conf")]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=180)


def test_a_registered_pod_is_what_the_catalog_and_its_services_say(pods: dict[str, dict[str, Any]]) -> None:
    pod = pods["Pod1"]
    assert (pod["az_name"], pod["state"]) == ("az1", "enabled")
    assert pod["endpoints"]["compute"] == "http://127.0.0.1:21774/v2.1"
    assert pod["endpoints"]["block-storage"] == "http://127.0.0.1:21776/v3"
    assert pod["versions"]["compute"]["min"] == "2.1"
    assert pods["RegionOne"]["endpoints"]["network"].startswith("http://127.0.0.1:20696")


def test_aggregates_follow_pods(admin: requests.Session, pods: dict[str, dict[str, Any]]) -> None:
    listed = admin.get(f"{NOVA}/os-aggregates", timeout=30).json()["aggregates"]
    zones = {item["name"]: item["availability_zone"] for item in listed}
    assert zones.items() >= {"ag_Pod1": "az1", "ag_Pod2": "az2"}.items()


def test_moving_a_pod_moves_its_aggregate_and_back(admin: requests.Session, pods: dict[str, dict[str, Any]]) -> None:
    path = f"{API}/pods/{pods['Pod2']['pod_id']}"
    try:
        answer = admin.put(path, json={"pod": {"az_name": "az9", "dc_name": "elsewhere"}}, timeout=60)
        assert answer.status_code == 200, answer.text
        listed = admin.get(f"{NOVA}/os-aggregates", timeout=30).json()["aggregates"]
        assert {"ag_Pod2": "az9"}.items() <= {item["name"]: item["availability_zone"] for item in listed}.items()
    finally:
        back = admin.put(path, json={"pod": {"az_name": "az2", "dc_name": "", "state": "enabled"}}, timeout=60)
    assert back.json()["pod"].items() >= {"az_name": "az2", "dc_name": "", "state": "enabled"}.items()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"pod_name": "Pod1", "az_name": "az1"}, 409, "Pod 'Pod1' exists already."),
        ({"pod_name": "Other"}, 409, "The central region is registered already as 'RegionOne'"),
        ({"pod_name": "RegionOne", "az_name": "az1"}, 409, "exists already"),
        ({"pod_name": "Nowhere", "az_name": "az1"}, 422, "Region 'Nowhere' does not exist in Keystone."),
        ({"pod_name": "", "az_name": "az1"}, 422, "pod_name is empty."),
        ({"pod_name": "Nowhere", "az": "az1"}, 400, "Unknown field 'az'."),
    ],
)
def test_refusals(
    admin: requests.Session, pods: dict[str, dict[str, Any]], fields: dict[str, str], status: int, words: str
) -> None:
    answer = admin.post(f"{API}/pods", json={"pod": fields}, timeout=60)
    assert answer.status_code == status
    (fault,) = answer.json().values()
    assert fault["code"] == status
    assert words in fault["message"]


def test_a_region_without_services_is_refused_whole(admin: requests.Session, pods: dict[str, dict[str, Any]]) -> None:
    made = admin.post(f"{KEYSTONE}/regions", json={"region": {"id": "EmptyRegion"}}, timeout=30)
    assert made.status_code == 201, made.text
    try:
        answer = admin.post(f"{API}/pods", json={"pod": {"pod_name": "EmptyRegion", "az_name": "az1"}}, timeout=60)
        assert answer.status_code == 422
        text = answer.json()["unprocessableEntity"]["message"]
        for service in ("compute", "network", "block-storage"):
            assert f"The catalog lists no endpoint of {service}" in text
        listed = admin.get(f"{NOVA}/os-aggregates", timeout=30).json()["aggregates"]
        assert "ag_EmptyRegion" not in {item["name"] for item in listed}
    finally:
        assert admin.delete(f"{KEYSTONE}/regions/EmptyRegion", timeout=30).status_code == 204


def test_tenants_and_strangers_are_kept_out() -> None:
    member = {"X-Auth-Token": token("demo", "demo")}
    assert requests.get(f"{API}/pods", headers=member, timeout=30).status_code == 403
    assert requests.get(f"{API}/pods", headers={"X-Auth-Token": "nonsense"}, timeout=30).status_code == 401
    assert requests.get(f"{API}/pods", timeout=30).status_code == 401
    assert requests.get(API, timeout=30).status_code == 200


def test_binding_a_project_lifts_its_limits(admin: requests.Session, pods: dict[str, dict[str, Any]]) -> None:
    body = {"project": {"name": f"bound-{os.getpid()}", "domain_id": "default"}}
    project = admin.post(f"{KEYSTONE}/projects", json=body, timeout=30).json()["project"]["id"]
    wanted = {"tenant_id": project, "pod_id": pods["Pod1"]["pod_id"]}
    try:
        answer = admin.post(f"{API}/bindings", json={"pod_binding": wanted}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert admin.post(f"{API}/bindings", json={"pod_binding": wanted}, timeout=60).status_code == 409
        url = f"http://127.0.0.1:21774/v2.1/os-quota-sets/{project}"
        assert admin.get(url, timeout=30).json()["quota_set"]["instances"] == -1
        url = f"http://127.0.0.1:21776/v3/os-quota-sets/{project}"
        assert admin.get(url, timeout=30).json()["quota_set"]["volumes"] == -1
        url = f"http://127.0.0.1:21696/v2.0/quotas/{project}"
        assert admin.get(url, timeout=30).json()["quota"]["port"] == -1
        gone = admin.delete(f"{API}/bindings/{answer.json()['pod_binding']['id']}", timeout=30)
        assert gone.status_code == 200
    finally:
        admin.delete(f"{KEYSTONE}/projects/{project}", timeout=30)


def test_commands_of_openstackclient(pods: dict[str, dict[str, Any]]) -> None:
    listed = {row["pod_name"]: row for row in shown("multiregion", "networking", "pod", "list")}
    assert listed["Pod1"]["az_name"] == "az1"
    assert shown("multiregion", "networking", "pod", "show", "Pod1")["pod_id"] == pods["Pod1"]["pod_id"]
    changed = shown("multiregion", "networking", "pod", "set", "--data-center", "north", "Pod1")
    assert changed["dc_name"] == "north"
    assert shown("multiregion", "networking", "pod", "set", "--data-center", "", "--enable", "Pod1")["dc_name"] == ""
    refused = openstack(
        "multiregion", "networking", "pod", "create", "--region-name", "Nowhere", "--availability-zone", "z"
    )
    assert refused.returncode != 0
    assert "Region 'Nowhere' does not exist in Keystone. Existing regions: " in refused.stderr
    assert "HTTP 403" in openstack("multiregion", "networking", "pod", "list", cloud="tricircle").stderr
    assert isinstance(shown("multiregion", "networking", "binding", "list"), list)


def ended(admin: requests.Session, job_id: int) -> dict[str, Any]:
    """A job when a worker has carried it out."""
    until = time.monotonic() + 60
    while True:
        answer = admin.get(f"{API}/jobs/{job_id}", timeout=30)
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()["job"]
        if job["status"] not in ("waiting", "running") or time.monotonic() > until:
            return job
        time.sleep(0.2)


def test_a_job_is_filed_carried_out_listed_and_forgotten(
    admin: requests.Session, pods: dict[str, dict[str, Any]]
) -> None:
    wanted = {"type": "network", "project_id": "p1", "resource": {"network_id": str(uuid4())}, "pod_name": "Pod1"}
    answer = admin.post(f"{API}/jobs", json={"job": wanted}, timeout=30)
    assert answer.status_code == 202, answer.text
    filed = answer.json()["job"]
    assert filed["pod_id"] == pods["Pod1"]["pod_id"]
    job = ended(admin, filed["id"])
    assert (job["status"], job["error"], job["attempts"]) == ("done", None, 1)
    query = {"status": "done", "resource_id": wanted["resource"]["network_id"], "pod_name": "Pod1"}
    listed = admin.get(f"{API}/jobs", params=query, timeout=30).json()["jobs"]
    assert [one["id"] for one in listed] == [filed["id"]]
    again = admin.put(f"{API}/jobs/{filed['id']}", timeout=30)
    assert (again.status_code, again.json()["conflictingRequest"]["code"]) == (409, 409)
    assert admin.delete(f"{API}/jobs/{filed['id']}", timeout=30).status_code == 200
    assert admin.get(f"{API}/jobs/{filed['id']}", timeout=30).status_code == 404


def test_a_change_at_the_centre_leaves_a_job_in_history(
    admin: requests.Session, pods: dict[str, dict[str, Any]]
) -> None:
    """The driver inside the central Neutron filed it; nobody needs a copy for that."""
    neutron = "http://127.0.0.1:20696/v2.0/networks"
    made = admin.post(neutron, json={"network": {"name": "jobs-are-seen"}}, timeout=30)
    assert made.status_code == 201, made.text
    network = made.json()["network"]
    try:
        change = {"network": {"name": "jobs-were-seen"}}
        assert admin.put(f"{neutron}/{network['id']}", json=change, timeout=30).status_code == 200
    finally:
        assert admin.delete(f"{neutron}/{network['id']}", timeout=30).status_code == 204
    query = {"type": "network", "resource_id": network["id"], "project_id": network["project_id"]}
    until = time.monotonic() + 60
    while True:
        jobs = admin.get(f"{API}/jobs", params=query, timeout=30).json()["jobs"]
        if (jobs and {job["status"] for job in jobs} == {"done"}) or time.monotonic() > until:
            break
        time.sleep(0.2)
    assert jobs
    assert {job["status"] for job in jobs} == {"done"}


def test_jobs_by_commands(admin: requests.Session, pods: dict[str, dict[str, Any]]) -> None:
    words = ("multiregion", "networking", "job")
    network_id = str(uuid4())
    resource = ("--resource", f"network_id={network_id}")
    filed = shown(*words, "create", "--type", "network", "--project", "p1", *resource, "--pod", "Pod1")
    assert (filed["resource"], filed["pod_name"]) == ({"network_id": network_id}, "Pod1")
    job_id = str(ended(admin, filed["id"])["id"])
    listed = shown(*words, "list", "--all", "--resource", network_id)
    assert [(str(row["id"]), row["status"]) for row in listed] == [(job_id, "done")]
    assert shown(*words, "show", job_id)["history"][0]["status"] == "done"
    schemas = {row["type"]: row["resource"] for row in shown(*words, "schema", "list")}
    assert schemas["keypair"] == ["user_id", "keypair_name"]
    assert f"Job {job_id} is done." in openstack(*words, "redo", job_id).stderr
    assert "HTTP 403" in openstack(*words, "list", cloud="tricircle").stderr
    by_us = json.loads(manage("job", "list", "--all", "--resource", network_id, "--json").stdout)["jobs"]
    assert [str(job["id"]) for job in by_us] == [job_id]
    assert "done" in manage("job", "show", job_id).stdout
    assert manage("job", "redo", job_id).returncode == 1
    assert openstack(*words, "delete", job_id).returncode == 0
    assert manage("job", "show", job_id).returncode == 1


def test_catalog_sync_twice_changes_nothing(pods: dict[str, dict[str, Any]]) -> None:
    assert manage("catalog", "sync").returncode == 0
    done = manage("catalog", "sync")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    assert len(lines) == 33
    assert all("unchanged" in line for line in lines)


def test_pod_check_finds_what_the_lab_does_on_purpose(pods: dict[str, dict[str, Any]]) -> None:
    done = manage("pod", "check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads(done.stdout)
    assert {finding["pod"] for finding in findings} == {"Pod1", "Pod2"}
    assert not [finding for finding in findings if finding["level"] == "failure"]
    zones = {finding["pod"]: finding for finding in findings if finding["check"] == "zones"}
    assert "users see az1" in zones["Pod1"]["text"]
    assert zones["Pod1"]["remedy"].startswith("name it az1")
    assert "There is no pod Pod9." in manage("pod", "check", "Pod9").stderr
    assert manage("pod", "check", "Pod9").returncode == 1
