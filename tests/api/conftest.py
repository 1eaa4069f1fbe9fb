# SPDX-License-Identifier: Apache-2.0
"""The Admin API as a whole: listener, road, tokens, policy, database; Keystone, centre and two pods are doubles on
real sockets."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import mariadb
from tests.asgi import AsgiClient
from tests.region import SERVICES, FakeRegion, region
from tests.unit.keystone.fake import CONFIG, FakeKeystone, running
from tricircle.conf.load import load
from tricircle.conf.settings import DatabaseSettings, Settings
from tricircle.copies.addresses import Addresses
from tricircle.copies.adoption import Adoptions
from tricircle.copies.ensure import Ensure
from tricircle.copies.networks import Networks
from tricircle.copies.owner import Owner
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach
from tricircle.doors.admin.adoptions import AdoptionCalls
from tricircle.doors.admin.bindings import BindingCalls
from tricircle.doors.admin.jobs import JobCalls
from tricircle.doors.admin.pods import PodCalls
from tricircle.doors.admin.routings import RoutingCalls
from tricircle.doors.admin.rows import Calls, door
from tricircle.doors.admin.topologies import TopologyCalls
from tricircle.doors.admin.versions import VersionCalls
from tricircle.http.dialects import Dialect
from tricircle.http.listener import Listener, Places
from tricircle.http.policy.enforcer import Enforcer
from tricircle.jobs.queue import Queue
from tricircle.keystone.catalog import Catalog
from tricircle.keystone.session import ServiceTokens
from tricircle.keystone.tokens import Validator
from tricircle.ledger.leases import Leases
from tricircle.ledger.routings import Routings
from tricircle.model.pod import Service
from tricircle.pods.aggregates import Aggregates
from tricircle.pods.bindings import Bindings
from tricircle.pods.registration import Registration
from tricircle.pods.registry import Registry
from tricircle.pods.survey import Surveyor
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.pipeline import Road
from tricircle.store import schema
from tricircle.store.engine import Engine, create_engine
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

ENDPOINT = "https://admin.example:19999"
_MORE = """
[DEFAULT]
[database]
connection = {database}
[gateway]
admin_endpoint = {endpoint}
body_limit = 20000
request_deadline_s = 20
[central]
compute_url = {centre}/compute
block_storage_url = {centre}/volume
image_url = {centre}/image
network_url = {centre}/network
"""
_numbers = itertools.count(1)


@dataclass
class Api:
    """The application and what stands around it."""

    admin: AsgiClient
    member: AsgiClient
    anonymous: AsgiClient
    engine: Engine
    keystone: FakeKeystone
    centre: FakeRegion
    pod1: FakeRegion
    pod2: FakeRegion


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """The database server of this storey."""
    if missing := mariadb.missing_programs():
        pytest.fail(f"{', '.join(missing)} not found: install the Debian package mariadb-server")
    with mariadb.server(tmp_path_factory.mktemp("mariadb")) as started:
        yield started


@pytest.fixture(scope="session")
def database(server: mariadb.Server) -> str:
    """A database with our tables, made by the migrations; each test empties it."""
    name = f"api_{next(_numbers)}"
    server.run(f"CREATE DATABASE {name}")
    schema.upgrade(DatabaseSettings(connection=server.url(name)), "head")
    return server.url(name)


@pytest.fixture
async def api(server: mariadb.Server, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        keystone = await stack.enter_async_context(running())
        centre, pod1, pod2 = [await stack.enter_async_context(region()) for _ in range(3)]
        settings = _settings(tmp_path, keystone, centre, database)
        _empty(server, database)
        _fill(keystone, {"RegionOne": centre, "Pod1": pod1, "Pod2": pod2})
        yield await _built(stack, settings, keystone, (centre, pod1, pod2))


def _settings(folder: Path, keystone: FakeKeystone, centre: FakeRegion, database: str) -> Settings:
    text = CONFIG.format(url=keystone.url)
    more = _MORE.format(database=database, endpoint=ENDPOINT, centre=f"http://127.0.0.1:{centre.port}")
    sections: dict[str, list[str]] = {}
    for line in (text + more).splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line, [])
        elif line:
            lines.append(line)
    file = folder / "tricircle.conf"
    file.write_text("\n".join("\n".join([name, *lines]) for name, lines in sections.items()) + "\n")
    return load(["--config-file", str(file)], prog="test")


def _empty(server: mariadb.Server, database: str) -> None:
    with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        for table in ("routings", "bindings", "pod_endpoints", "pods", "jobs", "job_keys", "job_history"):
            cursor.execute(f"DELETE FROM tricircle_{table}")


def _fill(keystone: FakeKeystone, regions: dict[str, FakeRegion]) -> None:
    for name, place in regions.items():
        keystone.regions[name] = {"id": name, "parent_region_id": None, "description": ""}
        for kind in SERVICES:
            keystone.services[kind] = {"id": kind, "type": kind, "name": kind, "enabled": True}
            keystone.endpoints[f"{name}-{kind}"] = {
                "id": f"{name}-{kind}",
                "service_id": kind,
                "interface": "public",
                "region_id": name,
                "url": place.catalog_url(kind),
                "enabled": True,
            }
    keystone.issue("admin-token", roles=[{"id": "1", "name": "member"}, {"id": "2", "name": "admin"}])
    keystone.issue("member-token")


async def _built(
    stack: AsyncExitStack, settings: Settings, keystone: FakeKeystone, regions: tuple[FakeRegion, ...]
) -> Api:
    engine = create_engine(settings.database)
    stack.push_async_callback(engine.dispose)
    pools, tokens, validator = Pools(settings.upstream), ServiceTokens(settings), Validator(settings)
    stack.push_async_callback(pools.close)
    stack.callback(tokens.close)
    stack.callback(validator.close)
    clients, registry = Clients(pools, tokens), Registry(engine, settings.central)
    surveyor = Surveyor(Catalog(settings), clients, settings.central, interface=settings.upstream.interface)
    registration = Registration(
        engine,
        registry,
        surveyor,
        Aggregates(clients, registry.central(Service.COMPUTE)),
        central_region=settings.gateway.central_region,
    )
    endpoint, identity_url = settings.gateway.admin_endpoint, f"{settings.gateway.public_endpoint}/identity/v3"
    admin_door = door(
        Calls(
            pods=PodCalls(engine, registration, endpoint=endpoint),
            bindings=BindingCalls(engine, Bindings(engine, clients, registry), endpoint=endpoint),
            routings=RoutingCalls(engine, endpoint=endpoint),
            topologies=TopologyCalls(engine, Central(clients, registry.central)),
            adoptions=AdoptionCalls(engine, registry, _adoptions(engine, clients, registry)),
            jobs=JobCalls(engine, Queue(engine), endpoint=endpoint),
            versions=VersionCalls(endpoint=endpoint),
        )
    )
    road = Road(
        [Entrance(admin_door)],
        validator=validator,
        enforcer=Enforcer(settings),
        pods=registry,
        settings=RoadSettings(
            body_limit=settings.gateway.body_limit,
            request_deadline_s=settings.gateway.request_deadline_s,
            boot_deadline_s=settings.gateway.boot_deadline_s,
            identity_url=identity_url,
        ),
    )
    listener = Listener(road, places=Places(other=("admin", Dialect.ADMIN)), identity_uri=identity_url)
    client = AsgiClient(listener)
    return Api(
        admin=client.having(x_auth_token="admin-token"),
        member=client.having(x_auth_token="member-token"),
        anonymous=client,
        engine=engine,
        keystone=keystone,
        centre=regions[0],
        pod1=regions[1],
        pod2=regions[2],
    )


def _adoptions(engine: Engine, clients: Clients, registry: Registry) -> Adoptions:
    leases, routings, central = Leases(engine), Routings(engine), Central(clients, registry.central)
    reach = Reach(
        ensure=Ensure(leases, routings),
        leases=leases,
        routings=routings,
        registry=registry,
        clients=clients,
        central=central,
        queue=Queue(engine),
        owner=Owner(),
    )
    return Adoptions(reach, Networks(reach, QosPolicies(reach)), Addresses(central, reach.owner))
