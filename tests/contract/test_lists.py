# SPDX-License-Identifier: Apache-2.0
"""How do pods page, sort and filter? What the merged lists of the gateway rest on."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.cloud import Cloud, eventually, unique
from tests.contract.conftest import wait_active

COUNT = 3


@pytest.fixture(scope="module")
def word(cloud: Cloud) -> str:
    return unique("list")


@pytest.fixture(scope="module")
def volumes(cloud: Cloud, word: str) -> Iterator[list[str]]:
    """Ids of the tenant's volumes with ``word`` in the name, in the order in which they were made."""
    made = []
    for number in range(COUNT):
        body = {"volume": {"size": 1, "name": f"{word}-{number}"}}
        made.append(cloud.tenant.good("POST", "block-storage", "/v3/volumes", body)["volume"]["id"])
    yield made
    for volume_id in made:
        cloud.admin("POST", "block-storage", f"/v3/volumes/{volume_id}/action", {"os-force_delete": {}})


@pytest.fixture(scope="module")
def servers(cloud: Cloud, word: str) -> Iterator[list[str]]:
    made = []
    for number in range(COUNT):
        body = {
            "server": {
                "name": f"{word}-{number}",
                "flavorRef": cloud.flavor_id,
                "imageRef": cloud.image_id,
                "networks": "none",
            }
        }
        answer = cloud.tenant.good("POST", "compute", "/v2.1/servers", body, OpenStack_API_Version="compute 2.96")
        made.append(answer["server"]["id"])
    for server_id in made:  # while servers are built, Nova changes their order
        wait_active(cloud, server_id)
    yield made
    for server_id in made:
        cloud.tenant("DELETE", "compute", f"/v2.1/servers/{server_id}")


@pytest.fixture(params=["servers", "volumes"])
def listed(request: pytest.FixtureRequest, cloud: Cloud) -> tuple[str, str, str, list[str]]:
    """Service, path of the list, JSON key, ids that are in it."""
    ids = request.getfixturevalue(request.param)
    if request.param == "servers":
        return "compute", "/v2.1/servers", "servers", ids
    return "block-storage", "/v3/volumes", "volumes", ids


def _next(body: dict, key: str) -> str | None:
    links = body.get(f"{key}_links", [])
    return next((link["href"] for link in links if link["rel"] == "next"), None)


def test_pages_follow_each_other(cloud: Cloud, listed: tuple, word: str) -> None:
    service, path, key, ids = listed
    seen: list[str] = []
    query = f"?limit=1&name={word}" if service == "compute" else "?limit=1"
    while query:
        body = cloud.tenant.good("GET", service, path + query)
        assert len(body[key]) <= 1
        seen += [item["id"] for item in body[key]]
        href = _next(body, key)
        if href is None:
            break
        parts = urlsplit(href)
        assert href.startswith(cloud.link_root(service) + "/")
        assert parts.path.endswith(path)
        assert parse_qs(parts.query)["marker"] == [seen[-1]]
        query = f"?{parts.query}"
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


def test_the_last_full_page_still_has_a_next_link(cloud: Cloud, listed: tuple) -> None:
    service, path, key, _ = listed
    everything = cloud.tenant.good("GET", service, path)[key]
    count = min(len(everything), cloud.page_limit)
    body = cloud.tenant.good("GET", service, f"{path}?limit={count}")
    assert len(body[key]) == count
    assert _next(body, key) is not None


def test_a_short_page_has_no_next_link(cloud: Cloud, listed: tuple) -> None:
    service, path, key, _ = listed
    body = cloud.tenant.good("GET", service, f"{path}?limit=1000")
    if len(body[key]) < cloud.page_limit:
        assert _next(body, key) is None


def test_a_limit_over_the_maximum_is_cut_silently(cloud: Cloud, listed: tuple) -> None:
    service, path, key, _ = listed
    answer = cloud.tenant("GET", service, f"{path}?limit=100000")
    assert answer.status_code == 200
    assert len(answer.json()[key]) <= cloud.page_limit


def test_limit_0_is_an_empty_list_without_a_link(cloud: Cloud, listed: tuple) -> None:
    service, path, key, _ = listed
    assert cloud.tenant.good("GET", service, f"{path}?limit=0") == {key: []}


@pytest.mark.parametrize("limit", ["-1", "x"])
def test_a_bad_limit_is_400(cloud: Cloud, listed: tuple, limit: str) -> None:
    service, path, _, _ = listed
    assert cloud.tenant("GET", service, f"{path}?limit={limit}").status_code == 400


def test_an_unknown_marker_is_400_for_nova_and_404_for_cinder(cloud: Cloud) -> None:
    marker = "00000000-0000-4000-8000-000000000000"
    nova = cloud.tenant("GET", "compute", f"/v2.1/servers?marker={marker}")
    assert (nova.status_code, nova.json()["badRequest"]["message"]) == (400, f"marker [{marker}] not found")
    cinder = cloud.tenant("GET", "block-storage", f"/v3/volumes?marker={marker}")
    assert cinder.status_code == 404
    assert cinder.json()["itemNotFound"]["message"] == f"Volume {marker} could not be found."


def test_unknown_markers_elsewhere(cloud: Cloud) -> None:
    marker = "00000000-0000-4000-8000-000000000000"
    assert cloud.tenant("GET", "compute", f"/v2.1/flavors?marker={marker}").status_code == 400
    assert cloud.tenant("GET", "block-storage", f"/v3/snapshots?marker={marker}").status_code == 404
    assert cloud.tenant("GET", "network", f"/v2.0/ports?limit=1&marker={marker}").status_code == 404


def test_newest_first_by_default(cloud: Cloud, listed: tuple) -> None:
    service, path, key, _ = listed
    items = cloud.tenant.good("GET", service, f"{path}/detail")[key]
    times = [item["created"] if service == "compute" else item["created_at"] for item in items]
    assert times == sorted(times, reverse=True)


def test_sorting_by_name(cloud: Cloud, listed: tuple, word: str) -> None:
    service, path, key, ids = listed
    name = "display_name" if service == "compute" else "name"
    body = cloud.tenant.good("GET", service, f"{path}?sort_key={name}&sort_dir=asc")
    mine = [item["id"] for item in body[key] if item["id"] in ids]
    assert mine == ids


@pytest.mark.parametrize(
    ("query", "is_rising"),
    [
        ("sort_key=project_id&sort_dir=desc", True),
        ("sort_key=project_id&sort_dir=asc", True),
        ("sort_key=project_id", True),
        # The key that makes the order total brings one direction along: here the second key of the client's gets it.
        ("sort_key=project_id&sort_key=user_id", False),
        ("sort_key=project_id&sort_key=user_id&sort_dir=asc", True),
        ("sort_key=project_id&sort_key=user_id&sort_dir=asc&sort_dir=desc", True),
    ],
)
def test_nova_breaks_ties_by_the_id(cloud: Cloud, servers: list[str], query: str, is_rising: bool) -> None:
    seen = [one["id"] for one in cloud.tenant.good("GET", "compute", f"/v2.1/servers?{query}")["servers"]]
    mine = [one for one in seen if one in servers]
    assert mine == sorted(servers, reverse=not is_rising)


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_cinder_breaks_ties_by_age_and_id(cloud: Cloud, volumes: list[str], direction: str) -> None:
    """Both in the direction of the first key."""
    body = cloud.tenant.good("GET", "block-storage", f"/v3/volumes/detail?sort=size:{direction}")
    mine = [(one["created_at"], one["id"]) for one in body["volumes"] if one["id"] in volumes]
    assert mine == sorted(mine, reverse=direction == "desc")


def test_texts_sort_without_case_and_accents(cloud: Cloud, listed: tuple) -> None:
    """Letters before what is no letter and stands behind them; by code point it would be B, _, ä."""
    service, path, key, ids = listed
    names = ["B", "ä", "_"]
    member = key.removesuffix("s")
    for thing_id, name in zip(ids, names, strict=True):
        cloud.tenant.good("PUT", service, f"{path}/{thing_id}", {member: {"name": f"zz-{name}"}})
    sort_key = "display_name" if service == "compute" else "name"
    found = cloud.tenant.good("GET", service, f"{path}?sort_key={sort_key}&sort_dir=asc")[key]
    assert [one["name"] for one in found if one["id"] in ids] == ["zz-ä", "zz-B", "zz-_"]


def test_nova_knows_a_deleted_marker(cloud: Cloud, servers: list[str], boot: Callable[..., str]) -> None:
    gone = boot()
    before = [one["id"] for one in cloud.tenant.good("GET", "compute", "/v2.1/servers")["servers"]]
    cloud.tenant("DELETE", "compute", f"/v2.1/servers/{gone}")
    eventually(lambda: cloud.tenant("GET", "compute", f"/v2.1/servers/{gone}").status_code, lambda code: code == 404)
    body = cloud.tenant.good("GET", "compute", f"/v2.1/servers?marker={gone}&limit=1")
    assert [one["id"] for one in body["servers"]] == before[before.index(gone) + 1 :][:1]


def test_cinder_knows_no_deleted_marker(cloud: Cloud, volume: Callable[..., dict]) -> None:
    gone = volume()["id"]
    cloud.tenant("DELETE", "block-storage", f"/v3/volumes/{gone}")
    eventually(
        lambda: cloud.tenant("GET", "block-storage", f"/v3/volumes/{gone}").status_code, lambda code: code == 404
    )
    assert cloud.tenant("GET", "block-storage", f"/v3/volumes?marker={gone}").status_code == 404


@pytest.mark.parametrize(("service", "path"), [("compute", "/v2.1/servers"), ("block-storage", "/v3/volumes")])
def test_an_unknown_sort_key_is_400(cloud: Cloud, service: str, path: str) -> None:
    assert cloud.tenant("GET", service, f"{path}?sort_key=colour").status_code == 400


def test_created_at_has_whole_seconds(cloud: Cloud, servers: list[str], volumes: list[str]) -> None:
    server = cloud.tenant.good("GET", "compute", f"/v2.1/servers/{servers[0]}")["server"]
    assert len(server["created"]) == len("2026-01-01T00:00:00Z")
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/volumes/{volumes[0]}")["volume"]
    assert shown["created_at"].endswith(".000000")


@pytest.mark.parametrize(("version", "status"), [("2.74", 200), ("2.75", 400)])
def test_a_filter_that_nova_does_not_know(cloud: Cloud, version: str, status: int) -> None:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    assert cloud.tenant("GET", "compute", "/v2.1/servers?colour=red", headers=headers).status_code == status


def test_cinder_counts_from_3_45(cloud: Cloud, volumes: list[str]) -> None:
    body = cloud.tenant.good(
        "GET", "block-storage", "/v3/volumes?with_count=true&limit=1", OpenStack_API_Version="volume 3.45"
    )
    assert body["count"] >= len(volumes)


def test_brief_items_have_little(cloud: Cloud, servers: list[str], volumes: list[str]) -> None:
    server = cloud.tenant.good("GET", "compute", "/v2.1/servers?limit=1")["servers"][0]
    assert set(server) == {"id", "name", "links"}
    volume = cloud.tenant.good("GET", "block-storage", "/v3/volumes?limit=1")["volumes"][0]
    assert set(volume) == {"id", "name", "links"}


def test_all_tenants_is_refused_by_nova_and_ignored_by_cinder(cloud: Cloud, volumes: list[str]) -> None:
    assert cloud.other("GET", "compute", "/v2.1/servers?all_tenants=1").status_code == 403
    seen = cloud.other.good("GET", "block-storage", "/v3/volumes?all_tenants=1")["volumes"]
    assert not {item["id"] for item in seen} & set(volumes)
    everything = cloud.admin.good("GET", "block-storage", "/v3/volumes?all_tenants=1")["volumes"]
    assert {item["id"] for item in everything} & set(volumes)


def test_links_follow_the_host_header(cloud: Cloud, listed: tuple) -> None:
    """But where a service has a name of its own for itself: there they never do."""
    service, path, key, _ = listed
    body = cloud.tenant.good("GET", service, f"{path}?limit=1", Host="gw.example:8774")
    expected = urlsplit(cloud.names.get(service, "http://gw.example:8774")).netloc
    for link in (*body[key][0]["links"], *body[f"{key}_links"]):
        assert urlsplit(link["href"]).netloc == expected


def test_cinders_links_have_the_project_where_the_path_has_it(cloud: Cloud, volumes: list[str]) -> None:
    root, project, behind = cloud.link_root("block-storage"), cloud.tenant.project_id, f"volumes/{volumes[0]}"
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/{project}/{behind}")["volume"]
    assert {link["rel"]: link["href"] for link in shown["links"]} == {
        "self": f"{root}/v3/{project}/{behind}",
        "bookmark": f"{root}/{project}/{behind}",
    }
    shown = cloud.tenant.good("GET", "block-storage", f"/v3/{behind}")["volume"]
    assert shown["links"][0]["href"] == f"{root}/v3/{behind}"
