# SPDX-License-Identifier: Apache-2.0
"""What do operators do with the storage of real pods, and owners with groups and backups? Both pods have hosts of one
name."""

import base64
import json
import uuid
from collections.abc import Iterator

import pytest
import requests

from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

S = "block-storage"


def backend(region: Region, pod: str) -> str:
    """The volume service of a pod as administrators see it."""
    services = region.admin.good("GET", S, "/os-services", binary="cinder-volume")["services"]
    return next(str(one["host"]) for one in services if one["host"].startswith(f"{pod}."))


def put(region: Region, path: str, body: Json) -> requests.Response:
    return region.admin("PUT", S, path, body)


@pytest.fixture(scope="module")
def group_type(region: Region) -> Iterator[Json]:
    made = region.admin.make(S, "group_types", "group_type", name=unique("fn-groups"))
    region.admin.good("POST", S, f"/group_types/{made['id']}/group_specs", {"group_specs": {"a": "b"}})
    yield made
    eventually(
        lambda: region.admin.delete(S, f"/group_types/{made['id']}"), lambda status: status in (202, 404), "type"
    )


@pytest.fixture(scope="module")
def volume_type(region: Region) -> Iterator[Json]:
    made = region.admin.make(S, "types", "volume_type", name=unique("fn-type"))
    yield made
    eventually(lambda: region.admin.delete(S, f"/types/{made['id']}"), lambda status: status in (202, 404), "type")


def available(caller: Caller, path: str, member: str) -> Json:
    """A thing once it is available."""
    found: Json = eventually(
        lambda: caller.good("GET", S, path)[member], lambda one: one["status"] == "available", path
    )
    return found


def gone(caller: Caller, path: str) -> None:
    eventually(lambda: caller("GET", S, path).status_code, lambda status: status == 404, path)


def test_hosts_of_one_name_are_told_apart(region: Region) -> None:
    for pod in ("Pod1", "Pod2"):
        host = backend(region, pod)
        (service,) = region.admin.good("GET", S, "/os-services", host=host)["services"]
        assert (service["host"], service["binary"]) == (host, "cinder-volume")
        shown = region.admin.good("GET", S, f"/capabilities/{host}")
        assert shown["namespace"].endswith(f"::{host}")
        assert region.admin.good("GET", S, f"/os-hosts/{host}")["host"][0]["resource"]["host"] == host
    pools = {
        one["name"].partition("#")[0] for one in region.admin.good("GET", S, "/scheduler-stats/get_pools")["pools"]
    }
    assert {backend(region, "Pod1"), backend(region, "Pod2")} <= pools
    bare = backend(region, "Pod1").partition(".")[2]
    answer = region.admin("GET", S, f"/capabilities/{bare}")
    assert (answer.status_code, f"Pod2.{bare}" in answer.text) == (400, True)


def test_pools_of_a_type_that_a_pod_calls_otherwise(region: Region) -> None:
    """Pod2 has a type of the same name already, which no pool of it fits: it is asked by the name of the copy.

    A Cinder whose backends tell how much room they have cannot filter so: its filter by capacity wants a size.
    """
    listed = region.admin.good("GET", S, "/scheduler-stats/get_pools", detail="true")["pools"]
    specs = {"volume_backend_name": listed[0]["capabilities"]["volume_backend_name"]}
    fitting = {one["name"] for one in listed if specs.items() <= one["capabilities"].items()}
    assert {name.partition(".")[0] for name in fitting} >= {"Pod1", "Pod2"}
    name, inside = unique("fn-type"), region.pods["Pod2"]
    own = inside.make(S, "types", "volume_type", name=name, extra_specs={"volume_backend_name": "nowhere"})
    made = region.admin.make(S, "types", "volume_type", name=name, extra_specs=specs)
    version = {"OpenStack-API-Version": "volume 3.35"}

    def pools(asked: str, caller: Caller = region.admin) -> requests.Response:
        return caller("GET", S, "/scheduler-stats/get_pools", params={"volume_type": asked}, headers=version)

    try:
        for asked in (name, made["id"]):
            answer, alone = pools(asked), pools(name, region.pods["Pod1"])
            assert answer.status_code == alone.status_code
            if answer.status_code == 200:
                assert {one["name"] for one in answer.json()["pools"]} == fitting
        assert pools("nobodys").status_code == 404
        names = {one["name"] for one in inside.good("GET", S, "/types")["volume_types"] if name in one["name"]}
        assert names == {name, f"tricircle.{name}"}
    finally:
        assert region.admin.delete(S, f"/types/{made['id']}") == 202
        assert inside.delete(S, f"/types/{own['id']}") == 202


def test_a_service_is_switched_in_its_pod_only(region: Region) -> None:
    hosts = {pod: backend(region, pod) for pod in ("Pod1", "Pod2")}
    for word in ("disable", "enable"):
        answer = put(region, f"/os-services/{word}", {"host": hosts["Pod2"], "binary": "cinder-volume"})
        assert (answer.status_code, answer.json()["host"]) == (200, hosts["Pod2"])
    for word in ("freeze", "thaw"):
        assert put(region, f"/os-services/{word}", {"host": hosts["Pod1"]}).status_code == 200
    levels = put(region, "/os-services/get-log", {"binary": "cinder-volume", "prefix": "cinder.volume"}).json()
    assert set(hosts.values()) <= {one["host"] for one in levels["log_levels"]}
    assert region.admin("POST", S, "/workers/cleanup", {"host": hosts["Pod1"]}).status_code == 202


def test_a_group_of_nothing(tenant: Tenant, region: Region, group_type: Json, volume_type: Json) -> None:
    here = tenant.here
    wanted = {"group_type": group_type["id"], "volume_types": [volume_type["id"]], "availability_zone": "az2"}
    group = here.make(S, "groups", "group", name="g", **wanted)
    path = f"/groups/{group['id']}"
    shown = available(here, path, "group")
    assert {key: shown[key] for key in wanted} == wanted
    volume = here.make(S, "volumes", "volume", size=1, group_id=group["id"], volume_type=volume_type["id"])
    available(here, f"/volumes/{volume['id']}", "volume")
    snapshot = here.make(S, "group_snapshots", "group_snapshot", group_id=group["id"], name="s")
    taken = available(here, f"/group_snapshots/{snapshot['id']}", "group_snapshot")
    for collection, its in (("groups", group), ("group_snapshots", snapshot)):
        # A member may filter by names; who administers, by types, whose ids are others in pods.
        by_type = {"all_tenants": "1", "group_type_id": group_type["id"]}
        assert [one["id"] for one in region.admin.list(S, collection, **by_type)] == [its["id"]]
        assert region.admin.list(S, collection, **{**by_type, "group_type_id": str(uuid.uuid4())}) == []
    for wanted_id, found in ((group["id"], [volume["id"]]), (str(uuid.uuid4()), [])):
        assert [one["id"] for one in here.list(S, "volumes", group_id=wanted_id)] == found
    assert taken["group_type_id"] == group_type["id"]
    source = {"create-from-src": {"group_snapshot_id": snapshot["id"], "name": "again"}}
    second = here.good("POST", S, "/groups/action", source)["group"]
    assert available(here, f"/groups/{second['id']}", "group")["group_type"] == group_type["id"]
    assert region.admin.delete(S, f"/group_types/{group_type['id']}") == 400
    everything = {"delete": {"delete-volumes": True}}
    assert here("POST", S, f"/groups/{second['id']}/action", everything).status_code == 202
    gone(here, f"/groups/{second['id']}")
    assert here.delete(S, f"/group_snapshots/{snapshot['id']}") == 202
    gone(here, f"/group_snapshots/{snapshot['id']}")
    assert here("POST", S, f"{path}/action", everything).status_code == 202
    gone(here, path)
    gone(here, f"/volumes/{volume['id']}")


def test_a_volume_is_left_and_managed_again(tenant: Tenant, region: Region) -> None:
    volume = available(region.admin, f"/volumes/{tenant.volume('az2')['id']}", "volume")
    place = str(volume["os-vol-host-attr:host"])
    assert place.startswith("Pod2.")
    assert region.admin("POST", S, f"/volumes/{volume['id']}/action", {"os-unmanage": {}}).status_code == 202
    gone(region.admin, f"/volumes/{volume['id']}")
    name = {"source-name": f"volume-{volume['id']}"}
    listed = region.admin.good("GET", S, "/manageable_volumes/detail", host=place)["manageable-volumes"]
    assert name in [one["reference"] for one in listed if one["safe_to_manage"]]
    managed = region.admin.make(S, "manageable_volumes", "volume", host=place, ref=name, name="again")
    path = f"/volumes/{managed['id']}"
    shown = available(region.admin, path, "volume")
    assert (shown["name"], shown["size"], shown["availability_zone"]) == ("again", 1, "az2")
    answer = region.admin("POST", S, f"{path}/action", {"os-migrate_volume": {"host": backend(region, "Pod1")}})
    assert (answer.status_code, "No available service named" in answer.text) == (400, True)
    assert region.admin.delete(S, path) == 202
    gone(region.admin, path)


def test_a_record_of_a_backup_comes_back_to_its_pod(tenant: Tenant, region: Region) -> None:
    volume_id = tenant.volume("az2")["id"]
    available(tenant.here, f"/volumes/{volume_id}", "volume")
    backup = tenant.here.make(S, "backups", "backup", volume_id=volume_id, name="b")
    available(tenant.here, f"/backups/{backup['id']}", "backup")
    record = region.admin.good("GET", S, f"/backups/{backup['id']}/export_record")["backup-record"]
    said = json.loads(base64.b64decode(record["backup_url"]))
    assert said["host"].startswith("Pod2.")
    # A record of something that the pod has forgotten: nothing but the host leads there.
    said |= {"id": str(uuid.uuid4()), "volume_id": str(uuid.uuid4())}
    record["backup_url"] = base64.b64encode(json.dumps(said).encode()).decode()
    taken = region.admin.good("POST", S, "/backups/import_record", {"backup-record": record})["backup"]
    assert taken["id"] == said["id"]
    assert available(region.admin, f"/backups/{taken['id']}", "backup")["availability_zone"] == "az2"
    restored = region.admin.good("POST", S, f"/backups/{taken['id']}/restore", {"restore": {"name": "r"}})["restore"]
    available(region.admin, f"/volumes/{restored['volume_id']}", "volume")
    for caller, path in (
        (region.admin, f"/volumes/{restored['volume_id']}"),
        (region.admin, f"/backups/{taken['id']}"),
        (tenant.here, f"/backups/{backup['id']}"),
    ):
        eventually(lambda c=caller, p=path: c.delete(S, p), lambda status: status in (202, 404), path)
        gone(caller, path)


def test_tenants_see_and_reach_no_host(tenant: Tenant) -> None:
    for path in ("/os-services", "/os-hosts", "/scheduler-stats/get_pools", "/manageable_volumes?host=Pod1.x"):
        assert tenant.here("GET", S, path).status_code == 403
    answer = tenant.here("PUT", S, "/os-services/disable", {"host": "Pod1.x", "binary": "cinder-volume"})
    assert (answer.status_code, "Pod1" in answer.text) == (403, False)
