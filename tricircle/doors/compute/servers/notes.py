# SPDX-License-Identifier: Apache-2.0
"""How is something about a server written down with its routing, when the pod has done what was asked for already?"""

import logging
from collections.abc import Mapping

from tricircle.doors.compute.needs import KnownRoutings
from tricircle.errors import TricircleError
from tricircle.model.routing import ASKED_AZ, Kind
from tricircle.road.route import Located

LOG = logging.getLogger(__name__)


async def note(
    routings: KnownRoutings, server: Located, server_id: str, details: Mapping[str, object], loss: str
) -> None:
    """Merge ``details`` into those of the routing, which is made when the pod alone knew of the server.

    Never fails: the pod has done it, whatever becomes of the database.

    :param loss: what is lost then, for the log
    """
    routing = server.routing
    try:
        if routing.id:
            await routings.update(routing.id, details=details)
        else:
            await routings.record(Kind.SERVER, server_id, server.pod.id, routing.project_id, details=details)
    except TricircleError as error:
        LOG.warning("%s of server %s is not written down: %s", loss, server_id, error)


async def note_zone(routings: KnownRoutings, server: Located, server_id: str, zone: object) -> None:
    """The AZ that a server is held to from now on; None: to none."""
    await note(routings, server, server_id, {ASKED_AZ: zone}, "the AZ that was asked for")
