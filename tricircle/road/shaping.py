# SPDX-License-Identifier: Apache-2.0
"""Which facts are needed to make pods' items ours? Looked up once per pod and answer; the making itself is pure."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from tricircle.context import RequestContext
from tricircle.errors import BadUpstreamAnswerError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.road.needs import KnownRoutings
from tricircle.road.rewrite import Facts, Item, PodSideId, Shape, items_of, shaped
from tricircle.upstream.reply import Reply


class Shaper:
    """Applies shapes to what pods said."""

    def __init__(self, routings: KnownRoutings) -> None:
        self._routings = routings

    async def body(
        self,
        body: Mapping[str, object],
        shape: Shape,
        pod: Pod,
        context: RequestContext,
        *,
        singular: str | None,
        collection: str | None,
    ) -> dict[str, object]:
        """A decoded answer of one pod with its item or items made ours."""
        items = items_of(body, singular=singular, collection=collection)
        if not items:
            return dict(body)
        facts = await self.facts(items, shape, pod, context)
        return shaped(body, facts, shape, singular=singular, collection=collection)

    async def fault(self, reply: Reply, shape: Shape, pod: Pod, context: RequestContext) -> bytes | None:
        """The body of a pod's error with every object in it made ours; None to leave it, when it is no JSON object."""
        try:
            body = reply.json()
        except BadUpstreamAnswerError:
            return None
        items = [value for value in body.values() if isinstance(value, dict)]
        facts = await self.facts(items, shape, pod, context)
        made = {key: shape.apply(value, facts) if isinstance(value, dict) else value for key, value in body.items()}
        return msgspec.json.encode(made)

    async def items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        """Items of several pods made ours, in the given order."""
        if shape is None:
            return [item for _, item in items]
        members: dict[str, tuple[Pod, list[Item]]] = {}
        for pod, item in items:
            members.setdefault(pod.id, (pod, []))[1].append(item)
        async with asyncio.TaskGroup() as group:
            tasks = {
                pod_id: group.create_task(self.facts(of_pod, shape, pod, context))
                for pod_id, (pod, of_pod) in members.items()
            }
        return [shape.apply(item, tasks[pod.id].result()) for pod, item in items]

    async def facts(self, items: Sequence[Item], shape: Shape, pod: Pod, context: RequestContext) -> Facts:
        """What ``shape`` needs for these items of one pod."""
        ids = await self._ids(items, shape, pod)
        known = None if shape.prepare is None else await shape.prepare(pod, context, items)
        return Facts(pod=pod, context=context, ids=ids, known=known)

    async def _ids(self, items: Sequence[Item], shape: Shape, pod: Pod) -> dict[PodSideId, Routing]:
        if shape.collect is None:
            return {}
        wanted: dict[Kind, set[str]] = {}
        for item in items:
            for kind, pod_side_id in shape.collect(item):
                wanted.setdefault(kind, set()).add(pod_side_id)
        found: dict[PodSideId, Routing] = {}
        for kind, ids in wanted.items():
            routings = await self._routings.by_pod_resource(pod.id, kind, sorted(ids))
            found.update({(kind, pod_side_id): routing for pod_side_id, routing in routings.items()})
        return found
