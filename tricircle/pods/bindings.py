# SPDX-License-Identifier: Apache-2.0
"""Which pods does a project use, and do its limits there stand in its way?

Limits are kept at the centre. A pod's own defaults (ten instances, ten volumes) would bite first, so the first use
of a pod by a project binds it and sets its quotas there to unlimited: in three services at once, about 50 ms, once.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.errors import (
    BadUpstreamAnswerError,
    ConflictError,
    DuplicateRowError,
    OutcomeUnknownError,
    UnavailableError,
    UnprocessableError,
    UpstreamStatusError,
)
from tricircle.model.binding import Binding
from tricircle.model.pod import Pod, Service
from tricircle.pods.registry import Registry
from tricircle.pods.spoken import spoken
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Engine, transaction
from tricircle.upstream.client import Clients, ServiceClient

LOG = logging.getLogger(__name__)

#: Pairs of project and pod that this process remembers as done; about 200 bytes each.
_REMEMBERED = 20_000
#: Seconds for which such a pair is believed without asking the database.
_REMEMBERED_S = 60.0
_UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class _Limits:
    """How a service's limits of a project are read and written."""

    path: str
    key: str
    microversion: str | None


#: The versions are old enough for every pod, and new enough for every limit that still exists there.
_LIMITS: Mapping[Service, _Limits] = {
    Service.COMPUTE: _Limits("/v2.1/os-quota-sets/{project}", "quota_set", "2.57"),
    Service.BLOCK_STORAGE: _Limits("/v3/os-quota-sets/{project}", "quota_set", "3.0"),
    Service.NETWORK: _Limits("/v2.0/quotas/{project}", "quota", None),
}


class Bindings:
    """Bindings of projects to pods, with what follows from them in the pods.

    :param clock: seconds that only grow
    """

    def __init__(
        self, engine: Engine, clients: Clients, registry: Registry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._clients = clients
        self._registry = registry
        #: Lifted bindings and when they were read: an operator may have removed one since.
        self._lifted: OrderedDict[tuple[ProjectId, PodId], tuple[float, Binding]] = OrderedDict()

    async def find(self, *, project_id: ProjectId | None = None, pod_id: PodId | None = None) -> tuple[Binding, ...]:
        """Bindings, oldest first; of one project, of one pod."""
        async with transaction(self._engine) as connection:
            return await BindingRows.list(connection, project_id=project_id, pod_id=pod_id)

    async def get(self, binding_id: str) -> Binding | None:
        """One binding, or None."""
        async with transaction(self._engine) as connection:
            return await BindingRows.get(connection, binding_id)

    async def pods_of(self, project_id: ProjectId) -> tuple[PodId, ...]:
        """The ids of the pods that the project is bound to; the first one is its home."""
        return tuple(binding.pod_id for binding in await self.find(project_id=project_id))

    async def claim(self, project_id: ProjectId, pod: Pod, among: Collection[PodId]) -> tuple[PodId, ...]:
        """``pods_of``, after the project was bound to ``pod``, unless it is bound to one of ``among`` already.

        Nothing is done in the pod: its limits are lifted by the first use (``ensure``).
        """
        binding = Binding(id=str(uuid.uuid4()), project_id=project_id, pod_id=pod.id)
        try:
            async with transaction(self._engine) as connection:
                known = await BindingRows.list(connection, project_id=project_id)
                if not any(one.pod_id in among for one in known):
                    await BindingRows.insert(connection, binding)
        except DuplicateRowError:
            LOG.debug("project %s was bound to pod %s by another request", project_id, pod.id)
        return await self.pods_of(project_id)

    async def ensure(self, project_id: ProjectId, pod: Pod, deadline: Deadline) -> Binding | None:
        """The binding of a project to a pod, made if there is none, with its limits in the pod lifted.

        Safe to run twice at the same time: both lift, which does no harm, and one of them writes the row. None for who
        is in no project, such as an administrator of a domain: there is nothing to bind, and no limit to lift.

        :raises UnavailableError: the pod did not lift the limits in time; nothing was written
        :raises UnprocessableError: the pod's services know no such project
        """
        if not project_id:
            return None
        known = self._lifted.get((project_id, pod.id))
        if known is not None and self._clock() - known[0] < _REMEMBERED_S:
            self._lifted.move_to_end((project_id, pod.id))
            return known[1]
        binding = await self._of(project_id, pod.id)
        if binding is None or not binding.are_limits_lifted:
            await self._lift(project_id, pod, deadline)
            binding = await self._write_lifted(project_id, pod.id, binding)
        self._lifted[project_id, pod.id] = (self._clock(), binding)
        if len(self._lifted) > _REMEMBERED:
            self._lifted.popitem(last=False)
        return binding

    async def create(self, project_id: ProjectId, pod: Pod, deadline: Deadline) -> Binding:
        """A new binding, made beforehand by an operator. Nothing is written unless the pod lifted the limits.

        :raises ConflictError: the project is bound to the pod already
        """
        if await self._of(project_id, pod.id) is not None:
            raise ConflictError(f"Project {project_id} is bound to pod {pod.name} already.")
        await self._lift(project_id, pod, deadline)
        binding = Binding(id=str(uuid.uuid4()), project_id=project_id, pod_id=pod.id, are_limits_lifted=True)
        try:
            async with transaction(self._engine) as connection:
                await BindingRows.insert(connection, binding)
        except DuplicateRowError as error:
            raise ConflictError(f"Project {project_id} is bound to pod {pod.name} already.") from error
        return await self.get(binding.id) or binding

    async def remove(self, binding_id: str) -> bool:
        """Forget a binding; what the project has in the pod stays, its limits there too. False when there was none."""
        async with transaction(self._engine) as connection:
            found = await BindingRows.get(connection, binding_id)
            if found is not None:
                self._lifted.pop((found.project_id, found.pod_id), None)
            return await BindingRows.delete(connection, binding_id)

    async def bounded(self, project_id: ProjectId, pod: Pod, deadline: Deadline) -> list[str]:
        """The limits of a project in a pod that are finite, as ``compute instances``. Changes nothing."""
        found: list[str] = []
        for service, limits in _LIMITS.items():
            if service in pod.endpoints:
                client = self._client(pod, service)
                path = limits.path.format(project=project_id)
                found += [f"{service} {name}" for name in await self._finite(client, path, limits.key, deadline)]
        return found

    async def lifted(self, pod: Pod, deadline: Deadline) -> frozenset[ProjectId]:
        """The projects whose limits in the pod's Neutron somebody has set to unlimited, one and all; as good as always
        that was their binding. Nova and Cinder have no such list. Empty where the pod has no network service."""
        if Service.NETWORK not in pod.endpoints:
            return frozenset()
        answer = await self._client(pod, Service.NETWORK).get("/v2.0/quotas", deadline=deadline)
        found = answer.get("quotas")
        if not isinstance(found, list):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return frozenset(ProjectId(str(one["project_id"])) for one in found if not _bounded_names(one))

    async def _of(self, project_id: ProjectId, pod_id: PodId) -> Binding | None:
        async with transaction(self._engine) as connection:
            return await BindingRows.of(connection, project_id, pod_id)

    async def _write_lifted(self, project_id: ProjectId, pod_id: PodId, found: Binding | None) -> Binding:
        """Write down that the limits are lifted: in the row that was found, or in a new one."""
        if found is not None:
            binding = replace(found, are_limits_lifted=True)
            async with transaction(self._engine) as connection:
                await BindingRows.update(connection, binding)
            return binding
        binding = Binding(id=str(uuid.uuid4()), project_id=project_id, pod_id=pod_id, are_limits_lifted=True)
        try:
            async with transaction(self._engine) as connection:
                await BindingRows.insert(connection, binding)
        except DuplicateRowError:
            # Another request of the project came first; its row is ours as well.
            LOG.debug("project %s was bound to pod %s by another request", project_id, pod_id)
        written = await self._of(project_id, pod_id)
        if written is None:
            raise UnavailableError("The service is not available now. Please try again later.")
        return written

    async def _lift(self, project_id: ProjectId, pod: Pod, deadline: Deadline) -> None:
        services = [service for service in _LIMITS if service in pod.endpoints]
        try:
            async with asyncio.TaskGroup() as tasks:
                for service in services:
                    tasks.create_task(self._lift_in(project_id, pod, service, deadline))
        except ExceptionGroup as group:
            raise _plain(group, project_id) from group

    async def _lift_in(self, project_id: ProjectId, pod: Pod, service: Service, deadline: Deadline) -> None:
        """Set every limit to -1 and read the answer back. Done twice, the second time only reads."""
        limits = _LIMITS[service]
        client = self._client(pod, service)
        path = limits.path.format(project=project_id)
        bounded = await self._finite(client, path, limits.key, deadline)
        if not bounded:
            return
        answer = await client.put(path, body={limits.key: dict.fromkeys(bounded, _UNLIMITED)}, deadline=deadline)
        left = _bounded_names(answer.get(limits.key))
        if left:
            # A pod that takes its limits from Keystone (unified limits) says yes and changes nothing: only its
            # operator can.
            LOG.warning(
                "%s keeps limits of project %s although they were set to unlimited: %s",
                client.target.label,
                project_id,
                left,
            )

    def _client(self, pod: Pod, service: Service) -> ServiceClient:
        wanted = _LIMITS[service].microversion
        version = None if wanted is None else spoken(pod, service, wanted)
        return self._clients.as_service(self._registry.target(pod, service), version)

    @staticmethod
    async def _finite(client: ServiceClient, path: str, key: str, deadline: Deadline) -> list[str]:
        return _bounded_names((await client.get(path, deadline=deadline)).get(key))


def _bounded_names(limits: object) -> list[str]:
    if not isinstance(limits, Mapping):
        return []
    return sorted(str(name) for name, value in limits.items() if isinstance(value, int) and value != _UNLIMITED)


def _plain(group: ExceptionGroup[Exception], project_id: ProjectId) -> Exception:
    """One error for the caller: the first that says more than "not now"."""
    errors = sorted(group.exceptions, key=lambda error: isinstance(error, UnavailableError))
    first = errors[0]
    if isinstance(first, OutcomeUnknownError):
        # Lifting twice does no harm, so the caller may simply try again.
        return UnavailableError("The availability zone did not answer in time.")
    if isinstance(first, UpstreamStatusError):
        if first.status == 400 and "not a valid project" in first.body:
            return UnprocessableError(f"Project {project_id} does not exist.")
        LOG.error("the limits of project %s were not lifted: %s", project_id, first)
        return UnavailableError("The availability zone does not accept the project at the moment.")
    return first
