# SPDX-License-Identifier: Apache-2.0
"""Which actions on a volume need more than passing on? ``POST /volumes/{volume_id}/action``.

Growth and a new type are measured against the limits of the centre, the type gets its copy in the pod, a host is named
as the pod names it, and what the pod says of the type of an uploaded volume is made ours. Everything else goes to the
pod as it is.
"""

from collections.abc import Mapping

from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.quotas import quota
from tricircle.doors.block_storage.volumes.sources import Volume, read_one, size_of, type_of
from tricircle.doors.block_storage.volumes.volume_images import ANEW
from tricircle.doors.block_storage.volumes.volume_views import UPLOAD
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import name_in, pod_named
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.allowance import Hold
from tricircle.road.route import Located

_UPLOAD = "os-volume_upload_image"
_MIGRATE = "os-migrate_volume"


class VolumeActions:
    """``POST /volumes/{volume_id}/action``."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    async def act(self, request: Request) -> Answer:
        """Do one action. Raises as ``Carrier.to_pod``, and what Cinder would refuse before anything happens."""
        document = await request.json()
        located = await self._needs.carrier.locate(Kind.VOLUME, request.params["volume_id"], request.context)
        pod = located.pod
        hold = Hold()
        if isinstance(extend := document.get("os-extend"), Mapping):
            hold = await self._growth(request, located, extend.get("new_size"))
        if isinstance(retype := document.get("os-retype"), Mapping):
            change, hold = await self._retyped(request, located, retype)
            document = {**document, "os-retype": change}
        if request.context.is_admin and isinstance(migration := document.get(_MIGRATE), Mapping):
            document = {**document, _MIGRATE: await self._moved(pod, migration)}
        if isinstance(anew := document.get("os-reimage"), Mapping):
            prepared = await self._needs.images.prepared(request.context, pod, anew, ANEW)
            document = {**document, "os-reimage": prepared}
        async with hold:
            reply = await hold.send(self._needs.carrier.to_pod(request, pod, body=document))
        if _UPLOAD in document:
            await self._needs.images.uploaded(request.context, pod, reply, _UPLOAD)
            return await self._needs.carrier.answer(request, pod, reply, singular=_UPLOAD, shape=UPLOAD)
        return await self._needs.carrier.answer(request, pod, reply)

    async def _growth(self, request: Request, located: Located, new_size: object) -> Hold:
        text = str(new_size) if isinstance(new_size, int | str) else ""
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            return Hold()  # the pod will say what is wrong with it
        volume = await self._read(request, located.pod)
        grown = int(text) - size_of(volume)
        if not volume or grown <= 0:
            return Hold()
        amounts = quota.of_growth(grown, type_of(volume))
        owner = located.routing.project_id
        return await self._needs.quota.take(request.context, located.pod, amounts, largest_gib=int(text), owner=owner)

    async def _read(self, request: Request, pod: Pod) -> Volume:
        return await read_one(self._needs.carrier, request, pod, f"/volumes/{request.params['volume_id']}", "volume")

    async def _moved(self, pod: Pod, migration: Mapping[str, object]) -> dict[str, object]:
        """The migration with the host as the pod knows it. :raises InvalidRequestError: the host is in another pod"""
        inner = dict(migration)
        for key in ("host", "cluster"):
            if isinstance(name := inner.get(key), str):
                said = pod_named(await self._needs.registry.pods(), name)
                if said is not None and said.id != pod.id:
                    raise words.host_elsewhere(name)
                inner[key] = name_in(pod, name)
        return inner

    async def _retyped(
        self, request: Request, located: Located, retype: Mapping[str, object]
    ) -> tuple[dict[str, object], Hold]:
        """The change as the pod is to be asked for it, and what the new type's limits give for it."""
        asked = retype.get("new_type")
        if not isinstance(asked, str) or not asked:
            return dict(retype), Hold()
        context, pod = request.context, located.pod
        volume_type = await self._needs.types.find(context, asked)
        name = await self._needs.copies.ensure(pod, volume_type, context.deadline)
        volume = await self._read(request, pod)
        central = str(volume_type["name"])
        if not volume or type_of(volume) == central:
            return {**retype, "new_type": name}, Hold()
        amounts = quota.of_retype(size_of(volume), central)
        hold = await self._needs.quota.take(context, pod, amounts, owner=located.routing.project_id)
        return {**retype, "new_type": name}, hold
