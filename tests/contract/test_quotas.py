# SPDX-License-Identifier: Apache-2.0
"""How are a project's limits in a pod lifted, how is a limit told, and what do limits and usage look like?"""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

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


@pytest.mark.usefixtures("restored")
def test_rules_over_the_limit_are_409_and_none_of_them_is_made(cloud: Cloud, undo: Undo) -> None:
    """The same status as a rule that is there already: only the type tells."""
    body = {"security_group": {"name": unique("limited"), "project_id": cloud.other.project_id}}
    group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    path, rules_path = f"/v2.0/security-groups/{group['id']}", "/v2.0/security-group-rules"
    undo(cloud.admin, "network", path)
    used = len(cloud.admin.good("GET", "network", f"{rules_path}?project_id={cloud.other.project_id}&fields=id")
               ["security_group_rules"])  # fmt: skip
    quota = f"/v2.0/quotas/{cloud.other.project_id}"
    cloud.admin.good("PUT", "network", quota, {"quota": {"security_group_rule": used + 1}})
    owned = {"security_group_id": group["id"], "project_id": cloud.other.project_id, "ethertype": "IPv4"}
    rules = [
        {**owned, "direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port}
        for port in (80, 81)
    ]
    for made in ({"security_group_rules": rules}, {"security_group_rule": rules[0]}, {"security_group_rule": rules[1]}):
        answer = cloud.admin("POST", "network", rules_path, made)
        if made == {"security_group_rule": rules[0]}:
            assert answer.status_code == 201
        else:
            assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "OverQuota")
    shown = cloud.admin.good("GET", "network", path)["security_group"]["security_group_rules"]
    assert [one["port_range_min"] for one in shown if one["protocol"]] == [80]
    cloud.admin.good("PUT", "network", quota, {"quota": {"security_group_rule": -1}})
    assert cloud.admin("POST", "network", rules_path, {"security_group_rule": rules[1]}).status_code == 201


@pytest.mark.usefixtures("restored")
def test_groups_over_the_limit_are_409(cloud: Cloud) -> None:
    groups = "/v2.0/security-groups"
    used = len(cloud.other.good("GET", "network", f"{groups}?project_id={cloud.other.project_id}")["security_groups"])
    quota = f"/v2.0/quotas/{cloud.other.project_id}"
    too_low = cloud.admin("PUT", "network", quota, {"quota": {"security_group": used - 1}})
    assert too_low.status_code == 400
    assert f"must be greater than or equal to already used {used}" in too_low.json()["NeutronError"]["message"]
    cloud.admin.good("PUT", "network", quota, {"quota": {"security_group": used}})
    body = {"security_group": {"name": unique("limited"), "project_id": cloud.other.project_id}}
    answer = cloud.admin("POST", "network", groups, body)
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "OverQuota")


@pytest.mark.usefixtures("restored")
def test_shares_over_the_limit_are_409(cloud: Cloud, undo: Undo) -> None:
    """The same status as a share that is there already: only the type tells."""
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    undo(cloud.admin, "network", f"/v2.0/networks/{made['id']}")
    policies, mine = "/v2.0/rbac-policies", f"project_id={cloud.other.project_id}"
    used = len(cloud.admin.good("GET", "network", f"{policies}?{mine}")["rbac_policies"])
    quota = f"/v2.0/quotas/{cloud.other.project_id}"
    cloud.admin.good("PUT", "network", quota, {"quota": {"rbac_policy": used}})
    wanted = {
        "object_type": "network", "object_id": made["id"], "action": "access_as_shared",
        "target_tenant": cloud.tenant.project_id, "project_id": cloud.other.project_id,
    }  # fmt: skip
    answer = cloud.admin("POST", "network", policies, {"rbac_policy": wanted})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "OverQuota")
    filters = f"object_id={made['id']}&action=access_as_shared"
    assert cloud.admin.good("GET", "network", f"{policies}?{filters}")["rbac_policies"] == []


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


@pytest.fixture
def users_limits(cloud: Cloud) -> Iterator[Callable[..., None]]:
    """``users_limits(instances=1)``: for the tenant's user in the project; gone afterwards."""
    path = f"/v2.1/os-quota-sets/{cloud.tenant.project_id}?user_id={cloud.tenant.user_id}"

    def put(**limits: int) -> None:
        cloud.admin.good("PUT", "compute", path, {"quota_set": {**limits, "force": True}})

    yield put
    assert cloud.admin("DELETE", "compute", path).status_code == 202


def test_a_users_limits_are_within_the_projects(
    cloud: Cloud, users_limits: Callable[..., None], boot: Callable[..., str]
) -> None:
    """What is not set for the user is the project's; what is used is the user's part; ``limits`` say nothing of it."""
    path, user = f"/v2.1/os-quota-sets/{cloud.tenant.project_id}", f"user_id={cloud.tenant.user_id}"
    boot()
    whole = cloud.tenant.good("GET", "compute", path)["quota_set"]
    detail = cloud.tenant.good("GET", "compute", f"{path}/detail?{user}")["quota_set"]
    mine = detail["instances"]["in_use"]
    assert mine >= 1
    assert set(detail["cores"]) == {"limit", "in_use", "reserved"}
    nobody = cloud.tenant.good("GET", "compute", f"{path}/detail?user_id={'0' * 32}")["quota_set"]
    assert (nobody["instances"]["in_use"], nobody["instances"]["limit"]) == (0, whole["instances"])
    users_limits(instances=mine)
    seen = cloud.tenant.good("GET", "compute", f"{path}?{user}")["quota_set"]
    assert seen == {**whole, "instances": mine}
    absolute = cloud.tenant.good("GET", "compute", "/v2.1/limits")["limits"]["absolute"]
    assert absolute["maxTotalInstances"] == whole["instances"]
    fields = {"name": unique("server"), "flavorRef": cloud.flavor_id, "imageRef": cloud.image_id, "networks": "none"}
    headers = {"OpenStack-API-Version": "compute 2.96"}
    answer = cloud.tenant("POST", "compute", "/v2.1/servers", {"server": fields}, headers)
    assert answer.status_code == 403
    assert answer.json()["forbidden"]["message"] == (
        f"Quota exceeded for instances: Requested 1, but already used {mine} of {mine} instances"
    )
    assert cloud.other("GET", "compute", f"{path}/detail?{user}").status_code == 403
