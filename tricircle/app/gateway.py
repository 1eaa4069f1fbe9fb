# SPDX-License-Identifier: Apache-2.0
"""Of what are the two listeners of the gateway made: the doors, and the Admin API?"""

from collections.abc import Mapping

from tricircle.app.block_storage import block_storage_door
from tricircle.app.compute import StorageMakers, compute_door
from tricircle.app.operators import guard
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.doors.admin import rows as admin_rows
from tricircle.doors.admin.adoptions import AdoptionCalls
from tricircle.doors.admin.bindings import BindingCalls
from tricircle.doors.admin.jobs import JobCalls
from tricircle.doors.admin.pods import PodCalls
from tricircle.doors.admin.routings import RoutingCalls
from tricircle.doors.admin.topologies import TopologyCalls
from tricircle.doors.admin.versions import VersionCalls
from tricircle.doors.block_storage.volumes.volume_views import FAULT as VOLUME_FAULT
from tricircle.doors.compute.servers.server_views import FAULT as SERVER_FAULT
from tricircle.doors.identity import rows as identity_rows
from tricircle.doors.identity.passage import Passage
from tricircle.doors.image import rows as image_rows
from tricircle.doors.image.images import Images
from tricircle.doors.network import rows as network_rows
from tricircle.doors.network.port_status import PortStatus
from tricircle.doors.network.ports import PortRemoval
from tricircle.http.dialects import Dialect
from tricircle.http.listener import ASGIApp, Check, Listener, OperatorPages, Places
from tricircle.http.policy.enforcer import Enforcer
from tricircle.keystone.catalog import Catalog
from tricircle.keystone.tokens import Validator
from tricircle.ledger.positions import Positions
from tricircle.model.pod import Service
from tricircle.pods.aggregates import Aggregates
from tricircle.pods.capacity import Capacity
from tricircle.pods.health import Health
from tricircle.pods.registration import Registration
from tricircle.pods.selection import Selection
from tricircle.pods.survey import Surveyor
from tricircle.road.carrier import Carrier
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.forward import Forwarder
from tricircle.road.front_page import front_page
from tricircle.road.means import Means
from tricircle.road.pipeline import Road
from tricircle.road.rewrite import Shape
from tricircle.road.route import Locator
from tricircle.road.versions import OlderPods, Ranges
from tricircle.road.vouching import Vouching
from tricircle.store.engine import ping


def gateway(settings: Settings) -> ASGIApp:
    """The doors, as one application of one process."""
    rooms = open_rooms(settings)
    validator = Validator(settings)
    ranges = Ranges(OlderPods(settings.gateway.older_pods))
    enforcer = Enforcer(settings)
    entrances = _entrances(rooms, validator, enforcer, ranges)
    public = settings.gateway.public_endpoint
    road = Road(
        entrances,
        validator=validator,
        enforcer=enforcer,
        pods=rooms.registry,
        ranges=ranges,
        settings=_road_settings(settings),
        root=front_page(public, [entrance.door for entrance in entrances]),
    )
    doors = {entrance.door.prefix.strip("/"): (entrance.door.name, entrance.door.dialect) for entrance in entrances}
    return Listener(
        road,
        places=Places(other=("none", Dialect.ADMIN), doors=doors),
        identity_uri=_identity_url(settings),
        on_start=(rooms.tokens.begin,),
        on_stop=(rooms.close,),
    )


def admin(settings: Settings) -> ASGIApp:
    """The Admin API, with health in detail and the numbers of all processes."""
    rooms = open_rooms(settings)
    catalog = Catalog(settings)
    surveyor = Surveyor(catalog, rooms.clients, settings.central, interface=settings.upstream.interface)
    registration = Registration(
        rooms.engine,
        rooms.registry,
        surveyor,
        Aggregates(rooms.clients, rooms.registry.central(Service.COMPUTE)),
        central_region=settings.gateway.central_region,
    )
    endpoint = settings.gateway.admin_endpoint
    door = admin_rows.door(
        admin_rows.Calls(
            pods=PodCalls(rooms.engine, registration, endpoint=endpoint),
            bindings=BindingCalls(rooms.engine, rooms.bindings, endpoint=endpoint),
            routings=RoutingCalls(rooms.engine, endpoint=endpoint),
            topologies=TopologyCalls(rooms.engine, rooms.reach.central),
            adoptions=AdoptionCalls(rooms.engine, rooms.registry, rooms.copies.adoptions),
            jobs=JobCalls(rooms.engine, rooms.queue, endpoint=endpoint),
            versions=VersionCalls(endpoint=endpoint),
        )
    )
    validator, enforcer = Validator(settings), Enforcer(settings)
    road = Road(
        [Entrance(door)],
        validator=validator,
        enforcer=enforcer,
        pods=rooms.registry,
        settings=_road_settings(settings),
    )
    return Listener(
        road,
        places=Places(other=("admin", Dialect.ADMIN)),
        identity_uri=_identity_url(settings),
        pages=OperatorPages(
            checks=_checks(rooms),
            guard=guard(validator, enforcer, has_open_metrics=settings.gateway.open_metrics),
        ),
        on_start=(rooms.tokens.begin,),
        on_stop=(rooms.close,),
    )


def _entrances(rooms: Rooms, validator: Validator, enforcer: Enforcer, ranges: Ranges) -> list[Entrance]:
    settings = rooms.settings
    health = Health(rooms.pools, rooms.registry)
    selection = Selection(rooms.registry, rooms.bindings, health, Capacity(rooms.clients, rooms.registry))
    carriers = _Carriers(rooms, ranges)
    compute = carriers.make("compute", Service.COMPUTE, "/compute", SERVER_FAULT)
    volumes = carriers.make("block_storage", Service.BLOCK_STORAGE, "/volume", VOLUME_FAULT)
    images = carriers.make("image", Service.IMAGE, image_rows.PREFIX)
    network = carriers.make("network", Service.NETWORK, network_rows.PREFIX)
    identity = carriers.make("identity", Service.IDENTITY, identity_rows.PREFIX)
    removal = PortRemoval(carrier=network, copies=rooms.routings, pods=rooms.registry, ports=rooms.copies.ports)
    status = PortStatus(carrier=network, copies=rooms.routings, pods=rooms.registry, statuses=rooms.copies.statuses)
    passage = Passage(carrier=identity, validator=validator, region=settings.gateway.central_region)
    image_base = f"{settings.gateway.public_endpoint}{image_rows.PREFIX}/v2"
    storage = block_storage_door(rooms, volumes, selection=selection)
    servers = compute_door(
        rooms,
        compute,
        selection=selection,
        health=health,
        image_base=image_base,
        storage=StorageMakers.of(storage),
        policies=enforcer,
    )
    return [
        Entrance(servers, compute),
        Entrance(storage, volumes),
        Entrance(image_rows.door(Images(carrier=images, glances=rooms.copies.images)), images),
        Entrance(network_rows.door(removal, status), network),
        Entrance(identity_rows.door(passage), identity),
    ]


class _Carriers:
    """Makes the carrier of each door; what they share is made once."""

    def __init__(self, rooms: Rooms, ranges: Ranges) -> None:
        self._rooms = rooms
        self._vouching = Vouching(rooms.tokens)
        chosen = rooms.settings.gateway
        self._means = Means(
            pods=rooms.registry,
            routings=rooms.routings,
            positions=Positions(rooms.engine),
            jobs=rooms.queue,
            locator=Locator(
                rooms.pools,
                rooms.registry,
                rooms.routings,
                deadline_s=chosen.list_deadline_s,
                vouching=self._vouching,
            ),
            list_deadline_s=chosen.list_deadline_s,
            in_flight_s=chosen.in_flight_s,
            ranges=ranges,
        )

    def make(self, name: str, service: Service, prefix: str, fault_shape: Shape | None = None) -> Carrier:
        """The carrier of one door."""
        settings = self._rooms.settings
        base = settings.gateway.public_endpoint + prefix
        aliases = (settings.central.identity_url,) if service is Service.IDENTITY else ()
        forwarder = Forwarder(
            self._rooms.pools,
            service=service,
            base=base,
            identity_url=_identity_url(settings),
            aliases=aliases,
            vouching=self._vouching,
        )
        return Carrier(self._means, forwarder, door_name=name, service=service, base=base, fault_shape=fault_shape)


def _road_settings(settings: Settings) -> RoadSettings:
    return RoadSettings(
        body_limit=settings.gateway.body_limit,
        request_deadline_s=settings.gateway.request_deadline_s,
        boot_deadline_s=settings.gateway.boot_deadline_s,
        identity_url=_identity_url(settings),
    )


def _identity_url(settings: Settings) -> str:
    return f"{settings.gateway.public_endpoint}{identity_rows.PREFIX}/v3"


def _checks(rooms: Rooms) -> Mapping[str, Check]:
    async def database(_deadline: Deadline) -> str | None:
        await ping(rooms.engine)
        return None

    async def keystone(deadline: Deadline) -> str | None:
        await rooms.tokens.token(deadline)
        return None

    return {"database": database, "keystone": keystone}
