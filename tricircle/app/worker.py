# SPDX-License-Identifier: Apache-2.0
"""Which body does which job?"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from tricircle.app.exposure import shown
from tricircle.app.rooms import Rooms, allowance_of, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.audit.schedule import Schedule
from tricircle.audit.sweep import Sweeps
from tricircle.conf.settings import Settings
from tricircle.copies.lost_ports import LostPorts
from tricircle.copies.remote_groups import RemoteGroups
from tricircle.copies.server_ports import ServerPorts
from tricircle.doors.block_storage.quotas.quota import VolumeCounts
from tricircle.doors.compute.quotas.quota import ServerCounts
from tricircle.jobs.desk import Desk
from tricircle.jobs.worker import Body, Chore, Worker
from tricircle.ledger.positions import Positions
from tricircle.ledger.quarantine import Quarantine
from tricircle.model.job import JobType
from tricircle.pods.health import Health


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker with all bodies; its connections are closed behind it."""
    rooms = open_rooms(settings)
    schedule = Schedule(
        rooms.engine,
        rooms.queue,
        rooms.registry,
        interval_s=settings.worker.sweep_interval_s,
        health=Health(rooms.pools, rooms.registry),
    )
    looking = asyncio.create_task(schedule.run())
    try:
        made = Worker(
            rooms.queue,
            bodies(rooms),
            settings.worker,
            chores=chores(rooms),
            deadlines={
                JobType.SWEEP: settings.worker.sweep_deadline_s,
                JobType.IMAGE_COPY: settings.worker.image_deadline_s,
                JobType.IMAGE_HOME: settings.worker.image_deadline_s,
            },
        )
        async with shown(made, Desk(rooms.engine), settings.worker):
            yield made
    finally:
        looking.cancel()
        await rooms.close()


def chores(rooms: Rooms) -> Sequence[Chore]:
    """What is tidied up now and then."""
    quarantine = Quarantine(rooms.engine)
    return (
        Positions(rooms.engine).purge,
        quarantine.purge,
        quarantine.nudge,
        allowance_of(rooms, ServerCounts()).settle_idle,
        allowance_of(rooms, VolumeCounts()).settle_idle,
        rooms.reservations.purge,
        rooms.consoles.purge,
    )


def bodies(rooms: Rooms) -> Mapping[JobType, Body]:
    """The coroutine of every job type."""
    copies = rooms.copies
    inventory = Inventory(rooms.clients, rooms.registry)
    sweeps = Sweeps(rooms.reach, inventory, in_flight_s=rooms.settings.gateway.in_flight_s)
    return {
        JobType.NETWORK: copies.networks.agree,
        JobType.SUBNET: copies.subnets.agree,
        JobType.PORT: LostPorts(rooms.reach, copies.ports).agree,
        JobType.SECURITY_GROUP: copies.groups.agree,
        JobType.ADDRESS_GROUP: RemoteGroups(rooms.reach, copies.address_groups, copies.groups).agree,
        JobType.QOS_POLICY: copies.qos_policies.agree,
        JobType.TRUNK: copies.trunks.agree,
        JobType.FLAVOR: copies.flavors.agree,
        JobType.KEYPAIR: copies.keypairs.agree,
        JobType.SERVER_GROUP: copies.server_groups.agree,
        JobType.VOLUME_TYPE: copies.volume_types.agree,
        JobType.GROUP_TYPE: copies.group_types.agree,
        JobType.IMAGE: copies.images.agree,
        JobType.IMAGE_COPY: copies.images.bring,
        JobType.IMAGE_HOME: copies.image_homes.agree,
        JobType.SERVER_PORTS: ServerPorts(rooms.reach, copies.ports).agree,
        JobType.PORT_STATUS: copies.statuses.agree,
        JobType.SWEEP: sweeps.agree,
    }
