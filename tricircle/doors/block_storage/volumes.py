# SPDX-License-Identifier: Apache-2.0
"""How does a volume come to be in a pod, and which of its actions need more than passing on?"""

from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import RequestContext
from tricircle.copies.volume_types import VolumeTypes
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.quota import Quota
from tricircle.doors.block_storage.types import CentralTypes
from tricircle.doors.block_storage.volume_views import VOLUME
from tricircle.errors import InvalidRequestError, NotFoundError, NoValidPodError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.bindings import Bindings
from tricircle.pods.placement import Wish
from tricircle.pods.registry import Registry
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.row import Row

#: What a volume can be made of, and what that is.
_SOURCES = (
    ("source_volid", Kind.VOLUME, "volume"),
    ("snapshot_id", Kind.SNAPSHOT, "snapshot"),
    ("backup_id", Kind.BACKUP, "backup"),
    ("group_id", Kind.GROUP, "group"),
    ("consistencygroup_id", Kind.GROUP, "group"),
)
#: Sources whose type the new volume takes over when none is named.
_TYPED = ("source_volid", "snapshot_id", "backup_id", "imageRef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the special cases of volumes are made with."""

    carrier: Carrier
    registry: Registry
    selection: Selection
    bindings: Bindings
    quota: Quota
    types: CentralTypes
    copies: VolumeTypes


class Volumes:
    """``POST /volumes`` and ``POST /volumes/{volume_id}/action``."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    async def create(self, request: Request) -> Answer:
        """Make a volume where its AZ and what it is made of say; nothing is made before that is known.

        :raises UnavailableError: no pod can be reached; nothing is left behind
        :raises OutcomeUnknownError: sent without an answer; a list will show what came of it
        """
        document = await request.json()
        volume = document.get("volume")
        if not isinstance(volume, Mapping):
            raise words.body_missing("volume")
        context = request.context
        zone = volume.get("availability_zone") or None
        if zone is not None and zone not in await self._needs.registry.az_names():
            raise words.zone_invalid(str(zone))
        holder = await self._holder(request, document, volume)
        if holder is not None and zone is not None and holder.az_name != zone:
            raise words.elsewhere("the source of volume", str(volume.get("name") or ""), holder.az_name)
        volume_type = await self._type(context, volume)
        await self._check_quota(request, volume, holder)
        pod = await self._pod(context, None if zone is None else str(zone), holder)
        await self._needs.bindings.ensure(context.project_id, pod, context.deadline)
        in_pod = dict(volume)
        if volume_type is not None:
            in_pod["volume_type"] = await self._needs.copies.ensure(pod, volume_type, context.deadline)
        in_pod.pop("availability_zone", None)
        if pod.pod_az_name:
            in_pod["availability_zone"] = pod.pod_az_name
        reply = await self._needs.carrier.to_pod(request, pod, body={**document, "volume": in_pod})
        if reply.status < 300:
            made = reply.json().get("volume")
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await self._needs.carrier.record(Kind.VOLUME, str(made["id"]), pod, context)
        return await self._needs.carrier.answer(request, pod, reply, singular="volume", shape=VOLUME)

    async def act(self, request: Request, row: Row) -> Answer:
        """An action on a volume: growth is measured against limits, a new type gets its copy."""
        document = await request.json()
        located = await self._needs.carrier.locate(Kind.VOLUME, request.params["volume_id"], request.context)
        context = request.context
        if isinstance(extend := document.get("os-extend"), Mapping) and isinstance(extend.get("new_size"), int):
            size = await self._size_of("volumes", "volume", request.params["volume_id"], located.pod, request)
            grown = int(str(extend["new_size"])) - size
            if grown > 0:
                await self._needs.quota.check(context, {"gigabytes": grown}, context.deadline)
        if isinstance(retype := document.get("os-retype"), Mapping) and isinstance(
            asked := retype.get("new_type"), str
        ):
            volume_type = await self._needs.types.find(context, asked)
            name = await self._needs.copies.ensure(located.pod, volume_type, context.deadline)
            body: dict[str, object] = {**document, "os-retype": {**retype, "new_type": name}}
            reply = await self._needs.carrier.to_pod(request, located.pod, body=body)
            return await self._needs.carrier.answer(request, located.pod, reply)
        return await self._needs.carrier.route(request, row)

    async def _holder(
        self, request: Request, document: Mapping[str, object], volume: Mapping[str, object]
    ) -> Pod | None:
        """The pod that holds everything that the request refers to; None when it refers to nothing that runs.

        :raises NotFoundError, InvalidRequestError: something does not exist, or things are in different pods
        """
        pods: dict[str, Pod] = {}
        for field, kind, _noun in _SOURCES:
            if isinstance(identifier := volume.get(field), str) and identifier:
                pods[identifier] = (await self._needs.carrier.locate(kind, identifier, request.context)).pod
        for kind, identifier in _hinted(document):
            try:
                pods[identifier] = (await self._needs.carrier.locate(kind, identifier, request.context)).pod
            except NotFoundError:
                continue  # Cinder passes over a hint that names nothing
        if len({pod.id for pod in pods.values()}) > 1:
            raise words.apart()
        return next(iter(pods.values()), None)

    async def _type(self, context: RequestContext, volume: Mapping[str, object]) -> dict[str, object] | None:
        """The central type that the volume gets; None when its source decides, in the pod."""
        asked = volume.get("volume_type")
        if isinstance(asked, str) and asked:
            return await self._needs.types.find(context, asked)
        if any(volume.get(field) for field in _TYPED):
            return None
        return await self._needs.types.default(context)

    async def _check_quota(self, request: Request, volume: Mapping[str, object], holder: Pod | None) -> None:
        size = volume.get("size")
        if not isinstance(size, int | str) or not str(size).isdigit():
            size = await self._source_size(request, volume, holder)
        await self._needs.quota.check(request.context, {"gigabytes": int(size), "volumes": 1}, request.context.deadline)

    async def _source_size(self, request: Request, volume: Mapping[str, object], holder: Pod | None) -> int:
        """The size of what the volume is made of, in GiB; 0 when Cinder will say what is wrong with the request."""
        if holder is not None:
            for field, path, singular in (
                ("snapshot_id", "snapshots", "snapshot"),
                ("source_volid", "volumes", "volume"),
            ):
                if isinstance(identifier := volume.get(field), str) and identifier:
                    return await self._size_of(path, singular, identifier, holder, request)
        return 0

    async def _size_of(self, collection: str, singular: str, identifier: str, pod: Pod, request: Request) -> int:
        reply = await self._needs.carrier.to_pod(
            request, pod, method="GET", path=f"/{collection}/{identifier}", query=b""
        )
        item = reply.json().get(singular) if reply.status == 200 else None
        size = item.get("size") if isinstance(item, Mapping) else None
        return size if isinstance(size, int) else 0

    async def _pod(self, context: RequestContext, zone: str | None, holder: Pod | None) -> Pod:
        wish = Wish(
            az_name=zone,
            service=Service.BLOCK_STORAGE,
            pod_ids=None if holder is None else frozenset({holder.id}),
            seed=context.project_id,
        )
        try:
            return await self._needs.selection.choose(wish, project_id=context.project_id, deadline=context.deadline)
        except NoValidPodError as error:
            if error.refused_by in ("az", "holds"):
                raise InvalidRequestError(error.message) from error
            raise


def _hinted(document: Mapping[str, object]) -> list[tuple[Kind, str]]:
    """What scheduler hints want the volume to be near."""
    hints = document.get("OS-SCH-HNT:scheduler_hints")
    found: list[tuple[Kind, str]] = []
    if isinstance(hints, Mapping):
        for key, kind in (("same_host", Kind.VOLUME), ("local_to_instance", Kind.SERVER)):
            value = hints.get(key)
            found += [(kind, str(one)) for one in (value if isinstance(value, list) else [value]) if one]
    return found
