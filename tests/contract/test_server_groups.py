# SPDX-License-Identifier: Apache-2.0
"""Whose is a server group in a pod, who sees it, and who deletes it?"""

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

PATH = "/v2.1/os-server-groups"
V = {"OpenStack-API-Version": "compute 2.64"}


def _made(cloud: Cloud, undo: Undo, **values: object) -> dict[str, object]:
    body = {"server_group": {"name": unique("tricircle.group"), "policy": "soft-anti-affinity", **values}}
    answer = cloud.tenant("POST", "compute", PATH, body, V)
    assert answer.status_code == 200
    group = answer.json()["server_group"]
    undo(cloud.admin, "compute", f"{PATH}/{group['id']}")
    return dict(group)


def test_a_group_is_its_makers_projects(cloud: Cloud, undo: Undo) -> None:
    group = _made(cloud, undo)
    assert (group["policy"], group["rules"], group["members"]) == ("soft-anti-affinity", {}, [])
    assert group["project_id"] == cloud.tenant.project_id
    older = cloud.tenant.good("GET", "compute", f"{PATH}/{group['id']}")["server_group"]
    assert older["policies"] == ["soft-anti-affinity"]
    assert "project_id" not in older
    other = cloud.other("GET", "compute", f"{PATH}/{group['id']}")
    assert other.status_code == 404
    assert other.json()["itemNotFound"]["message"] == f"Instance group {group['id']} could not be found."
    assert cloud.other("DELETE", "compute", f"{PATH}/{group['id']}").status_code == 404


def test_a_pod_takes_how_many_members_a_host_may_have(cloud: Cloud, undo: Undo) -> None:
    group = _made(cloud, undo, policy="anti-affinity", rules={"max_server_per_host": 2})
    assert (group["policy"], group["rules"]) == ("anti-affinity", {"max_server_per_host": 2})
    (listed,) = [
        one for one in cloud.tenant("GET", "compute", PATH, None, V).json()["server_groups"] if one["id"] == group["id"]
    ]
    assert listed["rules"] == {"max_server_per_host": 2}


def test_administrators_see_and_delete_anybodys(cloud: Cloud, undo: Undo) -> None:
    group = _made(cloud, undo)
    own = cloud.admin("GET", "compute", PATH, None, V).json()["server_groups"]
    assert group["id"] not in {one["id"] for one in own}
    everybodys = cloud.admin("GET", "compute", f"{PATH}?all_projects=True", None, V).json()["server_groups"]
    (found,) = [one for one in everybodys if one["id"] == group["id"]]
    assert (found["name"], found["project_id"]) == (group["name"], cloud.tenant.project_id)
    behind = cloud.admin("GET", "compute", f"{PATH}?all_projects=True&offset={len(everybodys)}", None, V)
    assert behind.json()["server_groups"] == []
    assert cloud.admin("DELETE", "compute", f"{PATH}/{group['id']}").status_code == 204
    assert cloud.admin("DELETE", "compute", f"{PATH}/{group['id']}").status_code == 404
    assert cloud.tenant("GET", "compute", f"{PATH}/{group['id']}").status_code == 404
