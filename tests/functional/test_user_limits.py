# SPDX-License-Identifier: Apache-2.0
"""Is a user held to limits of his own in a project, as by one Nova, over two pods and two gateways?

Needs the lab with its pods registered.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lab.topology import PASSWORD
from tests.functional.other_gateway import gateway
from tests.functional.region_world import DOORS, Caller, Json, Region, at_once, eventually, sign_in, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

LIMIT, TAKERS = 3, 8
ZONES = ("az1", "az2")
Limited = Callable[..., None]


@pytest.fixture
def limited(region: Region, tenant: Tenant) -> Iterator[Limited]:
    """``limited(instances=1)``: for the tenant's user in the project; gone afterwards."""
    path = f"/os-quota-sets/{tenant.project_id}?user_id={tenant.user_id}"

    def put(**limits: int) -> None:
        region.admin.good("PUT", "compute", path, {"quota_set": limits})

    yield put
    assert region.admin.delete("compute", path) == 202


@pytest.fixture
def colleague(region: Region, tenant: Tenant) -> Iterator[Caller]:
    """Another user of the same project."""
    admin, name = region.admin, unique("fn-colleague")
    user = admin.make("identity", "users", "user", name=name, password=PASSWORD, domain_id="default")
    for role in ("member", "reader"):
        (known,) = admin.list("identity", "roles", name=role)
        admin.good("PUT", "identity", f"/projects/{tenant.project_id}/users/{user['id']}/roles/{known['id']}")
    yield sign_in(region.identity, name, PASSWORD, {"id": tenant.project_id}, region.doors)
    assert admin.delete("identity", f"/users/{user['id']}") == 204


@pytest.fixture
def larger(region: Region, flavor: Json) -> Iterator[Json]:
    """A flavor with one core more than ``flavor``."""
    name = unique("fn-larger")
    vcpus = flavor["vcpus"] + 1
    made = region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=flavor["ram"], vcpus=vcpus, disk=1)
    yield made
    assert region.admin.delete("compute", f"/flavors/{name}") == 202


def boot(caller: Caller, flavor: Json, image_id: str, zone: str | None = None, **more: object) -> requests.Response:
    server = {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    server |= {"availability_zone": zone} if zone else {}
    return caller("POST", "compute", "/servers", {"server": server, **more})


def refusal(answer: requests.Response) -> str:
    assert answer.status_code == 403, answer.text
    return str(answer.json()["forbidden"]["message"])


def test_boots_at_once_from_two_gateways_and_what_grows(
    region: Region, tenant: Tenant, flavor: Json, larger: Json, image_id: str, limited: Limited, colleague: Caller,
    tmp_path: Path,
) -> None:  # fmt: skip
    limited(instances=LIMIT)
    with gateway(tmp_path) as front:
        doors = {service: front + path for service, path in DOORS.items()}
        callers = [tenant.here, region.elsewhere(tenant.here, doors)]
        answers = at_once(
            [
                lambda number=number: boot(callers[number // 4], flavor, image_id, ZONES[number % 2])  # type: ignore[misc]
                for number in range(TAKERS)
            ]
        )
    assert Counter(answer.status_code for answer in answers) == {202: LIMIT, 403: TAKERS - LIMIT}, [
        answer.text for answer in answers
    ]
    said = "Quota exceeded for {0}: Requested 1, but already used 3 of 3 {0}"
    assert {refusal(answer) for answer in answers if answer.status_code == 403} == {said.format("instances")}
    made = [str(answer.json()["server"]["id"]) for answer in answers if answer.status_code == 202]
    for server_id in made:
        tenant.active(server_id)
    # The other user of the project goes on, and is not counted here.
    answer = boot(colleague, flavor, image_id, "az2")
    assert answer.status_code == 202, answer.text
    path = f"/os-quota-sets/{tenant.project_id}/detail?user_id={tenant.user_id}"
    seen = eventually(
        lambda: region.admin.good("GET", "compute", path)["quota_set"],
        lambda quota: quota["instances"]["in_use"] == LIMIT,
        "the user's servers are counted",
    )
    assert (seen["instances"]["limit"], seen["cores"]["in_use"], seen["ram"]["in_use"]) == (LIMIT, LIMIT, LIMIT * 64)
    for limits, text in (
        ({"cores": LIMIT}, said.format("cores")),
        (
            {"ram": LIMIT * 64},
            f"Quota exceeded for ram: Requested 64, but already used {LIMIT * 64} of {LIMIT * 64} ram",
        ),
    ):
        region.admin.delete("compute", path.replace("/detail", ""))
        limited(**limits)
        assert refusal(boot(tenant.here, flavor, image_id)) == text
        several = {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
        body = {"server": {**several, "min_count": 1, "max_count": 2}}
        assert tenant.here("POST", "compute", "/servers", body).status_code == 403
    region.admin.delete("compute", path.replace("/detail", ""))
    limited(cores=LIMIT)
    resize = {"resize": {"flavorRef": larger["id"]}}
    assert refusal(region.admin("POST", "compute", f"/servers/{made[0]}/action", resize)) == said.format("cores")
    # What is deleted makes room, for one.
    tenant.gone("compute", f"/servers/{made[1]}")
    assert sorted(one.status_code for one in at_once([lambda: boot(tenant.here, flavor, image_id)] * 2)) == [202, 403]


def test_key_pairs_groups_their_members_and_metadata(
    region: Region, tenant: Tenant, flavor: Json, image_id: str, limited: Limited, colleague: Caller
) -> None:
    """What the central Nova itself counts, and what we count as it does."""
    limited(key_pairs=1, server_groups=1, server_group_members=1, metadata_items=2)

    def make(caller: Caller, path: str, member: str, **more: object) -> requests.Response:
        return caller("POST", "compute", path, {member: {"name": unique(), **more}})

    for path, member, more, text in (
        ("/os-keypairs", "keypair", {}, "Quota exceeded, too many key pairs."),
        (
            "/os-server-groups",
            "server_group",
            {"policy": "soft-anti-affinity"},
            "Quota exceeded, too many server groups.",
        ),
    ):
        assert make(tenant.here, path, member, **more).status_code in (200, 201)
        assert refusal(make(tenant.here, path, member, **more)) == text
    (group,) = tenant.here.list("compute", "os-server-groups")
    hint = {"os:scheduler_hints": {"group": group["id"]}}
    first = boot(tenant.here, flavor, image_id, "az1", **hint)
    assert first.status_code == 202, first.text
    assert refusal(boot(tenant.here, flavor, image_id, "az2", **hint)) == "Quota exceeded, too many servers in group"
    # A member of a colleague's is not one of the user's.
    other = boot(colleague, flavor, image_id, "az1", **hint)
    assert other.status_code == 202, other.text
    metadata = {f"key{number}": "value" for number in range(3)}
    said = tenant.boot(flavorRef=flavor["id"], imageRef=image_id, metadata=metadata)
    assert refusal(said) == "Maximum number of metadata items exceeds 2"
    made = str(first.json()["server"]["id"])
    tenant.active(made)
    change = {"metadata": metadata}
    assert tenant.here("POST", "compute", f"/servers/{made}/metadata", change).status_code == 403
    assert region.admin("POST", "compute", f"/servers/{made}/metadata", change).status_code == 200
