# SPDX-License-Identifier: Apache-2.0
"""How does a security group of the centre exist in a pod, with exactly its rules?

The copy belongs to the tenant's project and has the central name, so that the pod's Nova shows it; only ``default``,
which a project can have but once, is named after its id. A new group comes with rules of its own: what the centre does
not have is deleted, or a removed egress rule would stay open.

A rule whose remote is a group, or a tenant's address group, names an address group in the pod that holds all members,
wherever they are (``address_groups.py``). In a pod that knows no address groups there is a rule per address instead,
and when a group has too many members for that, the rule names its copy there and knows the members *in this pod*:
traffic from others is closed then, never open.

Somebody else's group that the centre shares with a project is shared with it in the pod as well, as soon as a port of
the project has it (``shares.py``): the pod's Nova looks for groups with the user's token.

A copy is bound as soon as the empty group exists, and is *whole* (its routing has a revision) when its rules are there.
Who fills it reads the centre once more afterwards: rules are written without a lease, and a change in between gets a
job of its own.
"""

from collections.abc import Collection, Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.address_groups import AddressGroups, Remote
from tricircle.copies.bodies import Body, changed, mark, member, revision, rows, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.limits import post_for
from tricircle.copies.reach import Reach, oldest_marked, show
from tricircle.copies.security_group_rules import (
    has_rules,
    remote_groups,
    wanted_rules,
)
from tricircle.copies.security_group_writing import LIMITS, write_rules
from tricircle.copies.shares import Shares
from tricircle.copies.visit import expected, visit
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

#: What a job about an address group is told whose last rule may be gone.
UNUSED = "perhaps_unused"

_DEFAULT = "default"
_PREFIX = "tricircle-"
#: What Neutron answers when a rule names something that is not there.
_NAMES_UNKNOWN = (400, 404)
#: Seconds until somebody looks whether an address group is still named by a rule.
_SOON_S = 2.0


def name_in_pod(group: Body) -> str:
    """The copy's name.

    >>> name_in_pod({"id": "4f", "name": "default"}), name_in_pod({"id": "4f", "name": "web"})
    ('tricircle-4f', 'web')
    """
    name = text(group, "name")
    return _PREFIX + text(group, "id") if name == _DEFAULT else name


def difference(group: Body, remotes: Mapping[str, Remote | str], present: Body) -> list[str]:
    """In what the copy ``present`` does not agree with the central group: names of fields, and ``rules``.

    :param remotes: what the pod has for remote groups, by central id
    """
    found = list(shape_difference(group, present))
    if not has_rules(group, remotes, present):
        found.append("rules")
    return found


def shape_difference(group: Body, present: Body) -> dict[str, object]:
    """What of the copy itself is to be changed, as a body for PUT."""
    shape: dict[str, object] = {
        "name": name_in_pod(group),
        "description": mark(text(group, "id")),
        "stateful": group.get("stateful", True),
    }
    if "stateful" not in present:
        del shape["stateful"]
    return changed(shape, present, tuple(shape))


def is_open_to(copy: Routing, project_id: str) -> bool:
    """Whether a project may use the copy in its pod: it is the project's own, or shared with it."""
    return copy.project_id == project_id or project_id in words(copy.details, "projects")


class SecurityGroups:
    """Copies of security groups."""

    def __init__(self, reach: Reach, address_groups: AddressGroups) -> None:
        self._reach = reach
        self._address_groups = address_groups
        self._shares = Shares(reach)

    async def ensure(self, pod: Pod, group_id: str, project_id: ProjectId, *, deadline: Deadline) -> Routing:
        """The routing of the whole copy, shared with ``project_id``, whose port is about to have it.

        :raises NotFoundError: the group is gone at the centre
        """
        routing = await self._bare(pod, group_id, deadline)
        if routing.revision is None:
            group = await self._reach.central.security_group(group_id, deadline=deadline)
            await self._fill(pod, routing, group, deadline)
        if not is_open_to(routing, project_id):
            await self._shares.lend(pod, routing, project_id, deadline)
        return routing

    async def agree(self, run: JobRun) -> None:
        """Job body: update names and rules of the copies, or remove them when the group is gone."""
        try:
            group = await self._reach.central.security_group(
                run.resource_id, at_least=expected(run), deadline=run.deadline
            )
        except NotFoundError:
            group = None

        async def work(pod: Pod, copy: Routing) -> None:
            if group is None:
                await self._remove(pod, copy, run.deadline)
            else:
                await self._fill(pod, copy, group, run.deadline)
                await self._shares.agree(pod, copy, group, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, copy.project_id, run.deadline)

        await visit(self._reach, run, Kind.SECURITY_GROUP, work=work, find=find)

    async def _bare(self, pod: Pod, group_id: str, deadline: Deadline) -> Routing:
        """The routing of a copy whose rules may not be there yet."""
        routing = await self._reach.routings.copy_in(Kind.SECURITY_GROUP, group_id, pod.id)
        if routing is not None and routing.is_bound:
            return routing
        group = await self._reach.central.security_group(group_id, deadline=deadline)
        project_id = ProjectId(text(group, "project_id"))
        wanted = Wanted(kind=Kind.SECURITY_GROUP, central_id=group_id, pod=pod, project_id=project_id)

        async def find() -> Found | None:
            return await self._find(pod, group_id, project_id, deadline)

        async def create() -> Found:
            body: dict[str, object] = {
                "name": name_in_pod(group),
                "description": mark(group_id),
                "project_id": project_id,
            }
            if group.get("stateful") is False:
                body["stateful"] = False
            # The owner of a group that is shared with others may never have been in this pod.
            answer = await post_for(
                self._reach.network(pod),
                "/v2.0/security-groups",
                {"security_group": body},
                project_id=project_id,
                limits=LIMITS,
                deadline=deadline,
            )
            return Found(pod_resource_id=text(member(answer, "security_group"), "id"))

        return await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)

    async def _find(self, pod: Pod, group_id: str, project_id: str, deadline: Deadline) -> Found | None:
        client, path = self._reach.network(pod), "/v2.0/security-groups"
        return await oldest_marked(client, path, "security_groups", group_id, project_id=project_id, deadline=deadline)

    async def fill(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """Write name and rules of a bound copy again, as the centre and its members are now."""
        try:
            group = await self._reach.central.security_group(copy.central_id, deadline=deadline)
        except NotFoundError:
            return  # the deletion has its job
        await self._fill(pod, copy, group, deadline)

    async def _fill(self, pod: Pod, copy: Routing, group: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"/v2.0/security-groups/{copy.pod_resource_id}"
        present = await show(client, path, "security_group", deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        if put := shape_difference(group, present):
            await client.put(path, body={"security_group": put}, deadline=deadline)
        remotes = await self._remotes(pod, copy, group, deadline)
        try:
            await write_rules(client, present, wanted_rules(group, remotes), deadline)
        except UpstreamStatusError as error:
            if error.status not in _NAMES_UNKNOWN:
                raise
            # An operator had deleted in the pod what rules name, or nobody had named it a moment ago.
            await self._forget_gone(pod, group, deadline)
            before, remotes = remotes, await self._remotes(pod, copy, group, deadline)
            if remotes == before:
                raise
            present = await show(client, path, "security_group", deadline) or present
            await write_rules(client, present, wanted_rules(group, remotes), deadline)
        named = {one.address_group_id for one in remotes.values() if isinstance(one, Remote)}
        await self._let_go(pod, present, named)
        await self._reach.routings.update(copy.id, revision=revision(group))
        await self._recheck(copy, group, deadline)

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"/v2.0/security-groups/{copy.pod_resource_id}"
        present = await show(client, path, "security_group", deadline)
        if present is not None:
            # Filed before: nobody knows afterwards what the rules named.
            await self._let_go(pod, present, set())
            await client.delete(path, deadline=deadline, ok=(404,))
        await self._reach.routings.forget(copy.id)

    async def _let_go(self, pod: Pod, present: Body, named: Collection[str]) -> None:
        """File a look at address groups that rules of ``present`` named and that are not among ``named``."""
        former = {text(rule, "remote_address_group_id") for rule in rows(present, "security_group_rules")}
        left = former - {""} - set(named)
        copies = await self._reach.routings.by_pod_resource(pod.id, Kind.ADDRESS_GROUP, left) if left else {}
        for one in copies.values():
            await self._reach.queue.append(
                JobType.ADDRESS_GROUP,
                one.central_id,
                one.project_id,
                pod_id=pod.id,
                payload={UNUSED: True},
                delay_s=_SOON_S,
            )

    async def _remotes(self, pod: Pod, copy: Routing, group: Body, deadline: Deadline) -> dict[str, Remote | str]:
        found: dict[str, Remote | str] = {}
        for remote_id in sorted(remote_groups(group)):
            try:
                remote = await self._address_groups.ensure(pod, remote_id, deadline=deadline)
                found[remote_id] = remote
                if remote.addresses is None:
                    local = copy if remote_id == copy.central_id else await self._bare(pod, remote_id, deadline)
                    found[remote_id] = str(local.pod_resource_id)
            except NotFoundError:
                continue
        return found

    async def _forget_gone(self, pod: Pod, group: Body, deadline: Deadline) -> None:
        """Forget address groups that the pod does not have any more."""
        client = self._reach.network(pod)
        copies = await self._reach.routings.by_central(Kind.ADDRESS_GROUP, remote_groups(group), pod.id)
        for copy in copies.values():
            if await show(client, f"/v2.0/address-groups/{copy.pod_resource_id}", "address_group", deadline) is None:
                await self._reach.routings.forget_free(copy.id)

    async def _recheck(self, copy: Routing, group: Body, deadline: Deadline) -> None:
        try:
            now = await self._reach.central.security_group(copy.central_id, deadline=deadline)
        except NotFoundError:
            return  # the deletion has its job
        if revision(now) != revision(group):
            await self._reach.queue.append(JobType.SECURITY_GROUP, copy.central_id, copy.project_id, pod_id=copy.pod_id)
