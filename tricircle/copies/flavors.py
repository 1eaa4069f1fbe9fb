# SPDX-License-Identifier: Apache-2.0
"""How does a flavor of the centre come to be in a pod, under which id there, and how does it follow changes?

A copy keeps id and name of the central flavor where the pod has them free, or has a flavor with exactly that content
(then the pod's own is used and never touched). A pod that holds something else under the id or the name gets a
*distinct* copy, whose id and name carry a prefix, so that answers can be mapped back without a look-up
(``central_id``, ``central_name``).

A flavor is immutable in Nova but for its extra specs; the routing's revision is a digest of the content, so one that
was deleted and made again with other sizes under the same id is noticed by the next boot.

A private flavor's copy is open in the pod to projects that may use the original, never to another: administrators, whom
Nova shows every flavor, need no access there either.
"""

from collections.abc import Mapping
from urllib.parse import quote

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import rows, text, words
from tricircle.copies.ensure import Found, Wanted, check_followed
from tricircle.copies.flavor_content import (
    PREFIX,
    agrees,
    body_of,
    central_name,
    content,
    digest,
    extra_specs,
    identities,
    is_ours,
)
from tricircle.copies.reach import Reach, show
from tricircle.copies.visit import must_look, visit
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.spoken import spoken
from tricircle.upstream.client import ServiceClient

#: From 2.86 a pod refuses extra specs that it does not know; ours may be meant for another pod.
_VERSION = "2.85"
#: A flavor belongs to no project, whoever used it first.
_ANYBODY = ProjectId("")


class Flavors:
    """Copies of flavors. Everything here is done as the service user: flavors belong to nobody."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, flavor: Mapping[str, object], *, project_id: ProjectId, deadline: Deadline) -> str:
        """The id by which the caller can use the flavor in the pod.

        :param project_id: the caller's, as in Nova, whosever the server is; it gets the access it has at the centre
        :param flavor: the central body (``extra_specs`` included)
        :raises ConflictError: when the pod holds foreign flavors under all names that the copy may have
        :raises UnavailableError: when the pod cannot be asked or the time is up
        """
        routing = await self._bound(pod, flavor, deadline)
        if not content(flavor)["is_public"]:
            await self._allow(pod, routing, project_id, deadline)
        return str(routing.pod_resource_id)

    async def agree(self, run: JobRun) -> None:
        """Job body: make the copies agree with the central flavor, or remove them when it is gone.

        A copy of another content is removed, not made anew: the next boot that wants one makes it.
        """
        central = self._central()
        flavor = await _show(central, run.resource_id, run.deadline)
        is_private = flavor is not None and not content(flavor)["is_public"]
        allowed = await _access(central, run.resource_id, run.deadline) if is_private else None

        async def work(pod: Pod, copy: Routing) -> None:
            if flavor is None or not await self._follow(pod, copy, flavor, run):
                await self._remove(pod, copy, run.deadline)
            elif allowed is not None:
                await self._withdraw(pod, copy, allowed, run.deadline)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            return await _find_ours(self._client(pod), run.resource_id, run.deadline)

        await visit(self._reach, run, Kind.FLAVOR, work=work, find=find)

    async def _bound(self, pod: Pod, flavor: Mapping[str, object], deadline: Deadline) -> Routing:
        wanted_revision = digest(flavor)
        known = await self._reach.routings.copy_in(Kind.FLAVOR, str(flavor["id"]), pod.id)
        if known is not None and known.is_bound:
            if known.revision == wanted_revision:
                return known
            # What stands in the pod is of an earlier content. Without the row the copy is looked at afresh, under the
            # lease.
            await self._reach.routings.forget_free(known.id)
        client = self._client(pod)
        wanted = Wanted(
            kind=Kind.FLAVOR, central_id=str(flavor["id"]), pod=pod, project_id=_ANYBODY, revision=wanted_revision
        )

        async def find() -> Found | None:
            return await self._find(client, flavor, deadline)

        async def create() -> Found:
            return await find() or await self._create(client, flavor, deadline)

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        check_followed(routing, wanted_revision)
        return routing

    async def _follow(self, pod: Pod, copy: Routing, flavor: Mapping[str, object], run: JobRun) -> bool:
        """Give a copy the extra specs of the centre; False when that does not make it agree."""
        deadline = run.deadline
        if copy.revision == digest(flavor) and not must_look(run):
            return True
        pod_id = str(copy.pod_resource_id)
        present = await _show(self._client(pod), pod_id, deadline)
        if present is None or not is_ours(present, str(flavor["id"])) or content(present) != content(flavor):
            return False
        if central_name(str(present.get("name"))) != central_name(str(flavor["name"])):
            return False
        await _respecify(self._client(pod), pod_id, extra_specs(present), extra_specs(flavor), deadline)
        await self._reach.routings.update(copy.id, revision=digest(flavor))
        return True

    async def _find(self, client: ServiceClient, flavor: Mapping[str, object], deadline: Deadline) -> Found | None:
        for flavor_id, name in identities(flavor):
            present = await _show(client, flavor_id, deadline)
            if present is not None and agrees(present, name, flavor):
                return _found(flavor_id, flavor, is_ours=is_ours(present, str(flavor["id"])))
        return None

    async def _create(self, client: ServiceClient, flavor: Mapping[str, object], deadline: Deadline) -> Found:
        refusal: UpstreamStatusError | None = None
        for flavor_id, name in identities(flavor):
            present = await _show(client, flavor_id, deadline)
            if present is not None:
                if not is_ours(present, str(flavor["id"])):
                    continue
                if present.get("name") == name and content(present) == content(flavor):
                    await _respecify(client, flavor_id, extra_specs(present), extra_specs(flavor), deadline)
                    return _found(flavor_id, flavor, is_ours=True)
                await client.delete(_path(flavor_id), deadline=deadline, ok=(404,))
            try:
                await client.post("/v2.1/flavors", body=body_of(flavor, flavor_id, name), deadline=deadline)
            except UpstreamStatusError as error:
                if error.status != 409:
                    raise
                refusal = error  # the name is taken: the next identity has another
                continue
            await _respecify(client, flavor_id, {}, extra_specs(flavor), deadline)
            return _found(flavor_id, flavor, is_ours=True)
        if refusal is not None:
            raise refusal
        raise ConflictError(f"Flavor {flavor['id']} cannot be used there: its id and name are taken.")

    async def _allow(self, pod: Pod, routing: Routing, project_id: ProjectId, deadline: Deadline) -> None:
        """Give a project that may use a private flavor access to its copy, once.

        The access may end at the centre just now, and the job that says so may have been here already: so it is asked
        for once more after the pod was told.
        """
        projects = _projects(routing)
        if project_id in projects or project_id not in await _access(self._central(), routing.central_id, deadline):
            return
        path = f"{_path(str(routing.pod_resource_id))}/action"
        body: dict[str, object] = {"addTenantAccess": {"tenant": project_id}}
        await self._client(pod).post(path, body=body, deadline=deadline, ok=(409,))
        await self._reach.routings.update(routing.id, details={"projects": sorted({*projects, project_id})})
        if project_id not in await _access(self._central(), routing.central_id, deadline):
            await self._client(pod).post(path, body=_removal(project_id), deadline=deadline, ok=(404,))
            await self._reach.routings.update(routing.id, details={"projects": sorted(projects)})

    async def _withdraw(self, pod: Pod, routing: Routing, allowed: frozenset[str], deadline: Deadline) -> None:
        """Take access from projects that have it only in the pod, also from those of which a killed process did not
        write down that it had given it. Of a flavor of the pod's own only what we gave is ours to take."""
        client, pod_id = self._client(pod), str(routing.pod_resource_id)
        given = _projects(routing)
        there = await _access(client, pod_id, deadline) if routing.details.get("is_ours") else given
        for project in sorted((given | there) - allowed):
            await client.post(f"{_path(pod_id)}/action", body=_removal(project), deadline=deadline, ok=(404,))
        if given - allowed:
            await self._reach.routings.update(routing.id, details={"projects": sorted(given & allowed)})

    async def _remove(self, pod: Pod, routing: Routing, deadline: Deadline) -> None:
        if routing.details.get("is_ours"):
            await self._client(pod).delete(_path(str(routing.pod_resource_id)), deadline=deadline, ok=(404,))
        await self._reach.routings.forget(routing.id)

    def _central(self) -> ServiceClient:
        return self._reach.clients.as_service(self._reach.registry.central(Service.COMPUTE), _VERSION)

    def _client(self, pod: Pod) -> ServiceClient:
        return self._reach.compute(pod, spoken(pod, Service.COMPUTE, _VERSION))


async def _access(client: ServiceClient, flavor_id: str, deadline: Deadline) -> frozenset[str]:
    """The projects that may use a private flavor; none when it is gone."""
    answer = await client.get(_path(flavor_id) + "/os-flavor-access", deadline=deadline, ok=(404,))
    return frozenset(text(row, "tenant_id") for row in rows(answer, "flavor_access"))


def _removal(project: str) -> dict[str, object]:
    return {"removeTenantAccess": {"tenant": project}}


async def _find_ours(client: ServiceClient, flavor_id: str, deadline: Deadline) -> Found | None:
    """What an attempt that died left in a pod, whatever its content."""
    for pod_id in (flavor_id, PREFIX + flavor_id):
        present = await _show(client, pod_id, deadline)
        if present is not None and is_ours(present, flavor_id):
            return Found(pod_resource_id=pod_id, details={"is_ours": True, "projects": []}, revision="")
    return None


async def _respecify(
    client: ServiceClient, flavor_id: str, present: Mapping[str, str], wanted: Mapping[str, str], deadline: Deadline
) -> None:
    """Make the extra specs of a copy equal to ``wanted``."""
    path = _path(flavor_id) + "/os-extra_specs"
    for name in present.keys() - wanted.keys():
        await client.delete(f"{path}/{quote(name, safe='')}", deadline=deadline, ok=(404,))
    if added := {name: value for name, value in wanted.items() if present.get(name) != value}:
        await client.post(path, body={"extra_specs": added}, deadline=deadline)


async def _show(client: ServiceClient, flavor_id: str, deadline: Deadline) -> dict[str, object] | None:
    return await show(client, _path(flavor_id), "flavor", deadline)


def _path(flavor_id: str) -> str:
    return f"/v2.1/flavors/{quote(flavor_id, safe='')}"


def _projects(routing: Routing) -> frozenset[str]:
    return frozenset(words(routing.details, "projects"))


def _found(flavor_id: str, flavor: Mapping[str, object], *, is_ours: bool) -> Found:
    return Found(pod_resource_id=flavor_id, details={"is_ours": is_ours, "projects": []}, revision=digest(flavor))
