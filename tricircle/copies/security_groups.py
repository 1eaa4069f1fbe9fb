# SPDX-License-Identifier: Apache-2.0
"""How does a security group of the centre exist in a pod, with exactly its rules?

The copy belongs to the tenant's project and has the central name, so that the pod's Nova shows it; only ``default``,
which a project can have but once, is named after its id. A new group comes with rules of its own: what the centre does
not have is deleted, or a removed egress rule would stay open.

A rule whose remote is a group refers to the copy of that group in the same pod, so it knows the members *in this pod*;
members elsewhere follow with address groups, and until then such traffic between pods is closed, never open.

Two groups may name each other as remote. So a copy is bound as soon as the empty group exists, and is *whole* (its
routing has a revision) when its rules are there. Who fills it reads the centre once more afterwards: rules are written
without a lease, and a change in between gets a job of its own.
"""

from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, changed, mark, member, revision, rows, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach, show
from tricircle.copies.visit import expected, visit
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient, collect

RuleKey = tuple[str, ...]

_DEFAULT = "default"
_PREFIX = "tricircle-"
_RULE_FIELDS = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
#: Neutron counts these as no prefix at all.
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def name_in_pod(group: Body) -> str:
    """The copy's name.

    >>> name_in_pod({"id": "4f", "name": "default"}), name_in_pod({"id": "4f", "name": "web"})
    ('tricircle-4f', 'web')
    """
    name = text(group, "name")
    return _PREFIX + text(group, "id") if name == _DEFAULT else name


def rule_key(rule: Body, remote_group_id: str) -> RuleKey:
    """What makes two rules of one group the same rule."""
    fields = [text(rule, field) for field in _RULE_FIELDS]
    return (*("" if value in _EVERYWHERE else value for value in fields), remote_group_id)


def wanted_rules(group: Body, groups_in_pod: Mapping[str, str]) -> dict[RuleKey, dict[str, object]]:
    """The copy's rules as bodies, by key.

    :param groups_in_pod: the copies of the remote groups, by central id
    """
    wanted: dict[RuleKey, dict[str, object]] = {}
    for rule in rows(group, "security_group_rules"):
        if rule.get("remote_address_group_id"):
            continue  # tenants' address groups have no copies yet: closed, not open
        remote = text(rule, "remote_group_id")
        if remote and remote not in groups_in_pod:
            continue  # gone meanwhile; the change has a job of its own
        body: dict[str, object] = {field: rule[field] for field in _RULE_FIELDS if rule.get(field) is not None}
        body["description"] = mark(text(rule, "id"))
        if remote:
            body["remote_group_id"] = groups_in_pod[remote]
        wanted[rule_key(rule, groups_in_pod.get(remote, ""))] = body
    return wanted


def remote_groups(group: Body) -> set[str]:
    """The central ids of all groups that the group's rules name."""
    return {text(rule, "remote_group_id") for rule in rows(group, "security_group_rules")} - {""}


def difference(group: Body, groups_in_pod: Mapping[str, str], present: Body) -> list[str]:
    """In what the copy ``present`` does not agree with the central group: names of fields, and ``rules``.

    :param groups_in_pod: the copies of this group and of its remote groups, by central id
    """
    found = list(_shape_difference(group, present))
    there = {rule_key(rule, text(rule, "remote_group_id")) for rule in rows(present, "security_group_rules")}
    if there != wanted_rules(group, groups_in_pod).keys():
        found.append("rules")
    return found


def _shape_difference(group: Body, present: Body) -> dict[str, object]:
    shape: dict[str, object] = {
        "name": name_in_pod(group),
        "description": mark(text(group, "id")),
        "stateful": group.get("stateful", True),
    }
    if "stateful" not in present:
        del shape["stateful"]
    return changed(shape, present, tuple(shape))


class SecurityGroups:
    """Copies of security groups."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, group_id: str, deadline: Deadline) -> Routing:
        """The routing of the whole copy. :raises NotFoundError: the group is gone at the centre"""
        routing = await self._bare(pod, group_id, deadline)
        if routing.revision is None:
            group = await self._reach.central.security_group(group_id, deadline=deadline)
            await self._fill(pod, routing, group, deadline)
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
                path = f"/v2.0/security-groups/{copy.pod_resource_id}"
                await self._reach.network(pod).delete(path, deadline=run.deadline, ok=(404,))
                await self._reach.routings.forget(copy.id)
            else:
                await self._fill(pod, copy, group, run.deadline)

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
            answer = await self._reach.network(pod).post(
                "/v2.0/security-groups", body={"security_group": body}, deadline=deadline
            )
            return Found(pod_resource_id=text(member(answer, "security_group"), "id"))

        return await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)

    async def _find(self, pod: Pod, group_id: str, project_id: str, deadline: Deadline) -> Found | None:
        """The oldest that is ours by mark and project: groups have no natural key."""
        filters = {"description": mark(group_id), "project_id": project_id}
        client = self._reach.network(pod)
        found = await collect(client, "/v2.0/security-groups", "security_groups", deadline, filters)
        oldest = min(found, key=lambda group: (text(group, "created_at"), text(group, "id")), default=None)
        return None if oldest is None else Found(pod_resource_id=text(oldest, "id"))

    async def _fill(self, pod: Pod, copy: Routing, group: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"/v2.0/security-groups/{copy.pod_resource_id}"
        present = await show(client, path, "security_group", deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        if put := _shape_difference(group, present):
            await client.put(path, body={"security_group": put}, deadline=deadline)
        remotes = await self._remote_copies(pod, copy, group, deadline)
        await _write_rules(client, present, wanted_rules(group, remotes), deadline)
        await self._reach.routings.update(copy.id, revision=revision(group))
        await self._recheck(copy, group, deadline)

    async def _remote_copies(self, pod: Pod, copy: Routing, group: Body, deadline: Deadline) -> dict[str, str]:
        found = {copy.central_id: str(copy.pod_resource_id)}
        for remote_id in sorted(remote_groups(group) - set(found)):
            try:
                routing = await self._bare(pod, remote_id, deadline)
            except NotFoundError:
                continue
            found[remote_id] = str(routing.pod_resource_id)
        return found

    async def _recheck(self, copy: Routing, group: Body, deadline: Deadline) -> None:
        try:
            now = await self._reach.central.security_group(copy.central_id, deadline=deadline)
        except NotFoundError:
            return  # the deletion has its job
        if revision(now) != revision(group):
            await self._reach.queue.append(JobType.SECURITY_GROUP, copy.central_id, copy.project_id, pod_id=copy.pod_id)


async def _write_rules(
    client: ServiceClient, present: Body, wanted: Mapping[RuleKey, Mapping[str, object]], deadline: Deadline
) -> None:
    """Delete what is too much, then create what is missing: Neutron takes some pairs of rules for duplicates."""
    missing = dict(wanted)
    for rule in rows(present, "security_group_rules"):
        if missing.pop(rule_key(rule, text(rule, "remote_group_id")), None) is None:
            path = f"/v2.0/security-group-rules/{text(rule, 'id')}"
            await client.delete(path, deadline=deadline, ok=(404,))
    owner = {"security_group_id": text(present, "id"), "project_id": text(present, "project_id")}
    bodies = [{**body, **owner} for body in missing.values()]
    if not bodies:
        return
    try:
        await client.post("/v2.0/security-group-rules", body={"security_group_rules": bodies}, deadline=deadline)
    except UpstreamStatusError as error:
        if error.status != 409:
            raise
        # All or nothing: one that is there already refuses them all.
        for body in bodies:
            path = "/v2.0/security-group-rules"
            await client.post(path, body={"security_group_rule": body}, deadline=deadline, ok=(409,))
