# SPDX-License-Identifier: Apache-2.0
"""When may a client be told that a server is gone? When its ports are gone too, as with a single Nova.

A pod's Nova leaves the ports to us, and a job removes them after the server. A client that waits for the 404 and then
deletes the subnet would meet them still there; so the first 404 waits for the job, for a while.
"""

import asyncio
import random

from tricircle.context import Deadline
from tricircle.doors.compute.needs import Asking, JobFiles, KnownPods
from tricircle.doors.compute.servers.down_cells import DownCells
from tricircle.errors import BadUpstreamAnswerError, TricircleError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.route import Located
from tricircle.road.row import Row
from tricircle.upstream.client import ServiceClient

#: Seconds that a 404 waits at most, and between two looks at the ports.
_PATIENCE_S = 10.0
_PAUSE_S = 0.2


class Departures:
    """``GET /servers/{server_id}``."""

    def __init__(self, *, carrier: Carrier, clients: Asking, pods: KnownPods, jobs: JobFiles, down: DownCells) -> None:
        self._carrier = carrier
        self._clients = clients
        self._pods = pods
        self._jobs = jobs
        self._down = down

    async def show(self, request: Request, row: Row) -> Answer:
        """What ``row`` answers; a 404 about a server that was written down comes when its ports are gone. While its pod
        is away, what is known of it, where a client understands that."""
        server_id, context = request.params["server_id"], request.context
        located = await self._carrier.locate(Kind.SERVER, server_id, context, with_disabled=True)
        try:
            answer = await self._carrier.route(request, row)
        except UnavailableError:
            known = await self._down.shown(request, located)
            if known is None:
                raise
            return known
        if answer.status == 200:
            await self._note(located, answer)
        # Without a row it was said before, or the server is somebody else's find.
        if answer.status == 404 and located.routing.id and located.routing.project_id == request.context.project_id:
            try:
                await self._let_go(located, request.context.deadline.within(_PATIENCE_S))
            except TricircleError:
                # What cannot be seen to be gone now is the job's; the server is gone all the same.
                return answer
        return answer

    async def _note(self, located: Located, answer: Answer) -> None:
        try:
            server = answer.object().get("server")
        except BadUpstreamAnswerError:
            return
        if isinstance(server, dict):
            await self._down.note(located, server)

    async def _let_go(self, located: Located, deadline: Deadline) -> None:
        server_id, client = located.routing.central_id, self._clients.as_service(self._pods.central(Service.NETWORK))
        if not await _has_ports(client, server_id, deadline):
            return
        await self._jobs.append(JobType.SERVER_PORTS, server_id, located.routing.project_id, pod_id=located.pod.id)
        while deadline.remaining_s() > _PAUSE_S:
            await asyncio.sleep(random.uniform(_PAUSE_S / 2, _PAUSE_S))
            if not await _has_ports(client, server_id, deadline):
                return


async def _has_ports(client: ServiceClient, server_id: str, deadline: Deadline) -> bool:
    params: dict[str, str | int] = {"device_id": server_id, "fields": "id", "limit": 1}
    return bool((await client.get("/v2.0/ports", params=params, deadline=deadline)).get("ports"))
