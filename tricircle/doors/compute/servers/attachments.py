# SPDX-License-Identifier: Apache-2.0
"""May this volume be attached to that server? Only when both are in one pod."""

from collections.abc import Mapping

from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.errors import InvalidRequestError, NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.row import Row


class Attachments:
    """``POST`` and ``PUT`` of ``/servers/{server_id}/os-volume_attachments``; everything else about them is routed."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def attach(self, request: Request, row: Row) -> Answer:
        """Carry out ``row`` if the volume that the body names is in the server's pod.

        :raises NotFoundError, InvalidRequestError: it does not exist, or is elsewhere
        """
        document = await request.json()
        server = await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)
        asked = document.get("volumeAttachment")
        volume_id = asked.get("volumeId") if isinstance(asked, Mapping) else None
        if not isinstance(volume_id, str):
            # Nova says what is wrong with it.
            return await rehearse_on_server(self._carrier, request, document) or await self._carrier.route(request, row)
        try:
            volume = await self._carrier.locate(Kind.VOLUME, volume_id, request.context)
        except NotFoundError as error:
            # The form of the body is looked at first, as Nova does.
            if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
                return refusal
            raise NotFoundError(f"Volume {volume_id} could not be found.") from error
        if volume.pod.id != server.pod.id:
            raise _elsewhere(volume_id, volume.pod, server.pod)
        return await self._carrier.route(request, row)


def _elsewhere(volume_id: str, of_volume: Pod, of_server: Pod) -> InvalidRequestError:
    if of_volume.az_name != of_server.az_name:
        return InvalidRequestError(
            f"Invalid volume: Instance is in availability zone {of_server.az_name}, volume {volume_id} is in "
            f"availability zone {of_volume.az_name}. A volume can only be attached to a server in the same zone."
        )
    return InvalidRequestError(
        f"Invalid volume: volume {volume_id} and the server are in different parts of availability zone "
        f"{of_server.az_name}; a volume can only be attached to servers in the part where it is."
    )
