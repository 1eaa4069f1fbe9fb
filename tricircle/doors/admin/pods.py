# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/pods``: what do the calls do?"""

from tricircle.context import PodId
from tricircle.doors.admin import schemas
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.pods.registration import Registration
from tricircle.store.engine import Engine, transaction
from tricircle.store.pods import PodRows

_FILTERS = frozenset({"pod_id", "pod_name", "az_name", "pod_az_name", "dc_name", "state"})


class PodCalls:
    """Handlers of the calls on pods. They read the database, not the registry's snapshot: an operator sees what is
    written.

    :param endpoint: address of the Admin API for links, without version
    """

    def __init__(self, engine: Engine, registration: Registration, *, endpoint: str) -> None:
        self._engine = engine
        self._registration = registration
        self._collection = schemas.Collection(
            key="pods", id_field="pod_id", href=f"{endpoint}/v1.0/pods", filters=_FILTERS
        )

    async def list(self, request: Request) -> Answer:
        """GET /pods: by name, the central region's among them."""
        listing = self._collection.listing(request.query_pairs())
        async with transaction(self._engine) as connection:
            pods = await PodRows.list(connection)
        return Answer.json(200, self._collection.page(pods, schemas.show_pod, listing))

    async def show(self, request: Request) -> Answer:
        """GET /pods/{pod_id}."""
        pod_id = PodId(request.params["pod_id"])
        async with transaction(self._engine) as connection:
            pod = await PodRows.get(connection, pod_id)
        if pod is None:
            raise NotFoundError(f"Pod {pod_id} could not be found.")
        return Answer.json(200, {"pod": schemas.show_pod(pod)})

    async def create(self, request: Request) -> Answer:
        """POST /pods. 200, as the first release answered."""
        draft = schemas.draft(await request.json())
        pod = await self._registration.register(draft, request.context.deadline)
        return Answer.json(200, {"pod": schemas.show_pod(pod)})

    async def update(self, request: Request) -> Answer:
        """PUT /pods/{pod_id}."""
        change = schemas.change(await request.json())
        pod = await self._registration.change(PodId(request.params["pod_id"]), change, request.context.deadline)
        return Answer.json(200, {"pod": schemas.show_pod(pod)})

    async def delete(self, request: Request) -> Answer:
        """DELETE /pods/{pod_id}[?force=true]. 200 with an empty object, as the first release answered."""
        is_lost = schemas.force(request.query_pairs())
        await self._registration.remove(PodId(request.params["pod_id"]), request.context.deadline, is_lost=is_lost)
        return Answer.json(200, {})
