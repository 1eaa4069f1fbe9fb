# SPDX-License-Identifier: Apache-2.0
"""Are limits those of the centre, and is usage that of all pods?"""

from tests.api.doors.test_volumes import VOLUMES, create, make_type, refused
from tests.api.whole import Whole


async def limit(cloud: Whole, project: str = "demo", **limits: int) -> None:
    path = f"/volume/v3/os-quota-sets/{cloud.project_id(project)}"
    said = await cloud.admin.ask("PUT", path, {"quota_set": limits})
    assert said.status == 200, said.body


async def test_the_number_of_volumes_counts_over_both_pods(cloud: Whole) -> None:
    await limit(cloud, volumes=2)
    for zone in ("az1", "az2"):
        await create(cloud.tenant, availability_zone=zone)
    said = await refused(cloud.tenant, availability_zone="az1")
    assert said.status == 413
    assert said.headers["retry-after"] == "0"
    assert said.json() == {
        "overLimit": {
            "code": 413,
            "message": "VolumeLimitExceeded: Maximum number of volumes allowed (2) exceeded for quota 'volumes'.",
            "retryAfter": "0",
        }
    }
    assert len(cloud.pods["Pod1"].cinder.volumes) == 1


async def test_gigabytes_count_over_both_pods(cloud: Whole) -> None:
    await limit(cloud, gigabytes=4)
    for zone in ("az1", "az2"):
        await create(cloud.tenant, availability_zone=zone)
    said = await refused(cloud.tenant, size=3)
    assert said.message == (
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
        "Requested 3G, quota is 4G and 2G has been consumed."
    )
    assert (await refused(cloud.tenant, size=2)).status == 202


async def test_growing_is_measured_too(cloud: Whole) -> None:
    await limit(cloud, gigabytes=4, per_volume_gigabytes=3)
    made = await create(cloud.tenant)
    path = f"{VOLUMES}/{made['id']}/action"
    said = await cloud.tenant.ask("POST", path, {"os-extend": {"new_size": 4}})
    assert said.message.startswith("VolumeSizeExceedsLimit: Requested volume size 4G")
    assert (await cloud.tenant.ask("POST", path, {"os-extend": {"new_size": 3}})).status == 202
    said = await refused(cloud.tenant, size=2)
    assert said.message.endswith("Requested 2G, quota is 4G and 3G has been consumed.")


async def test_what_an_administrator_makes_grow_counts_on_its_owner(cloud: Whole) -> None:
    """As in Cinder: the owner's limits, and the administrator's own for the size of one volume."""
    await limit(cloud, gigabytes=2)
    made = await create(cloud.tenant)
    path = f"{VOLUMES}/{made['id']}/action"
    said = await cloud.admin.ask("POST", path, {"os-extend": {"new_size": 3}})
    assert said.message.endswith("Requested 2G, quota is 2G and 1G has been consumed.")
    own = f"/volume/v3/os-quota-sets/{cloud.project_id('admin')}"
    await cloud.admin.ask("PUT", own, {"quota_set": {"gigabytes": 0}})
    assert (await cloud.admin.ask("POST", path, {"os-extend": {"new_size": 2}})).status == 202


async def test_a_new_type_by_an_administrator_counts_on_its_owner(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    await limit(cloud, volumes_gold=0)
    made = await create(cloud.tenant)
    path = f"{VOLUMES}/{made['id']}/action"
    said = await cloud.admin.ask("POST", path, {"os-retype": {"new_type": "gold", "migration_policy": "never"}})
    assert (said.status, "(0) exceeded for quota 'volumes_gold'" in said.message) == (413, True)


async def test_a_type_has_limits_of_its_own(cloud: Whole) -> None:
    await make_type(cloud, "gold")
    await limit(cloud, volumes_gold=1)
    await create(cloud.tenant, volume_type="gold", availability_zone="az1")
    said = await refused(cloud.tenant, volume_type="gold", availability_zone="az2")
    assert (
        said.message == "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes_gold'."
    )
    assert (await refused(cloud.tenant, availability_zone="az2")).status == 202


async def test_snapshots_count(cloud: Whole) -> None:
    await limit(cloud, snapshots=0)
    made = await create(cloud.tenant)
    said = await cloud.tenant.ask("POST", "/volume/v3/snapshots", {"snapshot": {"volume_id": made["id"]}})
    assert (said.status, said.message) == (
        413,
        "SnapshotLimitExceeded: Maximum number of snapshots allowed (0) exceeded",
    )


async def test_whose_limits_an_administrator_is_told(cloud: Whole) -> None:
    """Cinder passes over both words below 3.39, and ``project_id`` goes first."""
    await create(cloud.tenant)
    demo, own = cloud.project_id("demo"), cloud.project_id("admin")
    for version, query, used in (
        ("3.0", f"tenant_id={demo}", 0),
        ("3.38", f"project_id={demo}", 0),
        ("3.39", f"tenant_id={demo}", 1),
        ("3.39", f"tenant_id={own}&project_id={demo}", 1),
        ("3.39", f"project_id={own}&tenant_id={demo}", 0),
    ):
        admin = cloud.admin.having(openstack_api_version=f"volume {version}")
        said = await admin.ask("GET", f"/volume/v3/limits?{query}")
        assert said.json()["limits"]["absolute"]["totalVolumesUsed"] == used, (version, query)


async def test_limits_and_quotas_show_the_sum(cloud: Whole) -> None:
    await limit(cloud, volumes=7)
    for zone in ("az1", "az2"):
        await create(cloud.tenant, availability_zone=zone, size=2)
    absolute = (await cloud.tenant.ask("GET", "/volume/v3/limits")).json()["limits"]["absolute"]
    assert (absolute["maxTotalVolumes"], absolute["totalVolumesUsed"], absolute["totalGigabytesUsed"]) == (7, 2, 4)
    path = f"/volume/v3/os-quota-sets/{cloud.project_id('demo')}"
    assert (await cloud.tenant.ask("GET", path)).json()["quota_set"]["volumes"] == 7
    shown = (await cloud.tenant.ask("GET", f"{path}?usage=True")).json()["quota_set"]
    assert shown["volumes"] == {"limit": 7, "in_use": 2, "reserved": 0}
    assert shown["gigabytes"]["in_use"] == 4
    assert shown["volumes___DEFAULT__"]["in_use"] == 2


async def test_usage_of_a_silent_pod_is_what_it_said_last(cloud: Whole) -> None:
    await limit(cloud, volumes=2)
    for zone in ("az2", "az1"):
        await create(cloud.tenant, availability_zone=zone)
    assert (await refused(cloud.tenant, availability_zone="az1")).status == 413
    await cloud.ports["Pod2"].refuse()
    assert (await refused(cloud.tenant, availability_zone="az1")).status == 413


async def test_a_limit_of_a_projects_own_is_not_put_below_what_is_used(cloud: Whole) -> None:
    for zone in ("az1", "az2"):
        await create(cloud.tenant, availability_zone=zone)
    await limit(cloud, volumes=1)  # the first one of its own: Cinder does not look
    path = f"/volume/v3/os-quota-sets/{cloud.project_id('demo')}"
    said = await cloud.admin.ask("PUT", path, {"quota_set": {"volumes": 1}})
    text = (
        "Quota volumes limit must be equal or greater than existing resources. Current usage is 2 and the requested "
        "limit is 1."
    )
    assert (said.status, said.message) == (400, text)
    assert (await cloud.tenant.ask("PUT", path, {"quota_set": {"volumes": 1}})).status == 403
    await limit(cloud, volumes=2)
