# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/bindings``: what do the calls do?"""

from tricircle.context import PodId, ProjectId
from tricircle.doors.admin import schemas
from tricircle.errors import NotFoundError, UnprocessableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.store.engine import Engine, transaction
from tricircle.store.pods import PodRows

_FILTERS = frozenset({"id", "tenant_id", "pod_id"})


class BindingCalls:
    """Handlers of the calls on bindings.

    :param endpoint: address of the Admin API for links, without version
    """

    def __init__(self, engine: Engine, bindings: Bindings, *, endpoint: str) -> None:
        self._engine = engine
        self._bindings = bindings
        self._collection = schemas.Collection(
            key="pod_bindings", id_field="id", href=f"{endpoint}/v1.0/bindings", filters=_FILTERS
        )

    async def list(self, request: Request) -> Answer:
        """GET /bindings: oldest first."""
        listing = self._collection.listing(request.query_pairs())
        projects, pods = listing.filters.get("tenant_id", frozenset()), listing.filters.get("pod_id", frozenset())
        # One value is looked up by the database's index; more are rare and picked from the whole.
        bindings = await self._bindings.find(
            project_id=ProjectId(next(iter(projects))) if len(projects) == 1 else None,
            pod_id=PodId(next(iter(pods))) if len(pods) == 1 else None,
        )
        return Answer.json(200, self._collection.page(bindings, schemas.show_binding, listing))

    async def show(self, request: Request) -> Answer:
        """GET /bindings/{binding_id}."""
        binding = await self._bindings.get(request.params["binding_id"])
        if binding is None:
            raise _missing(request)
        return Answer.json(200, {"pod_binding": schemas.show_binding(binding)})

    async def create(self, request: Request) -> Answer:
        """POST /bindings. The project's limits in the pod are lifted before anything is written."""
        project_id, pod_id = schemas.wanted_binding(await request.json())
        pod = await self._pod(PodId(pod_id))
        binding = await self._bindings.create(ProjectId(project_id), pod, request.context.deadline)
        return Answer.json(200, {"pod_binding": schemas.show_binding(binding)})

    async def delete(self, request: Request) -> Answer:
        """DELETE /bindings/{binding_id}. What the project has in the pod stays."""
        if not await self._bindings.remove(request.params["binding_id"]):
            raise _missing(request)
        return Answer.json(200, {})

    async def _pod(self, pod_id: PodId) -> Pod:
        async with transaction(self._engine) as connection:
            pod = await PodRows.get(connection, pod_id)
        if pod is None:
            raise UnprocessableError(f"There is no pod {pod_id}.")
        if pod.is_central:
            raise UnprocessableError(
                f"Pod {pod_id} is the central region: nothing runs there, so nobody is bound to it."
            )
        return pod


def _missing(request: Request) -> NotFoundError:
    return NotFoundError(f"Binding {request.params['binding_id']} could not be found.")
