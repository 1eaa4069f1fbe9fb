# SPDX-License-Identifier: Apache-2.0
"""Is everything noticed and repaired that happens in a pod behind our back, and nothing harmed that is in order?

Operators delete and edit in the real pods, rows vanish from the ledger, objects are planted; then the pod is swept.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.sweeping import Sweeper
from tests.functional.tenants import Tenant
from tests.functional.test_copies import new_key
from tricircle.errors import UnavailableError
from tricircle.model.pod import Service

pytestmark = pytest.mark.lab

POD, ZONE = "Pod1", "az1"
#: A pod that cuts its lists into small pages.
PAGED, PAGED_ZONE = "Pod2", "az2"


@pytest.fixture(scope="module")
def sweeper() -> Sweeper:
    return Sweeper()


@pytest.fixture(scope="module")
def pod(region: Region) -> Caller:
    """The pod's own operator."""
    return region.pods[POD]


@pytest.fixture(scope="module")
def network(tenant: Tenant) -> Json:
    return tenant.network("10.61.0.0/24")


@pytest.fixture(scope="module")
def group(tenant: Tenant) -> Json:
    """A group that lets one port in."""
    made = tenant.here.make("network", "security-groups", "security_group", name=unique())
    rule = {"security_group_id": made["id"], "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
    tenant.here.make(
        "network", "security-group-rules", "security_group_rule", **rule, port_range_min=22, port_range_max=22
    )
    return made


@pytest.fixture(scope="module")
def port(tenant: Tenant, network: Json, group: Json) -> Json:
    """A port that the user made."""
    wanted = {"network_id": network["id"], "name": unique(), "security_groups": [group["id"]]}
    return tenant.here.make("network", "ports", "port", **wanted)


@pytest.fixture(scope="module")
def server(tenant: Tenant, flavor: Json, image_id: str, port: Json) -> Json:
    """A server with that port."""
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"port": port["id"]}]}
    return tenant.active(tenant.booted(ZONE, **wanted))


@pytest.fixture
def passing(tenant: Tenant, flavor: Json, image_id: str, network: Json) -> Iterator[Any]:
    """Boots servers with a port of ours that a test may lose: ``passing(zone)``."""
    made: list[str] = []

    def boot(zone: str = ZONE) -> str:
        wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
        made.append(str(tenant.active(tenant.booted(zone, **wanted))["id"]))
        return made[-1]

    yield boot
    for server_id in made:
        tenant.here.delete("compute", f"/servers/{server_id}")


def central_ports(region: Region, server_id: str) -> list[Json]:
    return region.centre.list("network", "ports", device_id=server_id)


def show(caller: Caller, collection: str, member: str, thing_id: str) -> Json | None:
    answer = caller("GET", "network", f"/{collection}/{thing_id}")
    return answer.json()[member] if answer.status_code == 200 else None


def test_nothing_is_found_where_all_agrees(sweeper: Sweeper, server: Json, tenant: Tenant, passing: Any) -> None:
    tenant.volume(ZONE)
    passing(PAGED_ZONE)
    for name in (POD, PAGED):
        # Rows of volumes that others deleted are forgotten by whoever asks for them next: this one.
        sweeper.sweep(name)
        report = sweeper.sweep(name)
        assert report["incomplete"] == {}
        assert report["found"] == [], report["named"]
        assert report["seen"]["server"] >= 1
        assert report["seen"]["port"] >= 2


def test_what_runs_is_written_down_again(sweeper: Sweeper, server: Json, tenant: Tenant, region: Region) -> None:
    volume = tenant.volume(ZONE)
    snapshot = tenant.here.make("block-storage", "snapshots", "snapshot", volume_id=volume["id"], name=unique())
    tenant.reached("block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
    for one in (server, volume, snapshot):
        sweeper.forget(one["id"], POD)
    report = sweeper.sweep(POD)
    for kind, one in (("server", server), ("volume", volume), ("snapshot", snapshot)):
        assert sweeper.found(report, one["id"]) == [f"unwritten {kind}"]
        row = sweeper.row(one["id"], POD)
        assert row["kind"] == kind
        assert row["project_id"] == tenant.project_id
        assert row["pod_resource_id"] == one["id"]
    created = sweeper.row(server["id"], POD)["created_at"]
    assert f"{created:%Y-%m-%dT%H:%M:%SZ}" == server["created"]
    tenant.gone("block-storage", f"/snapshots/{snapshot['id']}")
    tenant.gone("block-storage", f"/volumes/{volume['id']}")


def test_what_the_operator_deleted_is_forgotten_with_its_ports(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, passing: Any
) -> None:
    server_id = passing()
    volume = tenant.volume(ZONE)
    (port,) = central_ports(region, server_id)
    assert pod.delete("compute", f"/servers/{server_id}") == 204
    assert pod.delete("block-storage", f"/volumes/{volume['id']}") == 202
    for service, path in (("compute", f"/servers/{server_id}"), ("block-storage", f"/volumes/{volume['id']}")):
        eventually(lambda s=service, p=path: pod("GET", s, p).status_code, lambda seen: seen == 404, path)
    report = sweeper.sweep(POD)
    assert "gone server" in sweeper.found(report, server_id)
    assert sweeper.found(report, volume["id"]) == ["gone volume"]
    eventually(lambda: central_ports(region, server_id), lambda left: not left, "the server's port is gone")
    eventually(lambda: sweeper.rows(server_id, POD), lambda left: not left, "its routing is gone")
    assert sweeper.rows(port["id"], POD) == []
    assert sweeper.rows(volume["id"], POD) == []
    assert region.pods[POD].list("network", "ports", description=f"tricircle:{port['id']}") == []
    assert sweeper.sweep(POD)["found"] == []


def test_edits_in_the_pod_are_taken_back(
    sweeper: Sweeper, pod: Caller, server: Json, network: Json, group: Json, port: Json
) -> None:
    subnet_id = network["subnets"][0]
    here = {one: sweeper.copy_id(one, POD) for one in (network["id"], subnet_id, group["id"], port["id"])}
    rules = show(pod, "security-groups", "security_group", here[group["id"]])["security_group_rules"]
    ssh = next(rule for rule in rules if rule["port_range_min"] == 22)
    assert pod.delete("network", f"/security-group-rules/{ssh['id']}") == 204
    opened = {"security_group_id": here[group["id"]], "direction": "ingress", "protocol": "icmp", "ethertype": "IPv4"}
    pod.make("network", "security-group-rules", "security_group_rule", **opened)
    edits = (
        ("networks", "network", network["id"], {"name": "theirs", "description": "no mark"}),
        ("subnets", "subnet", subnet_id, {"name": "theirs", "dns_nameservers": ["192.0.2.1"]}),
        ("ports", "port", port["id"], {"name": "theirs", "admin_state_up": False, "security_groups": []}),
    )
    for collection, member, central_id, values in edits:
        pod.good("PUT", "network", f"/{collection}/{here[central_id]}", {member: values})
    report = sweeper.sweep(POD)
    for kind, central_id in (
        ("network", network["id"]),
        ("subnet", subnet_id),
        ("security_group", group["id"]),
        ("port", port["id"]),
    ):
        assert sweeper.found(report, central_id) == [f"differs {kind}"], report["named"]
    sweeper.quiet()
    assert show(pod, "networks", "network", here[network["id"]])["name"] == network["name"]
    assert show(pod, "networks", "network", here[network["id"]])["description"] == f"tricircle:{network['id']}"
    assert show(pod, "subnets", "subnet", here[subnet_id])["dns_nameservers"] == []
    seen = show(pod, "ports", "port", here[port["id"]])
    assert (seen["name"], seen["admin_state_up"]) == (port["name"], True)
    assert seen["security_groups"] == [here[group["id"]]]
    rules = show(pod, "security-groups", "security_group", here[group["id"]])["security_group_rules"]
    assert [rule["protocol"] for rule in rules if rule["direction"] == "ingress"] == ["tcp"]
    assert sweeper.sweep(POD)["found"] == []


def test_a_port_that_the_operator_deleted_is_made_and_plugged_in_again(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, passing: Any
) -> None:
    server_id = passing()
    (port,) = central_ports(region, server_id)
    before = sweeper.copy_id(port["id"], POD)
    assert pod.delete("network", f"/ports/{before}") == 204
    eventually(
        lambda: pod.good("GET", "compute", f"/servers/{server_id}")["server"]["addresses"],
        lambda a: not a,
        "no address",
    )
    report = sweeper.sweep(POD)
    assert sweeper.found(report, port["id"]) == ["missing port"]
    sweeper.quiet()
    after = sweeper.copy_id(port["id"], POD)
    assert after != before
    copy = eventually(
        lambda: show(pod, "ports", "port", after), lambda seen: seen and seen["device_id"] == server_id, "plugged in"
    )
    assert copy["mac_address"] == port["mac_address"]
    assert copy["fixed_ips"][0]["ip_address"] == port["fixed_ips"][0]["ip_address"]
    addresses = tenant.active(server_id)["addresses"]
    assert [ip["addr"] for of in addresses.values() for ip in of] == [port["fixed_ips"][0]["ip_address"]]
    # A job that looks whether it is plugged in runs a second later.
    eventually(
        lambda: central_ports(region, server_id)[0]["status"], lambda seen: seen == "ACTIVE", "its status follows"
    )
    assert sweeper.sweep(POD)["found"] == []
    # It is still a port of ours: it ends with its server.
    tenant.gone("compute", f"/servers/{server_id}")
    eventually(lambda: central_ports(region, server_id), lambda left: not left, "the port ends with the server")


def test_a_port_that_nova_does_not_plug_in_leaves_nothing_and_a_reason(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, passing: Any
) -> None:
    """And it is made as soon as Nova does."""
    server_id = passing()
    (port,) = central_ports(region, server_id)
    pod.good("POST", "compute", f"/servers/{server_id}/action", {"suspend": None})
    tenant.reached("compute", f"/servers/{server_id}", "server", "SUSPENDED")
    assert pod.delete("network", f"/ports/{sweeper.copy_id(port['id'], POD)}") == 204
    assert sweeper.found(sweeper.sweep(POD), port["id"]) == ["missing port"]
    job = "SELECT last_error FROM tricircle_jobs WHERE resource_id = %s AND last_error IS NOT NULL"
    (seen,) = eventually(lambda: sweeper.tables.run(job, port["id"]), bool, "the job says why it cannot")
    assert "cannot be plugged into server" in str(seen["last_error"])
    assert pod.list("network", "ports", description=f"tricircle:{port['id']}") == []
    pod.good("POST", "compute", f"/servers/{server_id}/action", {"resume": None})
    eventually(
        lambda: pod.list("network", "ports", description=f"tricircle:{port['id']}"),
        lambda copies: [copy["device_id"] for copy in copies] == [server_id],
        "plugged in again",
    )


def test_an_interface_that_the_operator_took_away_is_let_go(
    sweeper: Sweeper, region: Region, pod: Caller, passing: Any
) -> None:
    """As a detach by the user: the port that was made for the server goes, and its address is free."""
    server_id = passing()
    (port,) = central_ports(region, server_id)
    copy = sweeper.copy_id(port["id"], POD)
    assert pod.delete("compute", f"/servers/{server_id}/os-interface/{copy}") == 202
    eventually(lambda: show(pod, "ports", "port", copy), lambda seen: seen and not seen["device_id"], "unplugged")
    assert sweeper.found(sweeper.sweep(POD), server_id) == ["serverless server"]
    eventually(lambda: central_ports(region, server_id), lambda left: not left, "the port is gone at the centre")
    assert show(pod, "ports", "port", copy) is None
    # What the pod knows of the members of the port's group follows a moment later.
    eventually(lambda: sweeper.sweep(POD)["found"], lambda found: found == [], "all is in order")


def test_copies_that_are_gone_and_unused_are_forgotten_and_made_by_the_next_boot(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    network = tenant.network("10.62.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    first = tenant.active(tenant.booted(ZONE, **wanted))["id"]
    tenant.gone("compute", f"/servers/{first}")
    eventually(lambda: central_ports(region, first), lambda left: not left, "its port is gone")
    copy = sweeper.copy_id(network["id"], POD)
    shares = {"object_id": copy, "action": "access_as_shared"}
    (policy,) = pod.list("network", "rbac-policies", **shares)
    assert policy["target_tenant"] == tenant.project_id
    assert pod.delete("network", f"/rbac-policies/{policy['id']}") == 204
    assert sweeper.found(sweeper.sweep(POD), network["id"]) == ["differs network"]
    sweeper.quiet()
    assert [one["target_tenant"] for one in pod.list("network", "rbac-policies", **shares)] == [tenant.project_id]
    for one in pod.list("network", "ports", network_id=copy):
        pod.delete("network", f"/ports/{one['id']}")
    assert pod.delete("network", f"/networks/{copy}") == 204
    report = sweeper.sweep(POD)
    assert sweeper.found(report, network["id"]) == ["missing network"]
    # Its slice may be given back by the subnet's job or by the sweep: whoever comes first.
    assert "missing subnet" in sweeper.found(report, network["subnets"][0])
    sweeper.quiet()
    assert sweeper.rows(network["id"], POD) == []
    assert sweeper.rows(network["subnets"][0], POD) == []
    slices = region.centre.list("network", "ports", network_id=network["id"], device_owner="network:dhcp")
    assert slices == [], "its addresses are free again"
    second = tenant.active(tenant.booted(ZONE, **wanted))["id"]
    tenant.gone("compute", f"/servers/{second}")


def test_a_boot_heals_what_the_operator_deleted_a_moment_ago(
    sweeper: Sweeper, pod: Caller, region: Region, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    """No sweep in between."""
    network = tenant.network("10.63.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    first = tenant.active(tenant.booted(ZONE, **wanted))["id"]
    tenant.gone("compute", f"/servers/{first}")
    eventually(lambda: central_ports(region, first), lambda left: not left, "its port is gone")
    copy = sweeper.copy_id(network["id"], POD)
    for one in pod.list("network", "ports", network_id=copy):
        pod.delete("network", f"/ports/{one['id']}")
    assert pod.delete("network", f"/networks/{copy}") == 204
    second = tenant.active(tenant.booted(ZONE, **wanted))["id"]
    tenant.gone("compute", f"/servers/{second}")
    key = tenant.here.good("POST", "compute", "/os-keypairs", {"keypair": {"name": unique(), "public_key": new_key()}})
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": "none", "key_name": key["keypair"]["name"]}
    tenant.gone("compute", f"/servers/{tenant.active(tenant.booted(ZONE, **wanted))['id']}")
    assert pod.delete("compute", f"/flavors/{flavor['id']}") == 202
    key_path = f"/os-keypairs/{key['keypair']['name']}?user_id={tenant.user_id}"
    assert pod.delete("compute", key_path) == 204
    third = tenant.active(tenant.booted(ZONE, **wanted))
    assert third["key_name"] == key["keypair"]["name"]
    tenant.gone("compute", f"/servers/{third['id']}")


def test_a_volume_heals_a_type_that_the_operator_deleted_a_moment_ago(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant
) -> None:
    kind = region.admin.make("block-storage", "types", "volume_type", name=unique())
    first = tenant.volume(ZONE, volume_type=kind["name"])
    tenant.gone("block-storage", f"/volumes/{first['id']}")
    before = sweeper.copy_id(kind["id"], POD)
    assert pod.delete("block-storage", f"/types/{before}") == 202
    second = tenant.volume(ZONE, volume_type=kind["name"])
    assert second["volume_type"] == kind["name"]
    assert sweeper.copy_id(kind["id"], POD) != before
    tenant.gone("block-storage", f"/volumes/{second['id']}")
    assert region.admin.delete("block-storage", f"/types/{kind['id']}") == 202


def test_a_flavor_that_the_operator_changed_is_made_anew(
    sweeper: Sweeper, pod: Caller, tenant: Tenant, flavor: Json, image_id: str, server: Json
) -> None:
    pod.good("POST", "compute", f"/flavors/{flavor['id']}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}})
    assert sweeper.found(sweeper.sweep(POD), flavor["id"]) == ["differs flavor"]
    sweeper.quiet()
    assert pod.good("GET", "compute", f"/flavors/{flavor['id']}/os-extra_specs")["extra_specs"] == {}
    assert pod.delete("compute", f"/flavors/{flavor['id']}") == 202
    assert sweeper.found(sweeper.sweep(POD), flavor["id"]) == ["missing flavor"]
    sweeper.quiet()
    assert sweeper.rows(flavor["id"], POD) == []
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    tenant.gone("compute", f"/servers/{tenant.active(tenant.booted(ZONE, **wanted))['id']}")


def test_lost_rows_of_copies_are_found_again(
    sweeper: Sweeper, server: Json, network: Json, group: Json, port: Json
) -> None:
    kinds = {
        network["id"]: "network",
        network["subnets"][0]: "subnet",
        group["id"]: "security_group",
        port["id"]: "port",
    }
    before = {one: sweeper.copy_id(one, POD) for one in kinds}
    for one in kinds:
        sweeper.forget(one, POD)
    report = sweeper.sweep(POD)
    for one, kind in kinds.items():
        assert f"adoptable {kind}" in sweeper.found(report, one), report["named"]
    eventually(
        lambda: {one: [row["pod_resource_id"] for row in sweeper.rows(one, POD)] for one in kinds},
        lambda seen: seen == {one: [copy] for one, copy in before.items()},
        "every copy has its routing again",
    )
    assert sweeper.sweep(POD)["found"] == []


def test_what_a_dead_attempt_left_is_settled(
    sweeper: Sweeper, pod: Caller, tenant: Tenant, group: Json, server: Json
) -> None:
    """One that had made something, and one that had not."""
    copy = sweeper.copy_id(group["id"], POD)
    other = tenant.here.make("network", "security-groups", "security_group", name=unique())
    sweeper.forget(group["id"], POD)
    for one in (group, other):
        sweeper.attempt("security_group", one["id"], POD, tenant.project_id)
    report = sweeper.sweep(POD)
    for one in (group, other):
        assert sweeper.found(report, one["id"]) == ["attempt security_group"]
    sweeper.quiet()
    assert sweeper.copy_id(group["id"], POD) == copy
    assert sweeper.rows(other["id"], POD) == []


def test_a_mark_that_a_tenant_wrote_is_not_believed(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, group: Json, port: Json, server: Json
) -> None:
    """The mark names an original of another project, or something that it is not like."""
    stranger = Tenant(region)
    try:
        inside = stranger.inside[POD]
        planted = inside.make(
            "network", "security-groups", "security_group", name=unique(), description=f"tricircle:{group['id']}"
        )
        theirs = inside.make("network", "networks", "network", name=unique(), description=f"tricircle:{unique()}")
        posing = inside.make("network", "ports", "port", network_id=theirs["id"], description=f"tricircle:{port['id']}")
        before = {one["id"]: sweeper.copy_id(one["id"], POD) for one in (group, port)}
        report = sweeper.sweep(POD)
        assert sweeper.found(report, group["id"]) == ["foreign security_group"]
        assert sweeper.found(report, port["id"]) == ["foreign port"]
        assert {"what": "foreign", "kind": "network", "count": 1} in report["found"]
        sweeper.quiet()
        for collection, member, one in (
            ("security-groups", "security_group", planted),
            ("networks", "network", theirs),
            ("ports", "port", posing),
        ):
            assert show(pod, collection, member, one["id"]) is not None
        assert {one: sweeper.copy_id(one, POD) for one in before} == before
    finally:
        for collection, member_id in (
            ("ports", posing["id"]),
            ("networks", theirs["id"]),
            ("security-groups", planted["id"]),
        ):
            pod.delete("network", f"/{collection}/{member_id}")
        stranger.sweep()


def test_orphans_and_second_copies_are_removed(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, group: Json, port: Json, server: Json
) -> None:
    subnet_id = sweeper.copy_id(port["fixed_ips"][0]["subnet_id"], POD)
    network_id = show(pod, "subnets", "subnet", subnet_id)["network_id"]
    mine = {"project_id": tenant.project_id, "name": unique()}
    # Outside of the pod's own few addresses.
    where = {"network_id": network_id, "fixed_ips": [{"subnet_id": subnet_id, "ip_address": "10.61.0.222"}]}
    lost = f"tricircle:{'0' * 8}-0000-4000-8000-{'1' * 12}"
    orphan_group = pod.make("network", "security-groups", "security_group", description=lost, **mine)
    orphan_port = pod.make("network", "ports", "port", description=lost, **where, **mine)
    second = pod.make("network", "security-groups", "security_group", description=f"tricircle:{group['id']}", **mine)
    report = sweeper.sweep(POD)
    assert sorted(sweeper.found(report, lost.removeprefix("tricircle:"))) == ["orphan port", "orphan security_group"]
    assert sweeper.found(report, group["id"]) == ["duplicate security_group"]
    sweeper.quiet()
    assert show(pod, "security-groups", "security_group", orphan_group["id"]) is None
    assert show(pod, "ports", "port", orphan_port["id"]) is None
    assert show(pod, "security-groups", "security_group", second["id"]) is None
    assert show(pod, "security-groups", "security_group", sweeper.copy_id(group["id"], POD)) is not None
    assert sweeper.sweep(POD)["found"] == []


def test_what_the_centre_still_gives_to_nobody_is_let_go(
    sweeper: Sweeper, region: Region, tenant: Tenant, network: Json, server: Json
) -> None:
    """A claim whose boot died, with its job lost; and a slice of a subnet that the pod has no copy of."""
    claimed = tenant.here.make("network", "ports", "port", network_id=network["id"], name=unique())
    claim = {
        "binding:host_id": POD,
        "device_id": "0a5f7d0e-6cf6-4a1e-9c57-1f6a3dbb7c11",
        "device_owner": f"compute:{ZONE}",
    }
    region.centre.good("PUT", "network", f"/ports/{claimed['id']}", {"port": claim})
    other = tenant.network("10.64.0.0/24")
    held = {"device_owner": "network:dhcp", "device_id": f"tricircle-{'a' * 40}", "binding:host_id": POD}
    piece = region.centre.make("network", "ports", "port", network_id=other["id"], **held)
    report = sweeper.sweep(POD)
    assert sweeper.found(report, claim["device_id"]) == ["serverless server"]
    assert sweeper.found(report, other["subnets"][0]) == ["slice subnet"]
    sweeper.quiet()
    assert show(region.centre, "ports", "port", piece["id"]) is None
    seen = show(region.centre, "ports", "port", claimed["id"])
    assert (seen["device_id"], seen["binding:host_id"]) == ("", "")
    tenant.here.delete("network", f"/ports/{claimed['id']}")


def test_what_is_young_is_left_alone(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, server: Json, network: Json
) -> None:
    """It may be the work of a request that is under way."""
    claimed = tenant.here.make("network", "ports", "port", network_id=network["id"], name=unique())
    claim = {
        "binding:host_id": POD,
        "device_id": "0a5f7d0e-6cf6-4a1e-9c57-1f6a3dbb7c12",
        "device_owner": f"compute:{ZONE}",
    }
    region.centre.good("PUT", "network", f"/ports/{claimed['id']}", {"port": claim})
    lost = {"description": "tricircle:young", "project_id": tenant.project_id, "name": unique()}
    made = pod.make("network", "security-groups", "security_group", **lost)
    assert sweeper.sweep(POD, in_flight_s=600)["found"] == []
    pod.delete("network", f"/security-groups/{made['id']}")
    tenant.here.delete("network", f"/ports/{claimed['id']}")


def test_pages_of_a_pod_that_caps_them_are_read_to_the_end(sweeper: Sweeper, region: Region, tenant: Tenant) -> None:
    volumes = [tenant.volume(PAGED_ZONE) for _ in range(region.page_limit[PAGED] + 2)]
    for one in volumes:
        sweeper.forget(one["id"], PAGED)
    report = sweeper.sweep(PAGED)
    assert {"what": "unwritten", "kind": "volume", "count": len(volumes)} in report["found"]
    assert [sweeper.row(one["id"], PAGED)["kind"] for one in volumes] == ["volume"] * len(volumes)
    for one in volumes:
        tenant.here.delete("block-storage", f"/volumes/{one['id']}")


def test_a_pod_that_goes_down_during_a_sweep_loses_nothing(
    sweeper: Sweeper, server: Json, network: Json, port: Json, tenant: Tenant
) -> None:
    """Compute answers nobody any more, the rest does; then nothing does."""
    before = {one["id"]: sweeper.row(one["id"], POD)["id"] for one in (server, network, port)}
    report = sweeper.sweep(POD, down=[Service.COMPUTE])
    assert sorted(report["incomplete"]) == ["flavor", "server", "server_group"]
    assert report["found"] == []
    with pytest.raises(UnavailableError):
        sweeper.sweep(POD, down=list(Service))
    sweeper.quiet()
    assert {one["id"]: sweeper.row(one["id"], POD)["id"] for one in (server, network, port)} == before


def test_operators_ask_for_sweeps_and_see_what_was_found(sweeper: Sweeper, server: Json) -> None:
    """By the command, carried out by the lab's worker."""
    sweeper.forget(server["id"], POD)
    code, said = sweeper.command("sweep", POD, "--wait", "120", "--json")
    assert code == 0, said
    report = json.loads(said)[POD]
    assert (report["status"], report["incomplete"]) == ("done", {})
    assert {"what": "unwritten", "kind": "server", "count": 1} in report["found"]
    assert sweeper.row(server["id"], POD)["pod_resource_id"] == server["id"]
    code, said = sweeper.command("sweep", "--wait", "120")
    assert code == 0, said
    assert f"{POD}  (agrees)" in said
    code, said = sweeper.command("sweep", "Pod99")
    assert code == 1
    assert "There is no pod Pod99. Registered are: Pod1, Pod2" in said


def test_what_a_pod_knows_of_members_is_mended(
    sweeper: Sweeper, region: Region, pod: Caller, tenant: Tenant, passing: Any
) -> None:
    """An operator's edit, one whose routing is lost, and one that no rule names any more."""
    (port,) = central_ports(region, passing())
    (group_id,) = port["security_groups"]
    address = f"{port['fixed_ips'][0]['ip_address']}/32"

    def known() -> list[Json]:
        return pod.list("network", "address-groups", description=f"tricircle:{group_id}")

    def knows(what: str) -> None:
        eventually(known, lambda seen: len(seen) == 1 and address in seen[0]["addresses"], what)

    knows("the server's address is there")
    (members,) = known()
    path = f"/address-groups/{members['id']}"
    assert pod("PUT", "network", f"{path}/remove_addresses", {"addresses": [address]}).status_code == 200
    assert pod("PUT", "network", f"{path}/add_addresses", {"addresses": ["198.51.100.0/24"]}).status_code == 200
    assert sweeper.found(sweeper.sweep(POD), group_id) == ["differs address_group"]
    knows("what was taken out is back")
    assert "198.51.100.0/24" not in known()[0]["addresses"]
    sweeper.forget(group_id, POD)
    assert "adoptable address_group" in sweeper.found(sweeper.sweep(POD), group_id)
    eventually(lambda: sweeper.rows(group_id, POD), lambda rows: len(rows) == 2, "both are written down again")
    assert known()[0]["id"] == members["id"]
    sweeper.quiet()
    # What no rule names: made, and never used.
    spare = tenant.here.make("network", "security-groups", "security_group", name=unique())
    owner = members["project_id"]
    wanted = {"name": "x", "description": f"tricircle:{spare['id']}", "project_id": owner, "addresses": []}
    planted = pod.make("network", "address-groups", "address_group", **wanted)
    assert sweeper.found(sweeper.sweep(POD), spare["id"]) == ["adoptable address_group"]
    eventually(lambda: sweeper.rows(spare["id"], POD), lambda rows: rows and rows[0]["pod_resource_id"], "adopted")
    assert sweeper.found(sweeper.sweep(POD), spare["id"]) == ["differs address_group"]
    eventually(lambda: sweeper.rows(spare["id"], POD), lambda rows: not rows, "forgotten")
    assert pod("GET", "network", f"/address-groups/{planted['id']}").status_code == 404
