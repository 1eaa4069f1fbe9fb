# SPDX-License-Identifier: Apache-2.0
"""Every way of being sick, for every kind of call: in time, never silently wrong, and nobody else is harmed."""

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.doors.ailing import CASES, ELSEWHERE, Case, Seen, get_well
from tests.api.doors.test_sick_pods import MARK
from tests.api.doors.test_volumes import VOLUMES
from tests.api.whole import Plan, Whole
from tests.asgi import AsgiClient, Said

SERVERS = "/compute/v2.1/servers"
#: The two deadlines of the plan, and what a busy machine may add to them.
LIST_S, REQUEST_S, MORE_S = 1.0, 4.0, 2.0
#: ``breaker_probe_s`` of the whole.
PROBE_S = 0.2
_FOR_SERVERS = frozenset(
    (
        "refused",
        "silent",
        "cut-body",
        "length-too-short",
        "page",
        "half-json",
        "500",
        "503-page",
        "404-page",
        "429",
        "302",
    )
)
_FOR_SERVERS |= {"repeating", "nameless", "foreign"}


@dataclass(frozen=True)
class Kind:
    """A kind of things that live in pods. ``ids``: one of them in each zone."""

    path: str
    collection: str
    ids: dict[str, str]
    body: dict[str, Any]


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    # Usage is asked for with a patience of five seconds: whoever makes something elsewhere must have more.
    is_elsewhere = request.node.name.startswith("test_others")
    return Plan(list_deadline_s=LIST_S, request_deadline_s=10.0 if is_elsewhere else REQUEST_S)


async def _servers(cloud: Whole) -> Kind:
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    body = {"name": "vm", "flavorRef": "1", "imageRef": cloud.image_id, "networks": "none"}
    kind = Kind(SERVERS, "servers", {}, {"server": body})
    await _fill(kind, _modern(cloud.tenant))
    return kind


async def _volumes(cloud: Whole) -> Kind:
    kind = Kind(VOLUMES, "volumes", {}, {"volume": {"size": 1}})
    await _fill(kind, cloud.tenant)
    return kind


def _modern(client: AsgiClient) -> AsgiClient:
    return client.having(openstack_api_version="compute 2.90, volume 3.0")


def _older(client: AsgiClient) -> AsgiClient:
    return client.having(openstack_api_version="compute 2.68, volume 3.0")


async def _fill(kind: Kind, client: AsgiClient) -> None:
    for zone in ("az1", "az2"):
        said = await client.ask("POST", kind.path, _in(kind.body, zone))
        assert said.status == 202, said.body
        kind.ids[zone] = next(iter(said.json().values()))["id"]


def _in(body: dict[str, Any], zone: str) -> dict[str, Any]:
    return {key: {**value, "availability_zone": zone} for key, value in body.items()}


def _cases(*kinds: str) -> Callable[[Callable[..., Any]], Any]:
    """A test of all illnesses; for servers, of those that the compute door takes another way with."""
    chosen = [(kind, case) for kind in kinds for case in CASES if kind == "volumes" or case.name in _FOR_SERVERS]
    names = [f"{kind}-{case.name}" for kind, case in chosen]
    return pytest.mark.parametrize(("kind", "case"), chosen, ids=names, indirect=True)


@pytest.fixture
async def kind(request: pytest.FixtureRequest, cloud: Whole) -> Kind:
    return await (_volumes if request.param == "volumes" else _servers)(cloud)


@pytest.fixture
async def case(request: pytest.FixtureRequest, cloud: Whole, kind: Kind) -> Case:
    chosen: Case = request.param
    await chosen.fall_ill(cloud)
    return chosen


def _things(cloud: Whole, kind: Kind) -> dict[str, dict[str, Any]]:
    """What the sick pod really has."""
    pod = cloud.pods["Pod2"]
    return pod.cinder.volumes if kind.path == VOLUMES else pod.nova.servers


def _check_secrets(said: Said) -> None:
    text = str(said.headers) + said.body.decode()
    assert not any(word in text for word in ("Pod2", "canary", ELSEWHERE)), text


async def _items(client: AsgiClient, kind: Kind) -> tuple[list[dict[str, Any]], str | None]:
    said = await client.ask("GET", f"{kind.path}/detail")
    assert said.status == 200, said.body
    _check_secrets(said)
    return said.json()[kind.collection], said.headers.get(MARK)


async def _list(cloud: Whole, kind: Kind) -> tuple[list[str], str | None]:
    items, mark = await _items(_modern(cloud.tenant), kind)
    return [one["id"] for one in items], mark


def _check_minimal(record: dict[str, Any], server_id: str, **more: object) -> None:
    """Whether a record is Nova's of a server in a cell that is down, and has nothing but that and ``more``."""
    links = record.pop("links")
    assert [one["rel"] for one in links] == ["self", "bookmark"]
    assert all(one["href"].endswith(f"/servers/{server_id}") for one in links)
    assert len(record.pop("created")) == len("2026-01-01T00:00:00Z")
    assert record.pop("tenant_id")
    assert record == {"id": server_id, "status": "UNKNOWN", **more}


@_cases("volumes", "servers")
async def test_lists(cloud: Whole, kind: Kind, case: Case) -> None:
    started = time.monotonic()
    items, mark = await _items(_modern(cloud.tenant), kind)
    assert time.monotonic() - started < LIST_S + MORE_S
    shown = [one["id"] for one in items]
    assert len(shown) == len(set(shown))
    assert kind.ids["az1"] in shown
    if case.listed is Seen.ALL:
        assert (set(shown), mark) == (set(kind.ids.values()), None)
    else:
        assert mark == "az2"
        if case.listed is Seen.PART:
            assert set(shown) <= set(kind.ids.values())
        elif kind.path == SERVERS:
            # Nova's form for cells that are down: what is not answered for comes first, as far as it is known.
            assert shown == [kind.ids["az2"], kind.ids["az1"]]
            _check_minimal(items[0], kind.ids["az2"])
        else:
            assert shown == [kind.ids["az1"]]


@_cases("servers")
async def test_lists_for_clients_that_do_not_know_minimal_records(cloud: Whole, kind: Kind, case: Case) -> None:
    items, mark = await _items(_older(cloud.tenant), kind)
    shown = [one["id"] for one in items]
    assert mark == "az2"
    assert kind.ids["az1"] in shown
    assert set(shown) <= set(kind.ids.values()) if case.listed is Seen.PART else shown == [kind.ids["az1"]]


@_cases("volumes")
async def test_pages(cloud: Whole, kind: Kind, case: Case) -> None:
    """Who follows the links to the end gets everything that is well once, and comes to an end."""
    client, seen, marked = _modern(cloud.tenant), list[str](), False
    target = f"{kind.path}/detail?limit=1"
    for _ in range(4):
        said = await client.ask("GET", target)
        assert said.status == 200, said.body
        marked = marked or MARK in said.headers
        seen += [one["id"] for one in said.json()[kind.collection]]
        links = said.json().get(f"{kind.collection}_links")
        if not links:
            break
        target = links[0]["href"].partition(":20080")[2]
    else:
        pytest.fail("pages without end")
    assert len(seen) == len(set(seen))
    assert kind.ids["az1"] in seen
    assert marked or set(seen) == set(kind.ids.values())


@_cases("volumes", "servers")
async def test_shows(cloud: Whole, kind: Kind, case: Case) -> None:
    started = time.monotonic()
    said = await _modern(cloud.tenant).ask("GET", f"{kind.path}/{kind.ids['az2']}")
    assert time.monotonic() - started < REQUEST_S + MORE_S
    _check_answer(said)
    if kind.path == SERVERS and said.headers.get(MARK):
        assert (503 in case.show, said.status) == (True, 200)
        _check_unknown(said, kind.ids["az2"], cloud)
    else:
        assert said.status in case.show, said.body


@_cases("servers")
async def test_shows_to_clients_that_do_not_know_minimal_records(cloud: Whole, kind: Kind, case: Case) -> None:
    said = await _older(cloud.tenant).ask("GET", f"{kind.path}/{kind.ids['az2']}")
    assert said.status in case.show, said.body
    assert MARK not in said.headers
    _check_answer(said)


def _check_unknown(said: Said, server_id: str, cloud: Whole) -> None:
    """Whether Nova would say this at 2.90 of a server in a cell that is down."""
    server = said.json()["server"]
    assert server.pop("image")["id"] == cloud.image_id
    assert server.pop("user_id")
    flavor = {"original_name": "m1", "ram": 64, "vcpus": 1, "disk": 1, "swap": 0, "ephemeral": 0, "extra_specs": {}}
    more = {"OS-EXT-AZ:availability_zone": "az2", "OS-EXT-STS:power_state": 0, "server_groups": []}
    _check_minimal(server, server_id, flavor=flavor, **more)


@_cases("volumes", "servers")
async def test_creates(cloud: Whole, kind: Kind, case: Case) -> None:
    things = _things(cloud, kind)
    before = set(things)
    started = time.monotonic()
    said = await _modern(cloud.tenant).ask("POST", kind.path, _in(kind.body, "az2"))
    assert time.monotonic() - started < REQUEST_S + MORE_S
    # What is needed before the thing itself is made may fail first: then nothing was sent.
    assert said.status in case.change | {503}, said.body
    _check_answer(said)
    if said.status == 503:
        assert set(things) == before
    await get_well(cloud)
    await _until_whole(cloud, kind)
    shown, _ = await _list(cloud, kind)
    assert set(shown) == set(things) | {kind.ids["az1"]}


@_cases("volumes", "servers")
async def test_deletes(cloud: Whole, kind: Kind, case: Case) -> None:
    started = time.monotonic()
    said = await _modern(cloud.tenant).ask("DELETE", f"{kind.path}/{kind.ids['az2']}")
    assert time.monotonic() - started < REQUEST_S + MORE_S
    _check_answer(said)
    if said.status in (202, 204):
        # An answer without a body has nothing in it that could be wrong.
        assert kind.ids["az2"] not in _things(cloud, kind)
    else:
        assert said.status in case.change, said.body


@_cases("volumes")
async def test_others_notice_nothing_and_soon_nobody_waits(cloud: Whole, kind: Kind, case: Case) -> None:
    client = _modern(cloud.tenant)
    with_sick = [asyncio.ensure_future(_list(cloud, kind)) for _ in range(20)]
    await asyncio.sleep(0)
    for _ in range(5):
        said = await client.ask("GET", f"{kind.path}/{kind.ids['az1']}")
        assert said.status == 200
    said = await client.ask("POST", kind.path, _in(kind.body, "az1"))
    assert said.status == 202, said.body
    await asyncio.gather(*with_sick)
    started = time.monotonic()
    for _ in range(5):
        await _list(cloud, kind)
    if case.is_known:
        # One call in each interval looks whether the pod is back; it does not wait for long.
        assert time.monotonic() - started < 5 * LIST_S
    await get_well(cloud)
    await _until_whole(cloud, kind)


async def _until_whole(cloud: Whole, kind: Kind) -> None:
    started = time.monotonic()
    while (await _list(cloud, kind))[1] is not None:
        assert time.monotonic() - started < PROBE_S + MORE_S
        await asyncio.sleep(0.02)


def _check_answer(said: Said) -> None:
    _check_secrets(said)
    if said.status >= 300:
        assert ("retry-after" in said.headers) is (said.status == 503)
        ((_, fault),) = said.json().items()
        assert fault["code"] == said.status


@pytest.mark.parametrize("case", [one for one in CASES if one.name.startswith("endless")], ids=lambda one: one.name)
async def test_memory_stays_bounded(cloud: Whole, case: Case) -> None:
    kind = await _volumes(cloud)
    await case.fall_ill(cloud)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(*(_list(cloud, kind) for _ in range(20)))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300 * 1024 * 1024
