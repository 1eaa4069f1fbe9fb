# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/adoptions``: how does an operator have a pod's own network used for one of the centre?"""

from tricircle.copies.adoption import Adoptions, report
from tricircle.doors.admin import schemas
from tricircle.errors import InvalidRequestError, NotFoundError, UnprocessableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.pods.registry import Registry
from tricircle.store.engine import Engine, transaction
from tricircle.store.pods import PodRows
from tricircle.store.routing_views import RoutingViews

_FIELDS = ("network_id", "pod_name", "pod_network_id")


class AdoptionCalls:
    """Handlers of the calls on adoptions. The id of one is that of the network's routing."""

    def __init__(self, engine: Engine, registry: Registry, adoptions: Adoptions) -> None:
        self._engine = engine
        self._registry = registry
        self._adoptions = adoptions

    async def observe(self, request: Request) -> Answer:
        """POST /adoptions/observe: compare and report; nothing is changed anywhere."""
        network_id, pod, pod_network_id = await self._asked(request)
        seen = await self._adoptions.observe(network_id, pod, pod_network_id, request.context.deadline)
        return Answer.json(200, {"adoption": {**_named(network_id, pod, pod_network_id), **report(seen)}})

    async def create(self, request: Request) -> Answer:
        """POST /adoptions: compare, and use the pod's network from now on. Again: keep what the pod uses by now."""
        network_id, pod, pod_network_id = await self._asked(request)
        deadline = request.context.deadline
        seen = await self._adoptions.observe(network_id, pod, pod_network_id, deadline)
        routing = await self._adoptions.adopt(seen, pod, pod_network_id, deadline)
        named = {"id": routing.id, **_named(network_id, pod, pod_network_id)}
        return Answer.json(201, {"adoption": {**named, **report(seen)}})

    async def delete(self, request: Request) -> Answer:
        """DELETE /adoptions/{adoption_id}: use the pod's network no more. It stays as it is."""
        routing = await self._adopted(request.params["adoption_id"])
        pod = await self._registry.get(routing.pod_id)
        if pod is None:
            raise NotFoundError(f"Pod {routing.pod_id} could not be found.")
        await self._adoptions.let_go(routing, pod, request.context.deadline)
        return Answer.json(200, {})

    async def _asked(self, request: Request) -> tuple[str, Pod, str]:
        fields = schemas.text_fields(await request.json(), "adoption", _FIELDS)
        for name in _FIELDS:
            if not fields.get(name):
                raise UnprocessableError(f"{name} is empty.")
        async with transaction(self._engine) as connection:
            pods = {pod.name: pod for pod in await PodRows.list(connection)}
        pod = pods.get(fields["pod_name"])
        if pod is None or pod.is_central:
            raise InvalidRequestError(f"There is no pod '{fields['pod_name']}'.")
        if pod.state is PodState.DISABLED:
            raise InvalidRequestError(f"Pod {pod.name} is disabled. Enable it first.")
        return fields["network_id"], pod, fields["pod_network_id"]

    async def _adopted(self, word: str) -> Routing:
        routing_id = schemas.number(word)
        async with transaction(self._engine) as connection:
            view = None if routing_id is None else await RoutingViews.get(connection, routing_id)
        if view is None or view.routing.kind is not Kind.NETWORK or not view.routing.is_adopted:
            raise NotFoundError(f"Adoption {word} could not be found.")
        return view.routing


def _named(network_id: str, pod: Pod, pod_network_id: str) -> dict[str, object]:
    return {"network_id": network_id, "pod_name": pod.name, "pod_network_id": pod_network_id}
