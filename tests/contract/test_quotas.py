# SPDX-License-Identifier: Apache-2.0
"""How are a project's limits in a pod lifted, how is a limit told, and what do limits and usage look like?"""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud, unique

NOVA = ("compute", "/v2.1/os-quota-sets", "quota_set", ("instances", "cores", "ram"))
CINDER = ("block-storage", "/v3/os-quota-sets", "quota_set", ("volumes", "gigabytes", "snapshots"))
NEUTRON = ("network", "/v2.0/quotas", "quota", ("port", "network", "subnet", "security_group"))


@pytest.fixture
def restored(cloud: Cloud) -> Iterator[None]:
    """The other tenant's own limits are gone afterwards."""
    yield
    for service, path, _, _ in (NOVA, CINDER, NEUTRON):
        answer = cloud.admin("DELETE", service, f"{path}/{cloud.other.project_id}")
        assert answer.status_code in (200, 202, 204, 404)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(("service", "path", "key", "names"), [NOVA, CINDER, NEUTRON])
def test_minus_one_lifts_a_limit(cloud: Cloud, service: str, path: str, key: str, names: tuple[str, ...]) -> None:
    mine = f"{path}/{cloud.other.project_id}"
    cloud.admin.good("PUT", service, mine, {key: dict.fromkeys(names, -1)})
    shown = cloud.other.good("GET", service, mine)[key]
    assert {name: shown[name] for name in names} == dict.fromkeys(names, -1)


@pytest.mark.parametrize(("service", "path", "key", "names"), [NOVA, CINDER, NEUTRON])
def test_a_tenant_lifts_nothing(cloud: Cloud, service: str, path: str, key: str, names: tuple[str, ...]) -> None:
    mine = f"{path}/{cloud.other.project_id}"
    assert cloud.other("PUT", service, mine, {key: {names[0]: -1}}).status_code == 403


@pytest.mark.usefixtures("restored")
def test_novas_refusal_is_403(cloud: Cloud) -> None:
    body = {"quota_set": {"instances": 0, "force": True}}
    cloud.admin.good("PUT", "compute", f"/v2.1/os-quota-sets/{cloud.other.project_id}", body)
    fields = {"name": unique("server"), "flavorRef": cloud.flavor_id, "imageRef": cloud.image_id, "networks": "none"}
    headers = {"OpenStack-API-Version": "compute 2.96"}
    answer = cloud.other("POST", "compute", "/v2.1/servers", {"server": fields}, headers)
    assert answer.status_code == 403
    assert answer.json()["forbidden"]["message"] == (
        "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances"
    )


@pytest.mark.usefixtures("restored")
def test_cinders_refusals_are_413_with_the_name_of_the_exception(cloud: Cloud) -> None:
    path = f"/v3/os-quota-sets/{cloud.other.project_id}"
    cloud.admin.good("PUT", "block-storage", path, {"quota_set": {"gigabytes": 1}})
    answer = cloud.other("POST", "block-storage", "/v3/volumes", {"volume": {"size": 2}})
    assert answer.status_code == 413
    assert answer.headers["Retry-After"] == "0"
    assert answer.json() == {
        "overLimit": {
            "code": 413,
            "message": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes "
            "quota. Requested 2G, quota is 1G and 0G has been consumed.",
            "retryAfter": "0",
        }
    }
    cloud.admin.good("PUT", "block-storage", path, {"quota_set": {"volumes": 0}})
    answer = cloud.other("POST", "block-storage", "/v3/volumes", {"volume": {"size": 1}})
    assert answer.status_code == 413
    assert answer.json()["overLimit"]["message"] == (
        "VolumeLimitExceeded: Maximum number of volumes allowed (0) exceeded for quota 'volumes'."
    )
    cloud.admin.good("PUT", "block-storage", path, {"quota_set": {"volumes": 1, "per_volume_gigabytes": 1}})
    answer = cloud.other("POST", "block-storage", "/v3/volumes", {"volume": {"size": 2}})
    assert answer.json()["overLimit"]["message"] == (
        "VolumeSizeExceedsLimit: Requested volume size 2G is larger than maximum allowed limit 1G."
    )


@pytest.mark.usefixtures("restored")
def test_neutrons_refusal_is_409(cloud: Cloud) -> None:
    cloud.admin.good("PUT", "network", f"/v2.0/quotas/{cloud.other.project_id}", {"quota": {"network": 0}})
    answer = cloud.other("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "OverQuota")


def test_cinder_shows_usage_in_limits_and_in_quotas(cloud: Cloud) -> None:
    limits = cloud.tenant.good("GET", "block-storage", "/v3/limits")["limits"]
    assert limits["rate"] == []
    assert set(limits["absolute"]) == {
        "maxTotalVolumes", "maxTotalSnapshots", "maxTotalVolumeGigabytes", "maxTotalBackups",
        "maxTotalBackupGigabytes", "totalVolumesUsed", "totalGigabytesUsed", "totalSnapshotsUsed",
        "totalBackupsUsed", "totalBackupGigabytesUsed",
    }  # fmt: skip
    path = f"/v3/os-quota-sets/{cloud.tenant.project_id}?usage=True"
    volumes = cloud.tenant.good("GET", "block-storage", path)["quota_set"]["volumes"]
    assert set(volumes) == {"limit", "in_use", "reserved"}


def test_types_have_quotas_of_their_own_by_name(cloud: Cloud) -> None:
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/os-quota-sets/{cloud.tenant.project_id}")["quota_set"]
    assert {"volumes___DEFAULT__", "gigabytes___DEFAULT__", "snapshots___DEFAULT__"} <= set(shown)
    assert shown["id"] == cloud.tenant.project_id


def test_nova_shows_usage_in_limits(cloud: Cloud) -> None:
    absolute = cloud.tenant.good("GET", "compute", "/v2.1/limits")["limits"]["absolute"]
    assert {"maxTotalInstances", "totalInstancesUsed", "maxTotalCores", "totalCoresUsed", "totalRAMUsed"} <= set(
        absolute
    )


@pytest.mark.usefixtures("restored")
def test_a_limit_of_ones_own_is_not_put_below_what_is_used(cloud: Cloud) -> None:
    """The first limit of a project's own may be anything; so Cinder has it."""
    service, path = "block-storage", f"/v3/os-quota-sets/{cloud.other.project_id}"
    body = {"volume": {"size": 1, "name": unique("volume")}}
    made = cloud.other.good("POST", service, "/v3/volumes", body)["volume"]
    used = cloud.admin.good("GET", service, f"{path}?usage=True")["quota_set"]["volumes"]["in_use"]
    assert used > 0
    wanted = {"quota_set": {"volumes": used - 1}}
    cloud.admin.good("PUT", service, path, wanted)
    answer = cloud.admin("PUT", service, path, wanted)
    cloud.admin("POST", service, f"/v3/volumes/{made['id']}/action", {"os-force_delete": {}})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == (
        f"Quota volumes limit must be equal or greater than existing resources. Current usage is {used} and the "
        f"requested limit is {used - 1}."
    )
    assert "volumes" in cloud.admin.good("GET", service, f"{path}/defaults")["quota_set"]
