# SPDX-License-Identifier: Apache-2.0
"""Of what is the compute door made?"""

from dataclasses import dataclass

from tricircle.app.block_storage import server_storage
from tricircle.app.rooms import Rooms, allowance_of
from tricircle.doors.compute import rows
from tricircle.doors.compute.boots.boot import Boot
from tricircle.doors.compute.boots.boot_copies import BootCopies
from tricircle.doors.compute.boots.checks import Checks
from tricircle.doors.compute.boots.choice import Choice
from tricircle.doors.compute.boots.group_pods import GroupPods
from tricircle.doors.compute.boots.launches import Launches
from tricircle.doors.compute.boots.nic_ports import NicPorts
from tricircle.doors.compute.boots.nics import Nics
from tricircle.doors.compute.boots.places import Places
from tricircle.doors.compute.declared.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.declared.group_members import GroupMembers
from tricircle.doors.compute.declared.lookups import Declared
from tricircle.doors.compute.needs import ServerStorage
from tricircle.doors.compute.networks import Networks
from tricircle.doors.compute.operators.aggregate_copies import AggregateCopies
from tricircle.doors.compute.operators.aggregate_zones import AggregateZones
from tricircle.doors.compute.operators.aggregates import Aggregates
from tricircle.doors.compute.operators.audit_logs import AuditLogs
from tricircle.doors.compute.operators.availability_zones import AvailabilityZones
from tricircle.doors.compute.operators.hosts import Hosts
from tricircle.doors.compute.operators.hypervisors import Hypervisors
from tricircle.doors.compute.operators.machines import Machines
from tricircle.doors.compute.operators.operator_rows import OperatorSpecials
from tricircle.doors.compute.operators.services import Services
from tricircle.doors.compute.proxies.address_actions import AddressActions
from tricircle.doors.compute.proxies.assisted_snapshots import AssistedSnapshots
from tricircle.doors.compute.proxies.external_events import ExternalEvents
from tricircle.doors.compute.proxies.image_links import ImageLinks
from tricircle.doors.compute.proxies.storage_proxies import StorageProxies
from tricircle.doors.compute.quotas.group_limits import GroupLimits
from tricircle.doors.compute.quotas.limits import Limits
from tricircle.doors.compute.quotas.quota import Quota, ServerCounts
from tricircle.doors.compute.quotas.usage import Usage
from tricircle.doors.compute.servers.attachments import Attachments
from tricircle.doors.compute.servers.consoles import ConsoleCalls
from tricircle.doors.compute.servers.departures import Departures
from tricircle.doors.compute.servers.down_cells import DownCells
from tricircle.doors.compute.servers.group_actions import GroupActions
from tricircle.doors.compute.servers.interfaces import Interfaces
from tricircle.doors.compute.servers.item_limits import ItemLimits
from tricircle.doors.compute.servers.pinning import Pinning
from tricircle.doors.compute.servers.plugs import Plugs
from tricircle.doors.compute.servers.server_actions import ServerActions
from tricircle.doors.compute.servers.server_images import ServerImages
from tricircle.doors.compute.servers.server_lists import ServerLists
from tricircle.doors.compute.servers.server_policy import ServerPolicy
from tricircle.doors.compute.servers.server_rows import ServerSpecials, action_row
from tricircle.doors.compute.servers.servers import ServerEnds, Servers
from tricircle.doors.compute.servers.sizes import Sizes
from tricircle.doors.compute.servers.unshelving import Unshelving
from tricircle.doors.compute.versions import Versions
from tricircle.http.message import Handler
from tricircle.pods.health import Health
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door
from tricircle.road.needs import Authorises


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
    policies: Authorises,
) -> Door:
    """The compute door, every special case with what it needs."""
    networks = Networks(clients=rooms.clients, pods=rooms.registry)
    ports = NicPorts(
        clients=rooms.clients,
        pods=rooms.registry,
        copies=rooms.copies.trunks,
        routings=rooms.routings,
        jobs=rooms.queue,
        grace_s=rooms.settings.gateway.in_flight_s,
    )
    zones = AggregateZones(carrier=carrier, clients=rooms.clients, pods=rooms.registry)
    machines = Machines(carrier=carrier)
    places = Places(zones=zones, machines=machines, pods=rooms.registry)
    specials = rows.Specials(
        servers=_servers(
            rooms,
            carrier,
            selection=selection,
            networks=networks,
            ports=ports,
            places=places,
            image_base=image_base,
            policy=ServerPolicy(carrier=carrier, policies=policies),
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
        audit_logs=AuditLogs(carrier=carrier),
        events=ExternalEvents(carrier=carrier, routings=rooms.routings),
        keypairs=KeypairChanges(carrier=carrier),
        server_groups=ServerGroupChanges(
            carrier=carrier,
            members=GroupMembers(carrier=carrier, routings=rooms.routings),
        ),
        versions=Versions(carrier=carrier),
        images=ImageLinks(carrier=carrier, image_base=image_base),
        storage=StorageProxies(carrier=carrier, policies=policies, volume=storage.volume, snapshot=storage.snapshot),
    )
    return rows.door(specials)


def _boot_copies(rooms: Rooms, storage: ServerStorage) -> BootCopies:
    copies = rooms.copies
    return BootCopies(
        bindings=rooms.bindings,
        flavors=copies.flavors,
        keypairs=copies.keypairs,
        server_groups=copies.server_groups,
        volume_types=copies.volume_types,
        storage=storage,
        images=copies.images,
        vanished=copies.vanished,
    )


def _group_limits(rooms: Rooms, carrier: Carrier) -> GroupLimits:
    return GroupLimits(
        carrier=carrier,
        clients=rooms.clients,
        pods=rooms.registry,
        members=GroupMembers(carrier=carrier, routings=rooms.routings),
        routings=rooms.routings,
        books=rooms.reservations,
    )


def _launches(rooms: Rooms, carrier: Carrier) -> Launches:
    return Launches(carrier=carrier, routings=rooms.routings, clients=rooms.clients, pods=rooms.registry)


def _group_pods(rooms: Rooms, carrier: Carrier) -> GroupPods:
    members = GroupMembers(carrier=carrier, routings=rooms.routings)
    return GroupPods(members=members, routings=rooms.routings, books=rooms.reservations)


def _servers(
    rooms: Rooms,
    carrier: Carrier,
    *,
    selection: Selection,
    networks: Networks,
    ports: NicPorts,
    places: Places,
    image_base: str,
    policy: ServerPolicy,
) -> ServerSpecials:
    copies = rooms.copies
    declared = Declared(clients=rooms.clients, pods=rooms.registry)
    choice = Choice(carrier=carrier, pods=rooms.registry, selection=selection, images=copies.images, networks=networks)
    quota = Quota(clients=rooms.clients, pods=rooms.registry, allowance=allowance_of(rooms, ServerCounts()))
    items = ItemLimits(carrier=carrier, clients=rooms.clients, pods=rooms.registry)
    storage = server_storage(rooms, carrier)
    nics, group_pods, launches = Nics(networks), _group_pods(rooms, carrier), _launches(rooms, carrier)
    down = DownCells(carrier=carrier, routings=rooms.routings)
    ends = ServerEnds(carrier=carrier, jobs=rooms.queue, down=down, in_flight_s=rooms.settings.gateway.in_flight_s)
    groups = _groups(rooms, carrier, networks, policy)
    servers = Servers(
        carrier=carrier,
        checks=Checks(declared=declared, nics=nics, choice=choice, group_pods=group_pods),
        quota=quota,
        group_limits=_group_limits(rooms, carrier),
        group_pods=group_pods,
        items=items,
        storage=storage,
        places=places,
        choice=choice,
        boot=_boot(rooms, carrier, ports, storage),
        launches=launches,
    )
    consoles = _consoles(rooms, carrier)
    actions = _actions(
        rooms,
        carrier,
        declared=declared,
        groups=groups,
        consoles=consoles,
        addresses=AddressActions(carrier=carrier, networks=networks, policy=policy),
        ends=ends,
        limits=(quota, items, storage),
        places=places,
        image_base=image_base,
    )
    return ServerSpecials(
        servers=servers,
        lists=ServerLists(carrier=carrier, down=down, launches=launches),
        departures=Departures(carrier=carrier, clients=rooms.clients, pods=rooms.registry, jobs=rooms.queue, down=down),
        ends=ends,
        actions=actions,
        groups=groups,
        interfaces=_interfaces(rooms, carrier, nics, ports, policy),
        attachments=Attachments(carrier=carrier),
        items=items,
        pinning=Pinning(carrier=carrier, routings=rooms.routings),
        consoles=consoles,
    )


def _groups(rooms: Rooms, carrier: Carrier, networks: Networks, policy: ServerPolicy) -> GroupActions:
    return GroupActions(
        carrier=carrier, networks=networks, copies=rooms.copies.groups, routings=rooms.routings, policy=policy
    )


def _interfaces(rooms: Rooms, carrier: Carrier, nics: Nics, ports: NicPorts, policy: ServerPolicy) -> Interfaces:
    return Interfaces(
        carrier=carrier,
        nics=nics,
        ports=ports,
        routings=rooms.routings,
        jobs=rooms.queue,
        policy=policy,
        in_flight_s=rooms.settings.gateway.in_flight_s,
    )


def _boot(rooms: Rooms, carrier: Carrier, ports: NicPorts, storage: ServerStorage) -> Boot:
    return Boot(
        carrier=carrier,
        copies=_boot_copies(rooms, storage),
        ports=ports,
        routings=rooms.routings,
        jobs=rooms.queue,
    )


def _consoles(rooms: Rooms, carrier: Carrier) -> ConsoleCalls:
    shown = rooms.settings.console
    return ConsoleCalls(
        carrier=carrier,
        consoles=rooms.consoles,
        pods=rooms.registry,
        endpoint=shown.public_endpoint,
        spice_direct_endpoint=shown.spice_direct_endpoint,
    )


def _actions(
    rooms: Rooms,
    carrier: Carrier,
    *,
    declared: Declared,
    groups: GroupActions,
    consoles: ConsoleCalls,
    addresses: AddressActions,
    ends: ServerEnds,
    limits: tuple[Quota, ItemLimits, ServerStorage],
    places: Places,
    image_base: str,
) -> ServerActions:
    copies = rooms.copies
    quota, items, storage = limits
    images = ServerImages(declared=declared, copies=copies.images, homes=copies.image_homes)
    return ServerActions(
        carrier=carrier,
        row=action_row(),
        image_base=image_base,
        groups=groups,
        consoles=consoles,
        addresses=addresses,
        ends=ends,
        declared=declared,
        flavors=copies.flavors,
        keypairs=copies.keypairs,
        quota=quota,
        items=items,
        sizes=Sizes(rooms.routings),
        storage=storage,
        unshelving=Unshelving(
            carrier=carrier, routings=rooms.routings, places=places, images=images, pods=rooms.registry
        ),
        images=images,
        plugs=Plugs(carrier=carrier, jobs=rooms.queue),
    )
