# SPDX-License-Identifier: Apache-2.0
"""Are the volumes of two pods one list as one real Cinder would give it?

Two projects have the same volumes: one through the doors, by turns in both pods, the other past them, all in Pod1. What
each list shows is compared page by page, by names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests

from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

S = "block-storage"
INCOMPLETE = "OpenStack-Incomplete-AZs"
ZONES = ("az2", "az1", "az2", "az2")
#: Name (equal names, case and accents tie for a database, and are left to other tests), size, metadata.
VOLUMES = (
    ("b", 1, {}), ("A", 2, {"k": "v"}), ("ä2", 1, {}), ("_", 2, {"k": "v"}),
    ("C", 1, {"k": "w"}), ("é", 3, {}), ("x10", 1, {"k": "v"}), ("x2", 2, {}),
)  # fmt: skip
QUERIES: tuple[Mapping[str, object], ...] = (
    {},
    {"sort": "created_at:asc"},
    {"sort": "name:asc"},
    {"sort": "name"},
    {"sort": "size:asc,name:desc"},
    {"sort": "size,created_at:asc"},
    {"sort_key": "size", "sort_dir": "asc"},
    {"sort": "status:asc,id:desc", "name": "x10"},
    {"sort": "bootable:asc,size:desc,name:asc"},
    {"size": 2},
    {"name": "A"},
    {"metadata": "{'k': 'v'}", "sort": "name:asc"},
    {"status": "available", "bootable": "true"},
    {"bootable": "false", "sort": "size:asc,name:asc"},
    {"status": "error"},
    {"created_at": "gt:2026-01-01T00:00:00", "sort": "name:asc"},
    {"created_at": "lt:2026-01-01T00:00:00"},
    {"created_at": "gte:2026-01-01T00:00:00,lt:2126-01-01T00:00:00", "sort": "size:asc,name:asc"},
    {"updated_at": "gt:2026-01-01T00:00:00", "sort": "created_at:asc"},
)


@dataclass(frozen=True)
class Side:
    """One of the two projects, where it is asked."""

    caller: Caller
    zones: tuple[str | None, ...]
    project_id: str

    def make(self, number: int, name: str, size: int, metadata: Mapping[str, str]) -> Json:
        """A volume that is ready."""
        zone = self.zones[number % len(self.zones)]
        place = {"availability_zone": zone} if zone else {}
        made = self.caller.make(S, "volumes", "volume", name=name, size=size, metadata=dict(metadata), **place)

        def look() -> Json:
            found: Json = self.caller.good("GET", S, f"/volumes/{made['id']}")["volume"]
            return found

        return eventually(look, lambda seen: seen["status"] in ("available", "error"), f"volume {name}")

    def pages(self, query: Mapping[str, object]) -> Iterator[tuple[list[str], object]]:
        """The names on each page with the count that is told, each page by the link of the one before."""
        url, params = "/volumes", dict(query)
        while url:
            answer = self._whole(url, params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            yield [one["name"] for one in body["volumes"]], body.get("count")
            url, params = next((link["href"] for link in body.get("volumes_links", [])), ""), {}

    def _whole(self, url: str, params: Mapping[str, object]) -> requests.Response:
        """A page on which nothing is missing: on a busy machine a pod may be late."""
        return eventually(
            lambda: self.caller("GET", S, url, params=params), lambda seen: INCOMPLETE not in seen.headers, url
        )

    def named(self, name: str) -> str:
        """The id of a volume."""
        (found,) = self.caller.list(S, "volumes", name=name)
        return str(found["id"])


@pytest.fixture(scope="module")
def sides(region: Region) -> Iterator[tuple[Side, Side]]:
    """Ours, and the one Cinder."""
    ours, alone = Tenant(region), Tenant(region)
    both = (Side(ours.here, ZONES, ours.project_id), Side(alone.inside["Pod1"], (None,), alone.project_id))
    try:
        for number, (name, size, metadata) in enumerate(VOLUMES):
            made = [side.make(number, name, size, metadata) for side in both]
            if size > 1:
                for side, volume in zip(both, made, strict=True):
                    action = {"os-set_bootable": {"bootable": True}}
                    side.caller.good("POST", S, f"/volumes/{volume['id']}/action", action)
            newest = max(str(volume["created_at"]) for volume in made)
            # Equal ages are ordered by ids, of which each side has its own.
            eventually(lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", newest[:19].__lt__, "the next second")
        yield both
    finally:
        for tenant in (ours, alone):
            tenant.sweep()


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: "&".join(f"{key}={query[key]}" for key in query) or "all")
def test_every_page_is_one_cinders(sides: tuple[Side, Side], query: Mapping[str, object], limit: int | None) -> None:
    asked = {**query, "with_count": "true", **({} if limit is None else {"limit": limit})}
    ours, theirs = (list(side.pages(asked)) for side in sides)
    assert ours == theirs


@pytest.mark.parametrize("part", ["x", "a", "nobodys"])
def test_parts_of_names_are_one_cinders(region: Region, sides: tuple[Side, Side], part: str) -> None:
    """Administrators may ask so; others where their Cinder's ``resource_filters.json`` says it: here it does not."""
    seen = []
    for operator, side in zip((region.admin, region.pods["Pod1"]), sides, strict=True):
        its = {"all_tenants": "1", "project_id": side.project_id, "name~": part, "sort": "name:asc"}
        seen.append([one["name"] for one in operator.list(S, "volumes", **its)])
    assert seen[0] == seen[1]
    refused = [side.caller("GET", S, "/volumes", params={"name~": part}) for side in sides]
    assert refused[0].status_code == refused[1].status_code == 400
    assert refused[0].json() == refused[1].json()


@pytest.mark.parametrize("offset", [0, 3, 7, 8])
def test_a_page_behind_an_offset_is_one_cinders(sides: tuple[Side, Side], offset: int) -> None:
    """The first: where a Cinder repeats the offset in the link to the next, we do not (0008)."""
    asked = {"offset": offset, "limit": 3, "sort": "size:asc,name:asc", "with_count": "true"}
    ours, theirs = (next(side.pages(asked)) for side in sides)
    assert ours == theirs


def test_what_comes_and_goes_between_pages(sides: tuple[Side, Side]) -> None:
    """A page that was begun goes on where it was, without what is gone, and without what is newer."""
    seen = []
    for side in sides:
        pages = side.pages({"limit": 3})
        first, _ = next(pages)
        name = unique("fn-new")
        made = side.make(0, name, 1, {})
        assert side.caller.delete(S, f"/volumes/{side.named('_')}") == 202
        eventually(lambda side=side: side.caller.list(S, "volumes", name="_"), lambda left: not left, "gone")  # type: ignore[misc]
        seen.append([first, *(page for page, _ in pages)])
        assert next(side.pages({}))[0][0] == name
        assert side.caller.delete(S, f"/volumes/{made['id']}") == 202
    assert seen[0] == seen[1]
    assert sum("_" in page for page in seen[0]) == 0
