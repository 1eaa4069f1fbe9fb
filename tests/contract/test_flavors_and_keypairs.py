# SPDX-License-Identifier: Apache-2.0
"""When does a pod refuse a flavor or a keypair, and what can be chosen?"""

import pytest

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFfpg4KHIB7bGGMPOhpGXqXXoMW2ArSBvwd5ZvOHBYe5 contract"


def _flavor(flavor_id: str, name: str, **fields: object) -> dict[str, object]:
    return {"flavor": {"id": flavor_id, "name": name, "ram": 64, "vcpus": 1, "disk": 1, **fields}}


@pytest.fixture
def flavor(cloud: Cloud, undo: Undo) -> str:
    name = unique("x-my.flavor_1")
    undo(cloud.admin, "compute", f"/v2.1/flavors/{name}")
    cloud.admin.good("POST", "compute", "/v2.1/flavors", _flavor(name, name))
    return name


def test_the_id_of_a_flavor_can_be_chosen(cloud: Cloud, flavor: str) -> None:
    shown = cloud.tenant.good("GET", "compute", f"/v2.1/flavors/{flavor}")["flavor"]
    assert (shown["id"], shown["name"]) == (flavor, flavor)
    assert shown["os-flavor-access:is_public"] is True


def test_a_taken_id_is_409(cloud: Cloud, flavor: str) -> None:
    answer = cloud.admin("POST", "compute", "/v2.1/flavors", _flavor(flavor, unique("other")))
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Flavor with ID {flavor} already exists."


def test_a_taken_name_is_409_too(cloud: Cloud, flavor: str) -> None:
    answer = cloud.admin("POST", "compute", "/v2.1/flavors", _flavor(unique("other"), flavor))
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Flavor with name {flavor} already exists."


def test_a_tenant_makes_no_flavors(cloud: Cloud) -> None:
    answer = cloud.tenant("POST", "compute", "/v2.1/flavors", _flavor(unique("x"), unique("x")))
    assert answer.status_code == 403
    assert "forbidden" in answer.json()


def test_description_from_2_55(cloud: Cloud, undo: Undo) -> None:
    name = unique("described")
    undo(cloud.admin, "compute", f"/v2.1/flavors/{name}")
    body = _flavor(name, name, description="tricircle:x")
    assert cloud.admin("POST", "compute", "/v2.1/flavors", body).status_code == 400
    made = cloud.admin.good("POST", "compute", "/v2.1/flavors", body, OpenStack_API_Version="compute 2.55")
    assert made["flavor"]["description"] == "tricircle:x"


def test_extra_specs(cloud: Cloud, flavor: str) -> None:
    path = f"/v2.1/flavors/{flavor}/os-extra_specs"
    cloud.admin.good("POST", "compute", path, {"extra_specs": {"hw:cpu_policy": "shared"}})
    assert cloud.admin.good("GET", "compute", path) == {"extra_specs": {"hw:cpu_policy": "shared"}}
    shown = cloud.admin.good("GET", "compute", f"/v2.1/flavors/{flavor}", OpenStack_API_Version="compute 2.61")
    assert shown["flavor"]["extra_specs"] == {"hw:cpu_policy": "shared"}


def test_access_to_a_private_flavor(cloud: Cloud, undo: Undo) -> None:
    name = unique("private")
    undo(cloud.admin, "compute", f"/v2.1/flavors/{name}")
    body = _flavor(name, name, **{"os-flavor-access:is_public": False})
    cloud.admin.good("POST", "compute", "/v2.1/flavors", body)
    assert cloud.tenant("GET", "compute", f"/v2.1/flavors/{name}").status_code == 404
    give = {"addTenantAccess": {"tenant": cloud.tenant.project_id}}
    assert cloud.admin("POST", "compute", f"/v2.1/flavors/{name}/action", give).status_code == 200
    assert cloud.tenant("GET", "compute", f"/v2.1/flavors/{name}").status_code == 200
    assert cloud.admin("POST", "compute", f"/v2.1/flavors/{name}/action", give).status_code == 409


def test_an_administrator_sees_a_private_flavor_without_access_to_it(cloud: Cloud, undo: Undo, flavor: str) -> None:
    name, path = unique("private"), "/v2.1/flavors/{}/os-flavor-access"
    undo(cloud.admin, "compute", f"/v2.1/flavors/{name}")
    cloud.admin.good("POST", "compute", "/v2.1/flavors", _flavor(name, name, **{"os-flavor-access:is_public": False}))
    assert cloud.admin.good("GET", "compute", path.format(name)) == {"flavor_access": []}
    assert cloud.admin("GET", "compute", f"/v2.1/flavors/{name}").status_code == 200
    mine = {"tenant": cloud.tenant.project_id}
    cloud.admin.good("POST", "compute", f"/v2.1/flavors/{name}/action", {"addTenantAccess": mine})
    listed = cloud.admin.good("GET", "compute", path.format(name))["flavor_access"]
    assert listed == [{"flavor_id": name, "tenant_id": cloud.tenant.project_id}]
    cloud.admin.good("POST", "compute", f"/v2.1/flavors/{name}/action", {"removeTenantAccess": mine})
    assert cloud.admin.good("GET", "compute", path.format(name)) == {"flavor_access": []}
    assert cloud.admin("GET", "compute", path.format(flavor)).status_code == 404, "everybody has access to a public one"
    assert cloud.admin("GET", "compute", path.format(unique("none"))).status_code == 404


def test_a_deleted_flavor_can_be_made_again_with_another_shape(cloud: Cloud, undo: Undo) -> None:
    name = unique("again")
    undo(cloud.admin, "compute", f"/v2.1/flavors/{name}")
    cloud.admin.good("POST", "compute", "/v2.1/flavors", _flavor(name, name))
    assert cloud.admin("DELETE", "compute", f"/v2.1/flavors/{name}").status_code == 202
    made = cloud.admin.good("POST", "compute", "/v2.1/flavors", _flavor(name, name, ram=128))
    assert made["flavor"]["ram"] == 128


def test_an_operator_makes_a_keypair_for_a_user_from_2_10(cloud: Cloud, undo: Undo) -> None:
    name = unique("key")
    body = {"keypair": {"name": name, "public_key": KEY, "user_id": cloud.tenant.user_id}}
    assert cloud.admin("POST", "compute", "/v2.1/os-keypairs", body).status_code == 400
    made = cloud.admin("POST", "compute", "/v2.1/os-keypairs", body, {"OpenStack-API-Version": "compute 2.10"})
    undo(cloud.tenant, "compute", f"/v2.1/os-keypairs/{name}")
    assert made.status_code == 201
    shown = cloud.tenant.good("GET", "compute", f"/v2.1/os-keypairs/{name}")["keypair"]
    assert (shown["name"], shown["public_key"]) == (name, KEY)
    assert shown["fingerprint"] == made.json()["keypair"]["fingerprint"]


def test_a_taken_name_of_a_keypair_is_409(cloud: Cloud, undo: Undo) -> None:
    name = unique("key")
    undo(cloud.tenant, "compute", f"/v2.1/os-keypairs/{name}")
    body = {"keypair": {"name": name, "public_key": KEY}}
    assert cloud.tenant("POST", "compute", "/v2.1/os-keypairs", body).status_code == 200
    answer = cloud.tenant("POST", "compute", "/v2.1/os-keypairs", body)
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Key pair '{name}' already exists."


def test_a_keypair_that_is_not_there(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "compute", "/v2.1/os-keypairs/no-such-key")
    assert answer.status_code == 404
    message = answer.json()["itemNotFound"]["message"]
    assert message == f"Keypair no-such-key not found for user {cloud.tenant.user_id}"
