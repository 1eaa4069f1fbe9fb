# SPDX-License-Identifier: Apache-2.0
"""Is there one copy of a declared thing in each pod that needs it, however many ask at once, and does it follow?

What is declared is made, changed and deleted at the doors; the copies are looked at in the pods, as their operators.
"""

import base64
import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.functional.region_world import ZONES, Caller, Json, Region, at_once, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

LIMITS = {
    "compute": ("/os-quota-sets", "quota_set", {"instances": 40, "cores": 40}),
    "block-storage": ("/os-quota-sets", "quota_set", {"volumes": 40}),
}


@pytest.fixture(scope="module")
def tenant(region: Region) -> Iterator[Tenant]:
    """As everybody's, with room for ten and more."""
    made = Tenant(region)
    for service, (path, key, limits) in LIMITS.items():
        region.admin.good("PUT", service, f"{path}/{made.project_id}", {key: limits})
    yield made
    made.sweep()


@pytest.fixture(scope="module")
def network(tenant: Tenant) -> Json:
    return tenant.network("10.41.0.0/24")


@pytest.fixture(scope="module")
def server(tenant: Tenant, flavor: Json, image_id: str, network: Json) -> Json:
    """A server in az1 with one port that we made."""
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    return tenant.active(tenant.booted("az1", **wanted))


@pytest.fixture
def undo(region: Region) -> Iterator[Callable[[Caller, str, str], None]]:
    """``undo(caller, service, path)``: DELETE this when the test is over, last first."""
    paths: list[tuple[Caller, str, str]] = []
    yield lambda caller, service, path: paths.append((caller, service, path))
    for caller, service, path in reversed(paths):
        caller.delete(service, path)


def new_key() -> str:
    """A public key that nobody has; whether anybody could use it does not matter."""
    parts = (b"ssh-ed25519", os.urandom(32))
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} fn"


def fingerprint(public_key: str) -> str:
    """As Nova shows it."""
    digest = hashlib.md5(base64.b64decode(public_key.split()[1]), usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def marked(pod: Caller, collection: str, central_id: object) -> list[Json]:
    """The copies of an object of the central network service."""
    return pod.list("network", collection, description=f"tricircle:{central_id}")


def flavors_named(pod: Caller, name: str) -> list[Json]:
    """Flavors in a pod whose name is this, or ends with it."""
    found = pod.list("compute", "flavors/detail", is_public="None")
    return [flavor for flavor in found if flavor["name"].endswith(name)]


def copy_of(pod: Caller, collection: str, central_id: object) -> Json:
    """The one copy of an object."""
    (copy,) = marked(pod, collection, central_id)
    return copy


def follows(pod: Caller, collection: str, central_id: object, wanted: Mapping[str, Any]) -> None:
    """Wait until the one copy has these values."""
    eventually(
        lambda: [{key: copy.get(key) for key in wanted} for copy in marked(pod, collection, central_id)],
        lambda seen: seen == [dict(wanted)],
        f"{collection} {central_id} follows",
    )


# --- many at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zones", [("az1", "az1"), ("az1", "az2", "az1", "az2")], ids=["two", "four"])
def test_boots_at_once_share_copies(
    region: Region, tenant: Tenant, image_id: str, zones: tuple[str, ...], undo: Callable[[Caller, str, str], None]
) -> None:
    name = unique("fn-shared")
    admin, here = region.admin, tenant.here
    flavor = admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    undo(admin, "compute", f"/flavors/{name}")
    here.make("compute", "os-keypairs", "keypair", name=name, public_key=new_key())
    network = tenant.network("10.42.0.0/24", name=name)
    group = here.make("network", "security-groups", "security_group", name=name)
    wanted = {
        "flavorRef": flavor["id"],
        "imageRef": image_id,
        "key_name": name,
        "networks": [{"uuid": network["id"]}],
        "security_groups": [{"name": name}],
    }
    made = at_once([lambda zone=zone: tenant.booted(zone, **wanted) for zone in zones])  # type: ignore[misc]
    servers = [tenant.active(server_id) for server_id in made]
    assert [server["status"] for server in servers] == ["ACTIVE"] * len(zones)
    assert [server["OS-EXT-AZ:availability_zone"] for server in servers] == list(zones)
    addresses = [address["addr"] for server in servers for address in server["addresses"][name]]
    assert len(set(addresses)) == len(zones)
    for pod_name in {pod for pod, zone in ZONES.items() if zone in zones}:
        pod = region.pods[pod_name]
        for collection, central_id in (
            ("networks", network["id"]),
            ("subnets", network["subnets"][0]),
            ("security-groups", group["id"]),
        ):
            assert len(marked(pod, collection, central_id)) == 1, collection
        assert len(pod.list("network", "networks", name=name)) == 1
        assert len(pod.list("network", "security-groups", name=name)) == 1
        assert [one["name"] for one in flavors_named(pod, name)] == [name]
        pairs = tenant.inside[pod_name].list("compute", "os-keypairs")
        assert [pair["keypair"]["name"] for pair in pairs].count(name) == 1
        copy = copy_of(pod, "networks", network["id"])
        ports = pod.list("network", "ports", network_id=copy["id"])
        owned = [port for port in ports if port["device_owner"].startswith("compute:")]
        assert len(owned) == zones.count(ZONES[pod_name])
    at_once([lambda one=one: tenant.gone("compute", f"/servers/{one}") for one in made])  # type: ignore[misc]
    eventually(
        lambda: [
            port
            for port in here.list("network", "ports", network_id=network["id"])
            if port["device_owner"].startswith("compute:")
        ],
        lambda left: not left,
        "no port is left",
    )
    assert here.delete("network", f"/networks/{network['id']}") == 204
    for pod in region.pods.values():
        eventually(lambda pod=pod: marked(pod, "networks", network["id"]), lambda left: not left, "no copy left")  # type: ignore[misc]


@pytest.mark.parametrize("zones", [("az1", "az1"), ("az1", "az2") * 5], ids=["two", "ten"])
def test_volumes_at_once_share_a_type(
    region: Region, tenant: Tenant, zones: tuple[str, ...], undo: Callable[[Caller, str, str], None]
) -> None:
    name = unique("fn-type")
    specs = {"fn:colour": "red"}
    kind = region.admin.make("block-storage", "types", "volume_type", name=name, extra_specs=specs)
    undo(region.admin, "block-storage", f"/types/{kind['id']}")
    calls = [lambda zone=zone: tenant.volume(zone, volume_type=name) for zone in zones]
    volumes = at_once(calls)
    assert [(volume["availability_zone"], volume["volume_type"]) for volume in volumes] == [
        (zone, name) for zone in zones
    ]
    for pod_name, pod in region.pods.items():
        found = pod.good("GET", "block-storage", "/types", is_public="None")["volume_types"]
        copies = [one for one in found if one["name"] == name]
        assert len(copies) == (1 if ZONES[pod_name] in zones else 0)
        for copy in copies:
            assert (copy["description"], copy["extra_specs"]) == (f"tricircle:{kind['id']}", specs)
    at_once([lambda one=one: tenant.gone("block-storage", f"/volumes/{one['id']}") for one in volumes])  # type: ignore[misc]


# --- flavors, key pairs, groups, types ------------------------------------------------------------------------------


def test_a_flavor_whose_id_means_something_else_in_the_pod(
    region: Region, tenant: Tenant, image_id: str, undo: Callable[[Caller, str, str], None]
) -> None:
    admin, pod = region.admin, region.pods["Pod2"]
    flavor_id, name = unique("fn-twin"), unique("fn-ours")
    pod.make("compute", "flavors", "flavor", name=unique("canary-flavor"), id=flavor_id, ram=333, vcpus=3, disk=3)
    undo(pod, "compute", f"/flavors/{flavor_id}")
    admin.make("compute", "flavors", "flavor", name=name, id=flavor_id, ram=96, vcpus=2, disk=1)
    undo(admin, "compute", f"/flavors/{flavor_id}")
    server_id = tenant.booted("az2", flavorRef=flavor_id, imageRef=image_id)
    seen = tenant.active(server_id)
    assert seen["status"] == "ACTIVE"
    shape = {"original_name": name, "ram": 96, "vcpus": 2, "disk": 1}
    assert {key: seen["flavor"][key] for key in shape} == shape
    old = tenant.here("GET", "compute", f"/servers/{server_id}", headers={"OpenStack-API-Version": "compute 2.1"})
    assert old.json()["server"]["flavor"]["id"] == flavor_id
    assert old.json()["server"]["flavor"]["links"][0]["href"] == f"{region.front}/compute/flavors/{flavor_id}"
    inside = pod.good("GET", "compute", f"/servers/{server_id}")["server"]["flavor"]
    assert (inside["ram"], inside["vcpus"], inside["disk"]) == (96, 2, 1)
    listed = tenant.here.list("compute", "servers/detail", flavor=flavor_id)
    assert ids(listed) == [server_id]
    tenant.gone("compute", f"/servers/{server_id}")
    assert admin.delete("compute", f"/flavors/{flavor_id}") == 202
    eventually(lambda: flavors_named(pod, name), lambda left: not left, "the copy is gone")
    assert pod.good("GET", "compute", f"/flavors/{flavor_id}")["flavor"]["ram"] == 333


def test_extra_specs_follow(
    region: Region, tenant: Tenant, image_id: str, undo: Callable[[Caller, str, str], None]
) -> None:
    name = unique("fn-specs")
    admin, pod = region.admin, region.pods["Pod1"]
    admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    undo(admin, "compute", f"/flavors/{name}")
    path = f"/flavors/{name}/os-extra_specs"
    admin.good("POST", "compute", path, {"extra_specs": {"hw:cpu_policy": "shared", "hw:mem_page_size": "any"}})
    server_id = tenant.booted("az1", flavorRef=name, imageRef=image_id)
    tenant.active(server_id)

    def specs() -> Json:
        found: Json = pod.good("GET", "compute", path)["extra_specs"]
        return found

    assert specs() == {"hw:cpu_policy": "shared", "hw:mem_page_size": "any"}
    admin.good("PUT", "compute", f"{path}/hw:mem_page_size", {"hw:mem_page_size": "small"})
    assert admin.delete("compute", f"{path}/hw:cpu_policy") == 200
    eventually(specs, lambda seen: seen == {"hw:mem_page_size": "small"}, "extra specs follow")
    tenant.gone("compute", f"/servers/{server_id}")


def test_a_key_pair_that_is_made_anew(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> None:
    name, here, inside = unique("fn-key"), tenant.here, tenant.inside["Pod1"]
    for _ in range(2):
        key = new_key()
        assert here.make("compute", "os-keypairs", "keypair", name=name, public_key=key)["fingerprint"] == fingerprint(
            key
        )
        server_id = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id, key_name=name)
        assert tenant.active(server_id)["key_name"] == name
        copy = inside.good("GET", "compute", f"/os-keypairs/{name}")["keypair"]
        assert copy["fingerprint"] == fingerprint(key)
        tenant.gone("compute", f"/servers/{server_id}")
        assert here.delete("compute", f"/os-keypairs/{name}") == 204
    eventually(
        lambda: inside("GET", "compute", f"/os-keypairs/{name}").status_code, lambda seen: seen == 404, "copy gone"
    )


def test_an_image_of_the_tenant(tenant: Tenant, flavor: Json) -> None:
    here = tenant.here
    made = here("POST", "image", "/images", {"name": unique(), "disk_format": "raw", "container_format": "bare"})
    assert made.status_code == 201, made.text
    image_id = made.json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    stored = here("PUT", "image", f"/images/{image_id}/file", os.urandom(200_000), headers=headers)
    assert stored.status_code == 204, stored.text
    server_id = tenant.booted("az2", flavorRef=flavor["id"], imageRef=image_id)
    seen = tenant.active(server_id)
    assert (seen["status"], seen["image"]["id"]) == ("ACTIVE", image_id)
    tenant.gone("compute", f"/servers/{server_id}")
    assert here.delete("image", f"/images/{image_id}") == 204


def test_servers_of_a_group_are_together(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> None:
    here = tenant.here
    group = here.make("compute", "os-server-groups", "server_group", name=unique(), policy="affinity")
    path = f"/os-server-groups/{group['id']}"

    def boot(zone: str | None) -> str:
        server = {"name": unique(), "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id}
        body = {
            "server": server | ({"availability_zone": zone} if zone else {}),
            "os:scheduler_hints": {"group": group["id"]},
        }
        return str(here.good("POST", "compute", "/servers", body)["server"]["id"])

    members = [boot("az2"), boot(None)]
    assert [tenant.active(member)["OS-EXT-AZ:availability_zone"] for member in members] == ["az2", "az2"]
    assert set(here.good("GET", "compute", path)["server_group"]["members"]) == set(members)
    listed = {one["id"]: one for one in here.list("compute", "os-server-groups")}
    assert set(listed[group["id"]]["members"]) == set(members)
    (copy,) = tenant.inside["Pod2"].list("compute", "os-server-groups")
    assert set(copy["members"]) == set(members)
    elsewhere = here(
        "POST",
        "compute",
        "/servers",
        {
            "server": {"name": "x", "networks": "none", "flavorRef": flavor["id"], "imageRef": image_id,
                       "availability_zone": "az1"},
            "os:scheduler_hints": {"group": group["id"]},
        },
    )  # fmt: skip
    assert elsewhere.status_code == 400, elsewhere.text
    at_once([lambda one=one: tenant.gone("compute", f"/servers/{one}") for one in members])  # type: ignore[misc]
    assert here.delete("compute", path) == 204
    inside = tenant.inside["Pod2"]
    eventually(lambda: inside.list("compute", "os-server-groups"), lambda left: not left, "the copy is gone")


def test_the_default_type(region: Region, tenant: Tenant, undo: Callable[[Caller, str, str], None]) -> None:
    admin = region.admin
    assert tenant.volume("az2")["volume_type"] == "__DEFAULT__"
    name = unique("fn-default")
    kind = admin.make("block-storage", "types", "volume_type", name=name)
    undo(admin, "block-storage", f"/types/{kind['id']}")
    path = f"/default-types/{tenant.project_id}"
    newest = {"OpenStack-API-Version": "volume 3.67"}
    body = {"default_type": {"volume_type": kind["id"]}}
    chosen = admin("PUT", "block-storage", path, body, headers=newest)
    assert chosen.status_code == 200, chosen.text
    volume = tenant.volume("az2")
    assert volume["volume_type"] == name
    inside = region.pods["Pod2"].good("GET", "block-storage", f"/volumes/{volume['id']}")["volume"]
    assert inside["volume_type"] == name
    tenant.gone("block-storage", f"/volumes/{volume['id']}")
    assert admin("DELETE", "block-storage", path, headers=newest).status_code == 204


# --- networks, groups, ports ----------------------------------------------------------------------------------------


def test_a_renamed_network_follows(region: Region, tenant: Tenant, server: Json, network: Json) -> None:
    name = unique("fn-renamed")
    tenant.here.good("PUT", "network", f"/networks/{network['id']}", {"network": {"name": name}})
    follows(region.pods["Pod1"], "networks", network["id"], {"name": name})
    assert marked(region.pods["Pod2"], "networks", network["id"]) == []


def test_a_changed_subnet_follows(region: Region, tenant: Tenant, server: Json, network: Json) -> None:
    (subnet_id,) = network["subnets"]
    route = {"destination": "198.51.100.0/24", "nexthop": "10.41.0.9"}
    wanted = {"dns_nameservers": ["192.0.2.53"], "host_routes": [route]}
    tenant.here.good("PUT", "network", f"/subnets/{subnet_id}", {"subnet": wanted})
    follows(region.pods["Pod1"], "subnets", subnet_id, wanted)
    less = {"dns_nameservers": [], "enable_dhcp": False}
    tenant.here.good("PUT", "network", f"/subnets/{subnet_id}", {"subnet": less})
    follows(region.pods["Pod1"], "subnets", subnet_id, less)


def rules_of(group: Json) -> set[tuple[object, ...]]:
    """What rules let through."""
    fields = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
    return {tuple(rule[field] for field in fields) for rule in group["security_group_rules"]}


def test_groups_of_a_server_and_their_rules(region: Region, tenant: Tenant, server: Json) -> None:
    here, pod = tenant.here, region.pods["Pod1"]
    group = here.make("network", "security-groups", "security_group", name=unique("fn-group"))
    action = f"/servers/{server['id']}/action"
    (port,) = here.list("network", "ports", device_id=server["id"])
    before = set(port["security_groups"])

    def shown() -> set[str]:
        found = here.good("GET", "compute", f"/servers/{server['id']}/os-security-groups")["security_groups"]
        return {one["name"] for one in found}

    added = here("POST", "compute", action, {"addSecurityGroup": {"name": group["name"]}})
    assert added.status_code == 202, added.text
    (port,) = here.list("network", "ports", device_id=server["id"])
    assert set(port["security_groups"]) == before | {group["id"]}
    copy = copy_of(pod, "security-groups", group["id"])
    assert copy["id"] in copy_of(pod, "ports", port["id"])["security_groups"]
    assert shown() == {"default", group["name"]}
    assert rules_of(copy) == rules_of(here.good("GET", "network", f"/security-groups/{group['id']}")["security_group"])

    wanted = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 23}
    rule = here.make(
        "network", "security-group-rules", "security_group_rule",
        **wanted, security_group_id=group["id"], remote_ip_prefix="192.0.2.0/24",
    )  # fmt: skip
    row = ("ingress", "IPv4", "tcp", 22, 23, "192.0.2.0/24")
    eventually(
        lambda: rules_of(copy_of(pod, "security-groups", group["id"])), lambda seen: row in seen, "the rule follows"
    )
    assert here.delete("network", f"/security-group-rules/{rule['id']}") == 204
    eventually(
        lambda: rules_of(copy_of(pod, "security-groups", group["id"])), lambda seen: row not in seen, "the rule goes"
    )

    removed = here("POST", "compute", action, {"removeSecurityGroup": {"name": group["name"]}})
    assert removed.status_code == 202, removed.text
    (port,) = here.list("network", "ports", device_id=server["id"])
    assert set(port["security_groups"]) == before
    assert shown() == {"default"}
    assert copy["id"] not in copy_of(pod, "ports", port["id"])["security_groups"]
    assert here.delete("network", f"/security-groups/{group['id']}") == 204
    eventually(lambda: marked(pod, "security-groups", group["id"]), lambda left: not left, "the copy goes")


@pytest.mark.parametrize("is_users", [True, False], ids=["users", "ours"])
def test_interfaces_come_and_go(region: Region, tenant: Tenant, server: Json, network: Json, is_users: bool) -> None:
    here, pod = tenant.here, region.pods["Pod1"]
    path = f"/servers/{server['id']}/os-interface"
    if is_users:
        own = here.make("network", "ports", "port", network_id=network["id"], name=unique())
        wanted = {"port_id": own["id"]}
    else:
        wanted = {"net_id": network["id"]}
    made = here.good("POST", "compute", path, {"interfaceAttachment": wanted})["interfaceAttachment"]
    port_id = made["port_id"]
    assert made["net_id"] == network["id"]
    port = here.good("GET", "network", f"/ports/{port_id}")["port"]
    assert port["device_id"] == server["id"]
    assert [one["ip_address"] for one in made["fixed_ips"]] == [one["ip_address"] for one in port["fixed_ips"]]
    copy = copy_of(pod, "ports", port_id)
    assert (copy["mac_address"], copy["device_id"]) == (port["mac_address"], server["id"])
    listed = here.good("GET", "compute", path)["interfaceAttachments"]
    assert port_id in {one["port_id"] for one in listed}
    assert len(listed) == 2
    assert here.good("GET", "compute", f"{path}/{port_id}")["interfaceAttachment"]["port_id"] == port_id

    assert here.delete("compute", f"{path}/{port_id}") == 202
    eventually(lambda: marked(pod, "ports", port_id), lambda left: not left, "the copy goes")
    if is_users:
        kept = eventually(
            lambda: here.good("GET", "network", f"/ports/{port_id}")["port"],
            lambda seen: not seen["device_id"],
            "the user's port is free",
        )
        assert (kept["fixed_ips"], kept["mac_address"]) == (port["fixed_ips"], port["mac_address"])
        assert here.delete("network", f"/ports/{port_id}") == 204
    else:
        eventually(
            lambda: here("GET", "network", f"/ports/{port_id}").status_code, lambda seen: seen == 404, "our port goes"
        )
    assert len(here.good("GET", "compute", path)["interfaceAttachments"]) == 1


def test_volumes_are_attached_where_they_are(tenant: Tenant, server: Json) -> None:
    here = tenant.here
    path = f"/servers/{server['id']}/os-volume_attachments"
    far, near = at_once([lambda: tenant.volume("az2"), lambda: tenant.volume("az1")])
    refused = here("POST", "compute", path, {"volumeAttachment": {"volumeId": far["id"]}})
    assert refused.status_code == 400, refused.text
    text = refused.json()["badRequest"]["message"]
    assert "az1" in text
    assert "az2" in text
    assert far["id"] in text
    assert here.good("GET", "block-storage", f"/volumes/{far['id']}")["volume"]["status"] == "available"
    here.good("POST", "compute", path, {"volumeAttachment": {"volumeId": near["id"]}})
    attached = tenant.reached("block-storage", f"/volumes/{near['id']}", "volume", "in-use")
    assert [one["server_id"] for one in attached["attachments"]] == [server["id"]]
    assert here.delete("compute", f"{path}/{near['id']}") == 202
    tenant.reached("block-storage", f"/volumes/{near['id']}", "volume", "available")
    for volume in (far, near):
        tenant.gone("block-storage", f"/volumes/{volume['id']}")
