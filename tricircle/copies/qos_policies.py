# SPDX-License-Identifier: Apache-2.0
"""How does a QoS policy of the centre exist in a pod, with exactly its rules?

The copy belongs to the service project: ports and networks get it by the hand of the service user, so nobody else has
to see it. It is nobody's default there, whatever it is at the centre: what gets it by default has it named already.

Natural key of a rule: its type and direction; Neutron takes one of each. A pod that cannot do what the policy says is
no place for a port with it: that is said before anything is made there.
"""

from collections.abc import Collection, Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, changed, mark, member, revision, rows, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach, may_offer, oldest_marked, remove, show
from tricircle.copies.visit import expected, visit
from tricircle.errors import ConflictError, NotFoundError, OutcomeUnknownError, TricircleError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient

RuleKey = tuple[str, str]

#: The extensions that a pod must have, and may have.
EXTENSION, _TYPE_FILTER = "qos", "qos-rule-type-filter"
PATH = "/v2.0/qos/policies"
#: What rules of each type say. Each has its own collection: ``<type>_rules``.
_RULE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "bandwidth_limit": ("max_kbps", "max_burst_kbps", "direction"),
    "packet_rate_limit": ("max_kpps", "max_burst_kpps", "direction"),
    "dscp_marking": ("dscp_mark",),
    "minimum_bandwidth": ("min_kbps", "direction"),
    "minimum_packet_rate": ("min_kpps", "direction"),
}


def rule_key(rule: Body) -> RuleKey:
    """What makes two rules of one policy the same rule."""
    return text(rule, "type"), text(rule, "direction")


def rule_body(rule: Body) -> dict[str, object]:
    """What a rule says, as a body; fields that its type does not have are left out."""
    return {name: rule[name] for name in _RULE_FIELDS.get(text(rule, "type"), ()) if rule.get(name) is not None}


def shape(policy: Body) -> dict[str, object]:
    """The copy's body, without its rules."""
    return {"name": text(policy, "name"), "description": mark(text(policy, "id")), "shared": False, "is_default": False}


def difference(policy: Body, present: Body) -> list[str]:
    """In what the copy ``present`` does not agree with the central policy: names of fields, and ``rules``."""
    found = list(changed(shape(policy), present, shape(policy)))
    if _rules(policy) != _rules(present):
        found.append("rules")
    return found


def unknown_types(policy: Body, offered: Collection[str]) -> list[str]:
    """Types of the policy's rules that a pod does not offer, sorted."""
    return sorted({text(rule, "type") for rule in rows(policy, "rules")} - set(offered))


class QosPolicies:
    """Copies of QoS policies."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, policy_id: str, *, deadline: Deadline) -> Routing:
        """The routing of the whole copy.

        :raises NotFoundError: the policy is gone at the centre
        :raises ConflictError: the pod does not offer what the policy says
        """
        routing = await self._reach.routings.copy_in(Kind.QOS_POLICY, policy_id, pod.id)
        if routing is None or not routing.is_bound:
            routing = await self._realise(pod, policy_id, deadline)
        return routing

    async def agree(self, run: JobRun) -> None:
        """Job body: update names and rules of the copies, or remove them when the policy is gone."""
        policy: Body | None
        try:
            policy = await self._reach.central.qos_policy(
                run.resource_id, at_least=expected(run), deadline=run.deadline
            )
        except NotFoundError:
            policy = None

        async def work(pod: Pod, copy: Routing) -> None:
            if policy is None:
                await remove(self._reach.network(pod), f"{PATH}/{copy.pod_resource_id}", run.deadline)
                await self._reach.routings.forget(copy.id)
            else:
                await self._update(pod, copy, policy, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, run.deadline)

        await visit(self._reach, run, Kind.QOS_POLICY, work=work, find=find)

    async def check(self, pod: Pod, policy_id: str, *, deadline: Deadline) -> None:
        """What can be said before anything is made in a pod. Raises as ``ensure``."""
        if await self._reach.routings.copy_in(Kind.QOS_POLICY, policy_id, pod.id) is None:
            await self._check(pod, await self._reach.central.qos_policy(policy_id, deadline=deadline), deadline)

    async def _realise(self, pod: Pod, policy_id: str, deadline: Deadline) -> Routing:
        seen = await self._reach.central.qos_policy(policy_id, deadline=deadline)
        await self._check(pod, seen, deadline)
        wanted = Wanted(
            kind=Kind.QOS_POLICY, central_id=policy_id, pod=pod, project_id=ProjectId(text(seen, "project_id"))
        )

        async def find() -> Found | None:
            return await self._find(pod, policy_id, deadline)

        async def create() -> Found:
            # Read again under the lease, for the reason given in networks.py.
            policy = await self._reach.central.qos_policy(policy_id, deadline=deadline)
            client = self._reach.network(pod)
            present = member(await client.post(PATH, body={"policy": shape(policy)}, deadline=deadline), "policy")
            try:
                await write_rules(client, present, policy, deadline)
            except TricircleError as error:
                # The policy is there: the row stays, and the next one finds it.
                raise OutcomeUnknownError(f"The rules of QoS policy {policy_id} were not written.") from error
            return Found(pod_resource_id=text(present, "id"), revision=revision(policy))

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        await self._reach.recheck_adopted(routing, JobType.QOS_POLICY)
        return routing

    async def _check(self, pod: Pod, policy: Body, deadline: Deadline) -> None:
        """:raises ConflictError: the pod does not offer what the policy says"""
        policy_id = text(policy, "id")
        if not may_offer(pod, EXTENSION):
            raise ConflictError(
                f"Availability zone {pod.az_name} offers no QoS: policy {policy_id} cannot be used there."
            )
        params = {"all_supported": "true"} if _TYPE_FILTER in words(pod.facts, "network_extensions") else {}
        answer = await self._reach.network(pod).get("/v2.0/qos/rule-types", params=params, deadline=deadline)
        if missing := unknown_types(policy, [text(row, "type") for row in rows(answer, "rule_types")]):
            raise ConflictError(
                f"Availability zone {pod.az_name} offers no QoS rules of type {', '.join(missing)}: policy {policy_id} "
                "cannot be used there."
            )

    async def _find(self, pod: Pod, policy_id: str, deadline: Deadline) -> Found | None:
        client = self._reach.network(pod)
        owner = await self._reach.owner.project(client, deadline)
        return await oldest_marked(client, PATH, "policies", policy_id, project_id=owner, deadline=deadline)

    async def _update(self, pod: Pod, copy: Routing, policy: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"{PATH}/{copy.pod_resource_id}"
        present = await show(client, path, "policy", deadline)
        if present is None:
            # Ports and networks that have it are made or changed by their own jobs, with their policy.
            await self._reach.routings.forget(copy.id)
            return
        if put := changed(shape(policy), present, shape(policy)):
            await client.put(path, body={"policy": put}, deadline=deadline)
        await write_rules(client, present, policy, deadline)
        await self._reach.routings.update(copy.id, revision=revision(policy))


def _rules(policy: Body) -> dict[RuleKey, dict[str, object]]:
    return {rule_key(rule): rule_body(rule) for rule in rows(policy, "rules")}


async def write_rules(client: ServiceClient, present: Body, policy: Body, deadline: Deadline) -> None:
    """Delete what is too much, change what is otherwise, create what is missing.

    Neutron refuses a rule that contradicts another one of the moment, such as a maximum below the minimum: such a rule
    goes, and comes last.
    """
    missing = _rules(policy)
    at = f"{PATH}/{text(present, 'id')}"
    for rule in sorted(rows(present, "rules"), key=lambda rule: rule_key(rule) in missing):
        kind, path = text(rule, "type"), f"{at}/{text(rule, 'type')}_rules/{text(rule, 'id')}"
        wanted = missing.pop(rule_key(rule), None)
        if wanted is None:
            await client.delete(path, deadline=deadline, ok=(404,))
        elif wanted != rule_body(rule):
            answer = await client.put(path, body={f"{kind}_rule": wanted}, deadline=deadline, ok=(409,))
            if f"{kind}_rule" not in answer:
                await client.delete(path, deadline=deadline, ok=(404,))
                missing[rule_key(rule)] = wanted
    for (kind, _direction), wanted in missing.items():
        await client.post(f"{at}/{kind}_rules", body={f"{kind}_rule": wanted}, deadline=deadline)
