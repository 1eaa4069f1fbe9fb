# SPDX-License-Identifier: Apache-2.0
"""What does a pod show of its storage hosts, and how is what lies there managed?"""

from collections.abc import Callable

from tests.contract.cloud import Cloud, eventually
from tests.contract.conftest import Undo
from tests.contract.test_volume_groups import said


def backend(cloud: Cloud) -> str:
    """The host of the volume service."""
    services = cloud.admin.good("GET", "block-storage", "/v3/os-services?binary=cinder-volume")["services"]
    return str(services[0]["host"])


def test_services_of_a_host(cloud: Cloud) -> None:
    host = backend(cloud)
    status, body = said(cloud.admin, "GET", f"/os-services?host={host}")
    assert status == 200
    assert [one["host"] for one in body["services"]] == [host]
    assert said(cloud.admin, "GET", "/os-services?host=no-such")[1] == {"services": []}


def test_a_service_is_switched_by_its_host(cloud: Cloud) -> None:
    host = backend(cloud)
    for word, is_disabled in (("disable", True), ("enable", False)):
        status, body = said(cloud.admin, "PUT", f"/os-services/{word}", {"host": host, "binary": "cinder-volume"})
        assert (status, body["host"], body["disabled"]) == (200, host, is_disabled)
    status, body = said(cloud.admin, "PUT", "/os-services/disable", {"binary": "cinder-volume"})
    assert (status, body["badRequest"]["message"]) == (400, "Invalid input received: Host field is missing.")
    status, body = said(cloud.admin, "PUT", "/os-services/disable", {"host": "no-such", "binary": "cinder-volume"})
    text = "Service cinder-volume could not be found on host no-such."
    assert (status, body["itemNotFound"]["message"]) == (404, text)


def test_log_levels(cloud: Cloud) -> None:
    body = {"binary": "cinder-volume", "prefix": "cinder.volume"}
    status, found = said(cloud.admin, "PUT", "/os-services/get-log", body, version="3.32")
    assert status == 200
    assert backend(cloud) in [one["host"] for one in found["log_levels"]]
    assert said(cloud.admin, "PUT", "/os-services/get-log", body, version="3.31")[0] == 404


def test_hosts_and_capabilities(cloud: Cloud) -> None:
    host = backend(cloud)
    hosts = said(cloud.admin, "GET", "/os-hosts")[1]["hosts"]
    assert host in [one["host_name"] for one in hosts]
    shown = said(cloud.admin, "GET", f"/os-hosts/{host}")[1]["host"]
    assert (shown[0]["resource"]["host"], shown[0]["resource"]["project"]) == (host, "(total)")
    status, body = said(cloud.admin, "GET", "/os-hosts/no-such")
    text = "Service cinder-volume could not be found on host no-such."
    assert (status, body["itemNotFound"]["message"]) == (404, text)
    assert said(cloud.admin, "GET", f"/capabilities/{host}")[1]["namespace"] == f"OS::Storage::Capabilities::{host}"
    assert said(cloud.admin, "GET", "/capabilities/no-such")[0] == 404


def _safe(body: dict) -> dict[str, int]:
    """Sizes of what can be managed, by name."""
    found = [one for one in body["manageable-volumes"] if one["safe_to_manage"]]
    return {one["reference"]["source-name"]: one["size"] for one in found}


def test_a_volume_is_left_and_managed_again(cloud: Cloud, volume: Callable[..., dict], undo: Undo) -> None:
    made = volume()
    place = cloud.admin.good("GET", "block-storage", f"/v3/volumes/{made['id']}")["volume"]["os-vol-host-attr:host"]
    name = f"volume-{made['id']}"
    assert said(cloud.admin, "POST", f"/volumes/{made['id']}/action", {"os-unmanage": {}})[0] == 202
    listed = eventually(
        lambda: _safe(said(cloud.admin, "GET", f"/manageable_volumes?host={place.replace('#', '%23')}")[1]),
        lambda sizes: name in sizes,
    )
    assert listed[name] == 1
    body = {"volume": {"host": place, "ref": {"source-name": name}, "name": "again"}}
    status, answer = said(cloud.admin, "POST", "/manageable_volumes", body)
    assert status == 202, answer
    path = f"/v3/volumes/{answer['volume']['id']}"
    undo(cloud.admin, "block-storage", path)
    shown = eventually(
        lambda: cloud.admin.good("GET", "block-storage", path)["volume"], lambda one: one["status"] == "available"
    )
    assert (shown["name"], shown["size"]) == ("again", 1)


def test_managing_needs_a_host(cloud: Cloud) -> None:
    text = "Invalid input received: One and only one of cluster and host must be set."
    status, body = said(cloud.admin, "GET", "/manageable_volumes", version="3.17")
    assert (status, body["badRequest"]["message"]) == (400, text)
    assert said(cloud.tenant, "GET", "/manageable_volumes?host=x")[0] == 403
    assert said(cloud.admin, "GET", "/manageable_volumes?host=x", version="3.7")[0] == 404
