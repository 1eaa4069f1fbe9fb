# SPDX-License-Identifier: Apache-2.0
"""Which AZ is a server held to, and how does its user change that (2.104)?

Users see the AZ that they asked for, whatever their pod calls it; so an update is translated and written down.
"""

from collections.abc import Mapping

from tricircle.doors.compute.needs import KnownRoutings
from tricircle.doors.compute.pod_faults import refused
from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.doors.compute.servers.notes import note
from tricircle.doors.compute.servers.server_views import SERVER
from tricircle.errors import ConflictError
from tricircle.http.message import Answer, Request
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.route import Located
from tricircle.road.row import Row

_KEY = "pinned_availability_zone"
_VERSION = (2, 104)
#: Where the AZ that the user asked for is among a routing's details.
_ASKED = "asked_az"
_PINNED_ALREADY = (
    "Cannot change pinned availability zone directly. Unpin first by setting pinned_availability_zone to null."
)


class Pinning:
    """``PUT /servers/{server_id}``."""

    def __init__(self, *, carrier: Carrier, routings: KnownRoutings) -> None:
        self._carrier = carrier
        self._routings = routings

    async def update(self, request: Request, row: Row) -> Answer:
        """Carry out ``row``, whose body may pin the server to an AZ or let it go.

        :raises ConflictError: the server is in another AZ, or pinned already (Nova's words)
        """
        if (request.microversion or (2, 1)) < _VERSION:
            return await self._carrier.route(request, row)
        document = await request.json()
        server = document.get("server")
        if not isinstance(server, Mapping) or _KEY not in server:
            return await self._carrier.route(request, row)
        if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
            return refusal
        located = await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)
        pod, asked = located.pod, server[_KEY]
        change = {key: value for key, value in server.items() if key != _KEY}
        if asked is None:
            change[_KEY] = None
        elif _may_pin(located, asked) and pod.pod_az_name:
            change[_KEY] = pod.pod_az_name
        reply = await self._carrier.to_pod(request, pod, body={"server": change})
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        await note(self._routings, located, request.params["server_id"], {_ASKED: asked}, "the AZ that was asked for")
        return await self._carrier.answer(request, pod, reply, singular="server", shape=SERVER)


def _may_pin(server: Located, asked: object) -> bool:
    pinned, current = server.routing.details.get(_ASKED), server.pod.az_name
    if pinned is not None and pinned != asked:
        raise ConflictError(_PINNED_ALREADY)
    if asked != current:
        raise ConflictError(
            f"Server can only be pinned to its current availability zone '{current}', but '{asked}' was requested."
        )
    return True
