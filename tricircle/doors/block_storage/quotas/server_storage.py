# SPDX-License-Identifier: Apache-2.0
"""May a project have the volumes and snapshots that a pod makes for its servers, and what types do they get?

No request for them comes by: Nova asks its pod's own Cinder, where the project has no limits and other defaults. So the
compute door asks here first. They count, and have types, as if the user had asked the block storage API for them.
"""

from collections.abc import Mapping, Sequence

from tricircle.context import RequestContext
from tricircle.copies.bodies import member, rows
from tricircle.copies.volume_types import VolumeTypes
from tricircle.doors.block_storage.declared.types import CentralTypes
from tricircle.doors.block_storage.quotas.quota import Quota, of_snapshot, of_volume
from tricircle.doors.block_storage.volumes.sources import Sources, size_of, type_of
from tricircle.errors import ForbiddenError, InvalidRequestError, NotFoundError, UpstreamStatusError
from tricircle.model.device import NewVolume
from tricircle.model.pod import Pod, Service
from tricircle.model.reservation import added
from tricircle.pods.registry import Registry
from tricircle.road.allowance import Hold
from tricircle.upstream.client import Clients

#: Size (GiB) and the central name of the type of one volume.
Measure = tuple[int, str | None]
#: What hypervisors call the first disk.
_FIRST_DISKS = ("vda", "sda", "xvda", "hda")
#: What is wrong with a type or an image is said by the pod, or has been by the centre.
_UNKNOWN = (ForbiddenError, InvalidRequestError, NotFoundError)


class ServerStorage:
    """Takes from the central limits what servers need."""

    def __init__(
        self,
        *,
        clients: Clients,
        registry: Registry,
        types: CentralTypes,
        copies: VolumeTypes,
        sources: Sources,
        quota: Quota,
    ) -> None:
        self._clients = clients
        self._registry = registry
        self._types = types
        self._copies = copies
        self._sources = sources
        self._quota = quota

    async def take(
        self, context: RequestContext, pod: Pod, volumes: Sequence[NewVolume], counts: tuple[int, int]
    ) -> Hold:
        """What is reserved for the volumes of as many servers as may be made; nothing when nothing is limited.

        :param volumes: of one server
        :param counts: least and most servers
        :raises QuotaExceededError: not even the least (Cinder's words)
        """
        if not volumes:
            return Hold()
        measures = [await self._measure(context, pod, volume) for volume in volumes]
        amounts = added(of_volume(size_gib, type_name) for size_gib, type_name in measures)
        largest = max(size_gib for size_gib, _ in measures)
        return await self._quota.take(context, pod, amounts, largest_gib=largest, counts=counts)

    async def ensure_types(self, context: RequestContext, pod: Pod, volumes: Sequence[NewVolume]) -> Mapping[str, str]:
        """Have volumes that name no type get in the pod what they would get at the centre.

        :returns: what the pod calls the types that images want (by image), as far as it calls them otherwise
        :raises InvalidRequestError: there is no such type
        """
        renamed: dict[str, str] = {}
        for volume in volumes:
            if volume.type_name is not None or volume.snapshot_id is not None:
                continue  # a snapshot hands on its own
            try:
                wanted = await self._wanted(context, volume)
                if wanted is None:
                    default = await self._types.default(context)
                    await self._copies.ensure_default(pod, context, default, context.deadline)
                    continue
            except NotFoundError as error:
                raise InvalidRequestError(error.message) from error
            name = await self._copies.ensure(pod, wanted, context.deadline)
            if name != wanted["name"]:
                renamed[str(volume.image_id)] = name
        return renamed

    async def take_image(self, context: RequestContext, pod: Pod, server_id: str) -> Hold:
        """What is reserved for an image of a server that boots from a volume: a snapshot of each of its volumes.

        Nova has them made before it answers. Nothing is for other servers, whose image is a file.

        :raises QuotaExceededError: they may not be made (Cinder's words)
        """
        nova = self._clients.as_user(context, self._registry.target(pod, Service.COMPUTE))
        cinder = self._clients.as_user(context, self._registry.target(pod, Service.BLOCK_STORAGE))
        try:
            server = member(await nova.get(f"/v2.1/servers/{server_id}", deadline=context.deadline), "server")
            volumes = [
                member(await cinder.get(f"/v3/volumes/{one['id']}", deadline=context.deadline), "volume")
                for one in rows(server, "os-extended-volumes:volumes_attached")
            ]
        except UpstreamStatusError:
            return Hold()  # the pod will say what is wrong with it
        # A server can show an image and have its root on a volume all the same.
        if server.get("image") and not any(_is_root(volume, server_id) for volume in volumes):
            return Hold()
        return await self._quota.take(
            context, pod, added(of_snapshot(size_of(volume), type_of(volume)) for volume in volumes)
        )

    async def _measure(self, context: RequestContext, pod: Pod, volume: NewVolume) -> Measure:
        if volume.snapshot_id is not None:
            size_gib, type_name = await self._of_snapshot(context, pod, volume.snapshot_id)
            return volume.size_gib or size_gib, volume.type_name or type_name
        return volume.size_gib, volume.type_name or await self._type(context, volume)

    async def _type(self, context: RequestContext, volume: NewVolume) -> str | None:
        """The type that the image wants, or the default one."""
        try:
            return str((await self._wanted(context, volume) or await self._types.default(context))["name"])
        except _UNKNOWN:
            return None

    async def _wanted(self, context: RequestContext, volume: NewVolume) -> dict[str, object] | None:
        """The type that the image of a volume wants."""
        if volume.image_id is None:
            return None
        return await self._sources.type_of_image(context, await self._sources.image(context, volume.image_id))

    async def _of_snapshot(self, context: RequestContext, pod: Pod, snapshot_id: str) -> Measure:
        client = self._clients.as_user(context, self._registry.target(pod, Service.BLOCK_STORAGE))
        try:
            snapshot = member(await client.get(f"/v3/snapshots/{snapshot_id}", deadline=context.deadline), "snapshot")
            path = f"/v3/volumes/{snapshot.get('volume_id')}"
            volume = member(await client.get(path, deadline=context.deadline), "volume")
        except UpstreamStatusError:
            return 0, None
        return size_of(snapshot), type_of(volume)


def _is_root(volume: Mapping[str, object], server_id: str) -> bool:
    """Whether a volume is the first disk of the server, by the name of its device there."""
    return any(
        one.get("server_id") == server_id and str(one.get("device")).rpartition("/")[2] in _FIRST_DISKS
        for one in rows(volume, "attachments")
    )
