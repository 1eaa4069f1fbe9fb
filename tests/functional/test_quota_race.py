# SPDX-License-Identifier: Apache-2.0
"""Do the centre's limits hold when many take at once in several pods, and is nothing reserved in the end?

Needs the lab with its pods registered.
"""

from collections import Counter

import pytest
import requests

from tests.functional.region_world import Json, Region, at_once, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

LIMIT, TAKERS = 3, 8
ZONES = ("az1", "az2")


def usage(region: Region, tenant: Tenant, service: str) -> Json:
    """Limit, in use and reserved of everything that a service limits."""
    how = "/detail" if service == "compute" else "?usage=True"
    answer = region.admin.good("GET", service, f"/os-quota-sets/{tenant.project_id}{how}")
    return {name: value for name, value in answer["quota_set"].items() if isinstance(value, dict)}


def settled(region: Region, tenant: Tenant, service: str, name: str) -> Json:
    """The same once all that was accepted is counted."""
    seen = eventually(
        lambda: usage(region, tenant, service),
        lambda found: found[name]["in_use"] == LIMIT and found[name]["reserved"] == 0,
        f"{LIMIT} {name} counted and none reserved",
    )
    assert {value["reserved"] for value in seen.values()} == {0}
    return seen


def test_of_many_boots_at_once_exactly_the_limit_passes(
    region: Region, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    limits = {"quota_set": {"instances": LIMIT}}
    region.admin.good("PUT", "compute", f"/os-quota-sets/{tenant.project_id}", limits)

    def boot(number: int) -> requests.Response:
        return tenant.boot(ZONES[number % 2], flavorRef=flavor["id"], imageRef=image_id)

    answers = at_once([lambda number=number: boot(number) for number in range(TAKERS)])  # type: ignore[misc]
    assert Counter(answer.status_code for answer in answers) == {202: LIMIT, 403: TAKERS - LIMIT}, [
        answer.text for answer in answers
    ]
    for answer in answers:
        if answer.status_code == 403:
            said = answer.json()["forbidden"]["message"]
            assert said == "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"
    seen = settled(region, tenant, "compute", "instances")
    assert (seen["cores"]["in_use"], seen["ram"]["in_use"]) == (LIMIT, 64 * LIMIT)
    # What was deleted makes room, and only for one.
    server_id = next(answer.json()["server"]["id"] for answer in answers if answer.status_code == 202)
    tenant.gone("compute", f"/servers/{server_id}")
    assert sorted(answer.status_code for answer in at_once([lambda: boot(0), lambda: boot(1)])) == [202, 403]
    settled(region, tenant, "compute", "instances")


def test_of_many_volumes_at_once_exactly_the_limit_passes(region: Region, tenant: Tenant) -> None:
    limits = {"quota_set": {"volumes": LIMIT}}
    region.admin.good("PUT", "block-storage", f"/os-quota-sets/{tenant.project_id}", limits)

    def make(number: int) -> requests.Response:
        volume = {"name": unique(), "size": 1, "availability_zone": ZONES[number % 2]}
        return tenant.here("POST", "block-storage", "/volumes", {"volume": volume})

    answers = at_once([lambda number=number: make(number) for number in range(TAKERS)])  # type: ignore[misc]
    assert Counter(answer.status_code for answer in answers) == {202: LIMIT, 413: TAKERS - LIMIT}, [
        answer.text for answer in answers
    ]
    seen = settled(region, tenant, "block-storage", "volumes")
    assert seen["gigabytes"]["in_use"] == LIMIT
