# SPDX-License-Identifier: Apache-2.0
"""A centre and two pods on real sockets, a catalog in memory, and an empty database file."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.region import SERVICES, FakeRegion, region
from tricircle.conf.settings import CentralSettings, DatabaseSettings, GatewaySettings, UpstreamSettings
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.keystone.catalog import CatalogEndpoint, CatalogService, Region
from tricircle.model.pod import Service
from tricircle.pods.aggregates import Aggregates
from tricircle.pods.bindings import Bindings
from tricircle.pods.capacity import Capacity
from tricircle.pods.health import Health
from tricircle.pods.registration import Registration
from tricircle.pods.registry import Registry
from tricircle.pods.survey import Surveyor
from tricircle.store.engine import Engine, create_engine
from tricircle.store.tables import metadata
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools


class MemoryCatalog:
    """Keystone's catalog as ``keystone.catalog.Catalog`` shows it, in memory. ``changes`` is what was written."""

    def __init__(self) -> None:
        self.known: dict[str, Region] = {}
        self.listed: dict[str, CatalogService] = {}
        self.places: dict[tuple[str, str, str], CatalogEndpoint] = {}
        self.changes: list[str] = []
        self.is_away = False

    def add(self, name: str, urls: dict[str, str], *, interface: str = "public", parent: str | None = None) -> None:
        """A region with endpoints by service type."""
        self.known[name] = Region(id=name, parent_id=parent)
        for kind, url in urls.items():
            self.listed.setdefault(kind, CatalogService(id=f"id-{kind}", type=kind, name=kind))
            self.put(f"id-{kind}", interface, name, url)

    def put(self, service_id: str, interface: str, region_id: str, url: str) -> CatalogEndpoint:
        made = CatalogEndpoint(
            id=f"{service_id}-{interface}-{region_id}",
            service_id=service_id,
            interface=interface,
            region_id=region_id,
            url=url,
        )
        self.places[service_id, interface, region_id] = made
        return made

    def _ask(self, deadline: Deadline) -> None:
        assert deadline.remaining_s() > 0
        if self.is_away:
            raise UnavailableError("The identity service cannot be reached. Please try again later.")

    async def regions(self, deadline: Deadline) -> list[Region]:
        self._ask(deadline)
        return list(self.known.values())

    async def services(self, deadline: Deadline) -> list[CatalogService]:
        self._ask(deadline)
        return list(self.listed.values())

    async def endpoints(self, deadline: Deadline, region_id: str | None = None) -> list[CatalogEndpoint]:
        self._ask(deadline)
        return [place for place in self.places.values() if region_id in (None, place.region_id)]

    async def ensure_region(
        self, region_id: str, deadline: Deadline, *, parent_id: str | None = None, description: str = ""
    ) -> Region:
        self._ask(deadline)
        self.changes.append(f"region {region_id}")
        self.known[region_id] = Region(id=region_id, parent_id=parent_id)
        return self.known[region_id]

    async def ensure_service(
        self, service_type: str, name: str, deadline: Deadline, *, description: str = ""
    ) -> CatalogService:
        self._ask(deadline)
        self.changes.append(f"service {service_type}")
        self.listed[service_type] = CatalogService(id=f"id-{service_type}", type=service_type, name=name)
        return self.listed[service_type]

    async def ensure_endpoint(
        self, service_id: str, interface: str, region_id: str, url: str, deadline: Deadline
    ) -> CatalogEndpoint:
        self._ask(deadline)
        self.changes.append(f"endpoint {service_id} {interface} {region_id}")
        return self.put(service_id, interface, region_id, url)


class Tokens:
    """The service user's token."""

    async def token(self, deadline: Deadline) -> str:
        assert deadline.remaining_s() > 0
        return "service-token"


@dataclass
class Bench:
    """All that a test of this room may need."""

    engine: Engine
    centre: FakeRegion
    pod1: FakeRegion
    pod2: FakeRegion
    catalog: MemoryCatalog
    pools: Pools
    clients: Clients
    registry: Registry
    surveyor: Surveyor
    aggregates: Aggregates
    registration: Registration
    bindings: Bindings
    health: Health
    capacity: Capacity
    gateway: GatewaySettings = field(default_factory=GatewaySettings)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with our tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("pods") / "empty.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
async def engine(tmp_path: Path, empty_database: Path) -> AsyncIterator[Engine]:
    shutil.copy(empty_database, tmp_path / "pods.db")
    made = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path}/pods.db"))
    yield made
    await made.dispose()


@pytest.fixture
async def bench(engine: Engine) -> AsyncIterator[Bench]:
    async with region() as centre, region() as pod1, region() as pod2:
        catalog = MemoryCatalog()
        catalog.add("RegionOne", {})
        catalog.add("Pod1", {kind: pod1.catalog_url(kind) for kind in SERVICES}, parent="RegionOne")
        catalog.add("Pod2", {kind: pod2.catalog_url(kind) for kind in SERVICES}, parent="RegionOne")
        central = CentralSettings(
            compute_url=centre.url("compute"),
            block_storage_url=centre.url("block-storage"),
            image_url=centre.url("image"),
            network_url=centre.url("network"),
            identity_url=centre.url("identity"),
        )
        pools = Pools(UpstreamSettings(connect_timeout_s=5.0))
        clients = Clients(pools, Tokens())
        registry = Registry(engine, central)
        surveyor = Surveyor(catalog, clients, central, interface="public")
        aggregates = Aggregates(clients, registry.central(Service.COMPUTE))
        yield Bench(
            engine=engine,
            centre=centre,
            pod1=pod1,
            pod2=pod2,
            catalog=catalog,
            pools=pools,
            clients=clients,
            registry=registry,
            surveyor=surveyor,
            aggregates=aggregates,
            registration=Registration(engine, registry, surveyor, aggregates, central_region="RegionOne"),
            bindings=Bindings(engine, clients, registry),
            health=Health(pools, registry),
            capacity=Capacity(clients, registry),
        )
        await pools.close()


def soon() -> Deadline:
    """Long enough for every test."""
    return Deadline.after(10.0)
