# SPDX-License-Identifier: Apache-2.0
"""How does an administrator name a storage host when two pods have one of that name? Through the whole gateway."""

import pytest

from tests.api.doors.test_volume_groups import ask
from tests.api.doors.test_volumes import create, make_type
from tests.api.whole import Whole
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

#: What both pods call their storage.
BACKEND = "canaryhost-1@canarybackend"
POOL = f"{BACKEND}#pool"
SWITCH = {"host": f"Pod2.{BACKEND}", "binary": "cinder-volume"}


async def test_lists_name_the_pod_of_a_host(cloud: Whole) -> None:
    services = (await ask(cloud.admin, "GET", "/os-services?binary=cinder-volume")).json()["services"]
    assert [(one["host"], one["zone"]) for one in services] == [(f"Pod1.{BACKEND}", "az1"), (f"Pod2.{BACKEND}", "az2")]
    pools = (await ask(cloud.admin, "GET", "/scheduler-stats/get_pools")).json()["pools"]
    assert [one["name"] for one in pools] == [f"Pod1.{POOL}", f"Pod2.{POOL}"]
    hosts = (await ask(cloud.admin, "GET", "/os-hosts?zone=az2")).json()["hosts"]
    assert {one["host_name"].partition(".")[0] for one in hosts} == {"Pod2"}
    one = (await ask(cloud.admin, "GET", f"/os-services?host=Pod2.{BACKEND}")).json()["services"]
    assert [service["host"] for service in one] == [f"Pod2.{BACKEND}"]


async def test_pools_are_filtered_by_what_the_type_is_at_the_centre(cloud: Whole) -> None:
    """Pod2 has another type of that name, which fits no pool of it; Pod1 has none yet."""
    pod = cloud.admin.having(openstack_api_version="volume 3.35")
    gold = await make_type(cloud, "gold", extra_specs={"volume_backend_name": "canarybackend"})
    await make_type(cloud, "far", extra_specs={"volume_backend_name": "nowhere"})
    inside = cloud.pods["Pod2"].cinder.types
    inside._new_type({"name": "gold", "extra_specs": {"volume_backend_name": "nowhere"}})
    path = "/volume/v3/scheduler-stats/get_pools?volume_type="

    async def names(asked: str) -> list[str]:
        return [one["name"] for one in (await pod.ask("GET", path + asked)).json()["pools"]]

    for asked in ("gold", gold):
        assert await names(asked) == [f"Pod1.{POOL}", f"Pod2.{POOL}"]
    assert await names("far") == []
    said = await pod.ask("GET", path + "nobodys")
    assert (said.status, said.message) == (404, "Volume type with name nobodys could not be found.")
    assert (await cloud.tenant.having(openstack_api_version="volume 3.35").ask("GET", path + "gold")).status == 403


async def test_a_type_of_which_a_pod_can_have_no_copy_has_no_pools_there(cloud: Whole) -> None:
    await make_type(cloud, "gold", extra_specs={"volume_backend_name": "canarybackend"})
    for name in ("gold", "tricircle.gold"):
        cloud.pods["Pod2"].cinder.types._new_type({"name": name, "extra_specs": {"a": "b"}})
    pod = cloud.admin.having(openstack_api_version="volume 3.35")
    said = await pod.ask("GET", "/volume/v3/scheduler-stats/get_pools?volume_type=gold")
    assert [one["name"] for one in said.json()["pools"]] == [f"Pod1.{POOL}"]


def _is_about_types(asked: Asked) -> bool:
    return "/types" in asked.path


@pytest.mark.parametrize(
    "ailment",
    [
        Ailment(symptom=Symptom.SILENT, only=_is_about_types),
        Ailment(symptom=Symptom.GARBAGE, only=_is_about_types),
        *(Ailment(symptom=Symptom.FAILING, status=status, only=_is_about_types) for status in (500, 400, 403)),
    ],
    ids=lambda one: f"{one.symptom} {one.status}",
)
async def test_a_pods_trouble_with_types_takes_no_pools_from_others(cloud: Whole, ailment: Ailment) -> None:
    """The list has time left for all, and who is in trouble is asked by the name that was given."""
    await make_type(cloud, "gold", extra_specs={"volume_backend_name": "canarybackend"})
    cloud.pods["Pod2"].fall_ill(ailment, ["block-storage"])
    pod = cloud.admin.having(openstack_api_version="volume 3.35")
    said = await pod.ask("GET", "/volume/v3/scheduler-stats/get_pools?volume_type=gold")
    assert said.status == 200, said.body
    assert f"Pod1.{POOL}" in [one["name"] for one in said.json()["pools"]]
    assert said.headers["openstack-incomplete-azs"] == "az2"


async def test_hosts_are_nothing_for_tenants(cloud: Whole) -> None:
    for path in ("/os-services", "/os-hosts", "/scheduler-stats/get_pools", f"/os-hosts/Pod2.{BACKEND}"):
        assert (await ask(cloud.tenant, "GET", path)).status == 403
    for host in (BACKEND, f"Pod2.{BACKEND}", "Pod9.x"):
        said = await ask(cloud.tenant, "PUT", "/os-services/disable", {"host": host, "binary": "cinder-volume"})
        assert said.status == 403
        assert b"Pod" not in said.body
    made = await create(cloud.tenant, availability_zone="az2")
    said = await ask(cloud.tenant, "GET", f"/volumes/{made['id']}")
    assert b"canaryhost" not in said.body
    shown = (await ask(cloud.admin, "GET", f"/volumes/{made['id']}")).json()["volume"]
    assert shown["os-vol-host-attr:host"] == f"Pod2.{POOL}"


async def test_a_service_is_switched_in_the_pod_that_is_named(cloud: Whole) -> None:
    said = await ask(cloud.admin, "PUT", "/os-services/disable", SWITCH)
    assert (said.status, said.json()["host"], said.json()["disabled"]) == (200, f"Pod2.{BACKEND}", True)
    assert cloud.pods["Pod2"].cinder.hosts.disabled == {"cinder-volume"}
    assert cloud.pods["Pod1"].cinder.hosts.disabled == set()


async def test_a_name_without_a_pod_is_good_as_long_as_one_pod_has_it(cloud: Whole) -> None:
    body = {"host": BACKEND, "binary": "cinder-volume"}
    said = await ask(cloud.admin, "PUT", "/os-services/disable", body)
    assert said.status == 400
    assert f"Pod1.{BACKEND}, Pod2.{BACKEND}" in said.message
    cloud.pods["Pod1"].cinder.host = "another@backend#pool"
    said = await ask(cloud.admin, "PUT", "/os-services/disable", body)
    assert (said.status, said.json()["host"]) == (200, f"Pod2.{BACKEND}")
    # It cannot be known whether the silent one has a host of that name too.
    await cloud.ports["Pod1"].refuse()
    assert (await ask(cloud.admin, "PUT", "/os-services/disable", body)).status == 503
    assert (await ask(cloud.admin, "PUT", "/os-services/disable", SWITCH)).status == 200


async def test_refusals_are_cinders(cloud: Whole) -> None:
    said = await ask(cloud.admin, "PUT", "/os-services/disable", {"binary": "cinder-volume"})
    assert (said.status, said.message) == (400, "Invalid input received: Host field is missing.")
    said = await ask(cloud.admin, "PUT", "/os-services/disable", {"host": "x", "binary": "cinder-volume"})
    assert (said.status, said.message) == (404, "Service cinder-volume could not be found on host x.")
    assert (
        await ask(cloud.admin, "GET", "/os-hosts/x")
    ).message == "Service cinder-volume could not be found on host x."


async def test_a_name_longer_than_any_is_refused_by_a_pod_and_looked_for_in_none(cloud: Whole) -> None:
    """It would make the addresses of questions longer than servers take."""
    name = "x" * 9000
    said = await ask(cloud.admin, "PUT", "/os-services/disable", {"host": name, "binary": "cinder-volume"})
    assert (said.status, said.message) == (404, f"Service cinder-volume could not be found on host {name}.")
    for pod in cloud.pods.values():
        assert [path for _, path in pod.calls("block-storage") if name in path] == []


async def test_hosts_and_capabilities_by_name(cloud: Whole) -> None:
    said = await ask(cloud.admin, "GET", f"/os-hosts/Pod2.{BACKEND}")
    assert said.json()["host"][0]["resource"]["host"] == f"Pod2.{BACKEND}"
    said = await ask(cloud.admin, "GET", f"/capabilities/Pod2.{BACKEND}")
    assert said.json()["namespace"] == f"OS::Storage::Capabilities::Pod2.{BACKEND}"
    assert ("GET", f"/v3/capabilities/{BACKEND}") in [
        (verb, path.replace("%40", "@")) for verb, path in cloud.pods["Pod2"].calls("block-storage")
    ]


async def test_log_levels_of_all_pods_or_of_one(cloud: Whole) -> None:
    body = {"binary": "cinder-volume", "prefix": "cinder"}
    said = await ask(cloud.admin, "PUT", "/os-services/get-log", body)
    assert [one["host"] for one in said.json()["log_levels"]] == [f"Pod1.{BACKEND}", f"Pod2.{BACKEND}"]
    said = await ask(cloud.admin, "PUT", "/os-services/get-log", {**body, "server": f"Pod2.{BACKEND}"})
    assert [one["host"] for one in said.json()["log_levels"]] == [f"Pod2.{BACKEND}"]
    await cloud.ports["Pod1"].refuse()
    said = await ask(cloud.admin, "PUT", "/os-services/get-log", body)
    assert [one["host"] for one in said.json()["log_levels"]] == [f"Pod2.{BACKEND}"]
    assert said.headers["openstack-incomplete-azs"] == "az1"
    assert (await ask(cloud.tenant, "PUT", "/os-services/get-log", body)).status == 403


async def test_what_lies_on_a_host_becomes_a_volume(cloud: Whole) -> None:
    gold = await make_type(cloud, "gold")
    made = await create(cloud.tenant, availability_zone="az2")
    path = f"/volumes/{made['id']}"
    assert (await ask(cloud.admin, "POST", f"{path}/action", {"os-unmanage": {}})).status == 202
    assert (await ask(cloud.admin, "GET", path)).status == 404
    listed = (await ask(cloud.admin, "GET", f"/manageable_volumes?host=Pod2.{BACKEND}%23pool")).json()
    name = {"source-name": f"volume-{made['id']}"}
    assert [one["reference"] for one in listed["manageable-volumes"]] == [name]
    body = {"volume": {"host": f"Pod2.{POOL}", "ref": name, "volume_type": "gold", "availability_zone": "az2"}}
    said = await ask(cloud.admin, "POST", "/manageable_volumes", body)
    assert said.status == 202, said.body
    volume = said.json()["volume"]
    assert (volume["volume_type_id"], volume["os-vol-host-attr:host"]) == (gold, f"Pod2.{POOL}")
    assert list(cloud.pods["Pod2"].cinder.volumes) == [volume["id"]]
    body["volume"] |= {"volume_type": "x"}
    said = await ask(cloud.admin, "POST", "/manageable_volumes", body)
    text = "Invalid volume type: Cannot find requested 'x' volume type"
    assert (said.status, said.message) == (400, text)
    assert (await ask(cloud.tenant, "POST", "/manageable_volumes", body)).status == 403


async def test_a_volume_does_not_leave_its_pod(cloud: Whole) -> None:
    made = await create(cloud.tenant, availability_zone="az2")
    path = f"/volumes/{made['id']}/action"
    said = await ask(cloud.admin, "POST", path, {"os-migrate_volume": {"host": f"Pod1.{POOL}"}})
    assert (said.status, said.message) == (400, f"Invalid host: No available service named 'Pod1.{POOL}'")
    said = await ask(cloud.admin, "POST", path, {"os-migrate_volume": {"host": f"Pod2.{POOL}"}})
    assert "must be different" in said.message  # the pod has understood which host is meant
    said = await ask(cloud.tenant, "POST", path, {"os-migrate_volume": {"host": f"Pod1.{POOL}"}})
    assert said.status == 403
