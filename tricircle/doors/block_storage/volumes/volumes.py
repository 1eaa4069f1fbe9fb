# SPDX-License-Identifier: Apache-2.0
"""How does a volume come to be in a pod? ``POST /volumes``."""

from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import PodId, RequestContext
from tricircle.copies.vanished import NAMES_UNKNOWN, Vanished
from tricircle.copies.volume_type_content import zones_of
from tricircle.copies.volume_types import VolumeTypes
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.declared.types import CentralTypes
from tricircle.doors.block_storage.quotas import quota
from tricircle.doors.block_storage.quotas.quota import Quota
from tricircle.doors.block_storage.volumes.rehearsal import form_refusal
from tricircle.doors.block_storage.volumes.sources import Source, Sources, Volume
from tricircle.doors.block_storage.volumes.volume_images import NEW, VolumeImages
from tricircle.doors.block_storage.volumes.volume_views import VOLUME
from tricircle.errors import InvalidRequestError, NotAcceptableError, NotFoundError, NoValidPodError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.bindings import Bindings
from tricircle.pods.placement import Wish
from tricircle.pods.registry import Registry
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the special cases of volumes are made with."""

    carrier: Carrier
    clients: Clients
    registry: Registry
    selection: Selection
    bindings: Bindings
    quota: Quota
    types: CentralTypes
    copies: VolumeTypes
    vanished: Vanished
    sources: Sources
    images: VolumeImages


class Volumes:
    """``POST /volumes``."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    async def create(self, request: Request) -> Answer:
        """Make a volume where its AZ and what it is made of say; nothing is made before all that is known is good.

        :raises InvalidRequestError, NotFoundError, QuotaExceededError: in Cinder's words
        :raises UnavailableError: no pod can be reached; nothing is left behind
        :raises OutcomeUnknownError: sent without an answer; a list will show what came of it
        """
        try:
            return await self._create(request)
        except (InvalidRequestError, NotFoundError):
            refusal = await form_refusal(self._needs.carrier, request)
            if refusal is None:
                raise
            return refusal

    async def _create(self, request: Request) -> Answer:
        document = await request.json()
        volume = document.get("volume")
        if not isinstance(volume, Mapping):
            raise words.body_missing("volume")
        size_gib = _wanted_size(volume)
        context, needs = request.context, self._needs
        zone = await self._zone(request, document)
        source, volume_type = await self._made_of(request, document, volume)
        type_name = source.type_name if volume_type is None else str(volume_type["name"])
        size_gib = size_gib or source.size_gib
        allowed = await self._allowed(zone, source, volume_type)
        pod = await self._pod(request, zone if source.pod is None else None, allowed)
        amounts = quota.of_volume(size_gib, type_name)
        async with await needs.quota.take(context, pod, amounts, largest_gib=size_gib) as hold:
            body: dict[str, object] = {**document, "volume": await self._prepared(context, pod, volume)}
            reply = await hold.send(self._sent(request, pod, body, volume_type))
        if reply.status < 300:
            made = reply.json().get("volume")
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await needs.carrier.record(Kind.VOLUME, str(made["id"]), pod, context)
        return await needs.carrier.answer(request, pod, reply, singular="volume", shape=VOLUME)

    async def _prepared(self, context: RequestContext, pod: Pod, volume: Volume) -> dict[str, object]:
        """The volume as the pod is to be asked for it, but for its type."""
        needs = self._needs
        await needs.bindings.ensure(context.project_id, pod, context.deadline)
        prepared = await needs.images.prepared(context, pod, volume, NEW)
        in_pod = {key: value for key, value in prepared.items() if key != "availability_zone"}
        if pod.pod_az_name:
            in_pod["availability_zone"] = pod.pod_az_name
        return in_pod

    async def _sent(
        self, request: Request, pod: Pod, body: dict[str, object], volume_type: Mapping[str, object] | None
    ) -> Reply:
        """What the pod says, once more if the copy of the type had vanished there."""
        reply = await self._send(request, pod, body, volume_type)
        if volume_type is not None and await self._has_vanished(request, pod, reply, volume_type):
            reply = await self._send(request, pod, body, volume_type)
        return reply

    async def _send(
        self, request: Request, pod: Pod, body: dict[str, object], volume_type: Mapping[str, object] | None
    ) -> Reply:
        """What the pod says to the volume, which names the copy of its type."""
        if volume_type is not None and isinstance(volume := body["volume"], dict):
            volume["volume_type"] = await self._needs.copies.ensure(pod, volume_type, request.context.deadline)
        return await self._needs.carrier.to_pod(request, pod, body=body)

    async def _has_vanished(self, request: Request, pod: Pod, reply: Reply, volume_type: Mapping[str, object]) -> bool:
        """Whether the pod refused because an operator had deleted the copy of the type; it is forgotten then."""
        if reply.status not in NAMES_UNKNOWN:
            return False
        named = [(Kind.VOLUME_TYPE, str(volume_type["id"]))]
        try:
            return await self._needs.vanished.forget(pod, named, request.context.deadline)
        except TricircleError:
            return False  # the refusal stands

    async def _zone(self, request: Request, document: Mapping[str, object]) -> str | None:
        """The AZ that is asked for.

        :raises InvalidRequestError: there is none of this name
        :raises NotFoundError: something else that is named does not exist: Cinder looks for it before
        """
        volume = document["volume"]
        zone = volume.get("availability_zone") if isinstance(volume, Mapping) else None
        if zone is None or not isinstance(volume, Mapping):
            return None
        if zone not in await self._needs.registry.az_names():
            placeless = {**volume, "availability_zone": None}
            await self._made_of(request, document, placeless)
            raise words.zone_invalid(str(zone))
        return str(zone)

    async def _made_of(
        self, request: Request, document: Mapping[str, object], volume: Volume
    ) -> tuple[Source, dict[str, object] | None]:
        """What the volume is made of, and the central type that it gets: None when its source decides, in the pod."""
        context, needs = request.context, self._needs
        source = await needs.sources.of(request, document, volume)
        asked = volume.get("volume_type")
        if asked is not None and not isinstance(asked, str):
            raise words.type_invalid(asked)
        chosen = await needs.types.find(context, asked) if asked else None
        reference = volume.get("imageRef") or volume.get("image_id")
        image = await needs.sources.image(context, reference) if isinstance(reference, str) else {}
        source = await needs.sources.with_image(request, source, image, volume)
        if chosen is None and not source.has_type:
            chosen = await needs.sources.type_of_image(context, image) or await needs.types.default(context)
        return source, chosen

    async def _allowed(
        self, zone: str | None, source: Source, volume_type: Mapping[str, object] | None
    ) -> frozenset[PodId] | None:
        """The pods that the volume's source and type leave; None: neither says.

        :raises InvalidRequestError: the type does not exist where the volume would be (Cinder's words)
        """
        held = None if source.pod is None else frozenset({source.pod.id})
        zones = None if volume_type is None else zones_of(volume_type.get("extra_specs"))
        if zones is None:
            return held
        if not set(zones) & set(await self._needs.registry.az_names()):
            raise words.type_nowhere(zones)
        where = source.pod.az_name if source.pod is not None else zone
        if where is not None and where not in zones:
            raise words.zone_invalid(where)
        return held or frozenset(pod.id for pod in await self._needs.registry.pods() if pod.az_name in zones)

    async def _pod(self, request: Request, zone: str | None, allowed: frozenset[PodId] | None) -> Pod:
        context = request.context
        wish = Wish(
            az_name=zone,
            service=Service.BLOCK_STORAGE,
            microversion=request.microversion,
            pod_ids=allowed,
            seed=context.project_id,
        )
        selection, project_id = self._needs.selection, context.project_id
        try:
            return await selection.choose(wish, project_id=project_id, deadline=context.deadline)
        except NoValidPodError as error:
            if error.refused_by == "az" and zone is not None:
                raise words.zone_invalid(zone) from error
            if error.refused_by == "version":
                raise NotAcceptableError(error.message) from error
            raise


def _wanted_size(volume: Volume) -> int:
    """The size that is asked for in GiB; 0 when none is. :raises InvalidRequestError: it is no size"""
    size = volume.get("size")
    if size is None:
        return 0
    # Python refuses to read numbers of thousands of digits.
    if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 20:
        return int(size)
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    raise words.size_invalid(size)
