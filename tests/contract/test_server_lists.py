# SPDX-License-Identifier: Apache-2.0
"""Which servers does a pod list for who asks for changes, for deleted ones, or for several projects?"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.cloud import Caller, Cloud, eventually, unique
from tests.contract.conftest import wait_active

LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00Z", "2126-01-01T00:00:00Z"
LIST = "/v2.1/servers/detail"


def listed(caller: Caller, query: str, version: str = "2.96") -> list[dict[str, Any]]:
    """The servers of one list, over all of its pages."""
    found: list[dict[str, Any]] = []
    while True:
        marker = f"&marker={found[-1]['id']}" if found else ""
        said = caller.good("GET", "compute", f"{LIST}?{query}{marker}", OpenStack_API_Version=f"compute {version}")
        if not said["servers"]:
            return found
        found += said["servers"]


def ids(servers: list[dict[str, Any]]) -> list[str]:
    return [str(one["id"]) for one in servers]


def end(cloud: Cloud, server_id: str) -> dict[str, Any]:
    """Delete a server; how it is listed then."""
    path = f"/v2.1/servers/{server_id}"
    assert cloud.tenant("DELETE", "compute", path).status_code == 204
    eventually(lambda: cloud.tenant("GET", "compute", path).status_code, lambda code: code == 404)
    return next(one for one in listed(cloud.tenant, f"changes-since={LONG_AGO}") if one["id"] == server_id)


@pytest.fixture(scope="module")
def pair(cloud: Cloud) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """An older server that is deleted, and a newer one that lives; the older one changed last."""
    made = []
    for _ in range(2):
        body = {"name": unique("of"), "flavorRef": cloud.flavor_id, "imageRef": cloud.image_id, "networks": "none"}
        answer = cloud.tenant.good(
            "POST", "compute", "/v2.1/servers", {"server": body}, OpenStack_API_Version="compute 2.96"
        )
        wait_active(cloud, answer["server"]["id"])
        made.append(answer["server"]["id"])
    gone = end(cloud, made[0])
    yield gone, wait_active(cloud, made[1])
    cloud.tenant("DELETE", "compute", f"/v2.1/servers/{made[1]}")


def test_what_is_deleted_counts_as_changed(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    gone, there = pair
    assert (gone["status"], gone["OS-EXT-STS:vm_state"]) == ("DELETED", "deleted")
    assert gone["OS-SRV-USG:terminated_at"].endswith(".000000")
    assert there["OS-SRV-USG:terminated_at"] is None
    both = {gone["id"], there["id"]}
    assert set(ids(listed(cloud.tenant, ""))) & both == {there["id"]}
    assert set(ids(listed(cloud.tenant, f"changes-since={LONG_AGO}"))) >= both
    assert set(ids(listed(cloud.tenant, f"changes-before={FAR_AHEAD}"))) >= both
    assert listed(cloud.tenant, f"changes-since={FAR_AHEAD}") == []
    assert listed(cloud.tenant, f"changes-before={LONG_AGO}") == []


def test_changes_do_not_change_the_order(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    """Newest first, whatever changed last."""
    gone, there = pair
    found = listed(cloud.tenant, f"changes-since={LONG_AGO}&limit=3")
    assert [one["created"] for one in found] == sorted((one["created"] for one in found), reverse=True)
    if gone["created"] < there["created"]:
        assert [one for one in ids(found) if one in (gone["id"], there["id"])] == [there["id"], gone["id"]]
    assert gone["updated"] >= there["created"]


def test_both_ends_belong_to_it(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    gone, _ = pair
    moment = gone["updated"]
    earlier, later = (f"{datetime.fromisoformat(moment) + timedelta(seconds=by):%Y-%m-%dT%H:%M:%SZ}" for by in (-1, 1))
    for query, is_there in (
        (f"changes-since={moment}", True),
        (f"changes-since={later}", False),
        (f"changes-before={moment}", True),
        (f"changes-before={earlier}", False),
        (f"changes-since={moment}&changes-before={moment}", True),
    ):
        assert (gone["id"] in ids(listed(cloud.tenant, query))) is is_there, query


def test_changes_before_is_passed_over_below_2_66(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    gone, there = pair
    query = f"changes-before={LONG_AGO}"
    for seen in (
        ids(listed(cloud.tenant, query, "2.65")),
        ids(listed(cloud.admin, f"{query}&all_tenants=1", "2.65")),
    ):
        assert there["id"] in seen
        assert gone["id"] not in seen
    assert listed(cloud.admin, f"{query}&all_tenants=1", "2.66") == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            f"changes-since={FAR_AHEAD}&changes-before={LONG_AGO}",
            "The value of changes-since must be less than or equal to changes-before.",
        ),
        ("changes-since=yesterday", "Invalid input for query parameters changes-since. Value: yesterday."),
        ("changes-before=yesterday", "Invalid input for query parameters changes-before. Value: yesterday."),
    ],
)
def test_moments_that_are_none(cloud: Cloud, query: str, text: str) -> None:
    answer = cloud.tenant("GET", "compute", f"{LIST}?{query}", headers={"OpenStack-API-Version": "compute 2.96"})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"].startswith(text)


def test_deleted_is_for_administrators(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    gone, there = pair
    both = {gone["id"], there["id"]}
    wide = f"all_tenants=1&project_id={cloud.tenant.project_id}"
    assert set(ids(listed(cloud.admin, f"{wide}&deleted=true"))) & both == {gone["id"]}
    assert set(ids(listed(cloud.admin, f"{wide}&deleted=false"))) & both == {there["id"]}
    assert set(ids(listed(cloud.admin, f"{wide}&deleted=so-so"))) & both == {there["id"]}
    assert set(ids(listed(cloud.admin, f"{wide}&deleted=false&changes-since={LONG_AGO}"))) & both == {there["id"]}
    assert set(ids(listed(cloud.admin, f"{wide}&deleted=true&changes-since={LONG_AGO}"))) & both == {gone["id"]}
    assert set(ids(listed(cloud.admin, f"{wide}&status=DELETED"))) & both == {gone["id"]}
    # For others it is passed over, and one way to ask for it is refused.
    assert set(ids(listed(cloud.tenant, "deleted=true"))) & both == {there["id"]}
    answer = cloud.tenant("GET", "compute", f"{LIST}?status=DELETED")
    assert answer.status_code == 403
    assert answer.json()["forbidden"]["message"] == "Only administrators may list deleted instances"


def test_projects_are_chosen_among_all(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    _, there = pair
    assert there["id"] in ids(listed(cloud.admin, "all_tenants=1"))
    assert there["id"] in ids(listed(cloud.admin, "all_tenants"))
    for word in ("project_id", "tenant_id"):
        mine = listed(cloud.admin, f"all_tenants=1&{word}={cloud.tenant.project_id}")
        assert there["id"] in ids(mine)
        assert {one["tenant_id"] for one in mine} == {cloud.tenant.project_id}
        assert there["id"] not in ids(listed(cloud.admin, f"all_tenants=1&{word}={cloud.other.project_id}"))
        # Alone it is passed over.
        assert there["id"] not in ids(listed(cloud.admin, f"{word}={cloud.tenant.project_id}"))
    assert there["id"] not in ids(listed(cloud.admin, "all_tenants=0"))


def test_a_marker_that_the_list_leaves_out(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    """Any server is one, deleted or of another status; the list goes on where it would stand."""
    gone, there = pair
    for query in ("", "status=ACTIVE&", "status=ERROR&", "name=nobodys&"):
        whole = listed(cloud.tenant, f"{query}sort_key=uuid&sort_dir=asc")
        for marker in (gone["id"], there["id"]):
            page = listed(cloud.tenant, f"{query}sort_key=uuid&sort_dir=asc&limit=1000")
            answer = cloud.tenant.good(
                "GET", "compute", f"{LIST}?{query}sort_key=uuid&sort_dir=asc&limit=1&marker={marker}"
            )
            assert ids(page) == ids(whole)
            assert ids(answer["servers"]) == [one for one in ids(whole) if one > marker][:1]


def test_the_neighbours_of_a_deleted_server(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    """What stands behind it leads back to it."""
    gone, _ = pair
    everything = f"changes-since={LONG_AGO}&sort_key=uuid"
    path = f"{LIST}?{everything}&sort_dir=asc&limit=1&marker={gone['id']}"
    behind = ids(cloud.tenant.good("GET", "compute", path)["servers"])
    back = f"&marker={behind[0]}" if behind else ""
    found = cloud.tenant.good("GET", "compute", f"{LIST}?{everything}&sort_dir=desc&limit=1{back}")["servers"]
    assert ids(found) == [gone["id"]]


def test_who_lives_has_no_end(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    """No value comes before all moments."""
    path = f"{LIST}?changes-since={LONG_AGO}&sort_key=terminated_at&limit={cloud.page_limit}"
    rising, falling = (
        [one["OS-SRV-USG:terminated_at"] or "" for one in cloud.tenant.good("GET", "compute", path + way)["servers"]]
        for way in ("&sort_dir=asc", "&sort_dir=desc")
    )
    assert (rising[0], falling[0][-7:]) == ("", ".000000")
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


def test_behind_a_marker_with_a_value_nothing_has_none(cloud: Cloud, pair: tuple[dict, dict]) -> None:
    """What lacks the value is left out, though it comes last."""
    gone, there = pair
    path = f"{LIST}?changes-since={LONG_AGO}&sort_key=terminated_at&limit=1000&sort_dir=desc&marker={gone['id']}"
    behind = cloud.tenant.good("GET", "compute", path)["servers"]
    assert all(one["OS-SRV-USG:terminated_at"] for one in behind)
    assert there["id"] not in ids(behind)


def test_a_new_name_is_a_change(cloud: Cloud, boot: Callable[..., str]) -> None:
    server_id = boot()
    before = wait_active(cloud, server_id)["updated"]
    eventually(
        lambda: cloud.tenant.good(
            "PUT", "compute", f"/v2.1/servers/{server_id}", {"server": {"name": unique("renamed")}}
        )["server"]["updated"],
        lambda updated: str(updated) > str(before),
    )
