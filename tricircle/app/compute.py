# SPDX-License-Identifier: Apache-2.0
"""Of what is the compute door made?"""

from dataclasses import dataclass

from tricircle.app.block_storage import server_storage
from tricircle.app.rooms import Rooms, allowance_of
from tricircle.doors.compute import rows
from tricircle.doors.compute.address_actions import AddressActions
from tricircle.doors.compute.aggregate_copies import AggregateCopies
from tricircle.doors.compute.aggregate_zones import AggregateZones
from tricircle.doors.compute.aggregates import Aggregates
from tricircle.doors.compute.assisted_snapshots import AssistedSnapshots
from tricircle.doors.compute.attachments import Attachments
from tricircle.doors.compute.availability_zones import AvailabilityZones
from tricircle.doors.compute.boot import Boot, BootCopies
from tricircle.doors.compute.checks import Checks
from tricircle.doors.compute.choice import Choice
from tricircle.doors.compute.declared import Declared
from tricircle.doors.compute.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.departures import Departures
from tricircle.doors.compute.group_actions import GroupActions
from tricircle.doors.compute.hosts import Hosts
from tricircle.doors.compute.hypervisors import Hypervisors
from tricircle.doors.compute.image_links import ImageLinks
from tricircle.doors.compute.interfaces import Interfaces
from tricircle.doors.compute.limits import Limits
from tricircle.doors.compute.machines import Machines
from tricircle.doors.compute.networks import Networks
from tricircle.doors.compute.nic_ports import NicPorts
from tricircle.doors.compute.nics import Nics
from tricircle.doors.compute.operator_rows import OperatorSpecials
from tricircle.doors.compute.places import Places
from tricircle.doors.compute.quota import Quota, ServerCounts
from tricircle.doors.compute.server_actions import ServerActions
from tricircle.doors.compute.server_lists import ServerLists
from tricircle.doors.compute.server_rows import ServerSpecials, action_row
from tricircle.doors.compute.servers import ServerEnds, Servers
from tricircle.doors.compute.services import Services
from tricircle.doors.compute.sizes import Sizes
from tricircle.doors.compute.storage_proxies import StorageProxies
from tricircle.doors.compute.usage import Usage
from tricircle.doors.compute.versions import Versions
from tricircle.http.message import Handler
from tricircle.pods.health import Health
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageMakers:
    """What makes volumes and snapshots: rows of the block-storage door."""

    volume: Handler
    snapshot: Handler

    @classmethod
    def of(cls, door: Door) -> "StorageMakers":
        """The handlers of the two rows. :raises LookupError: the door has none"""
        made = {row.path: row.handler for row in door.rows if "POST" in row.methods}
        volume, snapshot = made.get("/volumes"), made.get("/snapshots")
        if volume is None or snapshot is None:
            raise LookupError("the block-storage door makes no volumes or no snapshots")
        return cls(volume=volume, snapshot=snapshot)


def compute_door(
    rooms: Rooms,
    carrier: Carrier,
    *,
    selection: Selection,
    health: Health,
    image_base: str,
    storage: StorageMakers,
) -> Door:
    """The compute door, every special case with what it needs."""
    networks = Networks(clients=rooms.clients, pods=rooms.registry)
    ports = NicPorts(
        clients=rooms.clients,
        pods=rooms.registry,
        copies=rooms.copies.ports,
        routings=rooms.routings,
        jobs=rooms.queue,
        grace_s=rooms.settings.gateway.in_flight_s,
    )
    zones = AggregateZones(carrier=carrier, clients=rooms.clients, pods=rooms.registry)
    machines = Machines(carrier=carrier)
    places = Places(zones=zones, machines=machines, pods=rooms.registry)
    specials = rows.Specials(
        servers=_servers(
            rooms, carrier, selection=selection, networks=networks, ports=ports, places=places, image_base=image_base
        ),
        zones=AvailabilityZones(carrier=carrier, pods=rooms.registry, health=health, others=zones),
        limits=Limits(carrier=carrier, bindings=rooms.bindings, allowance=allowance_of(rooms, ServerCounts())),
        usage=Usage(carrier=carrier),
        operators=OperatorSpecials(
            hypervisors=Hypervisors(carrier=carrier),
            services=Services(carrier=carrier, machines=machines),
            hosts=Hosts(carrier=carrier, machines=machines),
            snapshots=AssistedSnapshots(carrier=carrier),
        ),
        aggregates=Aggregates(
            carrier=carrier, copies=AggregateCopies(carrier=carrier), machines=machines, pods=rooms.registry
        ),
        keypairs=KeypairChanges(carrier=carrier),
        server_groups=ServerGroupChanges(carrier=carrier, copies=rooms.copies.server_groups),
        versions=Versions(carrier=carrier, pods=rooms.registry),
        images=ImageLinks(carrier=carrier, image_base=image_base),
        storage=StorageProxies(carrier=carrier, make_volume=storage.volume, make_snapshot=storage.snapshot),
    )
    return rows.door(specials)


def _servers(
    rooms: Rooms,
    carrier: Carrier,
    *,
    selection: Selection,
    networks: Networks,
    ports: NicPorts,
    places: Places,
    image_base: str,
) -> ServerSpecials:
    copies = rooms.copies
    declared = Declared(clients=rooms.clients, pods=rooms.registry)
    choice = Choice(carrier=carrier, pods=rooms.registry, selection=selection)
    quota = Quota(clients=rooms.clients, pods=rooms.registry, allowance=allowance_of(rooms, ServerCounts()))
    storage = server_storage(rooms, carrier)
    nics = Nics(networks)
    ends = ServerEnds(carrier=carrier, jobs=rooms.queue)
    groups = GroupActions(carrier=carrier, networks=networks, copies=copies.groups, routings=rooms.routings)
    boot = _boot(rooms, carrier, ports)
    servers = Servers(
        carrier=carrier,
        checks=Checks(declared=declared, nics=nics, choice=choice, routings=rooms.routings),
        quota=quota,
        storage=storage,
        places=places,
        choice=choice,
        boot=boot,
        routings=rooms.routings,
        clients=rooms.clients,
        pods=rooms.registry,
    )
    actions = ServerActions(
        carrier=carrier,
        row=action_row(),
        image_base=image_base,
        groups=groups,
        addresses=AddressActions(carrier=carrier, networks=networks),
        ends=ends,
        declared=declared,
        flavors=copies.flavors,
        keypairs=copies.keypairs,
        quota=quota,
        sizes=Sizes(rooms.routings),
        storage=storage,
        places=places,
        pods=rooms.registry,
    )
    return ServerSpecials(
        servers=servers,
        lists=ServerLists(carrier=carrier, routings=rooms.routings),
        departures=Departures(carrier=carrier, clients=rooms.clients, pods=rooms.registry, jobs=rooms.queue),
        ends=ends,
        actions=actions,
        groups=groups,
        interfaces=Interfaces(carrier=carrier, nics=nics, ports=ports, routings=rooms.routings, jobs=rooms.queue),
        attachments=Attachments(carrier=carrier),
    )


def _boot(rooms: Rooms, carrier: Carrier, ports: NicPorts) -> Boot:
    copies = rooms.copies
    return Boot(
        carrier=carrier,
        bindings=rooms.bindings,
        copies=BootCopies(
            flavors=copies.flavors,
            keypairs=copies.keypairs,
            server_groups=copies.server_groups,
            volume_types=copies.volume_types,
            vanished=copies.vanished,
        ),
        ports=ports,
        routings=rooms.routings,
        jobs=rooms.queue,
    )
