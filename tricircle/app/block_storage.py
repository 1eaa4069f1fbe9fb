# SPDX-License-Identifier: Apache-2.0
"""Of what is the block-storage door made?"""

from tricircle.app.rooms import Rooms
from tricircle.doors.block_storage import rows
from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.derived import Derived
from tricircle.doors.block_storage.limits import Limits
from tricircle.doors.block_storage.quota import Quota
from tricircle.doors.block_storage.types import CentralTypes
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volumes import Needs, Volumes
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door


def block_storage_door(rooms: Rooms, carrier: Carrier, *, selection: Selection) -> Door:
    """The block-storage door, every special case with what it needs."""
    quota = Quota(clients=rooms.clients, registry=rooms.registry, bindings=rooms.bindings)
    types = rooms.copies.volume_types
    volumes = Volumes(
        Needs(
            carrier=carrier,
            registry=rooms.registry,
            selection=selection,
            bindings=rooms.bindings,
            quota=quota,
            types=CentralTypes(clients=rooms.clients, registry=rooms.registry, copies=types),
            copies=types,
        )
    )
    specials = rows.Specials(
        volumes=volumes,
        derived=Derived(carrier=carrier, quota=quota),
        zones=AvailabilityZones(rooms.registry),
        limits=Limits(carrier=carrier, bindings=rooms.bindings),
        versions=Versions(carrier=carrier, registry=rooms.registry),
    )
    return rows.door(specials)
