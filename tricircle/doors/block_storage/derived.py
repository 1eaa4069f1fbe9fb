# SPDX-License-Identifier: Apache-2.0
"""How is something made of what is in a pod already? There, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.quota import Quota
from tricircle.errors import InvalidRequestError
from tricircle.http.message import Answer, Handler, Request
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """One kind of thing that is made of another.

    :ivar entity: JSON key of the body, and of the answer
    :ivar sources: JSON keys that name what it is made of, with its kind; the first that is there decides
    :ivar counts: what of the project's limits one more costs
    """

    entity: str
    kind: Kind
    sources: tuple[tuple[str, Kind], ...]
    counts: tuple[str, ...] = ()
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
        context = request.context
        named = ((kind, entity.get(field)) for field, kind in derivation.sources)
        found = next(((kind, name) for kind, name in named if isinstance(name, str) and name), None)
        if found is None:
            raise InvalidRequestError(
                f"Invalid input for field/attribute {derivation.entity}. Value: {dict(entity)}. "
                f"'{derivation.sources[0][0]}' is a required property"
            )
        located = await self._carrier.locate(*found, context)
        if derivation.counts:
            await self._quota.check(context, dict.fromkeys(derivation.counts, 1), context.deadline)
        reply = await self._carrier.to_pod(request, located.pod)
        singular = derivation.answered_as or derivation.entity
        if reply.status < 300:
            made = reply.json().get(singular)
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await self._carrier.record(derivation.kind, str(made["id"]), located.pod, context)
        return await self._carrier.answer(request, located.pod, reply, singular=singular, shape=derivation.shape)
