# SPDX-License-Identifier: Apache-2.0
"""Which body does which job?"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tricircle.app.rooms import Rooms, open_rooms
from tricircle.conf.settings import Settings
from tricircle.copies.server_ports import ServerPorts
from tricircle.jobs.worker import Body, Worker
from tricircle.ledger.positions import Positions
from tricircle.ledger.quarantine import Quarantine
from tricircle.model.job import JobType


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker with all bodies; its connections are closed behind it."""
    rooms = open_rooms(settings)
    try:
        quarantine = Quarantine(rooms.engine)
        chores = (Positions(rooms.engine).purge, quarantine.purge, quarantine.nudge)
        yield Worker(rooms.queue, bodies(rooms), settings.worker, chores=chores)
    finally:
        await rooms.close()


def bodies(rooms: Rooms) -> Mapping[JobType, Body]:
    """The coroutine of every job type."""
    copies = rooms.copies
    return {
        JobType.NETWORK: copies.networks.agree,
        JobType.SUBNET: copies.subnets.agree,
        JobType.PORT: copies.ports.agree,
        JobType.SECURITY_GROUP: copies.groups.agree,
        JobType.FLAVOR: copies.flavors.agree,
        JobType.KEYPAIR: copies.keypairs.agree,
        JobType.VOLUME_TYPE: copies.volume_types.agree,
        JobType.SERVER_PORTS: ServerPorts(rooms.reach, copies.ports).agree,
    }
