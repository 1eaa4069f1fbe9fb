# SPDX-License-Identifier: Apache-2.0
"""To which pod does a snapshot go that the volume service takes with the hypervisor's help? To that of its volume.

Only a volume service calls this, and a pod's own calls its own pod. It is here for whoever asks the one region.
"""

from collections.abc import Mapping

import msgspec

from tricircle.doors.compute.rehearsal import rehearse
from tricircle.errors import InvalidRequestError, NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier


class AssistedSnapshots:
    """``/os-assisted-volume-snapshots``."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def create(self, request: Request) -> Answer:
        """Take a snapshot. :raises InvalidRequestError: no such volume (Nova's words)"""
        document = await request.json()
        snapshot = document.get("snapshot")
        volume_id = snapshot.get("volume_id") if isinstance(snapshot, Mapping) else None
        return await self._in_pod_of(request, volume_id, document)

    async def delete(self, request: Request) -> Answer:
        """Delete a snapshot; the query says of which volume."""
        text = dict(request.query_pairs()).get("delete_info", "")
        try:
            info = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            info = None
        volume_id = info.get("volume_id") if isinstance(info, dict) else None
        return await self._in_pod_of(request, volume_id, None)

    async def _in_pod_of(self, request: Request, volume_id: object, document: Mapping[str, object] | None) -> Answer:
        if not isinstance(volume_id, str) or not volume_id:
            # Malformed: the centre says how.
            return await self._carrier.central(request)
        if (refusal := await rehearse_volume(self._carrier, request, document, volume_id)) is not None:
            return refusal
        try:
            pod = (await self._carrier.locate(Kind.VOLUME, volume_id, request.context)).pod
        except NotFoundError as error:
            raise InvalidRequestError(_unknown(volume_id)) from error
        reply = await self._carrier.to_pod(request, pod)
        return await self._carrier.answer(request, pod, reply)


async def rehearse_volume(
    carrier: Carrier, request: Request, document: Mapping[str, object] | None, volume_id: str
) -> Answer | None:
    """The centre's refusal of form or policy; None when it says only that no server there has the volume."""
    answer = await rehearse(carrier, request, document)
    if answer is None:
        return None
    is_in_order = isinstance(answer.body, bytes) and _unknown(volume_id).encode() in answer.body
    return None if is_in_order else answer


def _unknown(volume_id: str) -> str:
    return f"No volume Block Device Mapping with id {volume_id}."
