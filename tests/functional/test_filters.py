# SPDX-License-Identifier: Apache-2.0
"""Do filters of lists find in two pods what they would find in one service? Those that ``test_lists`` leaves out.

A server with an address and a volume in each pod, and no two of them are alike in what is filtered by.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.functional.region_world import Caller, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

C, S = "compute", "block-storage"
AZS = ("az1", "az2")
FUTURE = "2099-01-01T00:00:00Z"


@dataclass(frozen=True)
class World:
    """Of each AZ what is there; ``types`` are a volume type, and one of groups, that both pods have copies of."""

    servers: Mapping[str, str]
    volumes: Mapping[str, str]
    groups: Mapping[str, str]
    types: tuple[str, str]


@pytest.fixture(scope="module")
def world(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> Iterator[World]:
    """One server, volume and group in each pod."""
    network = tenant.here.make("network", "networks", "network", name=unique())
    for version, cidr in ((4, "10.47.0.0/24"), (6, "fd47::/64")):
        subnet = {"network_id": network["id"], "cidr": cidr, "ip_version": version, "name": unique()}
        tenant.here.make("network", "subnets", "subnet", **subnet)
    servers, volumes, groups = {}, {}, {}
    kind = region.admin.make(S, "types", "volume_type", name=unique("fn-type"))
    group_kind = region.admin.make(S, "group_types", "group_type", name=unique("fn-groups"))
    for zone in AZS:
        tenant.here.make(C, "os-keypairs", "keypair", name=f"fn-{zone}")
        wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
        servers[zone] = tenant.booted(zone, name=f"fn-{zone}", key_name=f"fn-{zone}", **wanted)
        group = {"group_type": group_kind["id"], "volume_types": [kind["id"]], "availability_zone": zone}
        groups[zone] = tenant.here.make(S, "groups", "group", name=f"fn-{zone}", **group)["id"]
    for zone in AZS:
        assert tenant.active(servers[zone])["status"] == "ACTIVE"
        tenant.reached(S, f"/groups/{groups[zone]}", "group", "available")
        more = {"volume_type": kind["id"], "group_id": groups[zone]}
        volumes[zone] = tenant.volume(zone, name=f"fn-filters-{zone}", **more)["id"]
    yield World(servers, volumes, groups, (kind["id"], group_kind["id"]))
    for zone in AZS:
        tenant.gone(C, f"/servers/{servers[zone]}")
        tenant.here.good("POST", S, f"/groups/{groups[zone]}/action", {"delete": {"delete-volumes": True}})
    eventually(lambda: tenant.here.list(S, "groups"), lambda left: not left, "groups are gone")
    for path in (f"/types/{kind['id']}", f"/group_types/{group_kind['id']}"):
        eventually(lambda path=path: region.admin.delete(S, path), lambda status: status in (202, 404), path)  # type: ignore[misc]


def found(caller: Caller, path: str, **query: object) -> set[str]:
    """Ids of what a list holds, page by page of one."""
    whole = ids(caller.list(C if path == "servers" else S, path, **query))
    pages: list[str] = []
    while page := ids(caller.list(C if path == "servers" else S, path, **query, limit=1, **marker(pages))):
        pages += page
    assert pages == whole, (path, query)
    return set(whole)


def marker(pages: list[str]) -> dict[str, str]:
    return {"marker": pages[-1]} if pages else {}


def test_tags(tenant: Tenant, world: World) -> None:
    one, two = (world.servers[zone] for zone in AZS)
    for server_id, tags in ((one, ["both", "one"]), (two, ["both"])):
        tenant.here.good("PUT", C, f"/servers/{server_id}/tags", {"tags": tags})
    for query, those in (
        ({"tags": "both"}, {one, two}),
        ({"tags": "both,one"}, {one}),
        ({"tags-any": "one,nobodys"}, {one}),
        ({"not-tags": "one"}, {two}),
        ({"not-tags-any": "one,both"}, set()),
        ({"tags": "both", "not-tags": "one"}, {two}),
    ):
        assert found(tenant.here, "servers", **query) == those, query


def test_locked(tenant: Tenant, world: World) -> None:
    one, two = (world.servers[zone] for zone in AZS)
    tenant.here.good("POST", C, f"/servers/{two}/action", {"lock": None})
    try:
        assert found(tenant.here, "servers", locked="true") == {two}
        assert found(tenant.here, "servers", locked="false") == {one}
        order = {"sort_key": ["locked", "display_name"], "sort_dir": ["desc", "asc"]}
        assert ids(tenant.here.list(C, "servers", **order)) == [two, one]
    finally:
        tenant.here.good("POST", C, f"/servers/{two}/action", {"unlock": None})


def addresses(caller: Caller, server_id: str) -> dict[int, str]:
    """A server's addresses by their versions."""
    shown = caller.good("GET", C, f"/servers/{server_id}")["server"]
    return {one["version"]: str(one["addr"]) for net in shown["addresses"].values() for one in net}


@pytest.mark.parametrize("zone", AZS)
def test_addresses_keys_and_users(tenant: Tenant, world: World, zone: str) -> None:
    everything = set(world.servers.values())
    theirs = {server_id: addresses(tenant.here, server_id) for server_id in everything}
    for name, version in (("ip", 4), ("ip6", 6)):
        wanted = theirs[world.servers[zone]][version]
        # A part of an address will do.
        those = {one for one in everything if wanted in theirs[one][version]}
        assert found(tenant.here, "servers", **{name: wanted}) == those
    assert found(tenant.here, "servers", key_name=f"fn-{zone}") == {world.servers[zone]}
    assert found(tenant.here, "servers", user_id=tenant.user_id) == everything
    assert found(tenant.here, "servers", user_id="nobodys") == set()


def test_flavors_and_images(tenant: Tenant, world: World, flavor: Json, image_id: str) -> None:
    """Of several flavors Nova takes the last."""
    everything = set(world.servers.values())
    assert found(tenant.here, "servers", flavor=flavor["id"]) == everything
    assert found(tenant.here, "servers", flavor=["nobodys", flavor["id"]]) == everything
    assert found(tenant.here, "servers", flavor=[flavor["id"], "nobodys"]) == set()
    assert found(tenant.here, "servers", image=image_id) == everything
    assert found(tenant.here, "servers", image="00000000-0000-4000-8000-000000000000") == set()


def test_what_no_pod_can_add_to_is_refused_all_the_same(tenant: Tenant, world: World) -> None:
    for service, path, query, status in (
        (C, "/servers", {"flavor": "nobodys", "sort_key": "colour"}, 400),
        (C, "/servers", {"availability_zone": "nowhere", "all_tenants": "1"}, 403),
        (S, "/volumes", {"availability_zone": "nowhere", "sort_key": "colour"}, 400),
        (S, "/volumes", {"availability_zone": "nowhere", "with_count": "true"}, 200),
    ):
        ours, theirs = (caller("GET", service, path, params=query) for caller in (tenant.here, tenant.inside["Pod1"]))
        assert (ours.status_code, theirs.status_code) == (status, status), (path, query, ours.text)
        assert ours.json() == theirs.json()


@pytest.mark.parametrize("path", ["volumes", "snapshots", "backups", "groups", "group_snapshots", "attachments"])
@pytest.mark.parametrize("version", ["3.30", "3.59"])
def test_the_filter_by_az_where_cinder_has_it(tenant: Tenant, world: World, path: str, version: str) -> None:
    """Else members are told what Cinder itself tells them."""
    head = {"OpenStack-API-Version": f"volume {version}"}
    ours, theirs = (
        caller("GET", S, f"/{path}?availability_zone={zone}", headers=head)
        for caller, zone in ((tenant.here, "az1"), (tenant.inside["Pod1"], "nova"))
    )
    assert ours.status_code == theirs.status_code, ours.text
    assert ours.status_code in (200, 400)
    if ours.status_code == 400:
        assert ours.json() == theirs.json()
    elif path == "volumes":
        assert ids(ours.json()["volumes"]) == [world.volumes["az1"]]


def test_volumes_are_found_by_their_types_id(region: Region, tenant: Tenant, world: World) -> None:
    """As administrators see them; each pod has another id."""
    mine = {"all_tenants": "1", "project_id": tenant.project_id}
    assert found(region.admin, "volumes", **mine, volume_type_id=world.types[0]) == set(world.volumes.values())


def test_what_items_do_not_show_is_no_order_between_pods(region: Region, tenant: Tenant, world: World) -> None:
    """Nothing is lost and nothing doubled, wherever a page begins; each pod's order is its own."""
    for key in ("locked_by", "instance_type_id", "launch_index", "hostname", "progress", "availability_zone"):
        assert found(tenant.here, "servers", sort_key=key) == set(world.servers.values())
    for key in ("host", "project_id", "volume_type_id", "launched_at", "availability_zone"):
        assert found(tenant.here, "volumes", sort_key=key) == set(world.volumes.values())
    for key in ("host", "node"):
        ours, theirs = (c("GET", C, f"/servers?sort_key={key}") for c in (tenant.here, tenant.inside["Pod1"]))
        assert (ours.status_code, ours.json()) == (403, theirs.json())


def test_changes_since_and_before(region: Region, tenant: Tenant, world: World) -> None:
    """Of servers, what was done to them, and their migrations."""
    for server_id in world.servers.values():
        tenant.here.good("PUT", C, f"/servers/{server_id}", {"server": {"description": unique()}})
    stamps = {one["id"]: one["updated"] for one in tenant.here.list(C, "servers/detail")}
    assert set(stamps) == set(world.servers.values())
    latest = max(stamps.values())
    long_ago = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    newest = {one for one, stamp in stamps.items() if stamp == latest}
    assert found(tenant.here, "servers", **{"changes-since": latest}) >= newest
    assert found(tenant.here, "servers", **{"changes-since": long_ago}) >= set(stamps)
    assert found(tenant.here, "servers", **{"changes-since": FUTURE}) == set()
    assert found(tenant.here, "servers", **{"changes-before": latest}) >= set(stamps)
    assert found(tenant.here, "servers", **{"changes-before": long_ago}) == set()
    for server_id in stamps:
        path = f"/servers/{server_id}/os-instance-actions"
        for query, is_there in (({"changes-since": long_ago}, True), ({"changes-since": FUTURE}, False),
                                ({"changes-before": FUTURE}, True), ({"changes-before": long_ago}, False)):  # fmt: skip
            actions = tenant.here.good("GET", C, path, **query)["instanceActions"]
            assert ("create" in {one["action"] for one in actions}) == is_there, query


def test_migrations(region: Region, tenant: Tenant, world: World) -> None:
    """A resize is one; markers lead on from any of them, whoever remembers a page."""
    flavor = region.admin.make(C, "flavors", "flavor", name=unique(), ram=65, vcpus=1, disk=1)
    server_ids = set(world.servers.values())
    try:
        for server_id in server_ids:
            tenant.here.good("POST", C, f"/servers/{server_id}/action", {"resize": {"flavorRef": flavor["id"]}})
        for server_id in server_ids:
            tenant.reached(C, f"/servers/{server_id}", "server", "VERIFY_RESIZE")
            tenant.here.good("POST", C, f"/servers/{server_id}/action", {"revertResize": None})
            assert tenant.active(server_id)["status"] == "ACTIVE"
    finally:
        assert region.admin.delete(C, f"/flavors/{flavor['id']}") == 202

    def migrations(**query: object) -> list[Json]:
        return list(region.admin.good("GET", C, "/os-migrations", **query)["migrations"])

    whole = migrations()
    mine = [one for one in whole if one["instance_uuid"] in server_ids]
    assert {one["instance_uuid"] for one in mine} == server_ids
    assert whole == sorted(whole, key=lambda one: str(one["created_at"]), reverse=True)
    since = str(min(one["updated_at"] for one in mine))[:19] + "Z"
    assert {one["uuid"] for one in migrations(**{"changes-since": since})} >= {one["uuid"] for one in mine}
    assert migrations(**{"changes-since": FUTURE}) == []
    assert {one["uuid"] for one in mine} <= {one["uuid"] for one in migrations(**{"changes-before": FUTURE})}
    # Nobody has been shown a page that ends with these.
    for place, one in enumerate(whole):
        assert [other["uuid"] for other in migrations(marker=one["uuid"])] == [
            other["uuid"] for other in whole[place + 1 :]
        ]
    unknown = region.admin("GET", C, "/os-migrations?marker=00000000-0000-4000-8000-000000000000")
    assert unknown.status_code == 400


def test_hypervisors_behind_any_of_them(region: Region) -> None:
    whole = ids(region.admin.list(C, "os-hypervisors"))
    assert len(whole) >= 2
    for place, one in enumerate(whole):
        assert ids(region.admin.list(C, "os-hypervisors", marker=one)) == whole[place + 1 :]


def test_deleted_servers_are_for_administrators(
    region: Region, tenant: Tenant, world: World, flavor: Json, image_id: str
) -> None:
    gone = {tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id) for zone in AZS}
    for server_id in gone:
        tenant.active(server_id)
        tenant.gone(C, f"/servers/{server_id}")
    mine = {"all_tenants": "1", "project_id": tenant.project_id}
    assert found(region.admin, "servers", **mine, deleted="true") >= gone
    assert not found(region.admin, "servers", **mine, deleted="true") & set(world.servers.values())
    assert found(region.admin, "servers", **mine, status="DELETED") >= gone
    # To members the filter says nothing, and the status is refused.
    assert found(tenant.here, "servers", deleted="true") == set(world.servers.values())
    ours, theirs = (c("GET", C, "/servers?status=DELETED") for c in (tenant.here, tenant.inside["Pod1"]))
    assert (ours.status_code, ours.json()) == (403, theirs.json())
