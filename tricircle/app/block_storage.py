# SPDX-License-Identifier: Apache-2.0
"""Of what is the block-storage door made?"""

from tricircle.app.rooms import Rooms, allowance_of
from tricircle.doors.block_storage import rows
from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.declared.qos import QosSpecs
from tricircle.doors.block_storage.declared.type_changes import TypeChanges
from tricircle.doors.block_storage.declared.types import CentralTypes
from tricircle.doors.block_storage.operators.backup_records import BackupRecords
from tricircle.doors.block_storage.operators.everywhere import Everywhere
from tricircle.doors.block_storage.operators.host_calls import HostCalls
from tricircle.doors.block_storage.operators.hosts import Hosts
from tricircle.doors.block_storage.operators.manage import Manage
from tricircle.doors.block_storage.operators.operator_rows import Operating
from tricircle.doors.block_storage.operators.pools import Pools
from tricircle.doors.block_storage.operators.somewhere import Somewhere
from tricircle.doors.block_storage.quotas.limits import Limits
from tricircle.doors.block_storage.quotas.quota import Quota, VolumeCounts
from tricircle.doors.block_storage.quotas.server_storage import ServerStorage
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volumes.derived import Derived
from tricircle.doors.block_storage.volumes.group_rows import Grouping
from tricircle.doors.block_storage.volumes.groups import Groups
from tricircle.doors.block_storage.volumes.handovers import Handovers
from tricircle.doors.block_storage.volumes.sources import Sources
from tricircle.doors.block_storage.volumes.volume_actions import VolumeActions
from tricircle.doors.block_storage.volumes.volume_images import VolumeImages
from tricircle.doors.block_storage.volumes.volumes import Needs, Volumes
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door


def block_storage_door(rooms: Rooms, carrier: Carrier, *, selection: Selection) -> Door:
    """The block-storage door, every special case with what it needs."""
    allowance = allowance_of(rooms, VolumeCounts())
    quota = Quota(clients=rooms.clients, registry=rooms.registry, allowance=allowance)
    copies = rooms.copies.volume_types
    types = CentralTypes(clients=rooms.clients, registry=rooms.registry)
    sources = Sources(carrier=carrier, clients=rooms.clients, registry=rooms.registry, types=types)
    needs = Needs(
        carrier=carrier,
        clients=rooms.clients,
        registry=rooms.registry,
        selection=selection,
        bindings=rooms.bindings,
        quota=quota,
        types=types,
        copies=copies,
        vanished=rooms.copies.vanished,
        sources=sources,
        images=VolumeImages(sources=sources, copies=rooms.copies.images, homes=rooms.copies.image_homes),
    )
    derived, hosts = Derived(carrier=carrier, quota=quota), Hosts(carrier)
    calls = HostCalls(carrier=carrier, hosts=hosts)
    specials = rows.Specials(
        volumes=Volumes(needs),
        actions=VolumeActions(needs),
        derived=derived,
        handovers=Handovers(needs),
        zones=AvailabilityZones(rooms.registry),
        limits=Limits(carrier=carrier, allowance=allowance),
        types=TypeChanges(
            carrier=carrier,
            clients=rooms.clients,
            registry=rooms.registry,
            routings=rooms.routings,
        ),
        qos=QosSpecs(carrier=carrier, clients=rooms.clients, registry=rooms.registry),
        manage=Manage(needs, calls),
        records=BackupRecords(needs, hosts),
        grouping=Grouping(groups=Groups(needs, rooms.copies.group_types), derived=derived),
        operating=Operating(
            calls=calls,
            everywhere=Everywhere(carrier=carrier, hosts=hosts, calls=calls),
            pools=Pools(needs, hosts),
            somewhere=Somewhere(carrier),
        ),
        versions=Versions(carrier=carrier),
    )
    return rows.door(specials)


def server_storage(rooms: Rooms, carrier: Carrier) -> ServerStorage:
    """What the compute door asks about storage that pods make for servers."""
    types = CentralTypes(clients=rooms.clients, registry=rooms.registry)
    return ServerStorage(
        clients=rooms.clients,
        registry=rooms.registry,
        types=types,
        copies=rooms.copies.volume_types,
        sources=Sources(carrier=carrier, clients=rooms.clients, registry=rooms.registry, types=types),
        quota=Quota(clients=rooms.clients, registry=rooms.registry, allowance=allowance_of(rooms, VolumeCounts())),
    )
