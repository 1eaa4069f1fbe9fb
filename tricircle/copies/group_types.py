# SPDX-License-Identifier: Apache-2.0
"""How does a group type of the centre exist in a pod?

As a volume type does (``copies/volume_types.py``): under its own name where the pod has that free, or has a type that
consists of the same (which is used and never touched); else under a distinct one. It consists of its name and its
specs. Copies are public in the pod: who may use a type is decided at the centre.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, mark, member, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach
from tricircle.copies.visit import must_look, visit
from tricircle.copies.volume_type_content import segment, specs_of
from tricircle.copies.volume_types import central_name, names_in_pod
from tricircle.errors import ConflictError, NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient, collect

#: From here on Cinder has group types. Nothing later changes them.
VERSION = "3.11"
_PATH = "/v3/group_types"
_ANYBODY = ProjectId("")
#: A copy that somebody deletes in the pod while it is used is made once more, and then once more.
_ATTEMPTS = 3


def digest(group_type: Body) -> str:
    """What of a group type a pod must know, as 64 characters."""
    shape = [text(group_type, "name"), sorted(specs_of(group_type, "group_specs").items())]
    return hashlib.sha256(msgspec.json.encode(shape)).hexdigest()


class GroupTypes:
    """Copies of group types. Done as the service user: types belong to nobody."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, type_id: str, deadline: Deadline) -> str:
        """The id by which a group gets this type in the pod.

        :raises NotFoundError: the type is gone
        :raises ConflictError: foreign types stand in the pod under both names that the copy may have
        """
        wanted = await _read(self._central(), type_id, deadline)
        if wanted is None:
            raise NotFoundError(f"Group type {type_id} could not be found.")
        for _ in range(_ATTEMPTS):
            routing = await self._bound(pod, type_id, wanted, deadline)
            if routing.revision == digest(wanted) or await self._follow(pod, routing, wanted, deadline):
                return str(routing.pod_resource_id)
        raise UnavailableError(f"Group type {text(wanted, 'name')} is being changed. Try again later.")

    async def agree(self, run: JobRun) -> None:
        """Job body: copies follow a changed type, and go with a deleted one."""
        wanted = await _read(self._central(), run.resource_id, run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if wanted is None:
                await self._remove(pod, copy, run.deadline)
            elif copy.revision != digest(wanted) or must_look(run):
                await self._follow(pod, copy, wanted, run.deadline)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            for present in await _all(self._client(pod), run.deadline):
                if present.get("description") == mark(run.resource_id):
                    return _found(present, is_ours=True, revision="")
            return None

        await visit(self._reach, run, Kind.GROUP_TYPE, work=work, find=find)

    async def _bound(self, pod: Pod, type_id: str, wanted: Body, deadline: Deadline) -> Routing:
        client = self._client(pod)

        async def find() -> Found | None:
            return await _find(client, type_id, wanted, deadline)

        async def create() -> Found:
            return await find() or await _create(client, type_id, wanted, deadline)

        ask = Wanted(kind=Kind.GROUP_TYPE, central_id=type_id, pod=pod, project_id=_ANYBODY, revision=digest(wanted))
        return await self._reach.ensure(ask, find=find, create=create, deadline=deadline)

    async def _follow(self, pod: Pod, copy: Routing, wanted: Body, deadline: Deadline) -> bool:
        """Make our copy consist of what is wanted; False when there is none any more, and its row is forgotten.

        So is the row of a type of the pod's own, which was the same once: the next use looks for another one.
        """
        client, type_id = self._client(pod), str(copy.pod_resource_id)
        present = await _read(client, type_id, deadline) if copy.details.get("is_ours") else None
        if present is None:
            await self._reach.routings.forget(copy.id)
            return False
        await _agree_specs(client, present, wanted, deadline)
        if central_name(text(present, "name")) != text(wanted, "name"):
            await _rename(client, type_id, text(wanted, "name"), deadline)
        await self._reach.routings.update(copy.id, revision=digest(wanted))
        return True

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        if copy.details.get("is_ours"):
            # 400: groups of it still exist in the pod; the type goes on living there without a routing.
            path = f"{_PATH}/{segment(copy.pod_resource_id)}"
            await self._client(pod).delete(path, deadline=deadline, ok=(400, 404))
        await self._reach.routings.forget(copy.id)

    def _central(self) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.central(Service.BLOCK_STORAGE), VERSION)

    def _client(self, pod: Pod) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.target(pod, Service.BLOCK_STORAGE), VERSION)


async def _read(client: ServiceClient, type_id: str, deadline: Deadline) -> dict[str, object] | None:
    answer = await client.get(f"{_PATH}/{segment(type_id)}", deadline=deadline, ok=(404,))
    return member(answer, "group_type") if "group_type" in answer else None


async def _all(client: ServiceClient, deadline: Deadline) -> list[dict[str, object]]:
    return await collect(client, _PATH, "group_types", deadline, params={"is_public": "None"})


async def _find(client: ServiceClient, type_id: str, wanted: Body, deadline: Deadline) -> Found | None:
    """What an earlier attempt made, or the pod's own type that consists of the same."""
    everything = await _all(client, deadline)
    for present in everything:
        if present.get("description") == mark(type_id):
            return _found(present, is_ours=True, revision="")
    for present in everything:
        if digest(present) == digest(wanted):
            return _found(present, is_ours=False, revision=digest(wanted))
    return None


async def _create(client: ServiceClient, type_id: str, wanted: Body, deadline: Deadline) -> Found:
    name = text(wanted, "name")
    for candidate in names_in_pod(name):
        body = {"name": candidate, "description": mark(type_id), "is_public": True}
        try:
            answer = await client.post(_PATH, body={"group_type": body}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            continue
        made = member(answer, "group_type")
        await _agree_specs(client, made, wanted, deadline)
        return _found(made, is_ours=True, revision=digest(wanted))
    raise _taken(name)


async def _rename(client: ServiceClient, type_id: str, name: str, deadline: Deadline) -> None:
    for candidate in names_in_pod(name):
        try:
            path = f"{_PATH}/{segment(type_id)}"
            await client.put(path, body={"group_type": {"name": candidate}}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            continue
        return
    raise _taken(name)


async def _agree_specs(client: ServiceClient, present: Body, wanted: Body, deadline: Deadline) -> None:
    path = f"{_PATH}/{segment(text(present, 'id'))}/group_specs"
    had, specs = specs_of(present, "group_specs"), specs_of(wanted, "group_specs")
    for key in sorted(had.keys() - specs.keys()):
        await client.delete(f"{path}/{segment(key)}", deadline=deadline, ok=(404,))
    changed = {key: value for key, value in specs.items() if had.get(key) != value}
    if changed:
        await client.post(path, body={"group_specs": changed}, deadline=deadline)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"Group type {name} cannot be used there: its name is taken.")


def _found(present: Mapping[str, object], *, is_ours: bool, revision: str) -> Found:
    details: dict[str, object] = {"name": text(present, "name"), "is_ours": is_ours}
    return Found(pod_resource_id=text(present, "id"), details=details, revision=revision)
