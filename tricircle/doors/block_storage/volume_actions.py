# SPDX-License-Identifier: Apache-2.0
"""Which actions on a volume need more than passing on? ``POST /volumes/{volume_id}/action``.

Growth is measured against the limits of the centre, a new type gets its copy in the pod, and what the pod says of the
type of an uploaded volume is made ours. Everything else goes to the pod as it is.
"""

from collections.abc import Mapping

from tricircle.doors.block_storage.sources import read_one, size_of
from tricircle.doors.block_storage.volume_views import UPLOAD
from tricircle.doors.block_storage.volumes import Needs
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind

_UPLOAD = "os-volume_upload_image"


class VolumeActions:
    """``POST /volumes/{volume_id}/action``."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    async def act(self, request: Request) -> Answer:
        """Do one action. Raises as ``Carrier.to_pod``, and what Cinder would refuse before anything happens."""
        document = await request.json()
        volume_id = request.params["volume_id"]
        located = await self._needs.carrier.locate(Kind.VOLUME, volume_id, request.context)
        pod = located.pod
        if isinstance(extend := document.get("os-extend"), Mapping):
            await self._check_growth(request, pod, volume_id, extend.get("new_size"))
        if isinstance(retype := document.get("os-retype"), Mapping):
            document = {**document, "os-retype": await self._retyped(request, pod, retype)}
        reply = await self._needs.carrier.to_pod(request, pod, body=document)
        if _UPLOAD in document:
            return await self._needs.carrier.answer(request, pod, reply, singular=_UPLOAD, shape=UPLOAD)
        return await self._needs.carrier.answer(request, pod, reply)

    async def _check_growth(self, request: Request, pod: Pod, volume_id: str, new_size: object) -> None:
        if not isinstance(new_size, int | str) or not str(new_size).isdigit():
            return  # the pod will say what is wrong with it
        volume = await read_one(self._needs.carrier, request, pod, f"/volumes/{volume_id}", "volume")
        grown = int(new_size) - size_of(volume)
        if volume and grown > 0:
            await self._needs.quota.check(request.context, {"gigabytes": grown}, largest_gib=int(new_size))

    async def _retyped(self, request: Request, pod: Pod, retype: Mapping[str, object]) -> dict[str, object]:
        asked = retype.get("new_type")
        if not isinstance(asked, str) or not asked:
            return dict(retype)
        volume_type = await self._needs.types.find(request.context, asked)
        name = await self._needs.copies.ensure(pod, volume_type, request.context.deadline)
        return {**retype, "new_type": name}
