# SPDX-License-Identifier: Apache-2.0
"""Do calls that few make take effect where they must? Looked at in the pods. Needs the lab with its pods registered."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.functional.region_world import ZONES, Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def attached(caller: Caller, server_id: str) -> list[str]:
    """The volumes of a server."""
    found = caller.good("GET", "compute", f"/servers/{server_id}/os-volume_attachments")["volumeAttachments"]
    return [str(one["volumeId"]) for one in found]


@contextmanager
def in_use(tenant: Tenant, server_id: str, volume: Json) -> Iterator[str]:
    """A volume attached to a server; the path of its attachments. Whatever is attached in the end is detached."""
    path = f"/servers/{server_id}/os-volume_attachments"
    tenant.here.good("POST", "compute", path, {"volumeAttachment": {"volumeId": volume["id"]}})
    tenant.reached("block-storage", f"/volumes/{volume['id']}", "volume", "in-use")
    yield path
    for volume_id in attached(tenant.here, server_id):
        assert tenant.here.delete("compute", f"{path}/{volume_id}") == 202
    eventually(lambda: attached(tenant.here, server_id), lambda seen: not seen, "detached")


def test_a_swap_of_volumes_reaches_their_pod(region: Region, tenant: Tenant, servers: dict[str, str]) -> None:
    """Nova swaps for nobody but a Cinder that is migrating the volume, and that is the pod's own, which asks it there.
    So what arrives is known by what the pod says."""
    old, new, elsewhere = tenant.volume("az2"), tenant.volume("az2"), tenant.volume("az1")
    server_id = servers["Pod2"]
    with in_use(tenant, server_id, old) as path:

        def swap(caller: Caller, volume: Json) -> tuple[int, str]:
            body = {"volumeAttachment": {"volumeId": volume["id"]}}
            answer = caller("PUT", "compute", f"{path}/{old['id']}", body)
            return answer.status_code, answer.text

        code, text = swap(region.admin, elsewhere)
        assert (code, "availability zone az1" in text) == (400, True), text
        code, text = swap(region.admin, new)
        assert (code, f"volume {old['id']} is not migrating" in text) == (409, True), text
        assert swap(region.pods["Pod2"], new)[0] == code
        assert swap(region.pods["Pod1"], new)[0] == 404
        assert attached(tenant.here, server_id) == [old["id"]]


def certificate() -> str:
    """A certificate that nobody has, as text."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, unique())])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("is_imported", [True, False])
def test_x509_key_pairs(tenant: Tenant, flavor: Json, image_id: str, is_imported: bool) -> None:
    more = {"public_key": certificate()} if is_imported else {}
    here, name = tenant.here, unique("x509")
    made = here.make("compute", "os-keypairs", "keypair", name=name, type="x509", **more)
    assert (made["type"], "private_key" in made) == ("x509", not is_imported)
    server_id = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id, key_name=name)
    assert tenant.active(server_id)["key_name"] == name
    copy = tenant.inside["Pod1"].good("GET", "compute", f"/os-keypairs/{name}")["keypair"]
    assert (copy["type"], copy["fingerprint"]) == ("x509", made["fingerprint"])
    assert copy["public_key"].strip() == made["public_key"].strip()
    tenant.gone("compute", f"/servers/{server_id}")
    assert here.delete("compute", f"/os-keypairs/{name}") == 204


@pytest.mark.parametrize("zone", ZONES.values())
def test_a_volume_is_reverted_to_its_last_snapshot(tenant: Tenant, zone: str) -> None:
    here, volume = tenant.here, tenant.volume(zone)
    path = f"/volumes/{volume['id']}/action"
    snapshots = []
    for _ in range(2):
        made = here.make("block-storage", "snapshots", "snapshot", volume_id=volume["id"], name=unique())
        born = str(made["created_at"]).partition(".")[0]
        # Cinder tells ages by the second; of those of one second it takes any for the latest.
        eventually(lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", born.__lt__, "the next second")
        snapshots.append(tenant.reached("block-storage", f"/snapshots/{made['id']}", "snapshot", "available"))

    def revert(snapshot: Json) -> tuple[int, str]:
        answer = here("POST", "block-storage", path, {"revert": {"snapshot_id": snapshot["id"]}})
        return answer.status_code, answer.text

    code, text = revert(snapshots[0])
    assert (code, "latest" in text) == (400, True), text
    assert revert(snapshots[1])[0] == 202
    tenant.reached("block-storage", f"/volumes/{volume['id']}", "volume", "available")
    tenant.reached("block-storage", f"/snapshots/{snapshots[1]['id']}", "snapshot", "available")
    for snapshot in snapshots:
        tenant.gone("block-storage", f"/snapshots/{snapshot['id']}")
    tenant.gone("block-storage", f"/volumes/{volume['id']}")


@pytest.mark.parametrize("pod", list(ZONES))
def test_of_servers_that_do_not_migrate_the_pod_speaks(region: Region, servers: dict[str, str], pod: str) -> None:
    """The imitated hosts migrate in no time; what there is to complete or to abort, their Nova says."""
    path = f"/servers/{servers[pod]}/migrations/4242"
    calls = [("POST", f"{path}/action", {"force_complete": None}), ("DELETE", path, None)]
    for verb, where, body in calls:
        ours, theirs = region.admin(verb, "compute", where, body), region.pods[pod](verb, "compute", where, body)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
        assert (ours.status_code, servers[pod] in ours.text) == (409, True)


def test_filters_that_may_be_asked_for_are_those_of_the_centre(region: Region, tenant: Tenant) -> None:
    here = tenant.here.good("GET", "block-storage", "/resource_filters")["resource_filters"]
    there = tenant.inside["Pod2"].good("GET", "block-storage", "/resource_filters")["resource_filters"]
    by_resource = {one["resource"]: set(one["filters"]) for one in here}
    assert by_resource == {one["resource"]: set(one["filters"]) for one in there}
    assert "volume" in by_resource
    (one,) = tenant.here.good("GET", "block-storage", "/resource_filters", resource="volume")["resource_filters"]
    assert set(one["filters"]) == by_resource["volume"]


@pytest.mark.parametrize(
    ("service", "name", "over"), [("compute", "instances", 403), ("block-storage", "volumes", 413)]
)
def test_a_class_of_quotas_is_the_default_of_every_project(
    region: Region, flavor: Json, image_id: str, service: str, name: str, over: int
) -> None:
    path, fresh = "/os-quota-class-sets/default", Tenant(region)
    before = region.admin.good("GET", service, path)["quota_class_set"][name]
    try:
        said = region.admin.good("PUT", service, path, {"quota_class_set": {name: 0}})["quota_class_set"]
        assert said[name] == 0
        defaults = region.admin.good("GET", service, f"/os-quota-sets/{fresh.project_id}/defaults")["quota_set"]
        assert defaults[name] == 0
        if service == "compute":
            answer = fresh.boot("az1", flavorRef=flavor["id"], imageRef=image_id)
        else:
            volume = {"volume": {"size": 1, "availability_zone": "az1"}}
            answer = fresh.here("POST", service, "/volumes", volume)
        assert answer.status_code == over, answer.text
    finally:
        region.admin.good("PUT", service, path, {"quota_class_set": {name: before}})
        fresh.sweep()


@pytest.mark.parametrize(("pod", "zone"), ZONES.items())
def test_assisted_snapshots_are_taken_where_the_volume_is(
    region: Region, tenant: Tenant, servers: dict[str, str], pod: str, zone: str
) -> None:
    """Any other pod knows no such volume (400)."""
    volume, snapshot_id = tenant.volume(zone), "5c2c8f0e-3a55-4b8e-9f4b-6a1f6f1e1b2a"
    with in_use(tenant, servers[pod], volume):
        info = {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "new"}
        body = {"snapshot": {"volume_id": volume["id"], "create_info": info}}
        made = region.admin("POST", "compute", "/os-assisted-volume-snapshots", body)
        assert made.status_code == 200, made.text
        assert made.json()["snapshot"]["volumeId"] == volume["id"]
        told = {"delete_info": json.dumps({"volume_id": volume["id"]})}
        path = f"/os-assisted-volume-snapshots/{snapshot_id}"
        gone = region.admin("DELETE", "compute", path, params=told)
        assert gone.status_code == 204, gone.text
        other = next(caller for name, caller in region.pods.items() if name != pod)
        assert other("DELETE", "compute", path, params=told).status_code == 400
    tenant.gone("block-storage", f"/volumes/{volume['id']}")
