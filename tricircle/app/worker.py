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
from tricircle.copies.visit import by_pod
from tricircle.doors.block_storage.quotas.quota import VolumeCounts
from tricircle.doors.compute.quotas.quota import ServerCounts
from tricircle.jobs.desk import Desk
from tricircle.jobs.worker import Body, Chore, Worker
from tricircle.ledger.positions import Positions
from tricircle.ledger.quarantine import Quarantine
from tricircle.model.job import JobType
from tricircle.model.routing import Kind
from tricircle.pods.health import Health


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker with all bodies; its connections are closed behind it."""
    rooms = open_rooms(settings, call_s=settings.worker.call_deadline_s)
    await rooms.tokens.begin()
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
    copies, reach = rooms.copies, rooms.reach
    inventory = Inventory(rooms.clients, rooms.registry)
    sweeps = Sweeps(reach, inventory, in_flight_s=rooms.settings.gateway.in_flight_s)
    followed: Mapping[JobType, tuple[Kind, Body]] = {
        JobType.NETWORK: (Kind.NETWORK, copies.networks.agree),
        JobType.SUBNET: (Kind.SUBNET, copies.subnets.agree),
        JobType.PORT: (Kind.PORT, LostPorts(reach, copies.ports).agree),
        JobType.SECURITY_GROUP: (Kind.SECURITY_GROUP, copies.groups.agree),
        JobType.ADDRESS_GROUP: (Kind.ADDRESS_GROUP, RemoteGroups(reach, copies.address_groups, copies.groups).agree),
        JobType.QOS_POLICY: (Kind.QOS_POLICY, copies.qos_policies.agree),
        JobType.FLAVOR: (Kind.FLAVOR, copies.flavors.agree),
        JobType.KEYPAIR: (Kind.KEYPAIR, copies.keypairs.agree),
        JobType.SERVER_GROUP: (Kind.SERVER_GROUP, copies.server_groups.agree),
        JobType.VOLUME_TYPE: (Kind.VOLUME_TYPE, copies.volume_types.agree),
        JobType.GROUP_TYPE: (Kind.GROUP_TYPE, copies.group_types.agree),
        JobType.IMAGE: (Kind.IMAGE, copies.images.agree),
    }
    return {
        **{job: by_pod(reach, kind, body) for job, (kind, body) in followed.items()},
        # A trunk may have to be made where none is.
        JobType.TRUNK: copies.trunks.agree,
        JobType.IMAGE_COPY: copies.images.bring,
        JobType.IMAGE_HOME: copies.image_homes.agree,
        JobType.SERVER_PORTS: ServerPorts(reach, copies.ports).agree,
        JobType.PORT_STATUS: copies.statuses.agree,
        JobType.SWEEP: sweeps.agree,
    }
