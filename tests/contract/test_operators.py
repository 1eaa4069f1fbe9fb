# SPDX-License-Identifier: Apache-2.0
"""What do operators see and change of a pod's host, its services and aggregates?"""

import pytest

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

OLD = {"OpenStack-API-Version": "compute 2.52"}
NEW = {"OpenStack-API-Version": "compute 2.90"}
AGGREGATES = "/v2.1/os-aggregates"


def host_of(cloud: Cloud) -> str:
    services = cloud.admin.good("GET", "compute", "/v2.1/os-services?binary=nova-compute")["services"]
    return str(services[0]["host"])


@pytest.fixture
def path(cloud: Cloud, undo: Undo) -> str:
    """An aggregate without an AZ: hosts of a running pod are not moved."""
    made = cloud.admin.good("POST", "compute", AGGREGATES, {"aggregate": {"name": unique("aggregate")}})["aggregate"]
    undo(cloud.admin, "compute", f"{AGGREGATES}/{made['id']}")
    return f"{AGGREGATES}/{made['id']}"


def test_a_host_is_in_an_aggregate_once(cloud: Cloud, path: str) -> None:
    host, act = host_of(cloud), f"{path}/action"
    number = path.rsplit("/", 1)[-1]
    added = cloud.admin.good("POST", "compute", act, {"add_host": {"host": host}})["aggregate"]
    assert added["hosts"] == [host]
    twice = cloud.admin("POST", "compute", act, {"add_host": {"host": host}})
    assert twice.status_code == 409
    assert twice.json()["conflictingRequest"]["message"] == f"Aggregate {number} already has host {host}."
    full = cloud.admin("DELETE", "compute", path)
    assert full.status_code == 400
    assert full.json()["badRequest"]["message"] == (
        f"Cannot remove host from aggregate {number}. Reason: Host aggregate is not empty."
    )
    assert cloud.admin.good("POST", "compute", act, {"remove_host": {"host": host}})["aggregate"]["hosts"] == []
    gone = cloud.admin("POST", "compute", act, {"remove_host": {"host": host}})
    assert gone.status_code == 404
    assert gone.json()["itemNotFound"]["message"] == f"Cannot remove host {host} in aggregate {number}"


def test_a_host_that_is_not_there(cloud: Cloud, path: str) -> None:
    answer = cloud.admin("POST", "compute", f"{path}/action", {"add_host": {"host": "nobody"}})
    assert answer.status_code == 404
    assert answer.json()["itemNotFound"]["message"] == "Compute host nobody could not be found."


def test_metadata_is_merged(cloud: Cloud, path: str) -> None:
    for metadata in ({"a": "1"}, {"b": "2"}):
        body = {"set_metadata": {"metadata": metadata}}
        shown = cloud.admin.good("POST", "compute", f"{path}/action", body)["aggregate"]
    assert shown["metadata"] == {"a": "1", "b": "2"}


def test_services_by_host_and_their_ids(cloud: Cloud) -> None:
    query = f"/v2.1/os-services?host={host_of(cloud)}&binary=nova-compute"
    (old,) = cloud.admin("GET", "compute", query, headers=OLD).json()["services"]
    (new,) = cloud.admin("GET", "compute", query, headers=NEW).json()["services"]
    assert isinstance(old["id"], int)
    assert isinstance(new["id"], str)
    assert cloud.admin("GET", "compute", "/v2.1/os-services?host=nobody", headers=NEW).json()["services"] == []
    assert cloud.tenant("GET", "compute", "/v2.1/os-services").status_code == 403


def test_a_service_is_enabled_by_id_and_by_host(cloud: Cloud) -> None:
    host = host_of(cloud)
    query = f"/v2.1/os-services?host={host}&binary=nova-compute"
    (one,) = cloud.admin("GET", "compute", query, headers=NEW).json()["services"]
    told = cloud.admin("PUT", "compute", f"/v2.1/os-services/{one['id']}", {"status": "enabled"}, NEW)
    # It is enabled: the pod's host goes on taking servers while this runs.
    assert (told.status_code, told.json()["service"]["status"]) == (200, "enabled")
    told = cloud.admin("PUT", "compute", f"/v2.1/os-services/{one['id']}", {}, NEW)
    assert told.status_code == 400
    assert told.json()["badRequest"]["message"] == (
        "No updates were requested. Fields 'status' or 'forced_down' should be specified."
    )
    body = {"host": host, "binary": "nova-compute"}
    told = cloud.admin("PUT", "compute", "/v2.1/os-services/enable", body, OLD)
    assert (told.status_code, told.json()["service"]) == (200, {**body, "status": "enabled"})
    body["host"] = "nobody"
    answer = cloud.admin("PUT", "compute", "/v2.1/os-services/enable", body, OLD)
    assert answer.status_code == 404
    assert answer.json()["itemNotFound"]["message"] == "Host 'nobody' is not mapped to any cell"
