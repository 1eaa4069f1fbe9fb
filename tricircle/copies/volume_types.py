# SPDX-License-Identifier: Apache-2.0
"""How does a volume type of the centre exist in a pod?

Volumes name their type, and the pod shows the name again, so a copy has the central name where it can. A pod that
already has another type of that name gets a copy under a distinct one (``tricircle.<name>``), which answers turn back.
A pod's own type that consists of the same is used as it is and never touched; so is its ``__DEFAULT__``, which every
OpenStack makes for itself. Copies are public in the pod: who may use a private type is decided at the centre, before a
pod is asked.
"""

from collections.abc import Iterator, Mapping

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies import default_types
from tricircle.copies.bodies import mark, member, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach
from tricircle.copies.visit import must_look, visit
from tricircle.copies.volume_type_content import Content, agree, complete, read, segment, specs_of
from tricircle.errors import ConflictError, NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient, collect

#: What distinct names begin with. A central name that begins with it always gets a distinct one: one strip is exact.
PREFIX = "tricircle."
DEFAULT_TYPE = "__DEFAULT__"
_LONGEST_NAME = 255
_ANYBODY = ProjectId("")
#: A copy that somebody deletes in the pod while it is used is made once more, and then once more.
_ATTEMPTS = 3


def central_name(pod_name: str) -> str:
    """The central name of a type that bears ``pod_name`` in a pod.

    >>> central_name("tricircle.gold"), central_name("gold")
    ('gold', 'gold')
    """
    return pod_name.removeprefix(PREFIX)


def names_in_pod(central: str) -> Iterator[str]:
    """Names that a copy may have in a pod, best first.

    >>> list(names_in_pod("gold")), list(names_in_pod("tricircle.gold"))
    (['gold', 'tricircle.gold'], ['tricircle.tricircle.gold'])
    """
    if not central.startswith(PREFIX):
        yield central
    if len(PREFIX + central) <= _LONGEST_NAME:
        yield PREFIX + central


def difference(pod: Pod, central: Mapping[str, object], copy: Routing, present: Mapping[str, object]) -> list[str]:
    """In what a type of a pod is not our copy of the central one, as far as lists show it."""
    if not _is_ours(copy):
        return []  # the pod's own: looked at when the original changes
    found = [] if central_name(str(present.get("name"))) == central["name"] else ["name"]
    if present.get("description") != mark(str(central["id"])):
        found.append("description")
    wanted = Content(name=str(central["name"]), specs=specs_of(central, "extra_specs")).at(pod)
    if specs_of(present, "extra_specs") != wanted.specs:
        found.append("extra_specs")
    return found


class VolumeTypes:
    """Copies of volume types. Done as the service user: types belong to nobody."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, volume_type: Mapping[str, object], deadline: Deadline) -> str:
        """The name by which a volume gets this type in the pod.

        :param volume_type: the central body; only its id counts, what tenants do not see of it is read anew
        :raises NotFoundError: the type is gone
        :raises ConflictError: foreign types stand in the pod under both names that the copy may have, or its
            encryption cannot be had there
        """
        type_id = str(volume_type["id"])
        content = await read(self._central(), type_id, deadline)
        if content is None:
            raise NotFoundError(f"Volume type {type_id} could not be found.")
        content = content.at(pod)
        for _ in range(_ATTEMPTS):
            routing = await self._bound(pod, type_id, content, deadline)
            if routing.revision == content.digest:
                return str(routing.details.get("name"))
            name = await self._follow(self._client(pod), routing, content, deadline)
            if name is not None:
                return name
        raise UnavailableError(f"Volume type {content.name} is being changed. Try again later.")

    async def ensure_default(
        self, pod: Pod, context: RequestContext, volume_type: Mapping[str, object], deadline: Deadline
    ) -> None:
        """Volumes of the caller's project for which the pod is told no type get this one there. Raises as ``ensure``.

        :param volume_type: the project's default at the centre
        :raises ConflictError: the pod is too old for it
        """
        target = self._reach.registry.target(pod, Service.BLOCK_STORAGE)
        name = await self.ensure(pod, volume_type, deadline)
        if await default_types.current(self._reach.clients.as_user(context, target), deadline) == name:
            return
        default_types.check_able(pod, central_name(name))
        client = self._reach.clients.as_service(target, default_types.VERSION)
        try:
            await default_types.point(client, context.project_id, name, deadline)
        except UpstreamStatusError as error:
            if error.status not in (400, 404) or not await self._is_gone(pod, str(volume_type["id"]), deadline):
                raise
            name = await self.ensure(pod, volume_type, deadline)
            await default_types.point(client, context.project_id, name, deadline)

    async def _is_gone(self, pod: Pod, type_id: str, deadline: Deadline) -> bool:
        """Whether somebody deleted the copy in the pod; it is forgotten then."""
        copy = await self._reach.routings.copy_in(Kind.VOLUME_TYPE, type_id, pod.id)
        if copy is None or await read(self._client(pod), str(copy.pod_resource_id), deadline) is not None:
            return copy is None
        return await self._reach.routings.forget(copy.id)

    async def agree(self, run: JobRun) -> None:
        """Job body: copies follow a changed type, and go with a deleted one."""
        content = await read(self._central(), run.resource_id, run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if content is None:
                await self._remove(pod, copy, run.deadline)
            elif copy.revision != content.at(pod).digest or must_look(run):
                await self._follow_or_forget(pod, copy, content.at(pod), run.deadline)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            for present in await _all(self._client(pod), run.deadline):
                if present.get("description") == mark(run.resource_id):
                    return _found(present, is_ours=True, revision="")
            return None

        await visit(self._reach, run, Kind.VOLUME_TYPE, work=work, find=find)

    async def _bound(self, pod: Pod, type_id: str, content: Content, deadline: Deadline) -> Routing:
        known = await self._reach.routings.copy_in(Kind.VOLUME_TYPE, type_id, pod.id)
        if known is not None and known.is_bound and not _is_ours(known) and known.revision != content.digest:
            # The pod's own type was the same once. Without the row it is looked at afresh, under the lease.
            await self._reach.routings.forget(known.id)
        client = self._client(pod)
        wanted = Wanted(
            kind=Kind.VOLUME_TYPE, central_id=type_id, pod=pod, project_id=_ANYBODY, revision=content.digest
        )

        async def find() -> Found | None:
            return await _find(client, type_id, content, deadline)

        async def create() -> Found:
            return await find() or await _create(client, type_id, content, deadline)

        return await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)

    async def _follow_or_forget(self, pod: Pod, copy: Routing, content: Content, deadline: Deadline) -> None:
        if _is_ours(copy):
            await self._follow(self._client(pod), copy, content, deadline)
        else:
            await self._reach.routings.forget(copy.id)  # the next use looks for another one

    async def _follow(self, client: ServiceClient, copy: Routing, content: Content, deadline: Deadline) -> str | None:
        """Make our copy consist of ``content``; its name in the pod, or None when it is not there any more."""
        type_id = str(copy.pod_resource_id)
        present = await read(client, type_id, deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return None
        await agree(client, type_id, present, content, deadline)
        name = present.name
        if central_name(name) != content.name or (name == content.name and name.startswith(PREFIX)):
            name = await _rename(client, type_id, content.name, deadline)
        await self._reach.routings.update(copy.id, details={"name": name}, revision=content.digest)
        return name

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        if _is_ours(copy):
            client, path = self._client(pod), f"/v3/types/{segment(copy.pod_resource_id)}"
            try:
                await client.delete(path, deadline=deadline, ok=(404,))
            except UpstreamStatusError as error:
                if error.status != 400:
                    raise
                # Projects have it as their default in the pod, and it has been none at the centre since.
                newer = self._reach.clients.as_service(client.target, default_types.VERSION)
                await default_types.release(newer, str(copy.pod_resource_id), deadline)
                # 400: volumes of it still exist in the pod; the type goes on living there without a routing.
                await client.delete(path, deadline=deadline, ok=(400, 404))
        await self._reach.routings.forget(copy.id)

    def _central(self) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.central(Service.BLOCK_STORAGE))

    def _client(self, pod: Pod) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.target(pod, Service.BLOCK_STORAGE))


def _is_ours(copy: Routing) -> bool:
    return bool(copy.details.get("is_ours"))


async def _find(client: ServiceClient, type_id: str, content: Content, deadline: Deadline) -> Found | None:
    """What an earlier attempt made, or the pod's own type that consists of the same."""
    everything = await _all(client, deadline)
    for present in everything:
        if present.get("description") == mark(type_id):
            return _found(present, is_ours=True, revision="")
    for present in everything:
        if present.get("name") == content.name and await _is_alike(client, present, content, deadline):
            return _found(present, is_ours=False, revision=content.digest)
    return None


async def _is_alike(client: ServiceClient, present: Mapping[str, object], content: Content, deadline: Deadline) -> bool:
    whole = await complete(client, present, deadline)
    if content.name == DEFAULT_TYPE:
        return whole.encryption == content.encryption
    return whole.is_like(content)


async def _create(client: ServiceClient, type_id: str, content: Content, deadline: Deadline) -> Found:
    for name in names_in_pod(content.name):
        body: dict[str, object] = {
            "name": name,
            "description": mark(type_id),
            "os-volume-type-access:is_public": True,
            "extra_specs": content.specs,
        }
        try:
            answer = await client.post("/v3/types", body={"volume_type": body}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            continue
        made = member(answer, "volume_type")
        bare = Content(name=name, specs=content.specs)
        await agree(client, text(made, "id"), bare, content, deadline)
        return _found(made, is_ours=True, revision=content.digest)
    raise _taken(content.name)


async def _rename(client: ServiceClient, type_id: str, wanted: str, deadline: Deadline) -> str:
    for name in names_in_pod(wanted):
        try:
            await client.put(f"/v3/types/{segment(type_id)}", body={"volume_type": {"name": name}}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            continue
        return name
    raise _taken(wanted)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"Volume type {name} cannot be used there: its name is taken.")


async def _all(client: ServiceClient, deadline: Deadline) -> list[dict[str, object]]:
    return await collect(client, "/v3/types", "volume_types", deadline, params={"is_public": "None"})


def _found(present: Mapping[str, object], *, is_ours: bool, revision: str) -> Found:
    details: dict[str, object] = {"name": text(present, "name"), "is_ours": is_ours}
    return Found(pod_resource_id=text(present, "id"), details=details, revision=revision)
