# SPDX-License-Identifier: Apache-2.0
"""What happens when a volume comes to be, or changes hands, by something other than ``POST /volumes``?

Restoring a backup may make a volume; accepting a transfer gives one to another project. Both happen in the pod where
the backup or the volume is, and both take from the limits of the project that gets the volume.
"""

import logging
from collections.abc import Mapping

from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.quotas import quota
from tricircle.doors.block_storage.volumes.sources import read_one, size_of
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.allowance import Hold
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)


class Handovers:
    """``POST /backups/{backup_id}/restore`` and ``POST /os-volume-transfer/{transfer_id}/accept``."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    async def restore(self, request: Request) -> Answer:
        """Restore a backup into a volume of the same pod, or a new one. :raises InvalidRequestError: it is elsewhere"""
        document = await request.json()
        wanted = document.get("restore")
        if not isinstance(wanted, Mapping):
            raise words.body_missing("restore")
        context, carrier = request.context, self._needs.carrier
        backup_id = request.params["backup_id"]
        pod = (await carrier.locate(Kind.BACKUP, backup_id, context)).pod
        target, hold = wanted.get("volume_id"), Hold()
        if isinstance(target, str) and target:
            if (await carrier.locate(Kind.VOLUME, target, context)).pod.id != pod.id:
                raise words.apart()
        else:
            backup = await read_one(carrier, request, pod, f"/backups/{backup_id}", "backup")
            hold = await self._prepare(request, pod, size_of(backup))
        async with hold:
            reply = await hold.send(carrier.to_pod(request, pod))
        if reply.status < 300:
            await self._take(request, pod, reply.json().get("restore"))
        return await carrier.answer(request, pod, reply)

    async def accept(self, request: Request) -> Answer:
        """Take over a volume."""
        context, carrier = request.context, self._needs.carrier
        pod = (await carrier.locate(Kind.TRANSFER, request.params["transfer_id"], context)).pod
        async with await self._needs.quota.take_transfer(context, pod, request.params["transfer_id"]) as hold:
            await self._needs.bindings.ensure(context.project_id, pod, context.deadline)
            reply = await hold.send(carrier.to_pod(request, pod))
        if reply.status < 300:
            volume_id = await self._take(request, pod, reply.json().get("transfer"))
            await self._take_snapshots(request, pod, volume_id)
            await carrier.forget(Kind.TRANSFER, request.params["transfer_id"])
        return await carrier.answer(request, pod, reply)

    async def _prepare(self, request: Request, pod: Pod, size_gib: int) -> Hold:
        """A new volume gets the project's default type of the pod: the central one's copy must be that."""
        context, needs = request.context, self._needs
        default = await needs.types.default(context)
        amounts = quota.of_volume(size_gib, str(default["name"]))
        await needs.copies.ensure_default(pod, context, default, context.deadline)
        return await needs.quota.take(context, pod, amounts, largest_gib=size_gib)

    async def _take(self, request: Request, pod: Pod, made: object) -> str | None:
        """Write down that the volume which the pod named is the caller's; its id."""
        volume_id = made.get("volume_id") if isinstance(made, Mapping) else None
        if not isinstance(volume_id, str):
            return None
        await self._needs.carrier.forget(Kind.VOLUME, volume_id)
        await self._needs.carrier.record(Kind.VOLUME, volume_id, pod, request.context)
        return volume_id

    async def _take_snapshots(self, request: Request, pod: Pod, volume_id: str | None) -> None:
        """Write down that the snapshots which came along are the caller's. Never fails: they change hands in the pod,
        and whoever looks for one finds it there."""
        if volume_id is None:
            return
        context, needs = request.context, self._needs
        client = needs.clients.as_user(context, needs.registry.target(pod, Service.BLOCK_STORAGE))
        asked = {"volume_id": volume_id}
        try:
            snapshots = await collect(client, "/v3/snapshots", "snapshots", context.deadline, asked)
        except TricircleError as error:
            LOG.warning("snapshots of the transferred volume %s are not written down: %s", volume_id, error)
            return
        for snapshot in snapshots:
            await needs.carrier.forget(Kind.SNAPSHOT, str(snapshot["id"]))
            await needs.carrier.record(Kind.SNAPSHOT, str(snapshot["id"]), pod, context)
