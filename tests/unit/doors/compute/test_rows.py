# SPDX-License-Identifier: Apache-2.0
"""Has every call of Nova's API a row, and does each row do what the resource needs?"""

import re
from pathlib import Path

import pytest

from tests.unit.doors.compute.cloud import Cloud, json_of
from tricircle.model.job import JobType
from tricircle.road.row import Behaviour, Row
from tricircle.road.table import DoorTable, Match, Split
from tricircle.testing.exchange import Said

ROUTES = [
    line.split(" ", 1)
    for line in Path(__file__).with_name("nova_routes.txt").read_text().splitlines()
    if not line.startswith("#")
]


def row_of(sky: Cloud, method: str, path: str) -> Row | None:
    table = DoorTable(sky.door.rows, versions=sky.door.versions, is_project_optional=True)
    segments = tuple(re.sub(r"\{\w+\}", "x", part) for part in path.split("/") if part)
    match = table.match(method, Split("/v2.1", None, segments))
    return match.entries[0].row if isinstance(match, Match) else None


async def test_every_call_of_nova_has_a_row(sky: Cloud) -> None:
    missing = [(method, path) for method, path in ROUTES if row_of(sky, method, path) is None]
    assert missing == []


async def test_no_row_is_unknown_to_nova(sky: Cloud) -> None:
    """What Nova answers with 404, so do we."""
    known = {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in ROUTES}
    ours = {(method, re.sub(r"\{[^}]*\}", "{}", row.path)) for row in sky.door.rows for method in row.methods}
    assert ours - known == set()


@pytest.mark.parametrize(
    ("method", "path", "behaviour"),
    [
        ("POST", "/servers", Behaviour.PLACE),
        ("GET", "/servers/detail", Behaviour.GATHER),
        ("GET", "/servers/x", Behaviour.ROUTE),
        ("PUT", "/servers/x/tags/a", Behaviour.ROUTE),
        ("GET", "/flavors/x", Behaviour.CENTRAL),
        ("DELETE", "/flavors/x", Behaviour.DECLARE),
        ("POST", "/flavors/x/action", Behaviour.DECLARE),
        ("POST", "/os-keypairs", Behaviour.CENTRAL),
        ("GET", "/os-quota-sets/x", Behaviour.CENTRAL),
        ("GET", "/limits", Behaviour.SUM),
        ("GET", "/os-availability-zone", Behaviour.OURS),
        ("GET", "/os-hypervisors", Behaviour.GATHER),
        ("GET", "/os-migrations", Behaviour.GATHER),
    ],
)
async def test_behaviours(sky: Cloud, method: str, path: str, behaviour: Behaviour) -> None:
    row = row_of(sky, method, path)
    assert row is not None
    assert row.behaviour is behaviour


async def test_deleting_what_is_declared_files_jobs(sky: Cloud) -> None:
    admin = sky.context("admin", "admin")
    assert (await sky.ask("DELETE", "/flavors/m1", context=admin)).status == 202
    await sky.ask(
        "POST", "/os-keypairs", {"keypair": {"name": "a.b", "public_key": "ssh-ed25519 AAAA x"}}, version="2.92"
    )
    assert (await sky.ask("DELETE", "/os-keypairs/a.b", version="2.92")).status in (202, 204)
    user = sky.context().user_id
    assert await sky.jobs() == [(JobType.FLAVOR, "m1", ""), (JobType.KEYPAIR, f"{user}/a.b", "")]
    # What the centre refused leaves no job.
    assert (await sky.ask("DELETE", "/flavors/nope", context=admin)).status == 404
    assert (await sky.ask("DELETE", "/flavors/" + 400 * "n", context=admin)).status == 404
    assert len(await sky.jobs()) == 2


async def test_version_documents_have_our_links_and_the_common_range(sky: Cloud) -> None:
    answer = await sky.ask("GET", "/", root="")
    (old, new) = json_of(answer)["versions"]
    assert (old["id"], new["id"]) == ("v2.0", "v2.1")
    assert (new["min_version"], new["version"]) == ("2.1", "2.104")
    assert new["links"] == [{"rel": "self", "href": "https://cloud.example/compute/v2.1/"}]
    one = json_of(await sky.ask("GET", "/"))["version"]
    assert one["id"] == "v2.1"
    assert json_of(await sky.ask("GET", "/", root="/v2"))["version"]["id"] == "v2.0"


async def test_zones_are_those_of_the_pods(sky: Cloud) -> None:
    zones = json_of(await sky.ask("GET", "/os-availability-zone"))["availabilityZoneInfo"]
    assert [zone["zoneName"] for zone in zones] == ["az1", "az2"]
    assert all(zone["zoneState"] == {"available": True} and zone["hosts"] is None for zone in zones)


async def test_images_are_linked_to_our_image_door(sky: Cloud) -> None:
    """Up to 2.35 Nova shows where the image service keeps them."""
    nova = sky.apps["central"].nova
    link = {"rel": "alternate", "href": "http://central/image/images/x"}
    nova._images = lambda asked: Said(body={"images": [{"id": "x", "links": [link]}]})  # type: ignore[method-assign]
    (image,) = json_of(await sky.ask("GET", "/images", version="2.1"))["images"]
    assert image["links"][0]["href"] == "https://cloud.example/image/v2/images/x"
