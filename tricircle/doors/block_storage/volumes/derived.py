# SPDX-License-Identifier: Apache-2.0
"""How is something made of what is in a pod already? There, and nowhere else."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from tricircle.copies.bodies import member, rows
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.quotas.quota import Quota
from tricircle.doors.block_storage.volumes.sources import read_one, size_of, type_of
from tricircle.errors import SERVICE_AWAY, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Handler, Request
from tricircle.model.pod import Pod
from tricircle.model.reservation import Amounts, added
from tricircle.model.routing import Kind
from tricircle.road.allowance import Hold
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Shape
from tricircle.upstream.next_page import next_page
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: What one costs, by the size (GiB) and the type of the volume that it is made of.
Price = Callable[[int, str | None], Amounts]
#: Since when volumes are filtered by their group: before, Cinder shows all of the project instead.
_GROUP_FILTER = (3, 10)
#: Since when there are snapshots of groups; those of consistency groups are the same.
_GROUP_SNAPSHOTS = (3, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """One kind of thing that is made of another.

    :ivar entity: JSON key of the body, and of the answer unless ``answered_as`` says otherwise
    :ivar sources: JSON keys that name what it is made of, with its kind; the first that is there decides
    :ivar takes_null: a null as its source is well formed: then "there is no such volume", as Cinder says of snapshots
    :ivar price: what of the project's limits it takes for each volume that it is made of; None: nothing
    :ivar once: what it takes beside that
    """

    entity: str
    kind: Kind
    sources: tuple[tuple[str, Kind], ...]
    takes_null: bool = False
    price: Price | None = None
    once: Amounts = field(default_factory=dict)
    answered_as: str | None = None
    shape: Shape | None = None


class Derived:
    """Handlers for things that are made of what is in a pod."""

    def __init__(self, *, carrier: Carrier, quota: Quota) -> None:
        self._carrier = carrier
        self._quota = quota

    def making(self, derivation: Derivation) -> Handler:
        """The handler that makes one such thing."""

        async def make(request: Request) -> Answer:
            return await self._make(request, derivation)

        return make

    async def _make(self, request: Request, derivation: Derivation) -> Answer:
        document = await request.json()
        entity = document.get(derivation.entity)
        if not isinstance(entity, Mapping):
            raise words.body_missing(derivation.entity)
        source_id, kind = _source(derivation, entity)
        pod = (await self._carrier.locate(kind, source_id, request.context)).pod
        body = {**document, derivation.entity: in_zone_of(pod, entity)}
        async with await self._paid(request, pod, derivation, (kind, source_id)) as hold:
            reply = await hold.send(self._carrier.to_pod(request, pod, body=body))
        singular = derivation.answered_as or derivation.entity
        if reply.status < 300:
            made = reply.json().get(singular)
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await self._carrier.record(derivation.kind, str(made["id"]), pod, request.context)
        return await self._carrier.answer(request, pod, reply, singular=singular, shape=derivation.shape)

    async def _paid(self, request: Request, pod: Pod, derivation: Derivation, source: tuple[Kind, str]) -> Hold:
        price = derivation.price
        if price is None:
            return Hold()
        volumes = await self._volumes(request, pod, *source)
        parts = [derivation.once, *(price(size_of(volume), type_of(volume)) for volume in volumes)]
        return await self._quota.take(request.context, pod, added(parts))

    async def _volumes(self, request: Request, pod: Pod, kind: Kind, source_id: str) -> list[dict[str, object]]:
        """The volumes that something is made of: one, or all of a group.

        Consistency groups are served in versions that do not show by groups what we must know.
        """
        if kind is Kind.VOLUME:
            return [await read_one(self._carrier, request, pod, f"/volumes/{source_id}", "volume")]
        if kind is not Kind.GROUP_SNAPSHOT:
            return await self._members(request, pod, source_id)
        path, asked = f"/group_snapshots/{source_id}", _since(request, _GROUP_SNAPSHOTS)
        reply = await self._carrier.to_pod(asked, pod, method="GET", path=path, query=b"")
        if reply.status == 404:
            return []  # the pod will say the same of what is to be made of it
        snapshot = member(_readable(reply, "group_snapshot", dict), "group_snapshot")
        return await self._members(request, pod, str(snapshot.get("group_id")))

    async def _members(self, request: Request, pod: Pod, group_id: str) -> list[dict[str, object]]:
        """All volumes of a group, page after page, whoever's the group is.

        :raises UnavailableError: they cannot be read to the end, so nobody knows what they take
        """
        asked = _since(request, _GROUP_FILTER)
        # Only administrators reach groups of others, and Cinder counts all volumes of those, too.
        filters = {"group_id": group_id} | ({"all_tenants": "1"} if request.context.is_admin else {})
        found: dict[str, dict[str, object]] = {}
        query = filters
        while True:
            sent = urlencode(query).encode()
            reply = await self._carrier.to_pod(asked, pod, method="GET", path="/volumes/detail", query=sent)
            body = _readable(reply, "volumes", list)
            page = {str(volume.get("id")): volume for volume in rows(body, "volumes")}
            is_new = page.keys() - found.keys()
            found |= page
            if next_page(body, "volumes") is None:
                return list(found.values())
            if not is_new:
                LOG.warning("pod %s tells of volumes of a group in a circle", pod.name)
                raise UnavailableError(SERVICE_AWAY)
            query = {**filters, "marker": list(page)[-1]}


def _readable(reply: Reply, key: str, kind: type[list[object]] | type[dict[str, object]]) -> dict[str, object]:
    """An answer with what has to be known. :raises UnavailableError: it is none"""
    body = reply.json() if reply.status == 200 else {}
    if not isinstance(body.get(key), kind):
        LOG.warning("a pod does not show what a group is made of (%s): status %d", key, reply.status)
        raise UnavailableError(SERVICE_AWAY)
    return body


def _since(request: Request, version: tuple[int, int]) -> Request:
    """The same, asked in a version that is no older than this."""
    return replace(request, microversion=max(request.microversion or version, version))


def _source(derivation: Derivation, entity: Mapping[str, object]) -> tuple[str, Kind]:
    for name, kind in derivation.sources:
        if isinstance(identifier := entity.get(name), str) and identifier:
            return identifier, kind
    first = derivation.sources[0][0]
    if derivation.takes_null and first in entity and entity[first] is None:
        raise NotFoundError("Volume None could not be found.")
    raise words.field_missing(derivation.entity, dict(entity), first)


def in_zone_of(pod: Pod, entity: Mapping[str, object]) -> dict[str, object]:
    """The entity with the pod's own AZ, if it names one. :raises InvalidRequestError: it names another AZ"""
    zone = entity.get("availability_zone")
    if zone is None:
        return dict(entity)
    if zone != pod.az_name:
        raise words.zone_invalid(str(zone))
    inner = {key: value for key, value in entity.items() if key != "availability_zone"}
    return inner | {"availability_zone": pod.pod_az_name} if pod.pod_az_name else inner
