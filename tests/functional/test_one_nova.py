# SPDX-License-Identifier: Apache-2.0
"""Are the servers of two pods one list as one real Nova would give it?

Two projects have the same servers: one through the doors, by turns in both pods, the other past them, all in Pod1. What
each list shows is compared page by page, by names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests

from tests.functional.region_world import Caller, Json, Region, at_once, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

C = "compute"
INCOMPLETE = "OpenStack-Incomplete-AZs"
LONG_AGO, FAR_AHEAD = "2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z"
ZONES = ("az2", "az1", "az2", "az2")
#: Name (equal names, case and accents tie for a database, and are left to other tests), tags, whether it is stopped,
#: whether it is locked. What is equal is ordered by ids, of which each side has its own: so orders end with a name or
#: an age.
SERVERS: tuple[tuple[str, Sequence[str], bool, bool], ...] = (
    ("b", (), False, False), ("A", ("one",), True, False), ("ä2", ("one", "two"), False, True), ("_", (), True, True),
    ("C", ("two",), False, False), ("é", ("one",), False, False), ("x10", (), True, False),
    ("x2", ("two",), False, True),
)  # fmt: skip
QUERIES: tuple[Mapping[str, object], ...] = (
    {},
    {"sort_dir": "asc"},
    {"sort_key": "display_name", "sort_dir": "asc"},
    {"sort_key": "display_name"},
    {"sort_key": "launched_at", "sort_dir": "asc"},
    {"sort_key": ["vm_state", "display_name"], "sort_dir": ["asc", "desc"]},
    {"sort_key": ["vm_state", "created_at"]},
    {"sort_key": ["locked", "display_name"], "sort_dir": ["desc", "asc"]},
    {"sort_key": ["power_state", "created_at"], "sort_dir": ["asc", "asc"]},
    {"sort_key": ["task_state", "key_name", "display_name"]},
    {"status": "SHUTOFF"},
    {"status": "ACTIVE", "sort_key": "display_name"},
    {"status": ["ACTIVE", "SHUTOFF"]},
    {"status": "ERROR"},
    {"name": "x"},
    {"name": "^[a-c]$", "sort_key": "display_name", "sort_dir": "asc"},
    {"tags": "one"},
    {"tags": "one,two"},
    {"tags-any": "one,two", "sort_dir": "asc"},
    {"not-tags": "one"},
    {"not-tags-any": "one,two", "sort_key": "display_name"},
    {"locked": "true"},
    {"locked": "false", "vm_state": "stopped"},
    {"power_state": 4},
    {"deleted": "true"},
    # What is deleted counts as changed.
    {"changes-since": LONG_AGO, "sort_dir": "asc"},
    {"changes-before": FAR_AHEAD, "sort_key": "display_name", "sort_dir": "asc"},
    {"changes-since": LONG_AGO, "changes-before": FAR_AHEAD},
    {"changes-since": FAR_AHEAD},
)


@dataclass(frozen=True)
class Side:
    """One of the two projects, where it is asked."""

    caller: Caller
    zones: tuple[str | None, ...]
    project_id: str

    def make(self, number: int, name: str, **fields: object) -> Json:
        """A server that runs."""
        zone = self.zones[number % len(self.zones)]
        place = {"availability_zone": zone} if zone else {}
        made = self.caller.make(C, "servers", "server", name=name, networks="none", **fields, **place)
        return self.reached(str(made["id"]), "ACTIVE")

    def reached(self, server_id: str, status: str) -> Json:
        """A server once it has a status, and nothing is done to it."""

        def look() -> Json:
            found: Json = self.caller.good("GET", C, f"/servers/{server_id}")["server"]
            return found

        return eventually(
            look, lambda seen: seen["status"] in (status, "ERROR") and not seen["OS-EXT-STS:task_state"], status
        )

    def dress(self, server_id: str, tags: Sequence[str], *, is_stopped: bool, is_locked: bool) -> None:
        """Make a server what it is to be."""
        path = f"/servers/{server_id}"
        self.caller.good("PUT", C, f"{path}/tags", {"tags": list(tags)})
        if is_stopped:
            self.caller.good("POST", C, f"{path}/action", {"os-stop": None})
            assert self.reached(server_id, "SHUTOFF")["status"] == "SHUTOFF"
        if is_locked:
            self.caller.good("POST", C, f"{path}/action", {"lock": None})

    def pages(self, query: Mapping[str, object]) -> Iterator[list[str]]:
        """The names on each page, each page by the link of the one before.

        Of what a query names more than once a real Nova's link repeats the last only (``_get_next_link`` of its
        ``api/openstack/common.py`` puts it into a dictionary), and so leads to another list: there markers are used.
        """
        is_repeated = any(isinstance(value, list) for value in query.values())
        url, params = "/servers", dict(query)
        while url:
            answer = self._whole(url, params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            yield [one["name"] for one in body["servers"]]
            link = next((link["href"] for link in body.get("servers_links", [])), "")
            if is_repeated and link:
                params["marker"] = body["servers"][-1]["id"]
            else:
                url, params = link, {}

    def _whole(self, url: str, params: Mapping[str, object]) -> requests.Response:
        """A page on which nothing is missing: on a busy machine a pod may be late."""
        return eventually(
            lambda: self.caller("GET", C, url, params=params), lambda seen: INCOMPLETE not in seen.headers, url
        )

    def end(self, server_id: str) -> None:
        """Delete a server."""
        path = f"/servers/{server_id}"
        assert self.caller.delete(C, path) == 204
        eventually(lambda: self.caller("GET", C, path).status_code, lambda seen: seen == 404, f"{path} gone")

    def named(self, name: str) -> str:
        """The id of a server."""
        (found,) = self.caller.list(C, "servers", name=f"^{name}$")
        return str(found["id"])


def _wait_behind(moment: str) -> None:
    """Until the second after a moment."""
    eventually(lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", moment[:19].__lt__, "the next second")


@pytest.fixture(scope="module")
def sides(region: Region, flavor: Json, image_id: str) -> Iterator[tuple[Side, Side]]:
    """Ours, and the one Nova."""
    ours, alone = Tenant(region), Tenant(region)
    both = (Side(ours.here, ZONES, ours.project_id), Side(alone.inside["Pod1"], (None,), alone.project_id))
    try:
        # So flavor and image come to the pod, for who uses them there past the doors.
        name = unique("fn-first")
        for side in both:
            first = side.make(1, name, flavorRef=flavor["id"], imageRef=image_id)
            side.end(str(first["id"]))
        _wait_behind(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
        for number, (name, tags, is_stopped, is_locked) in enumerate(SERVERS):
            boots = [
                lambda side=side, number=number, name=name: side.make(
                    number, name, flavorRef=flavor["id"], imageRef=image_id
                )
                for side in both
            ]
            made = at_once(boots)
            for side, server in zip(both, made, strict=True):
                assert server["status"] == "ACTIVE"
                side.dress(str(server["id"]), tags, is_stopped=is_stopped, is_locked=is_locked)
            newest = max(str(server[key]) for server in made for key in ("created", "OS-SRV-USG:launched_at"))
            # Equal ages are ordered by ids.
            _wait_behind(newest)
        yield both
    finally:
        for side in both:
            for name in [one["name"] for one in side.caller.list(C, "servers", locked="true")]:
                side.caller.good("POST", C, f"/servers/{side.named(name)}/action", {"unlock": None})
        for server in both[1].caller.list(C, "servers"):
            both[1].end(str(server["id"]))
        for tenant in (ours, alone):
            tenant.sweep()


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: "&".join(f"{key}={query[key]}" for key in query) or "all")
def test_every_page_is_one_novas(sides: tuple[Side, Side], query: Mapping[str, object], limit: int | None) -> None:
    asked = {**query, **({} if limit is None else {"limit": limit})}
    ours, theirs = (list(side.pages(asked)) for side in sides)
    assert ours == theirs
    if query in ({}, {"status": "SHUTOFF"}):
        assert sum(map(len, ours)) == (3 if query else len(SERVERS))


@pytest.mark.parametrize("limit", [1000, 2])
@pytest.mark.parametrize(
    "query", [{}, {"deleted": "true"}, {"changes-since": LONG_AGO, "sort_key": "display_name"}], ids=str
)
def test_what_administrators_see_is_one_novas(
    region: Region, sides: tuple[Side, Side], query: Mapping[str, object], limit: int
) -> None:
    seen = []
    for operator, side in zip((region.admin, region.pods["Pod1"]), sides, strict=True):
        asked = {**query, "all_tenants": "1", "project_id": side.project_id, "limit": limit}
        seen.append(list(Side(operator, (None,), "").pages(asked)))
    assert seen[0] == seen[1]
    assert seen[0][0]


def test_what_comes_and_goes_between_pages(sides: tuple[Side, Side], flavor: Json, image_id: str) -> None:
    """A page that was begun goes on where it was, though its last server is gone, and without what is newer."""
    seen = []
    name, last = unique("fn-new"), unique("fn-last")
    for side in sides:
        gone = side.make(0, last, flavorRef=flavor["id"], imageRef=image_id)
        pages = side.pages({"limit": 1})
        first = next(pages)
        side.end(str(gone["id"]))
        made = side.make(0, name, flavorRef=flavor["id"], imageRef=image_id)
        seen.append([first, *pages])
        assert next(side.pages({}))[0] == name
        side.end(str(made["id"]))
    assert seen[0] == seen[1]
    assert seen[0][0] == [last]
