# SPDX-License-Identifier: Apache-2.0
"""How does a volume type of the centre exist in a pod?

Volumes name their type, and the pod shows the name again, so a copy has the central name where it can. A pod that
already has another type of that name gets a copy under a distinct one (``tricircle.<name>``), which answers turn back.
Every OpenStack has a type ``__DEFAULT__`` of its own making; it is adopted as it is. Copies are public in the pod: who
may use a private type is decided at the centre, before a pod is asked.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import mark, member, rows
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach
from tricircle.copies.visit import visit
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient

PREFIX = "tricircle."
DEFAULT_TYPE = "__DEFAULT__"
_LONGEST_NAME = 255
_ANYBODY = ProjectId("")


def central_name(pod_name: str) -> str:
    """The central name of a type that bears ``pod_name`` in a pod.

    >>> central_name("tricircle.gold"), central_name("gold")
    ('gold', 'gold')
    """
    return pod_name.removeprefix(PREFIX)


def digest(volume_type: Mapping[str, object]) -> str:
    """What of a type a pod must know, as 64 characters: name and extra specs."""
    shape = [volume_type.get("name"), sorted(_specs(volume_type).items())]
    return hashlib.sha256(msgspec.json.encode(shape)).hexdigest()


class VolumeTypes:
    """Copies of volume types. Done as the service user: types belong to nobody."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, volume_type: Mapping[str, object], deadline: Deadline) -> str:
        """The name by which a volume gets this type in the pod.

        :param volume_type: the central body as administrators see it (``extra_specs`` included)
        :raises ConflictError: foreign types stand in the pod under both names that the copy may have
        """
        wanted = Wanted(
            kind=Kind.VOLUME_TYPE,
            central_id=str(volume_type["id"]),
            pod=pod,
            project_id=_ANYBODY,
            revision=digest(volume_type),
        )
        client = self._client(pod)

        async def find() -> Found | None:
            return await _find(client, volume_type, deadline)

        async def create() -> Found:
            return await find() or await _create(client, volume_type, deadline)

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        if routing.revision != digest(volume_type) and routing.details.get("is_ours"):
            await self._follow(client, routing, volume_type, deadline)
        return str(routing.details.get("name") or volume_type["name"])

    async def read(self, type_id: str, deadline: Deadline) -> dict[str, object] | None:
        """The central type as administrators see it, or None."""
        return await _show(self._central(), type_id, deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: copies follow a changed type, and go with a deleted one."""
        volume_type = await self.read(run.resource_id, run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if volume_type is None:
                await self._remove(pod, copy, run.deadline)
            elif copy.details.get("is_ours"):
                await self._follow(self._client(pod), copy, volume_type, run.deadline)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            for present in await _all(self._client(pod), run.deadline):
                if present.get("description") == mark(run.resource_id):
                    return _found(present, is_ours=True, revision="")
            return None

        await visit(self._reach, run, Kind.VOLUME_TYPE, work=work, find=find)

    async def _follow(
        self, client: ServiceClient, copy: Routing, volume_type: Mapping[str, object], deadline: Deadline
    ) -> None:
        type_id = str(copy.pod_resource_id)
        present = await _show(client, type_id, deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        name = str(copy.details.get("name"))
        new = str(volume_type["name"])
        if central_name(name) != new:
            name = PREFIX + new if name.startswith(PREFIX) else new
        await client.put(f"/v3/types/{type_id}", body={"volume_type": {"name": name}}, deadline=deadline)
        await _respecify(client, type_id, _specs(present), _specs(volume_type), deadline)
        await self._reach.routings.update(copy.id, details={"name": name}, revision=digest(volume_type))

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        if copy.details.get("is_ours"):
            # 400: volumes of it still exist in the pod; the type goes on living there without a routing.
            await self._client(pod).delete(f"/v3/types/{copy.pod_resource_id}", deadline=deadline, ok=(400, 404))
        await self._reach.routings.forget(copy.id)

    def _central(self) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.central(Service.BLOCK_STORAGE))

    def _client(self, pod: Pod) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.target(pod, Service.BLOCK_STORAGE))


async def _find(client: ServiceClient, volume_type: Mapping[str, object], deadline: Deadline) -> Found | None:
    for present in await _all(client, deadline):
        is_ours = present.get("description") == mark(str(volume_type["id"]))
        is_namesake = present.get("name") == volume_type["name"]
        is_alike = is_namesake and (present["name"] == DEFAULT_TYPE or digest(present) == digest(volume_type))
        if is_ours or is_alike:
            revision = digest(volume_type) if is_alike else ""
            return _found(present, is_ours=is_ours, revision=revision)
    return None


async def _create(client: ServiceClient, volume_type: Mapping[str, object], deadline: Deadline) -> Found:
    name = str(volume_type["name"])
    for candidate in (name, PREFIX + name):
        body: dict[str, object] = {
            "name": candidate,
            "description": mark(str(volume_type["id"])),
            "os-volume-type-access:is_public": True,
            "extra_specs": _specs(volume_type),
        }
        if len(candidate) > _LONGEST_NAME:
            continue
        try:
            answer = await client.post("/v3/types", body={"volume_type": body}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            continue
        return _found(member(answer, "volume_type"), is_ours=True, revision=digest(volume_type))
    raise ConflictError(f"Volume type {name} cannot be used there: its name is taken.")


async def _all(client: ServiceClient, deadline: Deadline) -> list[dict[str, object]]:
    answer = await client.get("/v3/types", params={"is_public": "None", "limit": 1000}, deadline=deadline)
    found = list(rows(answer, "volume_types"))
    while found and answer.get("volume_type_links"):
        marker = str(found[-1]["id"])
        answer = await client.get("/v3/types", params={"is_public": "None", "marker": marker}, deadline=deadline)
        more = list(rows(answer, "volume_types"))
        if not more:
            break
        found += more
    return [dict(row) for row in found]


async def _show(client: ServiceClient, type_id: str, deadline: Deadline) -> dict[str, object] | None:
    answer = await client.get(f"/v3/types/{type_id}", deadline=deadline, ok=(404,))
    return dict(member(answer, "volume_type")) if answer else None


async def _respecify(
    client: ServiceClient, type_id: str, present: Mapping[str, str], wanted: Mapping[str, str], deadline: Deadline
) -> None:
    for key in sorted(present.keys() - wanted.keys()):
        await client.delete(f"/v3/types/{type_id}/extra_specs/{key}", deadline=deadline, ok=(404,))
    if missing := {key: value for key, value in wanted.items() if present.get(key) != value}:
        await client.post(f"/v3/types/{type_id}/extra_specs", body={"extra_specs": missing}, deadline=deadline)


def _found(present: Mapping[str, object], *, is_ours: bool, revision: str) -> Found:
    details: dict[str, object] = {"name": present["name"], "is_ours": is_ours}
    return Found(pod_resource_id=str(present["id"]), details=details, revision=revision)


def _specs(volume_type: Mapping[str, object]) -> dict[str, str]:
    specs = volume_type.get("extra_specs")
    return {str(key): str(value) for key, value in specs.items()} if isinstance(specs, Mapping) else {}
