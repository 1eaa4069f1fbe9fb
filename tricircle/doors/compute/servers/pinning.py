# SPDX-License-Identifier: Apache-2.0
"""Which AZ is a server held to, and how does its user change that (2.104)?

Users see the AZ that they asked for, whatever their pod calls it; so an update is translated and written down.
"""

from collections.abc import Mapping

from tricircle.doors.compute.needs import KnownRoutings
from tricircle.doors.compute.pod_faults import refused
from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.doors.compute.servers.notes import note_zone
from tricircle.doors.compute.servers.server_views import SERVER
from tricircle.doors.compute.zones import pinned_to, zone_of
from tricircle.errors import ConflictError
from tricircle.http.message import Answer, Request
from tricircle.model.routing import ASKED_AZ, Kind
from tricircle.road.carrier import Carrier
from tricircle.road.route import Located
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply

_KEY = "pinned_availability_zone"
_ZONE = "OS-EXT-AZ:availability_zone"
_VERSION = (2, 104)
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
        change: dict[str, object] = dict(server)
        if asked is not None:
            shown = await self._carrier.to_pod(request, pod, method="GET", query=b"", body=b"")
            if shown.status >= 300:
                return await refused(self._carrier, request, pod, shown)
            del change[_KEY]
            change |= _pin(located, shown, asked)
        reply = await self._carrier.to_pod(request, pod, body={"server": change})
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        await note_zone(self._routings, located, request.params["server_id"], asked)
        return await self._carrier.answer(request, pod, reply, singular="server", shape=SERVER)


def _pin(located: Located, shown: Reply, asked: object) -> dict[str, object]:
    """How the pod is told to hold a server to the AZ that it is in.

    :param shown: the server, as the pod has it
    :raises ConflictError: it is held to an AZ already, or in another one
    """
    pod, server = located.pod, shown.json().get("server")
    server = server if isinstance(server, Mapping) else {}
    pinned = pinned_to(pod, located.routing.details.get(ASKED_AZ), server.get(_KEY))
    if pinned is not None and pinned != asked:
        raise ConflictError(_PINNED_ALREADY)
    if pinned is not None:
        return {}
    pod_zone = server.get(_ZONE)
    current = zone_of(pod, pod_zone)
    if asked != current:
        raise ConflictError(
            f"Server can only be pinned to its current availability zone '{current}', but '{asked}' was requested."
        )
    # The pod is the AZ: it is told what all servers there are given, if it is in that one of its own.
    is_meant = pod_zone == pod.pod_az_name or asked != pod.az_name
    return {_KEY: pod_zone} if is_meant else {}
