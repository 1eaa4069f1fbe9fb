# SPDX-License-Identifier: Apache-2.0
"""Are the lists of two pods one list? Pages, order, counts, and what is marked when a pod is missing."""

from urllib.parse import urlsplit

import pytest

from tests.api.doors.test_volumes import VOLUMES, create, snapshot
from tests.api.whole import PUBLIC, Whole


@pytest.fixture
async def ids(cloud: Whole) -> list[str]:
    """Nine volumes, turn by turn in both zones, the newest first; Pod2 shows at most 7 of anything at once."""
    made = [await create(cloud.tenant, name=f"v{n}", availability_zone=f"az{n % 2 + 1}") for n in range(9)]
    for age, one in enumerate(made):
        for pod in cloud.pods.values():
            if one["id"] in pod.cinder.volumes:
                pod.cinder.volumes[one["id"]]["created_at"] = f"2026-01-01T00:00:{age:02d}.000000"
    return [str(one["id"]) for one in reversed(made)]


async def test_newest_first_over_both_pods(cloud: Whole, ids: list[str]) -> None:
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/detail")
    assert [one["id"] for one in said.json()["volumes"]] == ids
    assert {one["availability_zone"] for one in said.json()["volumes"]} == {"az1", "az2"}
    assert "openstack-incomplete-azs" not in said.headers


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 9])
async def test_the_union_of_pages_is_the_whole(cloud: Whole, ids: list[str], limit: int) -> None:
    seen: list[str] = []
    target = f"{VOLUMES}?limit={limit}"
    while target:
        body = (await cloud.tenant.ask("GET", target)).json()
        assert all(set(one) == {"id", "name", "links"} for one in body["volumes"])
        seen += [one["id"] for one in body["volumes"]]
        links = [link["href"] for link in body.get("volumes_links", []) if link["rel"] == "next"]
        assert all(link.startswith(f"{PUBLIC}/volume/v3/volumes?") for link in links)
        target = f"{VOLUMES}?{urlsplit(links[0]).query}" if links else ""
    assert seen == ids


async def test_pages_go_on_when_the_marker_is_deleted_or_things_come(cloud: Whole, ids: list[str]) -> None:
    first = (await cloud.tenant.ask("GET", f"{VOLUMES}?limit=4")).json()["volumes"]
    await create(cloud.tenant, name="new", availability_zone="az1")
    assert (await cloud.tenant.ask("DELETE", f"{VOLUMES}/{first[-1]['id']}")).status == 202
    rest = (await cloud.tenant.ask("GET", f"{VOLUMES}?limit=9&marker={first[-1]['id']}")).json()["volumes"]
    assert [one["id"] for one in (*first, *rest)] == ids


async def test_order_limit_and_offset_are_cinders(cloud: Whole, ids: list[str]) -> None:
    said = await cloud.tenant.ask("GET", f"{VOLUMES}?sort=name:asc&limit=3")
    assert [one["name"] for one in said.json()["volumes"]] == ["v0", "v1", "v2"]
    said = await cloud.tenant.ask("GET", f"{VOLUMES}?sort_key=name&sort_dir=desc&limit=3&offset=2")
    assert [one["name"] for one in said.json()["volumes"]] == ["v6", "v5", "v4"]
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}?limit=0")).json() == {"volumes": []}
    for bad in ("limit=-1", "limit=x", "sort_key=colour"):
        assert (await cloud.tenant.ask("GET", f"{VOLUMES}?{bad}")).status == 400, bad


async def test_an_unknown_marker_is_404(cloud: Whole, ids: list[str]) -> None:
    marker = "00000000-0000-4000-8000-000000000000"
    said = await cloud.tenant.ask("GET", f"{VOLUMES}?marker={marker}")
    assert (said.status, said.message) == (404, f"Volume {marker} could not be found.")


async def test_counts_are_added_up(cloud: Whole, ids: list[str]) -> None:
    tenant = cloud.tenant.having(openstack_api_version="volume 3.45")
    said = await tenant.ask("GET", f"{VOLUMES}?with_count=true&limit=2")
    assert said.json()["count"] == len(ids)
    assert said.headers["openstack-api-version"] == "volume 3.45"


async def test_filters(cloud: Whole, ids: list[str]) -> None:
    said = await cloud.tenant.ask("GET", f"{VOLUMES}?name=v3")
    assert [one["name"] for one in said.json()["volumes"]] == ["v3"]
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/detail?availability_zone=az1")
    assert {one["availability_zone"] for one in said.json()["volumes"]} == {"az1"}
    assert len(said.json()["volumes"]) == 5


async def test_tenants_see_their_own_and_administrators_all(cloud: Whole, ids: list[str]) -> None:
    assert (await cloud.other.ask("GET", f"{VOLUMES}?all_tenants=1")).json() == {"volumes": []}
    said = await cloud.admin.ask("GET", f"{VOLUMES}?all_tenants=1")
    assert [one["id"] for one in said.json()["volumes"]] == ids


async def test_snapshots_of_both_pods(cloud: Whole) -> None:
    volumes = [await create(cloud.tenant, availability_zone=zone) for zone in ("az1", "az2")]
    made = {(await snapshot(cloud, one["id"]))["id"] for one in volumes}
    said = await cloud.tenant.ask("GET", "/volume/v3/snapshots")
    assert {one["id"] for one in said.json()["snapshots"]} == made
    wanted = volumes[0]["id"]
    said = await cloud.tenant.ask("GET", f"/volume/v3/snapshots/detail?volume_id={wanted}")
    assert [one["volume_id"] for one in said.json()["snapshots"]] == [wanted]


async def test_a_version_that_no_pod_has(cloud: Whole) -> None:
    said = await cloud.tenant.having(openstack_api_version="volume 3.999").ask("GET", VOLUMES)
    assert (said.status, said.message) == (
        406,
        "Version 3.999 is not supported by the API. Minimum is 3.0 and maximum is 3.71.",
    )
