# SPDX-License-Identifier: Apache-2.0
"""What is a new volume made of, where is that, and what follows from it: pod, size, type?"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from tricircle.context import RequestContext
from tricircle.copies.bodies import rows
from tricircle.copies.volume_types import central_name
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.declared.types import CentralTypes
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.http.message import Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.registry import Registry
from tricircle.road.carrier import Carrier
from tricircle.upstream.client import Clients, ServiceClient

Volume = Mapping[str, object]

#: Fields that name what runs in a pod.
_RUNNING = {
    "source_volid": Kind.VOLUME,
    "snapshot_id": Kind.SNAPSHOT,
    "backup_id": Kind.BACKUP,
    "group_id": Kind.GROUP,
    "consistencygroup_id": Kind.GROUP,
}
#: Of these a volume takes size and type when none is named: field, collection, JSON key of one.
_DATA = (
    ("snapshot_id", "snapshots", "snapshot"),
    ("source_volid", "volumes", "volume"),
    ("backup_id", "backups", "backup"),
)
#: Cinder's own words for sources whose AZ differs from the one asked for.
_NOUNS = {"snapshot_id": "snapshot", "source_volid": "source volume"}
#: Characters of the longest reference to an image that Cinder takes.
_LONGEST = 255
_HINTS = "OS-SCH-HNT:scheduler_hints"
#: From here on Cinder knows images of servers that boot from a volume.
_SNAPSHOT_IMAGES = (3, 46)
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known of a new volume's source.

    :ivar pod: the pod that holds everything the request refers to; None when it refers to nothing that runs
    :ivar size_gib: the size of what it is made of; 0 when it is made of nothing, or of an image
    :ivar type_name: the central name of the type that the source hands on; None when it hands on none
    :ivar has_type: whether the source decides the type when the request names none
    """

    pod: Pod | None = None
    size_gib: int = 0
    type_name: str | None = None
    has_type: bool = False


class Sources:
    """Looks at what the body of ``POST /volumes`` refers to."""

    def __init__(self, *, carrier: Carrier, clients: Clients, registry: Registry, types: CentralTypes) -> None:
        self._carrier = carrier
        self._clients = clients
        self._registry = registry
        self._types = types

    async def of(self, request: Request, document: Mapping[str, object], volume: Volume) -> Source:
        """What follows from the request.

        :raises NotFoundError: something does not exist
        :raises InvalidRequestError: things are in different pods, or not in the AZ that is asked for
        """
        pod = await self._holder(request.context, document, volume)
        if pod is not None:
            for field, collection, singular in _DATA:
                if isinstance(identifier := volume.get(field), str) and identifier:
                    return await self._data(request, pod, f"/{collection}/{identifier}", singular)
        return Source(pod=pod)

    async def with_image(self, request: Request, source: Source, image: Mapping[str, object], volume: Volume) -> Source:
        """The source of a volume that is made of an image, too: where Nova has put a snapshot into the image instead of
        data, Cinder makes the volume of the snapshot.

        :param image: empty when there is none
        :raises NotFoundError, InvalidRequestError: the snapshot is not there, or elsewhere
        """
        snapshot_id = _root_snapshot(image)
        if snapshot_id is None or (request.microversion or (3, 0)) < _SNAPSHOT_IMAGES:
            return source
        pod = await self._holder(request.context, {}, {**volume, "snapshot_id": snapshot_id})
        if pod is None or source.pod not in (None, pod):
            raise words.apart()
        return await self._data(request, pod, f"/snapshots/{snapshot_id}", "snapshot")

    async def type_of_image(self, context: RequestContext, image: Mapping[str, object]) -> dict[str, object] | None:
        """The type that an image wants its volumes to have (``cinder_img_volume_type``), or None.

        :raises NotFoundError: there is no such type
        """
        wanted = image.get("cinder_img_volume_type")
        return await self._types.find(context, wanted) if isinstance(wanted, str) and wanted else None

    async def image(self, context: RequestContext, reference: str) -> Mapping[str, object]:
        """The central image that is meant.

        :param reference: an id, a URL that ends with one, or, as Cinder allows, a name
        :raises InvalidRequestError: there is none (Cinder's words)
        """
        if len(reference) > _LONGEST:
            raise words.image_unusable()
        client = self._clients.as_user(context, self._registry.central(Service.IMAGE))
        image_id = reference.rsplit("/", 1)[-1]
        image: Mapping[str, object] = {}
        if _UUID.fullmatch(image_id):
            image = await client.get(f"/v2/images/{image_id}", deadline=context.deadline, ok=(404,))
        if not image.get("id"):
            image = await self._image_named(client, reference, context)
        if not image.get("id"):
            raise words.image_unusable()
        return image

    @staticmethod
    async def _image_named(client: ServiceClient, name: str, context: RequestContext) -> Mapping[str, object]:
        """The first image of a name; empty when there is none, or Glance takes no such name."""
        try:
            named = await client.get("/v2/images", params={"name": name}, deadline=context.deadline)
        except UpstreamStatusError as error:
            if error.status != 400:
                raise
            return {}
        return next(iter(rows(named, "images")), {})

    async def _holder(self, context: RequestContext, document: Mapping[str, object], volume: Volume) -> Pod | None:
        zone = volume.get("availability_zone") or None
        pods: dict[str, Pod] = {}
        for field, kind in _RUNNING.items():
            if isinstance(identifier := volume.get(field), str) and identifier:
                pod = (await self._carrier.locate(kind, identifier, context)).pod
                pods[pod.id] = pod
                # As Cinder: a group's own AZ counts, whatever is asked for.
                if kind is not Kind.GROUP and zone is not None and pod.az_name != zone:
                    raise words.another_zone(_NOUNS.get(field, "source"))
        for kind, identifier in _hinted(document):
            try:
                pod = (await self._carrier.locate(kind, identifier, context)).pod
            except NotFoundError:
                continue  # Cinder passes over a hint that names nothing
            pods[pod.id] = pod
        if len(pods) > 1:
            raise words.apart()
        return next(iter(pods.values()), None)

    async def _data(self, request: Request, pod: Pod, path: str, singular: str) -> Source:
        found = await read_one(self._carrier, request, pod, path, singular)
        volume = found
        if singular != "volume" and isinstance(volume_id := found.get("volume_id"), str):
            volume = await read_one(self._carrier, request, pod, f"/volumes/{volume_id}", "volume")
        return Source(
            pod=pod,
            size_gib=size_of(found),
            # A backup does not remember a type: the new volume gets the default one.
            type_name=type_of(volume) if singular != "backup" else None,
            has_type=singular != "backup",
        )


async def read_one(carrier: Carrier, request: Request, pod: Pod, path: str, singular: str) -> dict[str, object]:
    """One thing in a pod as the caller sees it; empty when the pod does not show it (it will say so itself later)."""
    reply = await carrier.to_pod(request, pod, method="GET", path=path, query=b"")
    item = reply.json().get(singular) if reply.status == 200 else None
    return item if isinstance(item, dict) else {}


def size_of(item: Mapping[str, object]) -> int:
    """Its size in GiB; 0 when it does not say."""
    size = item.get("size")
    return size if isinstance(size, int) else 0


def type_of(volume: Mapping[str, object]) -> str | None:
    """The central name of its type; None when it does not say."""
    name = volume.get("volume_type")
    return central_name(name) if isinstance(name, str) else None


def _root_snapshot(image: Mapping[str, object]) -> str | None:
    """The snapshot that Nova has written to an image as its first disk; None for an image with data of its own."""
    said = image.get("block_device_mapping")
    try:
        devices = msgspec.json.decode(said) if isinstance(said, str) else None
    except msgspec.DecodeError:
        return None
    for device in devices if isinstance(devices, list) else ():
        is_root = isinstance(device, Mapping) and device.get("source_type") == "snapshot"
        if is_root and device.get("boot_index") == 0:
            return str(device.get("snapshot_id"))
    return None


def _hinted(document: Mapping[str, object]) -> Iterator[tuple[Kind, str]]:
    """What scheduler hints want the volume to be near."""
    hints = document.get(_HINTS)
    for key, kind in (("same_host", Kind.VOLUME), ("local_to_instance", Kind.SERVER)):
        value = hints.get(key) if isinstance(hints, Mapping) else None
        yield from ((kind, str(one)) for one in (value if isinstance(value, list) else [value]) if one)
