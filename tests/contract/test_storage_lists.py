# SPDX-License-Identifier: Apache-2.0
"""How does a pod list what is made of volumes: snapshots, backups, groups, messages, attachments, transfers?"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.cloud import Caller, Cloud, eventually, unique

NOBODY = "00000000-0000-4000-8000-000000000000"
COUNT = 3
Json = dict[str, Any]


@dataclass(frozen=True)
class Collection:
    """One list. ``links``: the key of its links; ``unknown``: what is said to an unknown marker."""

    name: str
    links: str | None
    unknown: str
    is_counted: bool = False
    has_details: bool = True
    #: A filter that nothing of the fixtures meets.
    misses: str = "name=nobodys"

    @property
    def detail(self) -> str:
        return f"/{self.name}/detail" if self.has_details else f"/{self.name}"


COLLECTIONS = {
    "snapshots": Collection("snapshots", "snapshots_links", "Snapshot {} could not be found.", is_counted=True),
    "backups": Collection("backups", "backups_links", "Backup {} could not be found.", is_counted=True),
    "groups": Collection("groups", "group_links", "Group {} could not be found."),
    "messages": Collection(
        "messages",
        "messages_links",
        "Message {} could not be found.",
        has_details=False,
        misses="resource_type=VOLUME_BACKUP",
    ),
    "attachments": Collection(
        "attachments",
        None,
        "Volume attachment could not be found with filter: attachment_id = {}.",
        misses=f"instance_id={NOBODY.replace('8', '9')}",
    ),
    "volume-transfers": Collection(
        "volume-transfers", "transfers_links", "Transfer {} could not be found.", misses="name=nobodys"
    ),
}
KEYS = {"volume-transfers": "transfers"}


def said(caller: Caller, method: str, path: str, body: object = None, version: str = "3.70") -> tuple[int, Json]:
    """Status and body of one call at a microversion."""
    answer = caller(method, "block-storage", f"/v3{path}", body, {"OpenStack-API-Version": f"volume {version}"})
    return answer.status_code, answer.json() if answer.content else {}


def good(caller: Caller, method: str, path: str, body: object = None, version: str = "3.70") -> Json:
    status, answer = said(caller, method, path, body, version)
    assert status < 300, f"{method} {path}: {status} {answer}"
    return answer


def reached(cloud: Cloud, path: str, member: str, *states: str) -> Json:
    return eventually(lambda: good(cloud.tenant, "GET", path)[member], lambda seen: seen["status"] in states)


@pytest.fixture(scope="module")
def undone(cloud: Cloud) -> Iterator[Callable[[str, str, object], None]]:
    """``undone(method, path, body)``: do this at the end, last first, until it is not refused for being in use."""
    with ExitStack() as stack:

        def undo(method: str, path: str, body: object = None) -> None:
            stack.callback(
                lambda: eventually(
                    lambda: said(cloud.admin if "types" in path else cloud.tenant, method, path, body)[0],
                    lambda status: status not in (400, 409),
                )
            )

        yield undo


@pytest.fixture(scope="module")
def made(cloud: Cloud, undone: Callable[..., None]) -> Mapping[str, list[str]]:
    """Ids by collection, in the order in which they were made."""
    volumes = [_volume(cloud, undone) for _ in range(COUNT)]
    found: dict[str, list[str]] = {name: [] for name in COLLECTIONS}
    for member, given in (("snapshot", {"volume_id": volumes[0]}), ("backup", {"volume_id": volumes[0]})):
        for _ in range(COUNT):
            body = {member: {**given, "name": unique(member)}}
            new = good(cloud.tenant, "POST", f"/{member}s", body)[member]["id"]
            undone("DELETE", f"/{member}s/{new}")
            reached(cloud, f"/{member}s/{new}", member, "available")
            found[f"{member}s"].append(new)
    for volume in volumes:
        new = good(cloud.tenant, "POST", "/volume-transfers", {"transfer": {"volume_id": volume}})["transfer"]["id"]
        found["volume-transfers"].append(new)
    found["attachments"] = [_attachment(cloud, undone) for _ in range(COUNT)]
    found["groups"] = _groups(cloud, undone)
    found["messages"] = _messages(cloud, undone)
    for new in found["volume-transfers"]:
        undone("DELETE", f"/volume-transfers/{new}")
    return found


def _volume(cloud: Cloud, undone: Callable[..., None], **fields: object) -> str:
    made = good(cloud.tenant, "POST", "/volumes", {"volume": {"size": 1, "name": unique("of"), **fields}})
    volume_id = str(made["volume"]["id"])
    undone("DELETE", f"/volumes/{volume_id}")
    reached(cloud, f"/volumes/{volume_id}", "volume", "available", "error")
    return volume_id


def _attachment(cloud: Cloud, undone: Callable[..., None]) -> str:
    body = {"attachment": {"volume_uuid": _volume(cloud, undone, name=None), "instance_uuid": NOBODY}}
    made = good(cloud.tenant, "POST", "/attachments", body, "3.27")["attachment"]
    undone("DELETE", f"/attachments/{made['id']}")
    return str(made["id"])


def _groups(cloud: Cloud, undone: Callable[..., None]) -> list[str]:
    kind = good(cloud.admin, "POST", "/group_types", {"group_type": {"name": unique("of")}})["group_type"]["id"]
    undone("DELETE", f"/group_types/{kind}")
    types = [good(cloud.tenant, "GET", "/types")["volume_types"][-1]["id"]]
    found = []
    for _ in range(COUNT):
        body = {"group": {"name": unique("of"), "group_type": kind, "volume_types": types}}
        found.append(str(good(cloud.tenant, "POST", "/groups", body)["group"]["id"]))
        undone("POST", f"/groups/{found[-1]}/action", {"delete": {"delete-volumes": False}})
        reached(cloud, f"/groups/{found[-1]}", "group", "available")
    return found


def _messages(cloud: Cloud, undone: Callable[..., None]) -> list[str]:
    """What is said about volumes for which there is no backend."""
    body = {"volume_type": {"name": unique("of"), "extra_specs": {"volume_backend_name": "nowhere"}}}
    kind = good(cloud.admin, "POST", "/types", body)["volume_type"]
    undone("DELETE", f"/types/{kind['id']}")
    found = []
    for _ in range(COUNT):
        volume_id = _volume(cloud, undone, volume_type=kind["name"])
        assert reached(cloud, f"/volumes/{volume_id}", "volume", "error")
        told = eventually(
            lambda volume_id=volume_id: good(cloud.tenant, "GET", f"/messages?resource_uuid={volume_id}")["messages"],  # type: ignore[misc]
            lambda seen: len(seen) == 1,
        )
        found.append(str(told[0]["id"]))
        undone("DELETE", f"/messages/{found[-1]}")
    return found


@pytest.fixture(params=COLLECTIONS.values(), ids=COLLECTIONS)
def listed(request: pytest.FixtureRequest, made: Mapping[str, list[str]]) -> tuple[Collection, list[str]]:
    return request.param, made[request.param.name]


def items(body: Json, collection: Collection) -> list[Json]:
    found: list[Json] = body[KEYS.get(collection.name, collection.name)]
    return found


def whole(cloud: Cloud, collection: Collection, query: str = "") -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        marker = f"&marker={found[-1]}" if found else ""
        page = items(good(cloud.tenant, "GET", f"{collection.detail}?{query}{marker}"), collection)
        if not page:
            return found
        found += [str(one["id"]) for one in page]


def test_pages_follow_each_other(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    """By markers, and by links where there are any: with every full page."""
    collection, ids = listed
    found = whole(cloud, collection, "limit=1")
    assert len(found) == len(set(found))
    assert len(set(ids)) == COUNT
    assert set(ids) <= set(found)
    body = good(cloud.tenant, "GET", f"{collection.detail}?limit=1")
    if collection.links is None:
        assert [key for key in body if key.endswith("links")] == []
    else:
        (link,) = body[collection.links]
        assert link["rel"] == "next"
        assert parse_qs(urlsplit(link["href"]).query) == {"limit": ["1"], "marker": [items(body, collection)[0]["id"]]}
    assert items(good(cloud.tenant, "GET", f"{collection.detail}?limit=0"), collection) == []


def test_newest_first(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    """And what is of one age, by the id, falling."""
    collection, _ = listed
    found = whole(cloud, collection)
    told: list[Json] = []
    while len(told) < len(found):
        marker = f"marker={told[-1]['id']}" if told else ""
        told += items(good(cloud.tenant, "GET", f"{collection.detail}?{marker}"), collection)
    if collection.name == "attachments":
        assert [one for one in told if "created_at" in one] == []
        return
    places = [(one["created_at"], one["id"]) for one in told]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize("query", ["sort=id:asc", "sort=id", "sort_key=id&sort_dir=asc"])
def test_sorted_by_ids(cloud: Cloud, listed: tuple[Collection, list[str]], query: str) -> None:
    collection, ids = listed
    found = whole(cloud, collection, query)
    assert found == sorted(found, reverse=query == "sort=id")
    assert set(ids) <= set(found)


def test_an_unknown_marker(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    collection, _ = listed
    status, body = said(cloud.tenant, "GET", f"{collection.detail}?marker={NOBODY}")
    assert status == 404
    assert body["itemNotFound"]["message"] == collection.unknown.format(NOBODY)


def test_a_marker_that_the_list_leaves_out(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    """Whatever the caller may see is one."""
    collection, ids = listed
    for marker in ids:
        body = good(cloud.tenant, "GET", f"{collection.detail}?{collection.misses}&marker={marker}")
        assert items(body, collection) == []


def test_an_offset_is_from_the_marker(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    """But for transfers, of which it leaves out as many once more."""
    collection, _ = listed
    found = whole(cloud, collection, "sort=id:asc")
    body = good(cloud.tenant, "GET", f"{collection.detail}?sort=id:asc&offset=1&limit=2&marker={found[0]}")
    page = [one["id"] for one in items(body, collection)]
    assert page == (found[2:4] if collection.name != "volume-transfers" else found[3:4])


@pytest.mark.parametrize(
    "listed", [one for one in COLLECTIONS.values() if one.is_counted], indirect=True, ids=lambda one: one.name
)
def test_all_are_counted(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    collection, ids = listed
    body = good(cloud.tenant, "GET", f"{collection.detail}?with_count=true&limit=1&volume_id={NOBODY}")
    assert body == {collection.name: [], "count": 0}
    found = whole(cloud, collection)
    page = good(cloud.tenant, "GET", f"{collection.detail}?with_count=true&limit=2&offset={len(found) - 1}")
    assert page["count"] == len(found) >= len(ids)
    # A page that is not full has a link when all would fill it.
    assert len(page[collection.name]) == 1
    assert page[collection.links]
    # Below 3.45 it is a filter like any other.
    status, old = said(cloud.tenant, "GET", f"{collection.detail}?with_count=true&limit=2", version="3.44")
    assert status == 400
    assert old["badRequest"]["message"] == "Invalid filters with_count are found in query options."


def test_what_others_have(cloud: Cloud, listed: tuple[Collection, list[str]]) -> None:
    """Is in their lists, and in those of administrators who ask for all. Of messages everybody is told all."""
    collection, ids = listed
    theirs = {one["id"] for one in items(good(cloud.other, "GET", collection.detail), collection)}
    if collection.name == "messages":
        assert set(ids) <= theirs
        assert said(cloud.other, "GET", f"/messages/{ids[0]}")[0] == 404
        return
    assert not theirs & set(ids)
    mine = f"{collection.detail}?all_tenants=1&sort=id:asc&limit=1"
    found: list[str] = []
    while page := items(good(cloud.admin, "GET", mine + (f"&marker={found[-1]}" if found else "")), collection):
        found += [one["id"] for one in page]
    assert set(ids) <= set(found)


def test_messages_have_no_pages_below_3_5(cloud: Cloud, made: Mapping[str, list[str]]) -> None:
    ids = made["messages"]
    for query in ("limit=1", f"marker={ids[0]}", "sort=id:asc", f"resource_uuid={NOBODY}"):
        found = [one["id"] for one in good(cloud.tenant, "GET", f"/messages?{query}", version="3.4")["messages"]]
        assert set(ids) <= set(found)
    assert said(cloud.tenant, "GET", "/messages", version="3.2")[0] == 404


def test_transfers_have_no_pages_below_3_59(cloud: Cloud, made: Mapping[str, list[str]]) -> None:
    """Oldest first, and none for who names a limit."""
    found = good(cloud.tenant, "GET", "/volume-transfers/detail", version="3.58")["transfers"]
    places = [(one["created_at"], one["id"]) for one in found]
    assert places == sorted(places)
    assert set(made["volume-transfers"]) <= {one["id"] for one in found}
    assert good(cloud.tenant, "GET", "/volume-transfers/detail?limit=1", version="3.58")["transfers"] == []


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_what_has_no_name_has_its_place(cloud: Cloud, made: Mapping[str, list[str]], direction: str) -> None:
    """Before all names, and markers lead there and on."""
    assert made["attachments"], "their volumes have no names"
    found: list[Json] = []
    while True:
        marker = f"&marker={found[-1]['id']}" if found else ""
        page = good(cloud.tenant, "GET", f"/volumes/detail?sort=name:{direction}&limit=2{marker}")["volumes"]
        if not page:
            break
        found += page
    ids = [one["id"] for one in found]
    assert len(ids) == len(set(ids))
    named = [one["name"] is not None for one in found]
    assert {*named} == {True, False}
    assert named == sorted(named, reverse=direction == "desc")


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [
        ("snapshots", "display_name", "name"),
        ("backups", "display_name", "name"),
        ("backups", "display_description", "description"),
        ("volume-transfers", "display_name", "name"),
        ("messages", "expires_at", "guaranteed_until"),
        ("attachments", "instance_uuid", "instance"),
        ("attachments", "attach_status", "status"),
    ],
)
def test_sort_keys_that_items_call_otherwise(
    cloud: Cloud, made: Mapping[str, list[str]], name: str, key: str, field: str
) -> None:
    collection = COLLECTIONS[name]
    body = good(cloud.tenant, "GET", f"{collection.detail}?sort_key={key}&sort_dir=asc")
    values = [one[field] for one in items(body, collection)]
    assert values
    assert [value or "" for value in values] == sorted(value or "" for value in values)
