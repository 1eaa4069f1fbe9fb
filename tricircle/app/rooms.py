# SPDX-License-Identifier: Apache-2.0
"""What does every process of ours hold, once: connections, books, and the makers of copies?"""

from dataclasses import dataclass
from math import inf

from tricircle.conf.settings import NetworkingSettings, Settings
from tricircle.copies.address_groups import AddressGroups
from tricircle.copies.addresses import Addresses
from tricircle.copies.adoption import Adoptions
from tricircle.copies.ensure import Ensure
from tricircle.copies.flavors import Flavors
from tricircle.copies.group_types import GroupTypes
from tricircle.copies.image.homes import ImageHomes
from tricircle.copies.image.images import Images
from tricircle.copies.keypairs import Keypairs
from tricircle.copies.networks import Networks
from tricircle.copies.owner import Owner
from tricircle.copies.ports import Ports
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach
from tricircle.copies.security_groups import SecurityGroups
from tricircle.copies.server_groups import ServerGroups
from tricircle.copies.statuses import Statuses
from tricircle.copies.subnets import Subnets
from tricircle.copies.trunks import Trunks
from tricircle.copies.vanished import Vanished
from tricircle.copies.volume_types import VolumeTypes
from tricircle.jobs.queue import Queue
from tricircle.keystone.session import ServiceTokens
from tricircle.ledger.consoles import Consoles
from tricircle.ledger.leases import Leases
from tricircle.ledger.reservations import Reservations
from tricircle.ledger.routings import Routings
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.road.allowance import Allowance, Counts
from tricircle.store.engine import Engine, create_engine
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The makers of copies, by noun."""

    flavors: Flavors
    keypairs: Keypairs
    server_groups: ServerGroups
    volume_types: VolumeTypes
    group_types: GroupTypes
    images: Images
    image_homes: ImageHomes
    networks: Networks
    subnets: Subnets
    address_groups: AddressGroups
    groups: SecurityGroups
    qos_policies: QosPolicies
    ports: Ports
    trunks: Trunks
    statuses: Statuses
    adoptions: Adoptions
    vanished: Vanished


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Everything that is shared within a process; opened by ``open_rooms``, closed once at its end."""

    settings: Settings
    engine: Engine
    pools: Pools
    tokens: ServiceTokens
    clients: Clients
    registry: Registry
    routings: Routings
    queue: Queue
    bindings: Bindings
    reservations: Reservations
    consoles: Consoles
    reach: Reach
    copies: Copies

    async def close(self) -> None:
        """Let go of every connection."""
        self.tokens.close()
        await self.pools.close()
        await self.engine.dispose()


def open_rooms(settings: Settings, *, call_s: float = inf) -> Rooms:
    """Everything, put together. Nothing is connected yet.

    :param call_s: seconds that a single call of ours may take, where the work's own deadline is far away
    """
    engine = create_engine(settings.database)
    pools = Pools(settings.upstream)
    tokens = ServiceTokens(settings)
    clients = Clients(pools, tokens, call_s=call_s)
    registry = Registry(engine, settings.central)
    routings = Routings(engine)
    leases = Leases(engine)
    queue = Queue(engine)
    reach = Reach(
        ensure=Ensure(leases, routings),
        leases=leases,
        routings=routings,
        registry=registry,
        clients=clients,
        central=Central(clients, registry.central),
        queue=queue,
        owner=Owner(),
    )
    return Rooms(
        settings=settings,
        engine=engine,
        pools=pools,
        tokens=tokens,
        clients=clients,
        registry=registry,
        routings=routings,
        queue=queue,
        bindings=Bindings(engine, clients, registry),
        reservations=Reservations(engine),
        consoles=Consoles(engine, ttl_s=settings.console.token_ttl_s, uses=settings.console.token_uses),
        reach=reach,
        copies=_copies(reach, settings.networking),
    )


def allowance_of(rooms: Rooms, counts: Counts) -> Allowance:
    """What projects may still take of the limits of one service."""
    return Allowance(
        counts,
        books=rooms.reservations,
        clients=rooms.clients,
        registry=rooms.registry,
        bindings=rooms.bindings,
    )


def _copies(reach: Reach, settings: NetworkingSettings) -> Copies:
    qos_policies = QosPolicies(reach)
    networks = Networks(reach, qos_policies)
    addresses = Addresses(reach.central, reach.owner)
    subnets = Subnets(reach, addresses)
    address_groups = AddressGroups(reach, rules_at_most=settings.rules_per_remote_group)
    groups = SecurityGroups(reach, address_groups)
    ports = Ports(reach, networks=networks, subnets=subnets, groups=groups, policies=qos_policies)
    return Copies(
        flavors=Flavors(reach),
        keypairs=Keypairs(reach),
        server_groups=ServerGroups(reach),
        volume_types=VolumeTypes(reach),
        group_types=GroupTypes(reach),
        images=Images(reach),
        image_homes=ImageHomes(reach),
        networks=networks,
        subnets=subnets,
        address_groups=address_groups,
        groups=groups,
        qos_policies=qos_policies,
        ports=ports,
        trunks=Trunks(reach, ports),
        statuses=Statuses(reach),
        adoptions=Adoptions(reach, networks, addresses),
        vanished=Vanished(reach),
    )
