# SPDX-License-Identifier: Apache-2.0
"""How does something on a storage host of a pod become a volume? The host says the pod; the type is the centre's."""

from collections.abc import Mapping

from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.operators.host_calls import HostCalls
from tricircle.doors.block_storage.quotas import quota
from tricircle.doors.block_storage.volumes.derived import in_zone_of
from tricircle.doors.block_storage.volumes.volume_views import VOLUME
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.routing import Kind


class Manage:
    """``POST /manageable_volumes`` and ``/os-volume-manage``."""

    def __init__(self, needs: Needs, calls: HostCalls) -> None:
        self._needs = needs
        self._calls = calls

    async def volume(self, request: Request) -> Answer:
        """Take over what is on a host. Raises as ``Volumes.create``, in Cinder's words."""
        document = await request.json()
        volume = document.get("volume")
        if not isinstance(volume, Mapping):
            raise words.body_missing("volume")
        context, needs = request.context, self._needs
        pod, inner = await self._calls.addressed(request, volume)
        if not context.is_admin:
            # The pod says that it is not allowed; nothing is copied for that.
            return await needs.carrier.answer(request, pod, await needs.carrier.to_pod(request, pod))
        inner = in_zone_of(pod, inner)
        volume_type = await self._type(request, volume.get("volume_type"))
        await needs.bindings.ensure(context.project_id, pod, context.deadline)
        inner["volume_type"] = await needs.copies.ensure(pod, volume_type, context.deadline)
        amounts = quota.of_volume(0, str(volume_type["name"]))
        async with await needs.quota.take(context, pod, amounts) as hold:
            reply = await hold.send(needs.carrier.to_pod(request, pod, body={**document, "volume": inner}))
        if reply.status < 300:
            made = reply.json().get("volume")
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await needs.carrier.record(Kind.VOLUME, str(made["id"]), pod, context)
        return await needs.carrier.answer(request, pod, reply, singular="volume", shape=VOLUME)

    async def _type(self, request: Request, asked: object) -> dict[str, object]:
        """The central type that is named, or the default one."""
        if not isinstance(asked, str) or not asked:
            return await self._needs.types.default(request.context)
        try:
            return await self._needs.types.find(request.context, asked)
        except NotFoundError as error:
            raise words.manageable_type_missing(asked) from error
