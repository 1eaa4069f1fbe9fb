# SPDX-License-Identifier: Apache-2.0
"""How does a pod keep group types and groups of volumes?"""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.cloud import Caller, Cloud, eventually, unique
from tests.contract.conftest import Undo

Say = Callable[..., tuple[int, dict]]


def said(caller: Caller, method: str, path: str, body: object = None, version: str = "3.14") -> tuple[int, dict]:
    """Status and body of one call at a microversion."""
    answer = caller(method, "block-storage", f"/v3{path}", body, {"OpenStack-API-Version": f"volume {version}"})
    return answer.status_code, answer.json() if answer.content else {}


@pytest.fixture
def group_type(cloud: Cloud) -> Iterator[dict]:
    """A public group type with one spec."""
    name = unique("groups")
    status, body = said(cloud.admin, "POST", "/group_types", {"group_type": {"name": name}})
    assert status == 202, body
    made = body["group_type"]
    path = f"/group_types/{made['id']}"
    assert said(cloud.admin, "POST", f"{path}/group_specs", {"group_specs": {"a": "b"}})[0] == 202
    yield made
    eventually(lambda: said(cloud.admin, "DELETE", path)[0], lambda status: status in (202, 404))


def test_a_group_type(cloud: Cloud, group_type: dict) -> None:
    path = f"/group_types/{group_type['id']}"
    assert said(cloud.admin, "GET", path)[1]["group_type"]["group_specs"] == {"a": "b"}
    assert "group_specs" not in said(cloud.tenant, "GET", path)[1]["group_type"]
    assert said(cloud.tenant, "GET", path, version="3.10")[0] == 404
    status, body = said(cloud.admin, "POST", "/group_types", {"group_type": {"name": group_type["name"]}})
    assert (status, body["conflictingRequest"]["message"]) == (409, f"Group Type {group_type['name']} already exists.")
    renamed = unique("groups")
    body = {"group_type": {"name": renamed, "description": "x"}}
    assert said(cloud.admin, "PUT", path, body)[1]["group_type"]["name"] == renamed
    assert said(cloud.admin, "DELETE", f"{path}/group_specs/a")[0] == 202
    assert said(cloud.admin, "GET", f"{path}/group_specs")[1] == {"group_specs": {}}
    assert said(cloud.tenant, "DELETE", path)[0] == 403


def test_private_group_types_are_shown_to_administrators_who_ask(cloud: Cloud) -> None:
    name = unique("groups")
    status, body = said(cloud.admin, "POST", "/group_types", {"group_type": {"name": name, "is_public": False}})
    assert status == 202, body
    one = f"/group_types/{body['group_type']['id']}"
    shown = {
        (caller.user_id, query): name
        in [kind["name"] for kind in said(caller, "GET", f"/group_types{query}")[1]["group_types"]]
        for caller in (cloud.admin, cloud.tenant)
        for query in ("", "?is_public=None")
    }
    seen = said(cloud.tenant, "GET", one)[0]
    assert said(cloud.admin, "DELETE", one)[0] == 202
    assert [who for who, is_shown in shown.items() if is_shown] == [(cloud.admin.user_id, "?is_public=None")]
    assert seen == 404


def test_volumes_are_filtered_by_their_group_from_3_10_on(cloud: Cloud, volume: Callable[..., dict]) -> None:
    """Before, all of the project are shown."""
    made = volume()
    path = "/volumes/detail?group_id=00000000-0000-4000-8000-000000000000"
    for version, is_shown in (("3.9", True), ("3.10", False)):
        found = said(cloud.tenant, "GET", path, version=version)[1]["volumes"]
        assert (made["id"] in [one["id"] for one in found]) is is_shown


def test_consistency_groups_have_a_type_of_their_own(cloud: Cloud) -> None:
    names = [one["name"] for one in said(cloud.admin, "GET", "/group_types")[1]["group_types"]]
    assert "default_cgsnapshot_type" in names


def test_a_group_and_its_volume(cloud: Cloud, group_type: dict, volume: Callable[..., dict], undo: Undo) -> None:
    types = cloud.tenant.good("GET", "block-storage", "/v3/types")["volume_types"]
    wanted = {"name": "g", "group_type": group_type["name"], "volume_types": [types[-1]["id"]]}
    status, body = said(cloud.tenant, "POST", "/groups", {"group": wanted})
    assert (status, set(body["group"])) == (202, {"id", "name"})
    group_id = body["group"]["id"]
    shown = eventually(
        lambda: said(cloud.tenant, "GET", f"/groups/{group_id}")[1]["group"],
        lambda group: group["status"] == "available",
    )
    assert (shown["group_type"], shown["availability_zone"]) == (group_type["id"], cloud.zone)
    assert shown["volume_types"] == [types[-1]["id"]]
    assert said(cloud.other, "GET", f"/groups/{group_id}")[0] == 404
    body = {"volume": {"size": 1, "group_id": group_id, "volume_type": types[-1]["id"]}}
    status, made = said(cloud.tenant, "POST", "/volumes", body)
    assert status == 202, made
    path = f"/volumes/{made['volume']['id']}"
    eventually(lambda: said(cloud.tenant, "GET", path)[1]["volume"], lambda one: one["status"] == "available")
    assert said(cloud.tenant, "GET", path)[1]["volume"]["group_id"] == group_id
    status, body = said(cloud.tenant, "POST", f"/groups/{group_id}/action", {"delete": {"delete-volumes": False}})
    assert status == 400
    assert "delete-volumes flag" in body["badRequest"]["message"]
    assert said(cloud.admin, "DELETE", f"/group_types/{group_type['id']}")[0] == 400
    gone = said(cloud.tenant, "POST", f"/groups/{group_id}/action", {"delete": {"delete-volumes": True}})
    assert gone[0] == 202
    eventually(lambda: said(cloud.tenant, "GET", f"/groups/{group_id}")[0], lambda status: status == 404)
    assert said(cloud.tenant, "GET", path)[0] == 404


def test_what_a_group_names_must_exist(cloud: Cloud, group_type: dict) -> None:
    types = [one["id"] for one in cloud.tenant.good("GET", "block-storage", "/v3/types")["volume_types"]][-1:]
    wanted = {"group": {"group_type": "no-such", "volume_types": types}}
    status, body = said(cloud.tenant, "POST", "/groups", wanted)
    assert (status, body["itemNotFound"]["message"]) == (404, "Group type with name no-such could not be found.")
    wanted = {"group": {"group_type": group_type["id"], "volume_types": types, "availability_zone": "nowhere"}}
    status, body = said(cloud.tenant, "POST", "/groups", wanted)
    text = "Invalid input received: Availability zone 'nowhere' is invalid."
    assert (status, body["badRequest"]["message"]) == (400, text)
