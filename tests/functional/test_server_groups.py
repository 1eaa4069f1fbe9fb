# SPDX-License-Identifier: Apache-2.0
"""Who is in a server group over all pods, and how many may be? Needs the lab with its pods registered."""

from collections import Counter

import pytest
import requests

from tests.functional.region_world import ZONES, Caller, Json, Region, at_once, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

LIMIT, TAKERS = 3, 6


@pytest.fixture(scope="module")
def group(region: Region, tenant: Tenant) -> Json:
    """A group over all pods that may have three members."""
    limits = {"quota_set": {"instances": 40, "cores": 40, "server_group_members": LIMIT}}
    region.admin.good("PUT", "compute", f"/os-quota-sets/{tenant.project_id}", limits)
    values = {"name": unique(), "policy": "soft-anti-affinity"}
    return tenant.here.make("compute", "os-server-groups", "server_group", **values)


def shown(caller: Caller, path: str, members: set[str] | None = None) -> set[str]:
    """The members of a full group once both pods say theirs: on a busy machine one may not do so in time."""

    def look() -> set[str]:
        return set(caller.good("GET", "compute", path)["server_group"]["members"])

    return eventually(look, lambda seen: len(seen) == LIMIT and members in (None, seen), "all members")


def test_of_many_boots_at_once_as_many_pass_as_a_group_may_have(
    region: Region, tenant: Tenant, group: Json, flavor: Json, image_id: str
) -> None:
    zones, path = tuple(ZONES.values()), f"/os-server-groups/{group['id']}"

    def boot(number: int) -> requests.Response:
        server = {
            "name": unique(), "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id,
            "availability_zone": zones[number % 2],
        }  # fmt: skip
        body = {"server": server, "os:scheduler_hints": {"group": group["id"]}}
        return tenant.here("POST", "compute", "/servers", body)

    answers = at_once([lambda number=number: boot(number) for number in range(TAKERS)])  # type: ignore[misc]
    assert Counter(answer.status_code for answer in answers) == {202: LIMIT, 403: TAKERS - LIMIT}, [
        answer.text for answer in answers
    ]
    said = {answer.json()["forbidden"]["message"] for answer in answers if answer.status_code == 403}
    assert said == {"Quota exceeded, too many servers in group"}
    members = {answer.json()["server"]["id"] for answer in answers if answer.status_code == 202}
    assert shown(tenant.here, path, members)

    # An administrator of another project sees them, too.
    assert shown(region.admin, path, members)
    assert group["id"] not in ids(region.admin.list("compute", "os-server-groups"))

    def listed() -> set[str]:
        everybodys = region.admin.list("compute", "os-server-groups", all_projects="true")
        return {member for one in everybodys if one["id"] == group["id"] for member in one["members"]}

    eventually(listed, lambda seen: seen == members, "members in the list of everybody's")

    # What was deleted makes room, and only for one.
    for member in members:
        tenant.active(member)
    tenant.gone("compute", f"/servers/{members.pop()}")
    assert sorted(answer.status_code for answer in at_once([lambda: boot(0), lambda: boot(1)])) == [202, 403]
    assert members < shown(tenant.here, path)


def test_an_affinity_group_goes_where_its_first_living_member_is(tenant: Tenant, flavor: Json, image_id: str) -> None:
    """A pod in which its last member is gone holds it no longer; and two at once into an empty one do not part."""
    made = tenant.here.make("compute", "os-server-groups", "server_group", name=unique(), policy="affinity")

    def boot(zone: str) -> requests.Response:
        server = {
            "name": unique(), "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id,
            "availability_zone": zone,
        }  # fmt: skip
        body = {"server": server, "os:scheduler_hints": {"group": made["id"]}}
        return tenant.here("POST", "compute", "/servers", body)

    for zone, elsewhere in (tuple(ZONES.values()), tuple(reversed(ZONES.values()))):
        answer = boot(zone)
        assert answer.status_code == 202, answer.text
        assert boot(elsewhere).status_code == 400
        tenant.active(answer.json()["server"]["id"])
        tenant.gone("compute", f"/servers/{answer.json()['server']['id']}")
    answers = at_once([lambda zone=zone: boot(zone) for zone in ZONES.values()])  # type: ignore[misc]
    assert sorted(answer.status_code for answer in answers) == [202, 400], [answer.text for answer in answers]
    for answer in answers:
        if answer.status_code == 202:
            tenant.gone("compute", f"/servers/{answer.json()['server']['id']}")
    tenant.here.good("DELETE", "compute", f"/os-server-groups/{made['id']}")
