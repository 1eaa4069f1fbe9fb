# SPDX-License-Identifier: Apache-2.0
"""Does an administrator find, name and change the machines of two real pods that bear one name, as those of one Nova?

Needs the lab with its pods registered: all pods' compute hosts are called ``canaryhost-1`` there.
"""

import json
from collections.abc import Iterator

import pytest

from lab.topology import PASSWORD
from tests.functional.region_world import ZONES, Caller, Json, Region, ask, eventually, sign_in, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

PLAIN, FULL = "canaryhost-1", "Pod1.canaryhost-1"
_ZONE = "availability_zone"
OLD = {"OpenStack-API-Version": "compute 2.42"}


def services(region: Region, **params: object) -> list[Json]:
    return region.admin.list("compute", "os-services", binary="nova-compute", **params)


@pytest.fixture
def aggregate(region: Region) -> Iterator[Json]:
    made = region.admin.make("compute", "os-aggregates", "aggregate", name=unique(), availability_zone=unique("zone"))
    yield made
    shown = region.admin.good("GET", "compute", f"/os-aggregates/{made['id']}")["aggregate"]
    for host in shown["hosts"]:
        act(region, made, "remove_host", host=host)
    assert region.admin.delete("compute", f"/os-aggregates/{made['id']}") == 200


@pytest.fixture(scope="module")
def reader(region: Region) -> Iterator[Caller]:
    """Somebody in the administrator's project who is none."""
    admin, name = region.admin, unique("fn-reader")
    user = admin.make("identity", "users", "user", name=name, password=PASSWORD, domain_id="default")
    (role,) = admin.list("identity", "roles", name="reader")
    admin.good("PUT", "identity", f"/projects/{admin.project_id}/users/{user['id']}/roles/{role['id']}")
    yield sign_in(region.identity, name, PASSWORD, {"id": admin.project_id}, region.doors)
    assert admin.delete("identity", f"/users/{user['id']}") == 204


def act(region: Region, aggregate: Json, action: str, **content: object) -> Json:
    path = f"/os-aggregates/{aggregate['id']}/action"
    acted: Json = region.admin.good("POST", "compute", path, {action: content})["aggregate"]
    return acted


def copies(region: Region, pod: str, aggregate: Json) -> list[Json]:
    name = f"tricircle.{aggregate['id']}"
    return [one for one in region.pods[pod].list("compute", "os-aggregates") if one["name"] == name]


def test_a_service_is_changed_by_its_id_and_by_its_full_name(region: Region) -> None:
    (one,) = services(region, host=FULL)
    assert {service["host"] for service in services(region)} >= {"Pod1.canaryhost-1", "Pod2.canaryhost-1"}
    path = f"/os-services/{one['id']}"
    told = region.admin.good("PUT", "compute", path, {"status": "disabled", "disabled_reason": "a test"})["service"]
    assert (told["host"], told["zone"], told["status"]) == (FULL, "az1", "disabled")
    assert [service["status"] for service in region.pods["Pod2"].list("compute", "os-services", host=PLAIN)]
    body = {"host": FULL, "binary": "nova-compute"}
    answer = region.admin("PUT", "compute", "/os-services/enable", body, headers=OLD)
    assert (answer.status_code, answer.json()["service"]["host"]) == (200, FULL)
    (again,) = services(region, host=FULL)
    assert again["status"] == "enabled"


def test_a_plain_name_that_several_pods_have_is_refused_with_the_full_ones(region: Region) -> None:
    body = {"host": PLAIN, "binary": "nova-compute"}
    answer = region.admin("PUT", "compute", "/os-services/disable", body, headers=OLD)
    assert answer.status_code == 400
    assert "Pod1.canaryhost-1, Pod2.canaryhost-1" in answer.json()["badRequest"]["message"]


def test_hosts_of_the_old_list_are_shown_by_the_names_that_it_gives(region: Region) -> None:
    hosts = region.admin("GET", "compute", "/os-hosts", headers=OLD).json()["hosts"]
    (mine,) = [host for host in hosts if (host["host_name"], host["service"]) == (FULL, "compute")]
    assert mine["zone"] == "az1"
    in_zone = region.admin("GET", "compute", "/os-hosts?zone=az1", headers=OLD).json()["hosts"]
    assert mine in in_zone
    assert "Pod2.canaryhost-1" not in {host["host_name"] for host in in_zone}
    internal = region.admin("GET", "compute", "/os-hosts?zone=internal", headers=OLD).json()["hosts"]
    assert "Pod2.canaryhost-1" in {host["host_name"] for host in internal}
    shown = region.admin("GET", "compute", f"/os-hosts/{FULL}", headers=OLD).json()["host"]
    assert {row["resource"]["host"] for row in shown} == {FULL}
    # The lab's hypervisor takes its host's power for a word.
    told = region.admin("GET", "compute", f"/os-hosts/{FULL}/reboot", headers=OLD)
    assert (told.status_code, told.json()) == (200, {"host": FULL, "power_action": "reboot"})
    unknown = region.admin("GET", "compute", "/os-hosts/nobody/reboot", headers=OLD)
    assert (unknown.status_code, "nobody" in unknown.text) == (404, True)
    assert region.admin("GET", "compute", "/os-hosts").status_code == 404  # gone from 2.43 on


def test_hypervisors_are_found_by_full_names_and_by_patterns(region: Region) -> None:
    everywhere = region.admin.list("compute", "os-hypervisors", hypervisor_hostname_pattern="canaryhost")
    assert {one["hypervisor_hostname"] for one in everywhere} >= {"Pod1.canaryhost-1", "Pod2.canaryhost-1"}
    (one,) = region.admin.list("compute", "os-hypervisors", hypervisor_hostname_pattern=FULL)
    shown = region.admin.good("GET", "compute", f"/os-hypervisors/{one['id']}")["hypervisor"]
    assert shown["service"]["host"] == FULL
    nothing = region.admin("GET", "compute", "/os-hypervisors", params={"hypervisor_hostname_pattern": "nobody"})
    assert nothing.status_code == 404


def test_an_aggregate_of_the_centre_holds_hosts_of_pods(region: Region, aggregate: Json) -> None:
    free = _free(region)
    full, (other,) = f"{free}.{PLAIN}", {"Pod1", "Pod2"} - {free}
    assert act(region, aggregate, "add_host", host=full)["hosts"] == [full]
    (copy,) = copies(region, free, aggregate)
    assert copy["hosts"] == [PLAIN]
    assert copy["availability_zone"] == f"tricircle.{aggregate['availability_zone']}"
    assert copies(region, other, aggregate) == []
    act(region, aggregate, "set_metadata", metadata={"ssd": "true"})
    (copy,) = copies(region, free, aggregate)
    assert copy["metadata"]["ssd"] == "true"
    twice = region.admin("POST", "compute", f"/os-aggregates/{aggregate['id']}/action", {"add_host": {"host": full}})
    assert (twice.status_code, f"Aggregate {aggregate['id']} already" in twice.text) == (409, True)
    refused = region.admin("DELETE", "compute", f"/os-aggregates/{aggregate['id']}")
    assert (refused.status_code, "not empty" in refused.text) == (400, True)
    assert act(region, aggregate, "remove_host", host=full)["hosts"] == []
    assert copies(region, free, aggregate) == []


def test_servers_are_booted_in_the_zone_that_an_aggregate_makes(
    region: Region, aggregate: Json, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    zone = aggregate["availability_zone"]
    refused = tenant.boot(zone, flavorRef=flavor["id"], imageRef=image_id)
    assert refused.status_code == 400  # as in Nova, a zone without hosts is none
    free = _free(region)
    act(region, aggregate, "add_host", host=f"{free}.canaryhost-1")
    zones = tenant.here.good("GET", "compute", "/os-availability-zone")["availabilityZoneInfo"]
    assert zone in {one["zoneName"] for one in zones}
    server_id = tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id)
    try:
        assert tenant.active(server_id)["OS-EXT-AZ:availability_zone"] == zone
        shown = region.admin.good("GET", "compute", f"/servers/{server_id}")["server"]
        assert shown["OS-EXT-SRV-ATTR:host"] == f"{free}.canaryhost-1"
        found = region.admin.list("compute", "servers", all_tenants="1", host=f"{free}.canaryhost-1")
        assert server_id in {one["id"] for one in found}
        _found_by_its_zone(region, tenant, server_id, zone)
    finally:
        tenant.gone("compute", f"/servers/{server_id}")


def test_a_server_is_held_to_the_zone_that_an_aggregate_makes(
    region: Region, aggregate: Json, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    zone, free = aggregate["availability_zone"], _free(region)
    act(region, aggregate, "add_host", host=f"{free}.canaryhost-1")
    server_id = tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id)
    try:
        tenant.active(server_id)
        _held_to_its_zone(tenant, server_id, zone, ZONES[free])
    finally:
        tenant.gone("compute", f"/servers/{server_id}")


def _held_to_its_zone(tenant: Tenant, server_id: str, zone: str, other: str) -> None:
    """Let go and held again, by pinning and from its shelf; its pod's AZ is another one."""
    path, newest = f"/servers/{server_id}", {"OpenStack-API-Version": "compute 2.104"}

    def pinned() -> object:
        shown = tenant.here("GET", "compute", path, headers=newest).json()["server"]
        return shown["pinned_availability_zone"]

    def pin(name: str | None) -> int:
        body = {"server": {"pinned_availability_zone": name}}
        return tenant.here("PUT", "compute", path, body, headers=newest).status_code

    def back(name: str | None) -> object:
        """Put away, brought back into an AZ: the one that it is held to then."""
        for action, status in (({"shelve": None}, "SHELVED_OFFLOADED"), ({"unshelve": {_ZONE: name}}, "ACTIVE")):
            said = tenant.here("POST", "compute", f"{path}/action", action, headers=newest)
            assert said.status_code == 202, said.text
            tenant.reached("compute", path, "server", status)
        return pinned()

    assert pinned() == zone
    assert (pin(other), pin(None), pinned()) == (409, 200, None)
    assert (pin(other), pin(zone), pinned()) == (409, 200, zone)
    assert back(None) is None
    assert back(zone) == zone


def _found_by_its_zone(region: Region, tenant: Tenant, server_id: str, zone: str) -> None:
    """By the AZ that it shows and by no other: by members from 2.83 on, by administrators always."""
    new, old = ({"OpenStack-API-Version": f"compute {version}"} for version in ("2.83", "2.82"))

    def is_found(caller: Caller, query: str, headers: dict[str, str]) -> bool:
        # On a busy machine a pod may be late.
        answer = eventually(
            lambda: caller("GET", "compute", f"/servers?availability_zone={query}", headers=headers),
            lambda seen: seen.status_code == 200 and "OpenStack-Incomplete-AZs" not in seen.headers,
            query,
        )
        return server_id in {one["id"] for one in answer.json()["servers"]}

    for wanted, is_there in ((zone, True), (f"^{zone}$", True), ("az1", False), ("az2", False), ("nowhere", False)):
        assert is_found(tenant.here, wanted, new) == is_there, wanted
        assert is_found(region.admin, f"{wanted}&all_tenants=1", old) == is_there, wanted
        assert is_found(tenant.here, wanted, old), wanted


def _free(region: Region) -> str:
    """A pod without servers: Nova gives no other zone to a host that has some."""
    pods = ("Pod1", "Pod2")
    found = eventually(
        lambda: [one for one in pods if not region.pods[one].list("compute", "servers", all_tenants="1")],
        bool,
        "a pod without servers",
    )
    return str(found[0])


def test_an_administrator_boots_on_the_host_that_he_names(region: Region, flavor: Json, image_id: str) -> None:
    server = {"name": unique(), "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id}
    made = region.admin.make("compute", "servers", "server", **server, host="Pod2.canaryhost-1")
    path = f"/servers/{made['id']}"
    try:
        seen = eventually(
            lambda: region.admin.good("GET", "compute", path)["server"],
            lambda one: one["status"] in ("ACTIVE", "ERROR"),
            "boot",
        )
        assert (seen["status"], seen["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "Pod2.canaryhost-1")
    finally:
        assert region.admin.delete("compute", path) == 204
    unknown = region.admin("POST", "compute", "/servers", {"server": {**server, "host": "nobody"}})
    assert (unknown.status_code, "Compute host nobody could not be found" in unknown.text) == (400, True)


@pytest.mark.parametrize(("pod", "zone"), [("Pod1", "az1"), ("Pod2", "az2")])
def test_a_hint_names_the_host_that_an_administrator_means(
    region: Region, flavor: Json, image_id: str, pod: str, zone: str
) -> None:
    """Both pods have a host of this name, and no AZ is named."""
    query = ["and", [">=", "$free_ram_mb", 64], ["=", "$host", f"{pod}.{PLAIN}"]]
    server = {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"query": json.dumps(query)}}
    server_id = region.admin.good("POST", "compute", "/servers", body)["server"]["id"]
    path = f"/servers/{server_id}"

    def look() -> Json:
        shown: Json = region.admin.good("GET", "compute", path)["server"]
        return shown

    try:
        shown = eventually(look, lambda seen: seen["status"] in ("ACTIVE", "ERROR"), "the server is up")
        assert (shown["status"], shown["OS-EXT-AZ:availability_zone"]) == ("ACTIVE", zone)
        assert shown["OS-EXT-SRV-ATTR:host"] == f"{pod}.{PLAIN}"
    finally:
        assert region.admin.delete("compute", path) == 204


def hints_of(caller: Caller, path: str) -> Json:
    """A server's scheduler hints. Nova's own schema does not allow the lists that Nova makes of them."""
    headers = {"X-Auth-Token": caller.token, "OpenStack-API-Version": "compute 2.100"}
    answer = ask("GET", caller.roots["compute"] + path, headers=headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["server"]["scheduler_hints"]
    return found


def test_a_hint_is_shown_as_it_was_asked_and_to_others_without_hosts(
    region: Region, reader: Caller, flavor: Json, image_id: str
) -> None:
    query = ["and", [">=", "$free_ram_mb", 64], ["=", "$host", f"Pod2.{PLAIN}"]]
    server = {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"query": json.dumps(query)}}
    path = f"/servers/{region.admin.good('POST', 'compute', '/servers', body)['server']['id']}"
    try:
        assert hints_of(region.admin, path)["query"] == [json.dumps(query)]
        (seen,) = hints_of(reader, path)["query"]
        assert json.loads(seen) == ["and", query[1], ["=", "$host", "(hidden)"]]
    finally:
        assert region.admin.delete("compute", path) == 204


def test_tenants_see_no_host_and_may_change_none(region: Region, tenant: Tenant) -> None:
    for method, path in (
        ("GET", "/os-services"),
        ("GET", "/os-hypervisors"),
        ("GET", "/os-hypervisors/detail?marker=3d1ab5ac-2ba3-4c10-a7b0-8a3f7d8b2f4b"),
        ("GET", "/os-aggregates"),
        ("PUT", "/os-services/3d1ab5ac-2ba3-4c10-a7b0-8a3f7d8b2f4b"),
    ):
        body = {"status": "disabled"} if method == "PUT" else None
        answer = tenant.here(method, "compute", path, body)
        assert answer.status_code == 403, (path, answer.text)
        assert "canaryhost" not in answer.text
