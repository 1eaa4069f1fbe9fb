# SPDX-License-Identifier: Apache-2.0
"""How are the special cases of the compute door put together from the rooms below?"""

from dataclasses import dataclass

from tricircle.doors.compute.attachments import Attachments
from tricircle.doors.compute.availability_zones import AvailabilityZones
from tricircle.doors.compute.boot import Boot, BootCopies
from tricircle.doors.compute.checks import Checks
from tricircle.doors.compute.choice import Choice
from tricircle.doors.compute.declared import Declared
from tricircle.doors.compute.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.fleet import Fleet
from tricircle.doors.compute.group_actions import GroupActions
from tricircle.doors.compute.interfaces import Interfaces
from tricircle.doors.compute.limits import Limits
from tricircle.doors.compute.needs import (
    Asking,
    GroupCopies,
    JobFiles,
    KnownPods,
    KnownRoutings,
    PodSelection,
    PortCopies,
    ProjectBindings,
    Pulses,
)
from tricircle.doors.compute.networks import Networks
from tricircle.doors.compute.nic_ports import NicPorts
from tricircle.doors.compute.nics import Nics
from tricircle.doors.compute.quota import Quota
from tricircle.doors.compute.rows import Specials, door
from tricircle.doors.compute.server_actions import ServerActions
from tricircle.doors.compute.server_lists import ServerLists
from tricircle.doors.compute.server_rows import ServerSpecials, action_row
from tricircle.doors.compute.servers import ServerEnds, Servers
from tricircle.doors.compute.usage import Usage
from tricircle.doors.compute.versions import Versions
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the door is built on.

    :ivar carrier: made with the shape ``server_views.FAULT`` for errors
    :ivar image_base: where users find images: public endpoint, door prefix and version, no slash at the end
    """

    carrier: Carrier
    clients: Asking
    pods: KnownPods
    health: Pulses
    selection: PodSelection
    bindings: ProjectBindings
    routings: KnownRoutings
    jobs: JobFiles
    ports: PortCopies
    groups: GroupCopies
    copies: BootCopies
    image_base: str


def compute_door(rooms: Rooms) -> Door:
    """The compute door, ready to be opened."""
    carrier = rooms.carrier
    return door(
        Specials(
            servers=_server_specials(rooms),
            zones=AvailabilityZones(carrier=carrier, pods=rooms.pods, health=rooms.health),
            limits=Limits(carrier=carrier, bindings=rooms.bindings),
            usage=Usage(carrier=carrier),
            fleet=Fleet(carrier=carrier),
            keypairs=KeypairChanges(carrier=carrier, jobs=rooms.jobs),
            server_groups=ServerGroupChanges(carrier=carrier, copies=rooms.copies.server_groups),
            versions=Versions(carrier=carrier, pods=rooms.pods),
        )
    )


def _server_specials(rooms: Rooms) -> ServerSpecials:
    carrier, clients, pods = rooms.carrier, rooms.clients, rooms.pods
    networks = Networks(clients=clients, pods=pods)
    nics, declared = Nics(networks), Declared(clients=clients, pods=pods)
    choice = Choice(carrier=carrier, pods=pods, selection=rooms.selection)
    quota = Quota(clients=clients, pods=pods, bindings=rooms.bindings)
    ports = NicPorts(clients=clients, pods=pods, copies=rooms.ports, routings=rooms.routings, jobs=rooms.jobs)
    ends = ServerEnds(carrier=carrier, jobs=rooms.jobs)
    groups = GroupActions(carrier=carrier, networks=networks, copies=rooms.groups, routings=rooms.routings)
    boot = Boot(
        carrier=carrier,
        bindings=rooms.bindings,
        copies=rooms.copies,
        ports=ports,
        routings=rooms.routings,
        jobs=rooms.jobs,
    )
    return ServerSpecials(
        servers=Servers(
            carrier=carrier,
            checks=Checks(declared=declared, nics=nics, choice=choice, routings=rooms.routings),
            quota=quota,
            choice=choice,
            boot=boot,
            clients=clients,
            pods=pods,
        ),
        lists=ServerLists(carrier=carrier, routings=rooms.routings),
        ends=ends,
        actions=ServerActions(
            carrier=carrier,
            row=action_row(),
            image_base=rooms.image_base,
            groups=groups,
            ends=ends,
            declared=declared,
            flavors=rooms.copies.flavors,
            keypairs=rooms.copies.keypairs,
            quota=quota,
            pods=pods,
        ),
        groups=groups,
        interfaces=Interfaces(carrier=carrier, nics=nics, ports=ports, routings=rooms.routings, jobs=rooms.jobs),
        attachments=Attachments(carrier=carrier),
    )
