# SPDX-License-Identifier: Apache-2.0
"""How does a volume group come to be in a pod? ``POST /groups``, and ``POST /consistencygroups`` as Cinder keeps it.

The pod is chosen as for a volume; the group's type and the types of the volumes that it may hold get their copies.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.copies.group_types import VERSION, GroupTypes
from tricircle.copies.vanished import NAMES_UNKNOWN
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.declared.types import ALL_TYPES
from tricircle.doors.block_storage.volumes.derived import in_zone_of
from tricircle.doors.block_storage.volumes.rehearsal import policy_refusal
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import NotAcceptableError, NotFoundError, NoValidPodError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.pods.placement import Wish
from tricircle.road.route import ID
from tricircle.upstream.client import collect
from tricircle.upstream.reply import Reply

Body = Mapping[str, object]

_GROUP, _LEGACY = "group", "consistencygroup"
#: What Cinder calls the type of groups that were consistency groups.
_LEGACY_TYPE = "default_cgsnapshot_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A group to be made: what the client said of it, and the central types that it names."""

    entity: str
    group: Body
    group_type: Body
    volume_types: Sequence[Body]

    @property
    def named(self) -> list[tuple[Kind, str]]:
        """Everything that has a copy in the pod."""
        volume_types = [(Kind.VOLUME_TYPE, str(one["id"])) for one in self.volume_types]
        return [(Kind.GROUP_TYPE, str(self.group_type["id"])), *volume_types]


class Groups:
    """Makes groups of nothing."""

    def __init__(self, needs: Needs, copies: GroupTypes) -> None:
        self._needs = needs
        self._copies = copies

    async def create(self, request: Request) -> Answer:
        """Make a generic group where its AZ says.

        :raises InvalidRequestError, NotFoundError, QuotaExceededError: in Cinder's words
        :raises UnavailableError: no pod can be reached; nothing is left behind
        """
        document = await request.json()
        group = document.get(_GROUP)
        if not isinstance(group, Mapping):
            raise words.body_missing(_GROUP)
        for field in ("group_type", "volume_types"):
            if field not in group:
                raise words.field_missing(_GROUP, dict(group), field)
        asked, names = group["group_type"], group["volume_types"]
        if not isinstance(asked, str) or not isinstance(names, list) or not names:
            return await self._refused(request)
        if not all(isinstance(name, str) for name in names):
            return await self._refused(request)
        try:
            plan = await self._plan(request, group, asked, [str(name) for name in names])
        except NotFoundError:
            # Cinder looks for a type that is named, then asks its policy, then looks for all others.
            body: dict[str, object] = {_GROUP: {**group, "group_type": str(uuid.uuid4())}}
            if ID.match(asked) and (refusal := await policy_refusal(self._needs.carrier, request, body)) is not None:
                return refusal
            raise
        return await self._made(request, plan)

    async def _plan(self, request: Request, group: Body, asked: str, names: list[str]) -> _Plan:
        """:raises NotFoundError: there is no such type of groups, or of volumes"""
        group_type = await self._type(request, asked)
        if group_type is None:
            raise words.group_type_not_found(asked)
        volume_types = [await self._needs.types.find(request.context, name) for name in names]
        return _Plan(entity=_GROUP, group=group, group_type=group_type, volume_types=volume_types)

    async def create_legacy(self, request: Request) -> Answer:
        """Make a consistency group: where the centre has the type of such groups, which no new cloud has."""
        group_type = await self._type(request, _LEGACY_TYPE)
        group = (await request.json()).get(_LEGACY)
        names = group.get("volume_types") if isinstance(group, Mapping) else None
        if group_type is None or not isinstance(names, str) or not isinstance(group, Mapping):
            return await self._needs.carrier.central(request)  # it says what is wrong
        try:
            volume_types = [
                await self._needs.types.find(request.context, name) for name in names.rstrip(",").split(",")
            ]
        except NotFoundError:
            # Cinder asks its policy before it looks for anything.
            body: dict[str, object] = {_LEGACY: {**group, "volume_types": str(uuid.uuid4())}}
            if (refusal := await policy_refusal(self._needs.carrier, request, body)) is not None:
                return refusal
            raise
        plan = _Plan(entity=_LEGACY, group=group, group_type=group_type, volume_types=volume_types)
        return await self._made(request, plan)

    async def _made(self, request: Request, plan: _Plan) -> Answer:
        context, needs = request.context, self._needs
        pod = await self._pod(request, plan.group)
        async with await needs.quota.take(context, pod, {"groups": 1}) as hold:
            await needs.bindings.ensure(context.project_id, pod, context.deadline)
            reply = await hold.send(self._sent(request, pod, plan))
        if reply.status < 300:
            made = reply.json().get(plan.entity)
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await needs.carrier.record(Kind.GROUP, str(made["id"]), pod, context)
        return await needs.carrier.answer(request, pod, reply)

    async def _sent(self, request: Request, pod: Pod, plan: _Plan) -> Reply:
        """What the pod says, once more if a copy had vanished there."""
        reply = await self._send(request, pod, plan)
        if reply.status in NAMES_UNKNOWN and await self._has_vanished(request, pod, plan):
            reply = await self._send(request, pod, plan)
        return reply

    async def _send(self, request: Request, pod: Pod, plan: _Plan) -> Reply:
        deadline = request.context.deadline
        in_pod = in_zone_of(pod, plan.group)
        type_id = await self._copies.ensure(pod, str(plan.group_type["id"]), deadline)
        names = [await self._needs.copies.ensure(pod, one, deadline) for one in plan.volume_types]
        if plan.entity == _GROUP:
            in_pod |= {"group_type": type_id, "volume_types": names}
        else:
            in_pod["volume_types"] = ",".join(names)
        return await self._needs.carrier.to_pod(request, pod, body={plan.entity: in_pod})

    async def _has_vanished(self, request: Request, pod: Pod, plan: _Plan) -> bool:
        try:
            return await self._needs.vanished.forget(pod, plan.named, request.context.deadline)
        except TricircleError:
            return False  # the refusal stands

    async def _type(self, request: Request, asked: str) -> dict[str, object] | None:
        """The central group type of this name or id, as the caller sees it; None when there is none."""
        central = self._needs.registry.central(Service.BLOCK_STORAGE)
        client = self._needs.clients.as_user(request.context, central, VERSION)
        types = await collect(client, "/v3/group_types", "group_types", request.context.deadline, params=ALL_TYPES)
        by_id = next((one for one in types if one.get("id") == asked), None)
        return by_id or next((one for one in types if one.get("name") == asked), None)

    async def _pod(self, request: Request, group: Body) -> Pod:
        """The pod for the group. :raises InvalidRequestError, NotAcceptableError: no such AZ; too new"""
        zone = group.get("availability_zone") or None
        if zone is not None and zone not in await self._needs.registry.az_names():
            raise words.group_zone_invalid(str(zone))
        context = request.context
        wish = Wish(
            az_name=None if zone is None else str(zone),
            service=Service.BLOCK_STORAGE,
            microversion=request.microversion,
            seed=context.project_id,
        )
        try:
            return await self._needs.selection.choose(wish, project_id=context.project_id, deadline=context.deadline)
        except NoValidPodError as error:
            if error.refused_by == "az" and zone is not None:
                raise words.group_zone_invalid(str(zone)) from error
            if error.refused_by == "version":
                raise NotAcceptableError(error.message) from error
            raise

    async def _refused(self, request: Request) -> Answer:
        """What a pod says to a body of the wrong form: Cinder names what is wrong with it, and makes nothing."""
        pod = await self._pod(request, {})
        return await self._needs.carrier.answer(request, pod, await self._needs.carrier.to_pod(request, pod))
