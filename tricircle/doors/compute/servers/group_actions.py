# SPDX-License-Identifier: Apache-2.0
"""How are a server's security groups changed and shown?

What the ports of the server have is written at the centre, so a change is made in both places: in the pod at once, by
Nova's own action with the id of the group's copy, then on the central ports. If the centre refuses, the pod's change
is taken back.
"""

import logging
from collections.abc import Mapping, Sequence

from tricircle.copies.ensure import was_refused
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import GroupCopies, KnownRoutings
from tricircle.doors.compute.networks import Body, Networks
from tricircle.doors.compute.pod_faults import refused
from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.doors.compute.servers.server_policy import ServerPolicy
from tricircle.doors.compute.together import with_own_time
from tricircle.errors import ConflictError, InvalidRequestError, NotFoundError, TricircleError, UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)

ADD, REMOVE = "addSecurityGroup", "removeSecurityGroup"
_RULES = {ADD: "os_compute_api:os-security-groups:add", REMOVE: "os_compute_api:os-security-groups:remove"}


class GroupActions:
    """``addSecurityGroup``, ``removeSecurityGroup`` and ``GET .../os-security-groups``."""

    def __init__(
        self,
        *,
        carrier: Carrier,
        networks: Networks,
        copies: GroupCopies,
        routings: KnownRoutings,
        policy: ServerPolicy,
    ) -> None:
        self._carrier = carrier
        self._policy = policy
        self._networks = networks
        self._copies = copies
        self._routings = routings

    async def change(self, request: Request, document: Mapping[str, object], action: str) -> Answer:
        """Add a group to a server or remove it."""
        server_id, context = request.params["server_id"], request.context
        located = await self._carrier.locate(Kind.SERVER, server_id, context)
        pod = located.pod
        refusal = await rehearse_on_server(self._carrier, request, document)
        if refusal is None:
            refusal = await self._policy.refusal(request, located, _RULES[action])
        if refusal is not None:
            return refusal
        asked = document[action]
        name = str(asked.get("name", "")) if isinstance(asked, Mapping) else ""
        group_id = (await self._networks.group_ids(context, [name], context.deadline))[name]
        if group_id is None:
            raise words.group_not_in_project(name, context.project_id)
        # The pod's Nova looks for the copy with the user's token, also where the group is shared with his project.
        owner = located.routing.project_id or context.project_id
        copy = await self._copies.ensure(pod, group_id, owner, deadline=context.deadline)
        copy_id = str(copy.pod_resource_id)
        reply = await self._carrier.to_pod(request, pod, body={action: {"name": copy_id}})
        if reply.status >= 300:
            # Nova repeats the name that it was given only where it does not find it.
            named = {copy_id: name} if reply.status == 404 else None
            return await refused(self._carrier, request, pod, reply, named=named)
        try:
            await self._write(request, server_id, group_id, action)
        except TricircleError as error:
            if _was_refused(error):
                await self._take_back(with_own_time(request), pod, copy_id, REMOVE if action == ADD else ADD)
            else:
                LOG.warning("groups of server %s may differ between pod and centre: %s", server_id, error)
            raise _plain(error) from error
        return await self._carrier.answer(request, pod, reply)

    async def show(self, request: Request) -> Answer:
        """The groups of a server as the centre has them; the pod says which."""
        context = request.context
        pod = (await self._carrier.locate(Kind.SERVER, request.params["server_id"], context)).pod
        reply = await self._carrier.to_pod(request, pod)
        if reply.status != 200:
            return await refused(self._carrier, request, pod, reply)
        found = reply.json().get("security_groups")
        present = {str(group["id"]): group for group in found} if isinstance(found, list) else {}
        copies = await self._routings.by_pod_resource(pod.id, Kind.SECURITY_GROUP, present)
        ids = [copy.central_id for copy in copies.values()]
        known = await self._networks.groups(context, ids, context.deadline)
        remote = {str(rule["remote_group_id"]) for group in known.values() for rule in _rules(group)} - {"None"}
        named = {**await self._networks.groups(context, sorted(remote - set(known)), context.deadline), **known}
        shown = [in_nova_form(group, named) for group in known.values()]
        # Groups that only the pod has were put there by its operator.
        shown += [group for pod_id, group in present.items() if pod_id not in copies]
        shown.sort(key=lambda group: (str(group["tenant_id"]), str(group["name"])))
        return await self._carrier.answer_json(request, pod, reply, {"security_groups": shown})

    async def _write(self, request: Request, server_id: str, group_id: str, action: str) -> None:
        context = request.context
        for port in await self._networks.ports_of(context, server_id, context.deadline):
            present = port.get("security_groups")
            groups = [str(group) for group in present] if isinstance(present, list) else []
            if action == ADD and group_id not in groups:
                groups.append(group_id)
            elif action == REMOVE and group_id in groups:
                groups.remove(group_id)
            else:
                continue
            await self._networks.set_groups(context, str(port["id"]), groups, context.deadline)

    async def _take_back(self, request: Request, pod: Pod, copy_id: str, action: str) -> None:
        try:
            await self._carrier.to_pod(request, pod, body={action: {"name": copy_id}})
        except TricircleError as error:
            LOG.warning("groups of server %s differ between pod and centre: %s", request.params["server_id"], error)


def in_nova_form(group: Body, named: Mapping[str, Body]) -> dict[str, object]:
    """A group of Neutron as Nova shows it: rules for incoming traffic only.

    :param named: the groups that rules refer to, by id
    """
    rules = []
    for rule in _rules(group):
        remote_id = rule.get("remote_group_id")
        if rule.get("direction") != "ingress" or (remote_id and str(remote_id) not in named):
            continue
        from_port, to_port = _ports(rule)
        remote = named.get(str(remote_id))
        rules.append(
            {
                "id": rule["id"],
                "parent_group_id": group["id"],
                "ip_protocol": rule.get("protocol"),
                "from_port": from_port,
                "to_port": to_port,
                "group": {"name": remote["name"], "tenant_id": remote.get("project_id")} if remote else {},
                "ip_range": {} if remote else {"cidr": rule.get("remote_ip_prefix") or "0.0.0.0/0"},
            }
        )
    return {
        "id": group["id"],
        "name": group["name"],
        "description": group.get("description"),
        "tenant_id": group.get("project_id"),
        "rules": rules,
    }


def _ports(rule: Body) -> tuple[object, object]:
    protocol, low, high = rule.get("protocol"), rule.get("port_range_min"), rule.get("port_range_max")
    if not protocol or low is not None or high is not None:
        return low, high
    return (1, 65535) if str(protocol).upper() in ("TCP", "UDP") else (-1, -1)


def _rules(group: Body) -> Sequence[Body]:
    rules = group.get("security_group_rules")
    return rules if isinstance(rules, list) else ()


def _was_refused(error: TricircleError) -> bool:
    """Whether the centre certainly did not change the port. If it may have, it is what the pod's change agrees with."""
    return was_refused(error) or isinstance(error, NotFoundError | ConflictError | InvalidRequestError)


def _plain(error: TricircleError) -> TricircleError:
    """What Nova makes of Neutron's refusal to change a port."""
    if isinstance(error, UpstreamStatusError) and error.status == 400:
        return InvalidRequestError(words.GROUPS_CANNOT_BE_APPLIED)
    if isinstance(error, UpstreamStatusError) and error.status == 409:
        return ConflictError("The security groups of the server are being changed by another request.")
    return error
