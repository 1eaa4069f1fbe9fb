# SPDX-License-Identifier: Apache-2.0
"""What does a sweep conclude from a pod that lies, and what from one that only seems to lack something?

Against the real ledger and queue on SQLite in memory, and a pod on a real socket that says what a test wants.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.job_runs import job_run
from tests.unit.servers import serving
from tricircle.audit.findings import What
from tricircle.audit.inventory import PAGE, Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.conf.settings import CentralSettings, DatabaseSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.address_groups import EXTENSION
from tricircle.copies.bodies import mark
from tricircle.copies.ensure import Ensure
from tricircle.copies.owner import Owner
from tricircle.copies.reach import Reach
from tricircle.copies.server_ports import PERHAPS_CLAIMED
from tricircle.errors import TricircleError
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import JobRun
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.model.routing import Kind
from tricircle.pods.registry import Registry
from tricircle.store import tables
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

POD, DEMO = PodId("pod1"), ProjectId("demo")
SERVER, VOLUME, OTHER = (f"{number}" * 8 + "-0000-4000-8000-000000000000" for number in (1, 2, 3))
NOT_THERE = {"itemNotFound": {"code": 404, "message": "gone"}}


class Tokens:
    async def token(self, _deadline: Deadline) -> str:
        return "service-token"


class World:
    """One pod, by its address, and what is known of it.

    :ivar lists: what it answers, by path; other lists are empty
    :ivar things: single things that are there, by path; everything else is not
    """

    def __init__(self, engine: Engine, pools: Pools) -> None:
        self.engine = engine
        self.pools = pools
        self.lists: dict[str, object] = {}
        self.things: dict[str, object] = {}
        self.facts: dict[str, object] = {}
        self.calls: list[tuple[str, str]] = []
        self.routings = Routings(engine)
        self.queue = Queue(engine)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the pod, and as the centre."""
        path = request.path
        self.calls.append((request.method, path))
        if path in self.lists:
            said = self.lists[path]
            return said if isinstance(said, web.Response) else web.json_response(said)
        if path in self.things:
            return web.json_response(self.things[path])
        if path.startswith("/v2.0/quotas"):
            return web.json_response({"project": {"project_id": "service"}})
        parts = [part for part in path.split("/") if part]
        if len(parts) == 2 or parts[-1] == "detail":
            names = {"types": "volume_types", "os-server-groups": "server_groups"}
            return web.json_response({names.get(parts[1], parts[1].replace("-", "_")): []})
        return web.json_response(NOT_THERE, status=404)

    async def sweep(self, root: str, state: PodState = PodState.ENABLED, *, page: int = PAGE) -> Mapping[str, object]:
        """One sweep of the pod at ``root``, so many objects at once."""
        services = (Service.COMPUTE, Service.BLOCK_STORAGE, Service.NETWORK)
        endpoints = {service: Endpoint(service=service, url=root) for service in services}
        async with transaction(self.engine) as connection:
            known = Pod(id=POD, name="Pod1", az_name="az1", state=state, endpoints=endpoints, facts=self.facts)
            await PodRows.update(connection, known)
        names = ("compute_url", "block_storage_url", "image_url", "network_url", "identity_url")
        registry = Registry(self.engine, CentralSettings(**dict.fromkeys(names, root)))
        clients, leases = Clients(self.pools, Tokens()), Leases(self.engine)
        reach = Reach(
            ensure=Ensure(leases, self.routings),
            leases=leases,
            routings=self.routings,
            registry=registry,
            clients=clients,
            central=Central(clients, registry.central),
            queue=self.queue,
            owner=Owner(),
        )
        return await Sweeps(reach, Inventory(clients, registry, page=page), in_flight_s=0).agree(run())

    async def known(self) -> set[str]:
        """Central ids of all routings of servers and volumes."""
        found = [await self.routings.owned(kind, one) for kind, one in ((Kind.SERVER, SERVER), (Kind.VOLUME, VOLUME))]
        return {routing.central_id for routing in found if routing is not None}

    async def filed(self) -> list[tuple[JobType, str]]:
        """Jobs that wait."""
        return [(job.type, job.resource_id) for job in await self.queue.waiting()]


def run() -> JobRun:
    return job_run(JobType.SWEEP, POD, POD, DEMO, seconds=20)


@pytest.fixture
async def world(pools: Pools, tmp_path: Path) -> AsyncIterator[World]:
    """A server and a volume are written down."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path}/ledger"))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    async with transaction(engine) as connection:
        await PodRows.insert(connection, Pod(id=POD, name="Pod1", az_name="az1"))
    made = World(engine, pools)
    await made.routings.record(Kind.SERVER, SERVER, POD, DEMO)
    await made.routings.record(Kind.VOLUME, VOLUME, POD, DEMO)
    async with engine.begin() as connection:
        await connection.execute(tables.routings.update().values(created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    yield made
    await engine.dispose()


async def test_what_a_complete_list_lacks_and_the_pod_denies_is_forgotten(world: World) -> None:
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert report["incomplete"] == {}
    assert report["found"] == [
        {"what": "gone", "kind": "server", "count": 1},
        {"what": "gone", "kind": "volume", "count": 1},
    ]
    # The job lets go of the server's ports first, and forgets it then.
    assert await world.filed() == [(JobType.SERVER_PORTS, SERVER)]
    assert await world.known() == {SERVER}
    # Ids at ports are those of servers or of claims; a sweep cannot tell.
    assert [job.payload for job in await world.queue.waiting()] == [PERHAPS_CLAIMED]


@pytest.mark.parametrize(("pod_id", "expected"), [(POD, [{}]), (PodId("pod2"), [{}, PERHAPS_CLAIMED])])
async def test_a_job_that_waits_already_is_not_told_that_it_may_be_about_a_claim(
    world: World, pod_id: PodId, expected: list[Mapping[str, object]]
) -> None:
    """Whoever deleted the server knew that it is one, and its ports go at once. Another pod's job does not help."""
    await world.queue.append(JobType.SERVER_PORTS, SERVER, DEMO, pod_id=pod_id)
    async with serving(world.answer) as port:
        await world.sweep(f"http://127.0.0.1:{port}")
    assert [job.payload for job in await world.queue.waiting()] == expected


async def test_what_a_list_lacks_and_the_pod_still_shows_is_kept(world: World) -> None:
    world.things = {f"/v2.1/servers/{SERVER}": {"server": {"id": SERVER}}}
    world.things |= {f"/v3/volumes/{VOLUME}": {"volume": {"id": VOLUME}}}
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert report["found"] == []
    assert await world.known() == {SERVER, VOLUME}


LINK = [{"rel": "next", "href": "/x"}]
LIES = {
    "goes round": {"servers": [{"id": OTHER, "tenant_id": "demo"}], "servers_links": LINK},
    "holds nothing and promises more": {"servers": [], "servers_links": LINK},
    "is no list": {"error": "sorry"},
    "has no ids": {"servers": [{"name": "web"}]},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_list_that_lies_loses_nothing(world: World, lie: object) -> None:
    """The other lists are believed all the same."""
    world.lists["/v2.1/servers/detail"] = lie
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert list(report["incomplete"]) == ["server"]  # type: ignore[call-overload]
    assert await world.known() == {SERVER}
    assert await world.filed() == [(JobType.SWEEP, POD)], "it is tried again"


async def test_a_proxy_that_answers_404_is_not_the_service(world: World) -> None:
    async def proxy(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v2.1/servers/") and not request.path.endswith("detail"):
            return web.Response(status=404, text="<html>Not Found</html>", content_type="text/html")
        return await world.answer(request)

    async with serving(proxy) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert list(report["incomplete"]) == ["server"]  # type: ignore[call-overload]
    assert await world.known() == {SERVER}


async def test_a_pod_that_is_away_is_waited_for(world: World) -> None:
    async with serving(world.answer) as port:
        root = f"http://127.0.0.1:{port}"
    with pytest.raises(TricircleError):
        await world.sweep(root)
    assert await world.known() == {SERVER, VOLUME}
    assert await world.filed() == []


async def test_a_disabled_pod_is_not_asked(world: World) -> None:
    report = await world.sweep("http://127.0.0.1:9", PodState.DISABLED)
    assert report == {"skipped": "the pod is not asked for now"}


def _group(group_id: str, marks: str, *addresses: str) -> dict[str, object]:
    """An address group of the service user's, as made by us."""
    described = {"name": f"tricircle-{marks}", "description": mark(marks)}
    return {"id": group_id, "project_id": "service", "addresses": list(addresses), **described}


async def _with_groups(world: World, *copies: tuple[str, str]) -> None:
    """Address groups of tenants, each with a copy, and a pod that knows such groups."""
    leases = Leases(world.engine)
    for central_id, pod_id in copies:
        lease = await leases.take(Kind.ADDRESS_GROUP, central_id, POD, DEMO, owner="test", ttl_s=60)
        assert isinstance(lease, Lease)
        await leases.bind(lease, pod_id)
    world.facts = {"network_extensions": [EXTENSION]}


async def test_one_malformed_object_does_not_end_the_look_at_the_others(world: World) -> None:
    """It is named, its neighbour is compared, and the parts behind it are looked at."""
    await _with_groups(world, ("G", "g1"), ("H", "h1"))
    originals = [{"id": one, "addresses": []} for one in ("G", "H")]
    copies = [_group("g1", "G", "nonsense"), _group("h1", "H", "10.0.0.5/32")]
    world.lists["/v2.0/address-groups"] = {"address_groups": [*originals, *copies]}
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert report["incomplete"] == {}
    named: Any = report["named"]
    assert [(one["what"], one["central_id"]) for one in named if one["kind"] == Kind.ADDRESS_GROUP] == [
        (What.UNREADABLE, "G"), (What.DIFFERS, "H"),
    ]  # fmt: skip
    assert "nonsense" in next(one["note"] for one in named if one["what"] == What.UNREADABLE)
    assert (JobType.ADDRESS_GROUP, "H") in await world.filed()


async def test_a_part_that_nobody_can_make_sense_of_does_not_end_the_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Here the centre itself has a member with such an address; the trace is in the log, and no sweep follows soon."""
    await _with_groups(world, ("G", "g1"))
    world.lists["/v2.0/address-groups"] = {"address_groups": [_group("g1", "G")]}
    world.lists["/v2.0/security-groups"] = {"security_groups": [{"id": "G"}]}
    strange = {"id": "p", "security_groups": ["G"], "allowed_address_pairs": [{"ip_address": "nonsense"}]}
    world.lists["/v2.0/ports"] = {"ports": [strange]}
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    assert list(report["incomplete"]) == ["address_group"]  # type: ignore[call-overload]
    assert "port" in report["seen"]  # type: ignore[operator]
    assert "Traceback" in caplog.text
    assert JobType.SWEEP not in [job for job, _ in await world.filed()]


class Crowd:
    """So many servers and copies of networks, all of them written down and as they should be; and who asks for them."""

    def __init__(self, world: World, count: int) -> None:
        self.world = world
        self.calls = 0
        described = {"name": "n", "admin_state_up": True, "mtu": 1450, "provider:network_type": "flat"}
        names = [f"{number:08}-0000-4000-8000-000000000000" for number in range(count)]
        self.lists: dict[str, list[dict[str, object]]] = {
            "servers": [{"id": name, "tenant_id": DEMO} for name in names],
            "originals": [{"id": name, "project_id": DEMO, **described} for name in names],
            "copies": [
                {"id": f"in-{name}", "project_id": "service", "description": mark(name), **described} for name in names
            ],
        }

    async def write_down(self) -> None:
        """The routings, older than the sweep."""
        row = {"pod_id": POD, "project_id": DEMO, "created_at": datetime(2026, 1, 1, tzinfo=UTC), "details": {}}
        names = [str(one["id"]) for one in self.lists["servers"]]
        rows = [{**row, "kind": "server", "central_id": name, "pod_resource_id": name} for name in names]
        rows += [{**row, "kind": "network", "central_id": name, "pod_resource_id": f"in-{name}"} for name in names]
        async with transaction(self.world.engine) as connection:
            await connection.execute(tables.routings.delete())
            await connection.execute(tables.routings.insert(), rows)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the pod, and as the centre, page by page."""
        self.calls += 1
        if request.path == "/v2.1/servers/detail":
            return self._page(request, "servers", self.lists["servers"])
        if request.path != "/v2.0/networks":
            return await self.world.answer(request)
        asked = set(request.query.getall("id", []))
        if not asked:
            return self._page(request, "networks", self.lists["copies"])
        return self._page(request, "networks", [one for one in self.lists["originals"] if one["id"] in asked])

    @staticmethod
    def _page(request: web.Request, key: str, items: list[dict[str, object]]) -> web.StreamResponse:
        ids = [one["id"] for one in items]
        begin = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        end = begin + int(request.query["limit"])
        more = {f"{key}_links": [{"rel": "next", "href": "/"}]} if end < len(items) else {}
        return web.json_response({key: items[begin:end], **more})


async def test_calls_grow_with_pages_and_not_with_what_is_in_them(world: World) -> None:
    """A page costs one call, and one to the centre where it is of copies, whatever its size."""

    async def calls(count: int, page: int) -> int:
        crowd = Crowd(world, count)
        await crowd.write_down()
        async with serving(crowd.answer) as port:
            report = await world.sweep(f"http://127.0.0.1:{port}", page=page)
        seen: Any = report["seen"]
        assert (report["incomplete"], report["found"]) == ({}, [])
        assert (seen["server"], seen["network"]) == (count, count)
        return crowd.calls

    few = await calls(10, 100)
    assert await calls(100, 100) == few
    assert await calls(100, 50) == few + 3
    assert await calls(100, 20) == few + 3 * 4


async def test_what_nobody_holds_any_more_is_let_go_of_at_once(world: World) -> None:
    """An empty slice is deleted, and a sub-port of no trunk set free, if they are so still."""
    old = {"updated_at": "2026-01-01T00:00:00Z", "binding:host_id": "Pod1", "project_id": DEMO, "revision_number": 3}
    empty = {**old, "device_owner": "network:dhcp", "device_id": "tricircle-ab", "fixed_ips": []}
    loose = {**old, "device_owner": "trunk:subport", "device_id": "", "fixed_ips": []}
    listed = {"sl1": empty, "sl2": empty, "s1": loose, "s2": loose, "s3": loose}
    now = {
        **listed,
        "sl2": {**empty, "fixed_ips": [{"subnet_id": "new", "ip_address": "10.0.0.2"}]},
        "s2": {**loose, "binding:host_id": "", "device_owner": ""},
    }
    world.lists["/v2.0/ports"] = {"ports": [{"id": one, **body} for one, body in listed.items()]}
    world.lists["/v2.0/trunks"] = {"trunks": [{"id": "t", "port_id": "s1", "sub_ports": [{"port_id": "s3"}]}]}
    for one, body in now.items():
        world.things[f"/v2.0/ports/{one}"] = {"port": {"id": one, **body}}
    async with serving(world.answer) as port:
        report = await world.sweep(f"http://127.0.0.1:{port}")
    named = [(one["what"], one["kind"], one["central_id"]) for one in report["named"] if one["kind"] == "port"]  # type: ignore[attr-defined]
    assert sorted(named) == [("astray", "port", "s1"), ("slice", "port", "sl1")]
    written = [call for call in world.calls if call[0] != "GET"]
    assert written == [("DELETE", "/v2.0/ports/sl1"), ("PUT", "/v2.0/ports/s1")]
