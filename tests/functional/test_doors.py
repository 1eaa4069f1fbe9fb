# SPDX-License-Identifier: Apache-2.0
"""What do users meet at the doors while a pod is away? Boots there are refused and leave nothing, all else goes on.

The pod that is away is one of our own (``sick_pod.py``): nobody else uses its zone.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest
import requests

from tests.functional.region_world import ROOT, Json, Region, eventually
from tests.functional.sick_pod import Health, SickPod, sick_pod
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

INCOMPLETE = "OpenStack-Incomplete-AZs"
#: How long a list waits for one pod (``[gateway] list_deadline_s``), and what a busy machine needs beside.
LIST_S, SLACK_S = 5.0, 5.0


@pytest.fixture(scope="module")
def sick(region: Region) -> Iterator[SickPod]:
    with sick_pod(region) as pod:
        yield pod


@pytest.fixture(scope="module")
def network(tenant: Tenant) -> Json:
    return tenant.network()


@pytest.fixture(scope="module")
def resident(tenant: Tenant, flavor: Json, image_id: str) -> str:
    """A server in a zone that is well."""
    server_id = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(server_id)
    return server_id


@pytest.fixture(scope="module")
def stored(tenant: Tenant) -> str:
    """A volume in a zone that is well."""
    return str(tenant.volume("az1")["id"])


def is_put_off(answer: requests.Response) -> None:
    """503 in the form of Nova and Cinder, with the time to come back."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["serviceUnavailable"]["code"] == 503
    assert "127.0.0.1" not in answer.text


def test_a_boot_in_a_dead_zone_leaves_nothing(
    sick: SickPod, tenant: Tenant, flavor: Json, image_id: str, network: Json
) -> None:
    """At first the pod is asked and not reached; then it is known to be away and not asked any more."""
    sick.be(Health.DOWN)
    own = tenant.here.make("network", "ports", "port", network_id=network["id"])
    pair = tenant.here.make("compute", "os-keypairs", "keypair", name="fn-dead", public_key=PUBLIC_KEY)
    before = tenant.traces()
    for _ in range(4):
        answer = tenant.boot(
            sick.zone,
            flavorRef=flavor["id"],
            imageRef=image_id,
            key_name=pair["name"],
            networks=[{"port": own["id"]}, {"uuid": network["id"]}],
        )
        is_put_off(answer)
        (port,) = tenant.region.centre.list("network", "ports", network_id=network["id"])
        assert port["id"] == own["id"]
        assert (port["device_id"], port["device_owner"], port["binding:host_id"]) == ("", "", "")
        assert port["fixed_ips"] == own["fixed_ips"]
        assert port["mac_address"] == own["mac_address"]
    assert tenant.traces() == before
    used = tenant.here.good("GET", "compute", "/limits")["limits"]["absolute"]
    assert used["totalInstancesUsed"] == len(before.get("Pod1 servers", []))
    assert tenant.here.delete("network", f"/ports/{own['id']}") == 204
    bindings = tenant.region.operate("GET", "/bindings").json()["pod_bindings"]
    assert [one for one in bindings if one["pod_id"] == sick.pod_id] == []


def test_a_boot_in_a_limping_zone_leaves_nothing(
    sick: SickPod, tenant: Tenant, flavor: Json, image_id: str, network: Json
) -> None:
    """What stands before the pod's services says 503 to whatever a boot needs."""
    sick.be(Health.WELL)
    before = tenant.traces()
    is_put_off(tenant.boot(sick.zone, flavorRef=flavor["id"], imageRef=image_id, networks=[{"uuid": network["id"]}]))
    assert tenant.traces() == before
    wanted = {"size": 1, "name": "fn-limping", "availability_zone": sick.zone}
    is_put_off(tenant.here("POST", "block-storage", "/volumes", {"volume": wanted}))


def test_the_port_of_a_refused_boot_can_be_used_elsewhere(
    sick: SickPod, tenant: Tenant, flavor: Json, image_id: str, network: Json
) -> None:
    sick.be(Health.DOWN)
    own = tenant.here.make("network", "ports", "port", network_id=network["id"])
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"port": own["id"]}]}
    is_put_off(tenant.boot(sick.zone, **wanted))
    server_id = tenant.booted("az2", **wanted)
    assert tenant.active(server_id)["status"] == "ACTIVE"
    tenant.gone("compute", f"/servers/{server_id}")


def test_a_volume_in_a_dead_zone_leaves_nothing(sick: SickPod, tenant: Tenant) -> None:
    sick.be(Health.DOWN)
    for _ in range(4):
        wanted = {"size": 1, "name": "fn-dead", "availability_zone": sick.zone}
        is_put_off(tenant.here("POST", "block-storage", "/volumes", {"volume": wanted}))
    for pod in tenant.inside:
        assert pod == "RegionOne" or tenant.inside[pod].list("block-storage", "volumes", name="fn-dead") == []


@pytest.mark.parametrize("health", [Health.DOWN, Health.SILENT])
def test_lists_are_marked_and_in_time(
    sick: SickPod, tenant: Tenant, resident: str, stored: str, health: Health
) -> None:
    sick.be(health)
    for service, path, expected in (
        ("compute", "/servers", resident),
        ("compute", "/servers/detail", resident),
        ("block-storage", "/volumes", stored),
        ("block-storage", "/volumes/detail", stored),
        ("block-storage", "/snapshots", None),
    ):
        began = time.monotonic()
        answer = tenant.here("GET", service, path)
        assert time.monotonic() - began < LIST_S + SLACK_S
        assert answer.status_code == 200, path
        missing = answer.headers[INCOMPLETE].split(", ")
        assert sick.zone in missing
        assert not {"az1", "az2"} & set(missing)
        (items,) = (value for value in answer.json().values() if isinstance(value, list))
        assert expected is None or expected in {item["id"] for item in items}


def test_zones_tell_who_is_away(sick: SickPod, tenant: Tenant) -> None:
    """A zone whose pod does not answer is not available."""
    sick.be(Health.DOWN)
    tenant.here("GET", "compute", "/servers")

    def zones() -> dict[str, bool]:
        found = tenant.here.good("GET", "compute", "/os-availability-zone")["availabilityZoneInfo"]
        tenant.here("GET", "compute", "/servers")
        return {zone["zoneName"]: zone["zoneState"]["available"] for zone in found}

    seen = eventually(zones, lambda zones: not zones[sick.zone], "known to be away")
    assert seen["az1"]
    assert seen["az2"]


def test_what_may_be_there_is_not_called_gone(
    sick: SickPod, region: Region, tenant: Tenant, resident: str, stored: str
) -> None:
    sick.be(Health.DOWN)
    for service, path in (("compute", "/servers"), ("block-storage", "/volumes"), ("block-storage", "/snapshots")):
        is_put_off(tenant.here("GET", service, f"{path}/{uuid.uuid4()}"))
        is_put_off(tenant.here("DELETE", service, f"{path}/{uuid.uuid4()}"))
    # What is known to be elsewhere is answered as ever.
    assert tenant.here("GET", "compute", f"/servers/{resident}").status_code == 200
    assert tenant.here("GET", "block-storage", f"/volumes/{stored}").status_code == 200


def test_boots_elsewhere_go_on(sick: SickPod, tenant: Tenant, flavor: Json, image_id: str) -> None:
    """Also one that leaves the zone to us."""
    sick.be(Health.DOWN)
    server_id = tenant.booted(flavorRef=flavor["id"], imageRef=image_id)
    assert tenant.active(server_id)["OS-EXT-AZ:availability_zone"] in ("az1", "az2")
    tenant.gone("compute", f"/servers/{server_id}")


def test_a_pod_that_is_gone_holds_nothing(sick: SickPod, region: Region, tenant: Tenant) -> None:
    """As soon as the pod is not registered any more, its silence is no reason not to know."""
    sick.be(Health.WELL)
    unknown = uuid.uuid4()

    def asked() -> int:
        return tenant.here("GET", "compute", f"/servers/{unknown}").status_code

    with sick_pod(region) as pod:
        pod.be(Health.DOWN)
        eventually(asked, lambda status: status == 503, "the pod is waited for")
    eventually(asked, lambda status: status == 404, "nobody has it")


def test_a_draining_pod_takes_nothing_new(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> None:
    with sick_pod(region) as pod:
        changed = region.operate("PUT", f"/pods/{pod.pod_id}", {"pod": {"state": "draining"}})
        assert changed.status_code == 200, changed.text
        boot = {"flavorRef": flavor["id"], "imageRef": image_id}
        eventually(lambda: tenant.boot(pod.zone, **boot).status_code, lambda status: status == 503, "refused")
        calls = len(pod.asked)
        is_put_off(tenant.boot(pod.zone, **boot))
        assert [call for call in pod.asked[calls:] if call[0] == "POST"] == []


def test_bindings_with_the_stock_client(region: Region, tenant: Tenant, resident: str) -> None:
    pods = {pod["pod_id"]: pod["pod_name"] for pod in region.operate("GET", "/pods").json()["pods"]}
    shown = {row["pod_id"]: row["pod_name"] for row in openstack("multiregion", "networking", "pod", "list")}
    assert shown == pods
    rows = openstack("multiregion", "networking", "binding", "list")
    mine = {pods[row["pod_id"]] for row in rows if row["tenant_id"] == tenant.project_id}
    assert "Pod1" in mine


def openstack(*words: str) -> list[Json]:
    """The rows that the stock client prints for the administrator."""
    lab = ROOT / ".lab"
    environment = {
        "PATH": os.environ["PATH"],
        "OS_CLIENT_CONFIG_FILE": str(lab / "clouds.yaml"),
        "OS_CLOUD": "tricircle-admin",
    }
    command = [str(lab / "venv" / "bin" / "openstack"), *words, "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    rows: list[Json] = json.loads(done.stdout)
    return rows


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpJm4dC4sLxOFPbZFSYCBrO2Ba0W0U6IJ2VKXyzLUHd functional"
