# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/jobs``: what do the calls do?"""

from collections.abc import Mapping

from tricircle.context import PodId
from tricircle.doors.admin import job_schemas, schemas
from tricircle.errors import InvalidRequestError, NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.model.job import EVERY_POD
from tricircle.model.pod import Pod
from tricircle.store.engine import Engine, transaction
from tricircle.store.pods import PodRows


class JobCalls:
    """Handlers of the calls on jobs, those of all projects.

    :param endpoint: address of the Admin API for links, without version
    """

    def __init__(self, engine: Engine, queue: Queue, *, endpoint: str) -> None:
        self._engine = engine
        self._queue = queue
        self._desk = Desk(engine)
        self._collection = schemas.Collection(
            key="jobs", id_field="id", href=f"{endpoint}/v1.0/jobs", filters=job_schemas.FILTERS
        )

    async def list(self, request: Request) -> Answer:
        """GET /jobs: newest first, those of the queue and those of history."""
        listing = self._collection.listing(request.query_pairs())
        pods = await self._pods()
        wanted = job_schemas.job_filter(listing, {name: pod.id for name, pod in pods.items()})
        page = await self._desk.find(wanted, marker=schemas.number_marker(listing), limit=listing.limit)
        shown = [job_schemas.show_job(job, _names(pods)) for job in page.jobs]
        return Answer.json(200, self._collection.body(shown, listing, has_more=page.has_more))

    async def schemas(self, _request: Request) -> Answer:
        """GET /jobs/schemas: the types, and what each is about."""
        return Answer.json(200, {"schemas": job_schemas.show_schemas()})

    async def show(self, request: Request) -> Answer:
        """GET /jobs/{job_id}: with its report and what history says about it."""
        return Answer.json(200, {"job": await self._shown(_job_id(request))})

    async def create(self, request: Request) -> Answer:
        """POST /jobs. 202: a worker carries it out as soon as it can."""
        wanted = job_schemas.new_job(await request.json())
        pod_id = EVERY_POD if wanted.pod_name is None else await self._pod_id(wanted.pod_name)
        job_id = await self._queue.append(wanted.type, wanted.resource_id, wanted.project_id, pod_id=pod_id)
        return Answer.json(202, {"job": await self._shown(job_id)})

    async def redo(self, request: Request) -> Answer:
        """PUT /jobs/{job_id}, without a body: a fresh start."""
        if await request.body() and await request.json():
            raise InvalidRequestError("Redoing a job takes no body: nothing of a job can be changed.")
        job_id = _job_id(request)
        await self._desk.redo(job_id)
        return Answer.json(200, {"job": await self._shown(job_id)})

    async def delete(self, request: Request) -> Answer:
        """DELETE /jobs/{job_id}. 200 with an empty object, as the first release answered."""
        await self._desk.delete(_job_id(request))
        return Answer.json(200, {})

    async def purge(self, request: Request) -> Answer:
        """DELETE /jobs?older_than=<seconds>: history only; jobs of the queue stay."""
        gone = await self._queue.purge(older_s=job_schemas.older_than_s(request.query_pairs()))
        return Answer.json(200, {"purged": gone})

    async def _shown(self, job_id: int) -> dict[str, object]:
        view, lines = await self._desk.get(job_id)
        names = _names(await self._pods())
        return {
            **job_schemas.show_job(view, names),
            "report": view.report,
            "folded_into": view.folded_into,
            "history": [job_schemas.show_line(line) for line in lines],
        }

    async def _pods(self) -> Mapping[str, Pod]:
        async with transaction(self._engine) as connection:
            return {pod.name: pod for pod in await PodRows.list(connection)}

    async def _pod_id(self, name: str) -> PodId:
        pod = (await self._pods()).get(name)
        if pod is None:
            raise InvalidRequestError(f"There is no pod '{name}'.")
        if pod.is_central:
            raise InvalidRequestError(f"Pod '{name}' is the central region: jobs are about the others.")
        return pod.id


def _names(pods: Mapping[str, Pod]) -> dict[PodId, str]:
    return {pod.id: name for name, pod in pods.items()}


def _job_id(request: Request) -> int:
    word = request.params["job_id"]
    job_id = schemas.number(word)
    if job_id is None:
        raise NotFoundError(f"Job {word} could not be found.")
    return job_id
