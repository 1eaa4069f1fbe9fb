# SPDX-License-Identifier: Apache-2.0
"""Of what is the compute door made?"""

from tricircle.app.block_storage import server_storage
from tricircle.app.rooms import Copies, Rooms, allowance_of
from tricircle.doors.compute import rows
from tricircle.doors.compute.attachments import Attachments
from tricircle.doors.compute.availability_zones import AvailabilityZones
from tricircle.doors.compute.boot import Boot, BootCopies
from tricircle.doors.compute.checks import Checks
from tricircle.doors.compute.choice import Choice
from tricircle.doors.compute.declared import Declared
from tricircle.doors.compute.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.departures import Departures
from tricircle.doors.compute.fleet import Fleet
from tricircle.doors.compute.group_actions import GroupActions
from tricircle.doors.compute.image_links import ImageLinks
from tricircle.doors.compute.interfaces import Interfaces
from tricircle.doors.compute.limits import Limits
from tricircle.doors.compute.networks import Networks
from tricircle.doors.compute.nic_ports import NicPorts
from tricircle.doors.compute.nics import Nics
from tricircle.doors.compute.quota import Quota, ServerCounts
from tricircle.doors.compute.server_actions import ServerActions
from tricircle.doors.compute.server_images import ServerImages
from tricircle.doors.compute.server_lists import ServerLists
from tricircle.doors.compute.server_rows import ServerSpecials, action_row
from tricircle.doors.compute.servers import ServerEnds, Servers
from tricircle.doors.compute.sizes import Sizes
from tricircle.doors.compute.usage import Usage
from tricircle.doors.compute.versions import Versions
from tricircle.pods.health import Health
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door


def compute_door(rooms: Rooms, carrier: Carrier, *, selection: Selection, health: Health, image_base: str) -> Door:
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
    specials = rows.Specials(
        servers=_servers(rooms, carrier, selection=selection, networks=networks, ports=ports, image_base=image_base),
        zones=AvailabilityZones(carrier=carrier, pods=rooms.registry, health=health),
        limits=Limits(carrier=carrier, bindings=rooms.bindings, allowance=allowance_of(rooms, ServerCounts())),
        usage=Usage(carrier=carrier),
        fleet=Fleet(carrier=carrier),
        keypairs=KeypairChanges(carrier=carrier),
        server_groups=ServerGroupChanges(carrier=carrier, copies=rooms.copies.server_groups),
        versions=Versions(carrier=carrier, pods=rooms.registry),
        images=ImageLinks(carrier=carrier, image_base=image_base),
    )
    return rows.door(specials)


def _boot_copies(copies: Copies) -> BootCopies:
    return BootCopies(
        flavors=copies.flavors,
        keypairs=copies.keypairs,
        server_groups=copies.server_groups,
        volume_types=copies.volume_types,
        images=copies.images,
        vanished=copies.vanished,
    )


def _servers(
    rooms: Rooms, carrier: Carrier, *, selection: Selection, networks: Networks, ports: NicPorts, image_base: str
) -> ServerSpecials:
    copies = rooms.copies
    declared = Declared(clients=rooms.clients, pods=rooms.registry)
    choice = Choice(carrier=carrier, pods=rooms.registry, selection=selection, images=copies.images)
    quota = Quota(clients=rooms.clients, pods=rooms.registry, allowance=allowance_of(rooms, ServerCounts()))
    storage = server_storage(rooms, carrier)
    nics = Nics(networks)
    ends = ServerEnds(carrier=carrier, jobs=rooms.queue)
    groups = GroupActions(carrier=carrier, networks=networks, copies=copies.groups, routings=rooms.routings)
    boot = Boot(
        carrier=carrier,
        bindings=rooms.bindings,
        copies=_boot_copies(copies),
        ports=ports,
        routings=rooms.routings,
        jobs=rooms.queue,
    )
    servers = Servers(
        carrier=carrier,
        checks=Checks(declared=declared, nics=nics, choice=choice, routings=rooms.routings),
        quota=quota,
        storage=storage,
        choice=choice,
        boot=boot,
        clients=rooms.clients,
        pods=rooms.registry,
    )
    actions = ServerActions(
        carrier=carrier,
        row=action_row(),
        image_base=image_base,
        groups=groups,
        ends=ends,
        declared=declared,
        flavors=copies.flavors,
        keypairs=copies.keypairs,
        quota=quota,
        sizes=Sizes(rooms.routings),
        storage=storage,
        images=ServerImages(declared=declared, copies=copies.images, homes=copies.image_homes),
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
