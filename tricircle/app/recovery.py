# SPDX-License-Identifier: Apache-2.0
"""Of what is a recovery made?"""

from datetime import timedelta

from tricircle.app.rooms import Rooms, open_rooms
from tricircle.audit.inventory import Inventory
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.copies.image.glances import Glances
from tricircle.errors import TricircleError
from tricircle.keystone.catalog import Catalog
from tricircle.model.pod import Service
from tricircle.pods.aggregates import Aggregates
from tricircle.pods.survey import Surveyor
from tricircle.recovery.bindings import BindingRecovery
from tricircle.recovery.declared import Centre
from tricircle.recovery.images import ImageCopies
from tricircle.recovery.importing import Importer
from tricircle.recovery.kinds import Kinds
from tricircle.recovery.pods import PodRecovery, RecoveredPod
from tricircle.recovery.record_keeper import RecordKeeper
from tricircle.recovery.recovery import Means, Recovery
from tricircle.recovery.report import Report
from tricircle.recovery.slices import SliceRecovery
from tricircle.store.engine import transaction
from tricircle.store.restoration import leases
from tricircle.store.routings import RoutingRows

#: Seconds for finding all pods, and for Keystone's list of users.
_PODS_S = 300.0
_USERS_S = 120.0


async def recover(settings: Settings, report: Report, *, is_rehearsal: bool) -> None:
    """Write down again what pods hold; ``report`` is filled meanwhile.

    :raises TricircleError: Keystone, the centre or the database does not answer; doing it again goes on from there
    """
    rooms = open_rooms(settings)
    try:
        catalog = Catalog(settings)
        pods = await _pods(rooms, catalog, report, is_rehearsal=is_rehearsal)
        recovery = await _recovery(rooms, report, is_rehearsal=is_rehearsal)
        await recovery.run([one.pod for one in pods if one.answers], await _users(catalog, report))
    finally:
        await rooms.close()


async def _pods(rooms: Rooms, catalog: Catalog, report: Report, *, is_rehearsal: bool) -> list[RecoveredPod]:
    settings = rooms.settings
    finder = PodRecovery(
        rooms.engine,
        catalog,
        Surveyor(catalog, rooms.clients, settings.central, interface=settings.upstream.interface),
        Aggregates(rooms.clients, rooms.registry.central(Service.COMPUTE)),
        central_region=settings.gateway.central_region,
        report=report,
    )
    return await finder.run(Deadline.after(_PODS_S), is_rehearsal=is_rehearsal)


async def _recovery(rooms: Rooms, report: Report, *, is_rehearsal: bool) -> Recovery:
    async with transaction(rooms.engine) as connection:
        since = await RoutingRows.moment(connection)
        at_work = await leases(connection)
    if at_work:
        report.note(f"Somebody is at work ({at_work} leases run): are all gateways and workers stopped?")
    centre = Centre(rooms.clients, rooms.registry)
    keeper = RecordKeeper(rooms.engine, rooms.queue, report, since=since, is_rehearsal=is_rehearsal)
    return Recovery(
        Means(
            inventory=Inventory(rooms.clients, rooms.registry),
            centre=centre,
            kinds=Kinds(rooms.clients, rooms.registry, centre),
            images=ImageCopies(Glances(rooms.reach), centre),
            keeper=keeper,
            bindings=BindingRecovery(rooms.engine, rooms.bindings, report, is_rehearsal=is_rehearsal),
            importer=Importer(centre, keeper, report),
            slices=SliceRecovery(centre, report, is_rehearsal=is_rehearsal),
            report=report,
            before=since - timedelta(seconds=rooms.settings.gateway.in_flight_s),
        )
    )


async def _users(catalog: Catalog, report: Report) -> list[str]:
    """Whose key pairs to look for. Owners of servers are found without Keystone's help."""
    try:
        return await catalog.user_ids(Deadline.after(_USERS_S))
    except TricircleError as error:
        report.note(f"Keystone does not list users ({error}): key pairs are looked for of those who have servers.")
        return []
