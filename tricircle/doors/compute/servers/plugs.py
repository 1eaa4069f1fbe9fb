# SPDX-License-Identifier: Apache-2.0
"""After which actions may the ports of a server be unplugged, or plugged in again?"""

import logging

from tricircle.copies.statuses import NOBODY, changed
from tricircle.doors.compute.needs import JobFiles
from tricircle.errors import TricircleError
from tricircle.http.message import Request
from tricircle.model.job import JobType
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)

#: What starts or ends the process of a guest, or moves it.
ACTIONS = frozenset(
    (
        *("os-start", "os-stop", "reboot", "suspend", "resume", "rescue", "unrescue", "rebuild", "restore"),
        *("shelve", "shelveOffload", "unshelve", "resize", "revertResize", "confirmResize"),
        *("migrate", "os-migrateLive", "evacuate"),
    )
)
_SOON_S = 2.0


class Plugs:
    """Has the ports of servers looked at."""

    def __init__(self, *, carrier: Carrier, jobs: JobFiles) -> None:
        self._carrier = carrier
        self._jobs = jobs

    async def look(self, request: Request) -> None:
        """File a job that does. Never fails: the pod has done it, whatever becomes of the database."""
        server_id = request.params["server_id"]
        try:
            server = await self._carrier.locate(Kind.SERVER, server_id, request.context)
            await self._jobs.append(
                JobType.PORT_STATUS,
                server.pod.id,
                NOBODY,
                pod_id=server.pod.id,
                payload=changed(server_id),
                delay_s=_SOON_S,
            )
        except TricircleError as error:
            LOG.warning("the ports of server %s are not looked at: %s", server_id, error)
