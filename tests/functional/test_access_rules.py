# SPDX-License-Identifier: Apache-2.0
"""May an application credential do exactly what its access rules say, through every door and all that is behind it?"""

from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.functional.credentials import bound_to
from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab
_NOBODY = "4f5b6cb5-7f0e-4b7e-a3fb-0d2b9be1f9a0"
#: A call at every door, as a rule names it: service, verb, path; one that answers 200 to whoever may.
_READS = [
    ("compute", "GET", "/v2.1/servers"),
    ("compute", "GET", "/v2.1/servers/detail"),
    ("compute", "GET", "/v2.1/flavors"),
    ("compute", "GET", "/v2.1/os-availability-zone"),
    ("compute", "GET", "/v2.1/limits"),
    ("compute", "GET", "/v2.1/os-server-groups"),
    ("block-storage", "GET", "/v3/volumes"),
    ("block-storage", "GET", "/v3/volumes/detail"),
    ("block-storage", "GET", "/v3/types"),
    ("block-storage", "GET", "/v3/limits"),
    ("network", "GET", "/v2.0/networks"),
    ("network", "GET", "/v2.0/ports"),
    ("image", "GET", "/v2/images"),
    ("identity", "GET", "/v3/auth/catalog"),
]
#: A life in all services, as rules; ids are wild.
_STORY = [
    "network POST /v2.0/networks", "network POST /v2.0/subnets", "network GET /v2.0/ports",
    "network DELETE /v2.0/networks/*", "block-storage POST /v3/volumes", "block-storage GET /v3/volumes/*",
    "block-storage DELETE /v3/volumes/*", "block-storage POST /v3/snapshots", "block-storage GET /v3/snapshots/*",
    "block-storage DELETE /v3/snapshots/*", "compute POST /v2.1/servers", "compute GET /v2.1/servers",
    "compute GET /v2.1/servers/*", "compute POST /v2.1/servers/*/action", "compute DELETE /v2.1/servers/*",
    "compute POST /v2.1/servers/*/os-volume_attachments", "compute DELETE /v2.1/servers/*/os-volume_attachments/*",
    "compute POST /v2.1/servers/*/os-interface", "compute GET /v2.1/servers/*/os-interface",
]  # fmt: skip
#: Where a door's paths begin.
_PREFIXES = {
    "compute": "/compute",
    "block-storage": "/volume",
    "network": "/network",
    "image": "/image",
    "identity": "/identity",
}


def raw(caller: Caller, method: str, target: str, headers: Mapping[str, str] | None = None) -> int:
    """The status of a call whose target nobody tidies up on the way."""
    front = urlsplit(next(iter(caller.roots.values())))
    connection = HTTPConnection(front.hostname or "", front.port, timeout=60)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in {"X-Auth-Token": caller.token, **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def told(caller: Caller, method: str, target: str) -> int:
    """As ``raw``; who is told to come again because a pod is busy comes again."""
    return eventually(lambda: raw(caller, method, target), lambda status: status != 503, target, 60)


def at_door(service: str, path: str) -> str:
    """The target of a call at a door."""
    return _PREFIXES[service] + path


def test_each_rule_allows_its_own_call_and_no_other(tenant: Tenant) -> None:
    """One credential for every call of a list: what it names is answered, what others name is 401, as by any
    service.
    """
    for number, allowed in enumerate(_READS):
        caller = bound_to(tenant, " ".join(allowed))
        others = [_READS[(number + further) % len(_READS)] for further in (1, 4, 7)]
        for service, method, path in (allowed, *others):
            expected = 200 if (service, method, path) == allowed else 401
            assert told(caller, method, at_door(service, path)) == expected, (allowed, service, method, path)


@pytest.mark.parametrize("zone", ["az1", "az2"])
def test_a_boot_needs_the_rule_for_boots_only(tenant: Tenant, flavor: Json, image_id: str, zone: str) -> None:
    """Network, ports, key, group, image, flavor: all that a boot touches is touched for it, as by Nova alone."""
    network = tenant.network("10.61.0.0/24" if zone == "az1" else "10.62.0.0/24")
    here = tenant.here
    group = here.make("network", "security-groups", "security_group", name=unique())
    pair = here.make("compute", "os-keypairs", "keypair", name=unique(), type="ssh")
    alike = here.make("compute", "os-server-groups", "server_group", name=unique(), policy="affinity")
    caller = bound_to(tenant, "compute POST /v2.1/servers")
    server = {
        "name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "availability_zone": zone,
        "networks": [{"uuid": network["id"]}], "key_name": pair["name"], "security_groups": [{"name": group["name"]}],
    }  # fmt: skip
    body = {"server": server, "os:scheduler_hints": {"group": alike["id"]}}
    answer = caller("POST", "compute", "/servers", body)
    assert answer.status_code == 202, answer.text
    server_id = answer.json()["server"]["id"]
    assert tenant.active(server_id)["status"] == "ACTIVE"
    assert caller("GET", "compute", f"/servers/{server_id}").status_code == 401
    assert caller.delete("compute", f"/servers/{server_id}") == 401
    tenant.gone("compute", f"/servers/{server_id}")


def test_a_life_within_its_rules(tenant: Tenant, flavor: Json, image_id: str) -> None:
    """Networks, volumes, snapshots and a server, made, joined, looked at and deleted with the rules for that alone."""
    caller = bound_to(tenant, *_STORY)
    network = caller.make("network", "networks", "network", name=unique())
    caller.make("network", "subnets", "subnet", network_id=network["id"], ip_version=4, cidr="10.63.0.0/24")
    volume = caller.make("block-storage", "volumes", "volume", size=1, name=unique(), availability_zone="az2")
    at_volume = f"/volumes/{volume['id']}"
    _reached(caller, "block-storage", at_volume, "volume", "available")
    snapshot = caller.make("block-storage", "snapshots", "snapshot", volume_id=volume["id"], name=unique())
    _reached(caller, "block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
    wanted = {
        "name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "availability_zone": "az2",
        "networks": [{"uuid": network["id"]}],
    }  # fmt: skip
    server = caller.make("compute", "servers", "server", **wanted)
    at_server = f"/servers/{server['id']}"
    _reached(caller, "compute", at_server, "server", "ACTIVE")
    assert server["id"] in [one["id"] for one in caller.list("compute", "servers")]
    attached = {"volumeAttachment": {"volumeId": volume["id"]}}
    assert caller("POST", "compute", f"{at_server}/os-volume_attachments", attached).status_code == 200
    _reached(caller, "block-storage", at_volume, "volume", "in-use")
    assert caller.delete("compute", f"{at_server}/os-volume_attachments/{volume['id']}") == 202
    _reached(caller, "block-storage", at_volume, "volume", "available")
    second = {"interfaceAttachment": {"net_id": network["id"]}}
    assert caller("POST", "compute", f"{at_server}/os-interface", second).status_code == 200
    held = caller.good("GET", "compute", f"{at_server}/os-interface")["interfaceAttachments"]
    assert len(held) == 2
    assert caller("POST", "compute", f"{at_server}/action", {"os-stop": None}).status_code == 202
    _reached(caller, "compute", at_server, "server", "SHUTOFF")
    for service, path in (
        ("compute", at_server), ("block-storage", f"/snapshots/{snapshot['id']}"), ("block-storage", at_volume),
    ):  # fmt: skip
        assert caller.delete(service, path) in (202, 204), path
        eventually(lambda s=service, p=path: caller("GET", s, p).status_code, lambda seen: seen == 404, f"{path} gone")  # type: ignore[misc]
    eventually(
        lambda: [port for port in caller.list("network", "ports", network_id=network["id"])
                 if port["device_owner"].startswith("compute:")],
        lambda left: not left, "its ports are gone",
    )  # fmt: skip
    assert caller.delete("network", f"/networks/{network['id']}") == 204


def _reached(caller: Caller, service: str, path: str, member: str, status: str) -> None:
    eventually(
        lambda: caller.good("GET", service, path)[member]["status"],
        lambda seen: seen in (status, "ERROR", "error"),
        f"{path} {status}",
    )
    assert caller.good("GET", service, path)[member]["status"] == status


def test_a_rule_is_for_the_form_of_the_path_that_it_names(tenant: Tenant) -> None:
    """With a project id in front or without, of Nova's legacy version or the other, as in one cloud."""
    project = tenant.project_id
    for rule, allowed, refused in (
        (f"block-storage GET /v3/{project}/volumes", f"/v3/{project}/volumes", "/v3/volumes"),
        ("block-storage GET /v3/{project_id}/volumes", f"/v3/{project}/volumes", "/v3/volumes"),
        ("compute GET /v2/servers", "/v2/servers", "/v2.1/servers"),
        (f"compute GET /v2.1/{project}/servers", f"/v2.1/{project}/servers", "/v2.1/servers"),
        ("compute GET /v2.1/**", f"/v2.1/{project}/servers/detail", "/v2/servers"),
    ):
        caller, service = bound_to(tenant, rule), rule.split()[0]
        assert told(caller, "GET", at_door(service, allowed)) == 200, rule
        assert told(caller, "GET", at_door(service, refused)) == 401, rule


_SERVERS = "/compute/v2.1/servers"
_EVASIONS = [
    ("GET", f"{_SERVERS}/detail"), ("GET", f"{_SERVERS}%2Fdetail"), ("GET", f"{_SERVERS}//detail"),
    ("GET", f"{_SERVERS}/../flavors"), ("GET", f"{_SERVERS}/%2e%2e/flavors"), ("GET", f"{_SERVERS}/..%2Fflavors"),
    ("GET", f"{_SERVERS};/detail"), ("GET", f"{_SERVERS}%3F/detail"), ("GET", f"{_SERVERS}/"),
    ("GET", f"{_SERVERS}%0a"), ("GET", f"{_SERVERS}%00/detail"), ("GET", f"{_SERVERS}\\..\\flavors"),
    ("GET", "/compute/v2/servers"), ("GET", "/compute/v2.1/Servers/detail"),
    ("GET", "/compute/v2.1/%73ervers/detail"), ("GET", "/compute/v2.1//flavors"), ("GET", "//compute/v2.1/flavors"),
    ("GET", f"/compute/v2.1/servers/{_NOBODY}"), ("GET", "/volume/v3/volumes"), ("GET", "/volume/v2.1/servers"),
    ("GET", "/network/v2.1/servers"), ("GET", "/network/v2.0/networks"), ("GET", "/image/v2/images"),
    ("GET", "/compute/v2.1/servers/../../../volume/v3/volumes"), ("GET", "/identity/v3/projects"),
    ("HEAD", _SERVERS), ("POST", _SERVERS), ("PUT", _SERVERS), ("DELETE", f"{_SERVERS}/{_NOBODY}"), ("get", _SERVERS),
    ("PATCH", _SERVERS), ("OPTIONS", _SERVERS),
]  # fmt: skip


def test_a_rule_cannot_be_evaded(tenant: Tenant) -> None:
    """No spelling, verb, version or door makes one allowed call into another."""
    caller = bound_to(tenant, "compute GET /v2.1/servers")
    assert told(caller, "GET", _SERVERS) == 200
    for method, target in _EVASIONS:
        assert raw(caller, method, target) in (400, 401, 404, 405, 501), (method, target)
    # What is no version is answered to everybody with those that there are.
    assert raw(caller, "GET", "/compute/V2.1/servers") == 300
    # The same path in another spelling is the same call.
    for same in ("//compute/v2.1/servers", "/compute//v2.1//servers", "/compute/v2.1/%73ervers", f"{_SERVERS}?limit=1"):
        assert told(caller, "GET", same) == 200, same


def test_headers_change_nothing(tenant: Tenant) -> None:
    """Neither a verb that a header claims, nor a path, nor a service token of the client's own."""
    caller = bound_to(tenant, "compute GET /v2.1/servers")
    for headers in (
        {"X-Service-Token": caller.token},
        {"X-Service-Token": tenant.here.token},
        {"X-Service-Roles": "service", "X-Service-Identity-Status": "Confirmed"},
        {"X-Original-URL": "/v2.1/servers", "X-Rewrite-URL": "/v2.1/servers"},
        {"X-HTTP-Method-Override": "GET", "X-Forwarded-Prefix": "/v2.1/servers"},
    ):
        assert raw(caller, "GET", "/compute/v2.1/flavors", headers) == 401, headers
        assert raw(caller, "DELETE", f"{_SERVERS}/{_NOBODY}", headers) == 401, headers
    overridden = {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST"}
    assert eventually(lambda: raw(caller, "GET", _SERVERS, overridden), lambda seen: seen != 503, "the list") == 200


def test_pods_hold_the_same_against_the_same_rules(tenant: Tenant, region: Region) -> None:
    """What goes on to a pod is judged there once more: past the doors, too, nothing else is allowed."""
    caller = bound_to(
        tenant, "compute GET /v2.1/servers", "block-storage GET /v3/volumes", "network GET /v2.0/networks"
    )
    for name, operator in (*region.pods.items(), ("RegionOne", region.centre)):
        inside = region.elsewhere(caller, operator.roots)
        for service, path in (("compute", "/servers"), ("block-storage", "/volumes"), ("network", "/networks")):
            assert inside("GET", service, path).status_code == 200, (name, service)
            assert inside("GET", service, f"{path}/{_NOBODY}").status_code == 401, (name, service)


def test_a_service_that_does_not_know_its_name_is_said_to(tenant: Tenant) -> None:
    """Block storage has two names in catalogs. The doors take both in a rule; the lab's services know one."""
    caller = bound_to(tenant, "volumev3 POST /v3/volumes", "volumev3 GET /v3/types")
    made = {"volume": {"size": 1, "name": unique(), "availability_zone": "az1"}}
    for answer in (
        caller("GET", "block-storage", "/types"),
        caller("POST", "block-storage", "/volumes", made),
    ):
        assert answer.status_code == 403, (answer.url, answer.status_code, answer.text)
        assert "access rules" in answer.text
        assert not any(pod in answer.text for pod in ("Pod1", "Pod2"))
    assert tenant.here.list("block-storage", "volumes", name=made["volume"]["name"]) == []
