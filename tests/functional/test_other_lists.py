# SPDX-License-Identifier: Apache-2.0
"""Do the lists that are not of servers, volumes and snapshots come in pages that are whole, in order, and once?

Some are the centre's, some one pod's, some of all pods; links lead on at the door.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.functional.region_world import VERSIONS, Caller, Json, Region, ask, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

C, S = "compute", "block-storage"
INCOMPLETE = "OpenStack-Incomplete-AZs"
AZS = ("az1", "az2")
NOBODY = "00000000-0000-4000-8000-000000000000"
FUTURE = "2126-01-01T00:00:00Z"


def at(service: str, version: str) -> Mapping[str, str]:
    return {"OpenStack-API-Version": f"{'compute' if service == C else 'volume'} {version}"}


def pages(caller: Caller, service: str, url: str, key: str, links: str, version: str = "") -> Iterator[list[Json]]:
    """Pages of a list, each by the link of the one before, which leads through the door."""
    path = url.partition("?")[0]
    while url:
        headers = {"X-Auth-Token": caller.token, **at(service, version or VERSIONS[service].split()[1])}
        where = url if url.startswith("http") else caller.roots[service] + url
        # As ``whole``.
        answer = eventually(
            lambda where=where, headers=headers: ask("GET", where, headers=headers),  # type: ignore[misc]
            lambda seen: INCOMPLETE not in seen.headers,
            url,
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        value = body[key]
        yield value if isinstance(value, list) else [value] if value else []
        url = next((link["href"] for link in body.get(links, []) if link["rel"] == "next"), "")
        assert not url or url.startswith(f"{caller.roots[service]}{path}?"), url


def whole(caller: Caller, service: str, path: str) -> Json:
    """A list of which nothing is missing: on a busy machine a pod may be late.

    Tempest's schemas, which other calls are held against, know no links to next pages.
    """
    headers = {"X-Auth-Token": caller.token, **at(service, VERSIONS[service].split()[1])}
    answer = eventually(
        lambda: ask("GET", caller.roots[service] + path, headers=headers),
        lambda seen: INCOMPLETE not in seen.headers and seen.status_code != 503,
        path,
    )
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def flat(found: Iterator[list[Json]], longest: int) -> list[Json]:
    items = []
    for page in found:
        assert len(page) <= longest
        items += page
    return items


@pytest.fixture(scope="module")
def servers(tenant: Tenant, flavor: Json, image_id: str) -> dict[str, str]:
    """A server in each AZ, which was stopped and started."""
    made = {zone: tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id) for zone in AZS}
    for server_id in made.values():
        tenant.active(server_id)
        for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
            tenant.here.good("POST", C, f"/servers/{server_id}/action", {action: None})
            tenant.reached(C, f"/servers/{server_id}", "server", status)
    return made


@pytest.fixture(scope="module")
def volumes(tenant: Tenant) -> list[str]:
    """Two volumes in each AZ, by turns."""
    return [str(tenant.volume(zone)["id"]) for zone in AZS * 2]


def test_key_pairs(tenant: Tenant) -> None:
    """The centre's; by name, from 2.35 on in pages."""
    names = sorted(unique("key") for _ in range(3))
    for name in reversed(names):
        tenant.here.make(C, "os-keypairs", "keypair", name=name)
    found = flat(pages(tenant.here, C, "/os-keypairs?limit=1", "keypairs", "keypairs_links"), 1)
    assert [one["keypair"]["name"] for one in found] == names
    assert tenant.here("GET", C, "/os-keypairs?marker=nobodys").status_code == 400
    for name in names:
        assert tenant.here.delete(C, f"/os-keypairs/{name}") == 204


def test_flavors(region: Region, tenant: Tenant, flavor: Json) -> None:
    """The centre's."""
    there = [one["id"] for one in tenant.here.list(C, "flavors/detail")]
    found = flat(pages(tenant.here, C, "/flavors?limit=2", "flavors", "flavors_links"), 2)
    assert [one["id"] for one in found] == there
    assert flavor["id"] in there


def test_server_groups(tenant: Tenant) -> None:
    """The centre's: limits and offsets, no links."""
    for _ in range(3):
        tenant.here.make(C, "os-server-groups", "server_group", name=unique(), policy="anti-affinity")
    there = [one["id"] for one in tenant.here.list(C, "os-server-groups")]
    assert len(there) == 3
    assert [one["id"] for one in tenant.here.list(C, "os-server-groups", limit=1, offset=1)] == there[1:2]
    for group_id in there:
        assert tenant.here.delete(C, f"/os-server-groups/{group_id}") == 204


@pytest.mark.parametrize("zone", AZS)
def test_instance_actions(tenant: Tenant, servers: dict[str, str], zone: str) -> None:
    """One pod's, newest first; from 2.58 on in pages."""
    path = f"/servers/{servers[zone]}/os-instance-actions"
    found = flat(pages(tenant.here, C, f"{path}?limit=1", "instanceActions", "links"), 1)
    assert [one["action"] for one in found] == ["start", "stop", "create"]
    (last,) = tenant.here.good("GET", C, path, marker=found[1]["request_id"])["instanceActions"]
    assert last["action"] == "create"
    since = f"{datetime.now(UTC) - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    assert len(tenant.here.good("GET", C, path, **{"changes-since": since})["instanceActions"]) == 3
    assert tenant.here.good("GET", C, path, **{"changes-since": FUTURE})["instanceActions"] == []
    assert tenant.here("GET", C, f"{path}?marker=req-{NOBODY}").status_code == 400
    old = tenant.here("GET", C, f"{path}?limit=1", headers=at(C, "2.57")).json()
    assert (len(old["instanceActions"]), "links" in old) == (3, False)


def test_usage_of_servers(tenant: Tenant, servers: dict[str, str]) -> None:
    """Of both pods, by the servers' ids; from 2.40 on in pages."""
    path = f"/os-simple-tenant-usage/{tenant.project_id}"
    query = f"start={datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
    found = [
        one["instance_id"]
        for page in pages(tenant.here, C, f"{path}?{query}&limit=1", "tenant_usage", "tenant_usage_links")
        for usage in page
        for one in usage["server_usages"]
    ]
    assert found == sorted(set(found))
    assert set(servers.values()) <= set(found)
    assert tenant.here("GET", C, f"{path}?{query}&marker={NOBODY}").status_code == 400


@pytest.mark.parametrize("path", ["os-hypervisors", "os-hypervisors/detail"])
def test_hypervisors(region: Region, path: str) -> None:
    """From 2.33 on in pages, pod after pod."""
    there = [one["id"] for one in whole(region.admin, C, f"/{path}")["hypervisors"]]
    found = flat(pages(region.admin, C, f"/{path}?limit=1", "hypervisors", "hypervisors_links"), 1)
    assert [one["id"] for one in found] == there
    assert len(there) >= 2
    old = region.admin("GET", C, "/os-hypervisors?limit=1", headers=at(C, "2.32")).json()["hypervisors"]
    assert len(old) == len(there)
    ours, theirs = (c("GET", C, f"/{path}?marker={NOBODY}") for c in (region.admin, region.pods["Pod1"]))
    assert (ours.status_code, ours.json()) == (400, theirs.json())


def test_migrations(region: Region, tenant: Tenant, servers: dict[str, str]) -> None:
    """From 2.59 on in pages, newest first."""
    flavor = region.admin.make(C, "flavors", "flavor", name=unique(), ram=65, vcpus=1, disk=1)
    for server_id in servers.values():
        tenant.here.good("POST", C, f"/servers/{server_id}/action", {"resize": {"flavorRef": flavor["id"]}})
        tenant.reached(C, f"/servers/{server_id}", "server", "VERIFY_RESIZE")
        tenant.here.good("POST", C, f"/servers/{server_id}/action", {"revertResize": None})
        tenant.active(server_id)
    assert region.admin.delete(C, f"/flavors/{flavor['id']}") == 202
    there = whole(region.admin, C, "/os-migrations")["migrations"]
    found = flat(pages(region.admin, C, "/os-migrations?limit=1", "migrations", "migrations_links"), 1)
    assert [one["uuid"] for one in found] == [one["uuid"] for one in there]
    assert {one["instance_uuid"] for one in found} >= set(servers.values())
    # What the filter leaves out is a marker all the same.
    body = whole(region.admin, C, f"/os-migrations?status=nothing&marker={there[0]['uuid']}")
    assert body["migrations"] == []


def test_services_and_aggregates_come_whole(region: Region) -> None:
    binaries = [(one["binary"], one["host"]) for one in region.admin.list(C, "os-services")]
    assert len(binaries) == len(set(binaries))
    for binary in ("nova-compute", "nova-scheduler"):
        assert len([one for one in binaries if one[0] == binary]) >= len(AZS)
    made = [region.admin.make(C, "os-aggregates", "aggregate", name=unique())["id"] for _ in range(2)]
    assert set(made) <= {one["id"] for one in region.admin.list(C, "os-aggregates")}
    for aggregate_id in made:
        assert region.admin.delete(C, f"/os-aggregates/{aggregate_id}") == 200


def test_deleted_servers_are_markers_whoever_remembers_a_page(
    tenant: Tenant, servers: dict[str, str], flavor: Json, image_id: str
) -> None:
    """As in Nova: what is deleted is known as a marker, and has its place among all others."""
    gone = [tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id) for zone in AZS]
    for server_id in gone:
        tenant.active(server_id)
    before = [one["id"] for one in whole(tenant.here, C, "/servers?sort_key=uuid&sort_dir=asc")["servers"]]
    for server_id in gone:
        tenant.gone(C, f"/servers/{server_id}")
    left = [one for one in before if one not in gone]
    for server_id in gone:
        path = f"/servers?sort_key=uuid&sort_dir=asc&limit=1000&marker={server_id}"
        found = [one["id"] for one in whole(tenant.here, C, path)["servers"]]
        assert found == [one for one in left if one > server_id]
    for query in ("changes-since=2020-01-01T00:00:00Z", "changes-since=2020-01-01T00:00:00Z&sort_key=updated_at"):
        everything = [one["id"] for one in whole(tenant.here, C, f"/servers/detail?{query}")["servers"]]
        assert set(gone) | set(servers.values()) <= set(everything)
        for place, server_id in enumerate(everything):
            body = whole(tenant.here, C, f"/servers?{query}&marker={server_id}")
            assert [one["id"] for one in body["servers"]] == everything[place + 1 :]
    unknown = tenant.here("GET", C, f"/servers?marker={NOBODY}")
    assert unknown.status_code == 400
    assert unknown.json()["badRequest"]["message"] == f"marker [{NOBODY}] not found"


@pytest.fixture(scope="module")
def storage(region: Region, tenant: Tenant, volumes: list[str]) -> Iterator[dict[str, list[str]]]:
    """Ids by list, of things in both pods by turns, in the order in which they were made."""
    found: dict[str, list[str]] = {"backups": [], "groups": [], "messages": [], "attachments": [], "transfers": []}
    for volume_id in volumes:
        made = tenant.here.make(S, "backups", "backup", volume_id=volume_id, name=unique())
        tenant.reached(S, f"/backups/{made['id']}", "backup", "available")
        found["backups"].append(made["id"])
    kind = region.admin.make(S, "group_types", "group_type", name=unique())
    typed = region.admin.make(S, "types", "volume_type", name=unique(), extra_specs={"volume_backend_name": "nowhere"})
    usual = next(one for one in tenant.here.good("GET", S, "/types")["volume_types"] if one["name"] != typed["name"])
    for zone in AZS * 2:
        given = {"name": unique(), "group_type": kind["id"], "volume_types": [usual["id"]], "availability_zone": zone}
        made = tenant.here.make(S, "groups", "group", **given)
        tenant.reached(S, f"/groups/{made['id']}", "group", "available")
        found["groups"].append(made["id"])
        failed = tenant.volume(zone, volume_type=typed["name"])
        told = eventually(
            lambda failed=failed: tenant.here.list(S, "messages", resource_uuid=failed["id"]), len, "a message"
        )
        found["messages"].append(told[0]["id"])
        assert tenant.here.delete(S, f"/volumes/{failed['id']}") == 202
    for volume_id in volumes[:2]:
        found["transfers"].append(tenant.here.make(S, "volume-transfers", "transfer", volume_id=volume_id)["id"])
    for volume_id in volumes[2:]:
        made = tenant.here.make(S, "attachments", "attachment", volume_uuid=volume_id, instance_uuid=NOBODY)
        found["attachments"].append(made["id"])
    yield found
    for transfer_id in found["transfers"]:
        assert tenant.here.delete(S, f"/volume-transfers/{transfer_id}") == 202
        # The next 404 strikes out its routing, which a recovery in another test would miss.
        assert tenant.here("GET", S, f"/volume-transfers/{transfer_id}").status_code == 404
    for attachment_id in found["attachments"]:
        assert tenant.here.delete(S, f"/attachments/{attachment_id}") == 200
    for group_id in found["groups"]:
        tenant.here.good("POST", S, f"/groups/{group_id}/action", {"delete": {"delete-volumes": False}})
    for path in [f"/messages/{one}" for one in found["messages"]]:
        assert tenant.here.delete(S, path) == 204
    for path in (f"/group_types/{kind['id']}", f"/types/{typed['id']}"):
        eventually(lambda path=path: region.admin.delete(S, path), lambda seen: seen == 202, path)  # type: ignore[misc]


Storage = dict[str, list[str]]
LINKS = {"backups": "backups_links", "groups": "group_links", "messages": "messages_links",
         "transfers": "transfers_links"}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_pages_of_storage(tenant: Tenant, storage: Storage, name: str) -> None:
    """Newest first over both pods; from any marker, whoever remembers it."""
    path = {"messages": "/messages", "transfers": "/volume-transfers/detail"}.get(name, f"/{name}/detail")
    found = flat(pages(tenant.here, S, f"{path}?limit=1", name, LINKS[name]), 1)
    places = [(one["created_at"], one["id"]) for one in found]
    assert places == sorted(places, reverse=True)
    ids = [one["id"] for one in found]
    assert sorted(ids) == sorted(storage[name])
    for place, one in enumerate(ids):
        said = whole(tenant.here, S, f"{path}?marker={one}")
        assert [other["id"] for other in said[name]] == ids[place + 1 :]
    rising = whole(tenant.here, S, f"{path}?sort=id:asc&limit=3")[name]
    assert [one["id"] for one in rising] == sorted(ids)[:3]
    unknown = tenant.here("GET", S, f"{path}?marker={NOBODY}")
    assert unknown.status_code == 404
    theirs = tenant.inside["Pod1"]("GET", S, f"{path}?marker={NOBODY}")
    assert unknown.json() == theirs.json()


def test_attachments_are_whole(tenant: Tenant, storage: Storage) -> None:
    """Without links and ages; nothing is said to lack."""
    for path in ("/attachments", "/attachments/detail"):
        found = whole(tenant.here, S, path)["attachments"]
        assert sorted(one["id"] for one in found) == sorted(storage["attachments"])
    first = whole(tenant.here, S, "/attachments?sort=id:asc&limit=1")["attachments"]
    rest = whole(tenant.here, S, f"/attachments?sort=id:asc&marker={first[0]['id']}")["attachments"]
    assert [one["id"] for one in first + rest] == sorted(storage["attachments"])
    unknown, theirs = (c("GET", S, f"/attachments?marker={NOBODY}") for c in (tenant.here, tenant.inside["Pod1"]))
    assert (unknown.status_code, unknown.json()) == (404, theirs.json())


@pytest.mark.parametrize(
    ("name", "path", "version"),
    [("messages", "/messages", "3.4"), ("transfers", "/os-volume-transfer/detail", "3.58")],
)
def test_lists_that_had_no_pages(tenant: Tenant, storage: Storage, name: str, path: str, version: str) -> None:
    """Messages pass over what is asked for; transfers take it for a filter that nothing meets."""
    ids = storage[name]
    found = tenant.here("GET", S, path, headers=at(S, version)).json()[name]
    assert sorted(one["id"] for one in found) == sorted(ids)
    for query in ("limit=1", f"marker={ids[0]}"):
        asked = tenant.here("GET", S, f"{path}?{query}", headers=at(S, version)).json()[name]
        assert [one["id"] for one in asked] == ([one["id"] for one in found] if name == "messages" else [])


def test_what_is_counted(tenant: Tenant, storage: Storage) -> None:
    body = whole(tenant.here, S, "/backups?with_count=true&limit=1")
    assert body["count"] == len(storage["backups"])


def test_images(tenant: Tenant) -> None:
    """The centre's; ``next`` is a path below the service's own."""
    made = [
        str(tenant.here.good("POST", "image", "/images", {"name": unique(), "visibility": "private"})["id"])
        for _ in range(3)
    ]
    seen: list[str] = []
    path = "/images?limit=1&visibility=private&sort=created_at:asc,id:asc"
    while path:
        body = tenant.here.good("GET", "image", path)
        seen += [one["id"] for one in body["images"]]
        path = str(body.get("next", "")).removeprefix("/v2")
    assert sorted(seen) == sorted(made)
    for image_id in made:
        assert tenant.here.delete("image", f"/images/{image_id}") == 204
