# SPDX-License-Identifier: Apache-2.0
"""What does a command about pods work with? The same objects as the gateway's, for one command long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tricircle.conf.settings import Settings
from tricircle.keystone.catalog import Catalog
from tricircle.keystone.session import ServiceTokens
from tricircle.model.pod import Service
from tricircle.pods.aggregates import Aggregates
from tricircle.pods.bindings import Bindings
from tricircle.pods.inspection import Inspection
from tricircle.pods.registry import Registry
from tricircle.pods.survey import Surveyor
from tricircle.store.engine import create_engine
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What commands use."""

    registry: Registry
    catalog: Catalog
    inspection: Inspection


@asynccontextmanager
async def workbench(settings: Settings) -> AsyncIterator[Workbench]:
    """The objects of one command; everything is closed behind it."""
    engine = create_engine(settings.database)
    pools = Pools(settings.upstream)
    tokens = ServiceTokens(settings)
    try:
        catalog = Catalog(settings)
        clients = Clients(pools, tokens)
        registry = Registry(engine, settings.central)
        inspection = Inspection(
            registry,
            Surveyor(catalog, clients, settings.central, interface=settings.upstream.interface),
            clients,
            catalog,
            aggregates=Aggregates(clients, registry.central(Service.COMPUTE)),
            bindings=Bindings(engine, clients, registry),
            gateway=settings.gateway,
        )
        yield Workbench(registry=registry, catalog=catalog, inspection=inspection)
    finally:
        tokens.close()
        await pools.close()
        await engine.dispose()
