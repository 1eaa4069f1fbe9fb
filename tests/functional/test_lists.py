# SPDX-License-Identifier: Apache-2.0
"""Is a list over all pods one list: whole, without doubles, in the service's order, in pages of any size?

The second pod gives seven things a page at most, and holds more than that.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.functional.region_world import Caller, Json, Region, at_once, eventually, ids, unique
from tests.functional.tenants import Tenant
from tricircle.road.collation import key as collation

pytestmark = pytest.mark.lab

INCOMPLETE = "OpenStack-Incomplete-AZs"
#: More than one page of the pod in az2, and fewer of the other.
ROUND = ("az2", "az1", "az2", "az2")
ROUNDS = 3
PLACES = [("compute", "/servers"), ("block-storage", "/volumes"), ("block-storage", "/snapshots")]
LIMITS = {"compute": {"instances": 40, "cores": 40}, "block-storage": {"volumes": 40, "snapshots": 40}}


@dataclass
class Fleet:
    """What the project has, by path of its list: ids with their zones, in the order in which they were made."""

    tenant: Tenant
    made: dict[str, dict[str, str]] = field(default_factory=dict)

    def all(self, path: str) -> set[str]:
        return set(self.made[path])

    def in_zone(self, path: str, zone: str) -> set[str]:
        return {thing for thing, its in self.made[path].items() if its == zone}


@pytest.fixture(scope="module")
def fleet(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> Fleet:
    """Servers, volumes and snapshots in both pods, made by turns; no name, no age is alike on purpose."""
    for service, limits in LIMITS.items():
        path = f"/os-quota-sets/{tenant.project_id}"
        region.admin.good("PUT", service, path, {"quota_set": limits})
    fleet = Fleet(tenant)

    def server(zone: str) -> tuple[str, str]:
        return tenant.booted(zone, name=unique("fn-list"), flavorRef=flavor["id"], imageRef=image_id), zone

    def volume(zone: str) -> tuple[str, str]:
        return str(tenant.volume(zone, name=unique("fn-list"))["id"]), zone

    for path, make in (("/servers", server), ("/volumes", volume)):
        fleet.made[path] = {}
        for _ in range(ROUNDS):
            fleet.made[path].update(at_once([lambda zone=zone, make=make: make(zone) for zone in ROUND]))  # type: ignore[misc]
    sources = {zone: volume_id for volume_id, zone in fleet.made["/volumes"].items()}

    def snapshot(zone: str) -> tuple[str, str]:
        made = tenant.here.make("block-storage", "snapshots", "snapshot", volume_id=sources[zone], name=unique())
        path = f"/snapshots/{made['id']}"
        return str(tenant.reached("block-storage", path, "snapshot", "available")["id"]), zone

    # A volume gives one snapshot at a time.
    fleet.made["/snapshots"] = dict([snapshot(zone) for _ in range(ROUNDS) for zone in ROUND])
    for server_id in fleet.made["/servers"]:
        tenant.active(server_id)
    return fleet


def pages(caller: Caller, service: str, path: str, **query: object) -> Iterator[list[Json]]:
    """Pages of a list, each by the link of the one before."""
    key = path.split("/")[1]
    url = path
    while True:
        body = whole_page(caller, service, url, query)
        yield body[key]
        links = body.get(f"{key}_links", body.get(f"{key.removesuffix('s')}s_links", []))
        if not links:
            return
        ((rel, url),) = [(link["rel"], link["href"]) for link in links]
        assert rel == "next"
        assert url.startswith(f"{caller.roots[service]}{path}?"), url
        query = {}


def whole_page(caller: Caller, service: str, url: str, query: Mapping[str, object]) -> Json:
    """A page on which nothing is missing: on a busy machine a pod may be late."""
    answer = eventually(
        lambda: caller("GET", service, url, params=query), lambda seen: INCOMPLETE not in seen.headers, url
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def marked_pages(caller: Caller, service: str, path: str, limit: int) -> Iterator[list[Json]]:
    """Pages of a list, each by the last id of the one before, until one is empty."""
    query: dict[str, object] = {"limit": limit}
    while page := whole_page(caller, service, path, query)[path.split("/")[1]]:
        yield page
        query["marker"] = page[-1]["id"]


def flat(found: Sequence[Sequence[Json]]) -> list[Json]:
    return [item for page in found for item in page]


def created(item: Json) -> str:
    return str(item.get("created", item.get("created_at")))


@pytest.mark.parametrize("limit", [None, 2, 5, 12, 1000])
@pytest.mark.parametrize(("service", "path"), PLACES)
def test_links_lead_through_all_of_it_once(
    fleet: Fleet, tenant: Tenant, service: str, path: str, limit: int | None
) -> None:
    query = {} if limit is None else {"limit": limit}
    found = list(pages(tenant.here, service, f"{path}/detail", **query))
    assert all(len(page) == limit for page in found[:-1])
    items = flat(found)
    assert len(items) == len(fleet.all(path))
    assert set(ids(items)) == fleet.all(path)
    assert [created(item) for item in items] == sorted((created(item) for item in items), reverse=True)
    brief = flat(list(pages(tenant.here, service, path, **query)))
    assert ids(brief) == ids(items)
    if path != "/snapshots":
        assert {tuple(sorted(item)) for item in brief} == {("id", "links", "name")}


@pytest.mark.parametrize(("service", "path"), PLACES)
def test_markers_lead_through_all_of_it_once(fleet: Fleet, tenant: Tenant, service: str, path: str) -> None:
    whole = ids(tenant.here.list(service, f"{path.strip('/')}/detail"))
    found = list(marked_pages(tenant.here, service, f"{path}/detail", 5))
    assert [len(page) for page in found] == [5, 5, 2]
    assert ids(flat(found)) == whole
    # A list may be entered anywhere, with other sizes than before.
    rest = tenant.here.list(service, path.strip("/"), marker=whole[2], limit=4)
    assert ids(rest) == whole[3:7]


@pytest.mark.parametrize(("service", "path"), PLACES)
def test_each_pods_own_order_is_kept(region: Region, fleet: Fleet, tenant: Tenant, service: str, path: str) -> None:
    whole = ids(tenant.here.list(service, f"{path.strip('/')}/detail"))
    for pod, inside in tenant.inside.items():
        if pod == "RegionOne":
            continue
        own = ids(flat(list(marked_pages(inside, service, path, region.page_limit[pod]))))
        assert [one for one in whole if one in own] == own


@pytest.mark.parametrize(("service", "path"), PLACES)
def test_administrators_see_it_among_all(region: Region, fleet: Fleet, tenant: Tenant, service: str, path: str) -> None:
    everything = flat(list(pages(region.admin, service, f"{path}/detail", all_tenants=1, limit=9)))
    assert len(everything) == len(set(ids(everything)))
    assert set(ids(everything)) >= fleet.all(path)
    only = {"all_tenants": 1, "project_id": tenant.project_id}
    mine = flat(list(pages(region.admin, service, f"{path}/detail", **only, limit=5)))
    assert ids(mine) == ids(tenant.here.list(service, path.strip("/")))
    assert not fleet.all(path) & set(ids(region.admin.list(service, path.strip("/"))))


@pytest.mark.parametrize(("service", "path"), PLACES)
def test_members_see_their_own(region: Region, fleet: Fleet, tenant: Tenant, service: str, path: str) -> None:
    """What a pod answers to a member who wants all is what a member gets here."""
    ours, theirs = (
        caller("GET", service, path, params={"all_tenants": 1}) for caller in (tenant.here, tenant.inside["Pod1"])
    )
    assert ours.status_code == theirs.status_code
    if ours.status_code == 200:
        assert {item["id"] for item in ours.json()[path.strip("/")]} == fleet.all(path)
    else:
        # We ask pods for the detailed list, so the policy that is named is the detailed list's.
        assert list(ours.json()) == list(theirs.json())
        assert "get_all_tenants" in ours.text


@pytest.mark.parametrize(("service", "path"), PLACES[:2])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_other_orders(fleet: Fleet, tenant: Tenant, service: str, path: str, direction: str) -> None:
    key = "display_name" if service == "compute" else "name"
    found = flat(list(pages(tenant.here, service, f"{path}/detail", sort_key=key, sort_dir=direction, limit=5)))
    names = [item["name"] for item in found]
    assert len(names) == len(fleet.all(path))
    assert names == sorted(names, reverse=direction == "desc")


@pytest.mark.parametrize(("service", "path"), PLACES[:2])
def test_filters(fleet: Fleet, tenant: Tenant, service: str, path: str) -> None:
    whole = tenant.here.list(service, f"{path.strip('/')}/detail")
    one = whole[7]
    assert ids(tenant.here.list(service, path.strip("/"), name=one["name"])) == [one["id"]]
    assert tenant.here.list(service, path.strip("/"), name="nobodys") == []
    ready = "ACTIVE" if service == "compute" else "available"
    found = flat(list(pages(tenant.here, service, f"{path}/detail", status=ready, limit=5)))
    assert ids(found) == ids(whole)
    for zone in ("az1", "az2"):
        found = flat(list(pages(tenant.here, service, f"{path}/detail", availability_zone=zone, limit=3)))
        assert set(ids(found)) == fleet.in_zone(path, zone)
    assert tenant.here.list(service, path.strip("/"), availability_zone="nova") == []


#: What sorts otherwise by code point, doubles for a database, and nothing.
TEXTS = ["b", "B", "a", "Ä", "ä", "A", "á", "_", "é", "E", "ß", "ss"]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize(("service", "path"), PLACES[:2])
def test_texts_sort_as_in_one_service(
    fleet: Fleet, tenant: Tenant, flavor: Json, service: str, path: str, direction: str
) -> None:
    """By the database's rules: the same names in one real service, made there past us, come in the same order."""
    member, key = path[1:-1], "display_name" if service == "compute" else "name"
    whole = sorted(fleet.all(path))
    for thing, text in zip(whole, TEXTS, strict=True):
        tenant.here.good("PUT", service, f"{path}/{thing}", {member: {"name": f"t-{text}"}})
    inside = tenant.inside["Pod1"]
    alone = [
        inside.make("block-storage", "volumes", "volume", size=1, name=f"t-{text}", metadata={"alone": "yes"})["id"]
        for text in TEXTS
    ]
    order = {"sort_key": key, "sort_dir": direction}
    seen = flat(list(pages(tenant.here, service, f"{path}/detail", **order, limit=5)))
    one = inside.list("block-storage", "volumes/detail", sort_key="name", sort_dir=direction)
    for volume_id in alone:
        assert inside.delete("block-storage", f"/volumes/{volume_id}") == 202
    eventually(lambda: set(ids(inside.list("block-storage", "volumes"))) & set(alone), lambda left: not left, "gone")
    # Equal for a database: there the order is by what comes next, in each service its own.
    want = [collation(item["name"]) for item in one if item["id"] in alone]
    assert [collation(item["name"]) for item in seen if item["id"] in whole] == want
    equal = [(collation(item["name"]), item["id"]) for item in seen if item["id"] in whole]
    if service == "compute":
        assert [text for text, _ in equal] == want
        assert all(a[1] < b[1] for a, b in itertools.pairwise(equal) if a[0] == b[0])


def test_servers_of_one_age_come_by_their_ids(fleet: Fleet, tenant: Tenant) -> None:
    """As Nova breaks ties, over both pods."""
    for direction in ("asc", "desc"):
        order = {"sort_key": "project_id", "sort_dir": direction}
        seen = ids(flat(list(pages(tenant.here, "compute", "/servers", **order, limit=5))))
        assert seen == sorted(fleet.all("/servers"))


def test_snapshots_of_one_volume(fleet: Fleet, tenant: Tenant) -> None:
    whole = tenant.here.list("block-storage", "snapshots/detail")
    source = whole[0]["volume_id"]
    expected = [item["id"] for item in whole if item["volume_id"] == source]
    assert ids(tenant.here.list("block-storage", "snapshots", volume_id=source)) == expected


def test_counts(fleet: Fleet, tenant: Tenant) -> None:
    for path in ("/volumes", "/snapshots"):
        body = tenant.here.good("GET", "block-storage", path, with_count="true", limit=2)
        assert body["count"] == len(fleet.all(path))


def test_zones_are_ours_in_every_item(fleet: Fleet, tenant: Tenant) -> None:
    servers = tenant.here.list("compute", "servers/detail")
    assert {item["id"]: item["OS-EXT-AZ:availability_zone"] for item in servers} == fleet.made["/servers"]
    volumes = tenant.here.list("block-storage", "volumes/detail")
    assert {item["id"]: item["availability_zone"] for item in volumes} == fleet.made["/volumes"]


def test_links_of_items_are_ours(region: Region, fleet: Fleet, tenant: Tenant) -> None:
    for service, path in PLACES[:2]:
        for item in tenant.here.list(service, f"{path.strip('/')}/detail"):
            hosts = {f"{parts.scheme}://{parts.netloc}" for parts in (urlsplit(link["href"]) for link in item["links"])}
            assert hosts == {region.front}
            href = next(link["href"] for link in item["links"] if link["rel"] == "self")
            assert tenant.here("GET", service, href).status_code == 200


@pytest.mark.parametrize(
    "query",
    [{"limit": "x"}, {"limit": -1}, {"limit": 0}, {"limit": 1.5}, {"marker": "nobodys"}, {"sort_key": "colour"},
     {"marker": "00000000-0000-0000-0000-000000000bad"}, {"sort_dir": "sideways"}, {"colour": "red"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(("service", "path"), PLACES)
def test_bad_queries(fleet: Fleet, tenant: Tenant, service: str, path: str, query: dict[str, object]) -> None:
    """Refused as a pod does, with its words; what it passes over is passed over."""
    ours, theirs = (caller("GET", service, path, params=query) for caller in (tenant.here, tenant.inside["Pod1"]))
    assert ours.status_code == theirs.status_code, ours.text
    if ours.status_code >= 400:
        assert ours.json() == theirs.json()
    elif query == {"limit": 0}:
        assert ours.json()[path.strip("/")] == theirs.json()[path.strip("/")]


def test_what_ends_between_two_pages(fleet: Fleet, tenant: Tenant, flavor: Json, image_id: str) -> None:
    """The next page is the same whether or not the last thing of this one still exists."""
    extra = tenant.booted("az2", flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(extra)
    first, second = (item["id"] for item in tenant.here.list("compute", "servers", limit=2))
    assert first == extra
    (page,) = (tenant.here.list("compute", "servers", limit=1),)
    assert ids(page) == [extra]
    tenant.gone("compute", f"/servers/{extra}")
    eventually(lambda: ids(tenant.here.list("compute", "servers")), lambda seen: extra not in seen, "not listed")
    assert ids(tenant.here.list("compute", "servers", limit=1, marker=extra)) == [second]
