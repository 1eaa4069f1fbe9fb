# SPDX-License-Identifier: Apache-2.0
"""Of what does a volume type consist, and what can be changed about it in a pod?"""

from collections.abc import Callable

import pytest

from tests.contract.cloud import Caller, Cloud, unique
from tests.contract.conftest import Undo

Volume = Callable[..., dict]
ENCRYPTION = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}


@pytest.fixture
def type_id(cloud: Cloud, undo: Undo) -> str:
    made = cloud.admin.good("POST", "block-storage", "/v3/types", {"volume_type": {"name": unique("gold")}})
    undo(cloud.admin, "block-storage", f"/v3/types/{made['volume_type']['id']}")
    return str(made["volume_type"]["id"])


def test_encryption_comes_changes_and_goes(cloud: Cloud, type_id: str) -> None:
    path = f"/v3/types/{type_id}/encryption"
    assert cloud.admin.good("GET", "block-storage", path) == {}
    assert cloud.tenant("GET", "block-storage", path).status_code == 403
    made = cloud.admin.good("POST", "block-storage", path, {"encryption": ENCRYPTION})["encryption"]
    assert {key: made[key] for key in ENCRYPTION} == ENCRYPTION
    again = cloud.admin("POST", "block-storage", path, {"encryption": ENCRYPTION})
    assert again.status_code == 400
    shown = cloud.admin.good("GET", "block-storage", path)
    assert {key: shown[key] for key in ENCRYPTION} == ENCRYPTION
    one = f"{path}/{shown['encryption_id']}"
    cloud.admin.good("PUT", "block-storage", one, {"encryption": {**ENCRYPTION, "key_size": 128}})
    assert cloud.admin.good("GET", "block-storage", path)["key_size"] == 128
    assert cloud.admin("DELETE", "block-storage", one).status_code == 202
    assert cloud.admin("DELETE", "block-storage", one).status_code == 404
    assert cloud.admin.good("GET", "block-storage", path) == {}


def test_encryption_of_a_type_in_use_cannot_change(cloud: Cloud, type_id: str, volume: Volume) -> None:
    volume(volume_type=type_id)
    answer = cloud.admin("POST", "block-storage", f"/v3/types/{type_id}/encryption", {"encryption": ENCRYPTION})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Cannot create encryption specs. Volume type in use."


def test_a_type_takes_another_name_that_is_free(cloud: Cloud, type_id: str) -> None:
    path, name = f"/v3/types/{type_id}", unique("renamed")
    renamed = cloud.admin.good("PUT", "block-storage", path, {"volume_type": {"name": name}})
    assert renamed["volume_type"]["name"] == name
    answer = cloud.admin("PUT", "block-storage", path, {"volume_type": {"name": "__DEFAULT__"}})
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == "Volume Type __DEFAULT__ already exists."


def test_a_qos_spec_and_its_types(cloud: Cloud, type_id: str) -> None:
    name = unique("qos")
    body = {"qos_specs": {"name": name, "consumer": "front-end", "total_iops_sec": "100"}}
    made = cloud.admin.good("POST", "block-storage", "/v3/qos-specs", body)["qos_specs"]
    path = f"/v3/qos-specs/{made['id']}"
    try:
        assert (made["consumer"], made["specs"]) == ("front-end", {"total_iops_sec": "100"})
        assert cloud.admin("POST", "block-storage", "/v3/qos-specs", body).status_code == 409
        cloud.admin.good("PUT", "block-storage", path, {"qos_specs": {"read_iops_sec": "5", "consumer": "both"}})
        gone = cloud.admin("PUT", "block-storage", f"{path}/delete_keys", {"keys": ["total_iops_sec"]})
        assert gone.status_code == 202
        shown = cloud.admin.good("GET", "block-storage", path)["qos_specs"]
        assert (shown["consumer"], shown["specs"]) == ("both", {"read_iops_sec": "5"})
        assert cloud.admin("GET", "block-storage", f"{path}/associate?vol_type_id={type_id}").status_code == 202
        listed = cloud.admin.good("GET", "block-storage", f"{path}/associations")["qos_associations"]
        assert [one["id"] for one in listed] == [type_id]
        kind = cloud.admin.good("GET", "block-storage", f"/v3/types/{type_id}")["volume_type"]
        assert kind["qos_specs_id"] == made["id"]
        assert "qos_specs_id" not in cloud.tenant.good("GET", "block-storage", f"/v3/types/{type_id}")["volume_type"]
        in_use = cloud.admin("DELETE", "block-storage", path)
        assert (in_use.status_code, in_use.json()["badRequest"]["message"]) == (400, "Qos specs still in use.")
        assert cloud.tenant("GET", "block-storage", f"{path}/associations").status_code == 403
    finally:
        cloud.admin("GET", "block-storage", f"{path}/disassociate?vol_type_id={type_id}")
        assert cloud.admin("DELETE", "block-storage", path).status_code == 202
    assert cloud.admin("GET", "block-storage", f"{path}/associations").status_code == 404


def test_quotas_of_a_type_have_its_name(cloud: Cloud, type_id: str, volume: Volume) -> None:
    made = volume(volume_type=type_id)
    path = f"/v3/os-quota-sets/{cloud.tenant.project_id}?usage=True"
    quota = cloud.tenant.good("GET", "block-storage", path)["quota_set"]
    assert quota[f"volumes_{made['volume_type']}"]["in_use"] == 1
    assert quota[f"gigabytes_{made['volume_type']}"]["in_use"] == 1


def test_an_operator_filters_volumes_by_the_id_of_a_type(cloud: Cloud, type_id: str, volume: Volume) -> None:
    path = f"/v3/volumes?all_tenants=1&limit=1&volume_type_id={type_id}"
    assert cloud.admin.good("GET", "block-storage", path) == {"volumes": []}
    made = volume(volume_type=type_id)
    found = cloud.admin.good("GET", "block-storage", path)["volumes"]
    assert [one["id"] for one in found] == [made["id"]]


def test_a_project_can_have_a_default_type_of_its_own(cloud: Cloud, type_id: str, undo: Undo) -> None:
    """The restored and the server's volumes of a project get it; while it is one, it cannot be deleted."""
    version = {"OpenStack-API-Version": "volume 3.62"}
    path = f"/v3/default-types/{cloud.tenant.project_id}"
    before = cloud.tenant.good("GET", "block-storage", "/v3/types/default")["volume_type"]["name"]
    named = cloud.admin.good("GET", "block-storage", f"/v3/types/{type_id}")["volume_type"]["name"]
    missing = cloud.admin("PUT", "block-storage", path, {"default_type": {"volume_type": unique("nope")}}, version)
    assert missing.status_code in (400, 404)
    body = {"default_type": {"volume_type": named}}
    assert cloud.tenant("PUT", "block-storage", path, body, version).status_code == 403
    made = cloud.admin("PUT", "block-storage", path, body, version)
    expected = {"project_id": cloud.tenant.project_id, "volume_type_id": type_id}
    assert (made.status_code, made.json()) == (200, {"default_type": expected})
    try:
        assert cloud.tenant.good("GET", "block-storage", "/v3/types/default")["volume_type"]["name"] == named
        listed = cloud.admin("GET", "block-storage", "/v3/default-types", None, version).json()["default_types"]
        assert expected in listed
        refused = cloud.admin("DELETE", "block-storage", f"/v3/types/{type_id}")
        assert (refused.status_code, "default volume type" in refused.text) == (400, True)
    finally:
        assert cloud.admin("DELETE", "block-storage", path, None, version).status_code == 204
    assert cloud.tenant.good("GET", "block-storage", "/v3/types/default")["volume_type"]["name"] == before


def test_tenants_see_the_zones_of_a_type(cloud: Cloud, type_id: str) -> None:
    specs = {"RESKEY:availability_zones": "az1,az2", "volume_backend_name": "fast"}
    cloud.admin.good("POST", "block-storage", f"/v3/types/{type_id}/extra_specs", {"extra_specs": specs})
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/types/{type_id}")["volume_type"]["extra_specs"]
    assert shown == {"RESKEY:availability_zones": "az1,az2"}


def test_administrators_are_shown_private_types_only_when_they_ask(cloud: Cloud, undo: Undo) -> None:
    """They may use them all the same; members are shown what they may use, whatever they ask for."""
    name = unique("private")
    body = {"volume_type": {"name": name, "os-volume-type-access:is_public": False}}
    made = cloud.admin.good("POST", "block-storage", "/v3/types", body)["volume_type"]
    undo(cloud.admin, "block-storage", f"/v3/types/{made['id']}")

    def is_shown(caller: Caller, query: str) -> bool:
        shown = caller.good("GET", "block-storage", f"/v3/types{query}")["volume_types"]
        return name in [one["name"] for one in shown]

    queries = ("", "?is_public=True", "?is_public=False", "?is_public=None")
    assert [is_shown(cloud.admin, query) for query in queries] == [False, False, True, True]
    assert [is_shown(cloud.tenant, query) for query in queries] == [False] * 4
    access = {"addProjectAccess": {"project": cloud.admin.project_id}}
    cloud.admin.good("POST", "block-storage", f"/v3/types/{made['id']}/action", access)
    assert [is_shown(cloud.admin, query) for query in queries] == [True, True, True, True]
