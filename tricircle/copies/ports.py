# SPDX-License-Identifier: Apache-2.0
"""How does a port of the centre exist in the pod that its host names?

With the same MAC and addresses, in the tenant's project (Nova demands it), on the copies of its network, subnets and
security groups, which are ensured first. ``device_id`` and ``device_owner`` are the pod's own: Nova writes them there.

Natural key: MAC and address within the network's copy.
"""

import asyncio
from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, mark, member, revision, rows, subnet_ids, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.networks import Networks
from tricircle.copies.port_content import (
    DNS_EXTENSION,
    DNS_NAME,
    HINTS,
    HINTS_EXTENSION,
    NUMA,
    POLICY,
    TRUSTED,
    TRUSTED_EXTENSION,
    details_of,
    difference,
    given_once,
    lives_in,
    taken_away,
    wanted_port,
    without,
)
from tricircle.copies.port_security import as_known, check_security
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach, may_offer, show
from tricircle.copies.security_groups import SecurityGroups, is_open_to
from tricircle.copies.statuses import awaited, look
from tricircle.copies.subnets import Subnets, living_elsewhere
from tricircle.copies.trunked import remove_port
from tricircle.copies.visit import Departure, expected, visit
from tricircle.errors import ConflictError, NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import NETWORK_ID, Kind, Routing
from tricircle.upstream.client import collect

#: What Neutron answers when a port names something that is not there: networks and groups 404, subnets 400.
_NAMES_UNKNOWN = (400, 404)


class Ports:
    """Copies of ports."""

    def __init__(
        self, reach: Reach, *, networks: Networks, subnets: Subnets, groups: SecurityGroups, policies: QosPolicies
    ) -> None:
        self._reach = reach
        self._networks = networks
        self._subnets = subnets
        self._groups = groups
        self._policies = policies

    async def ensure(
        self, pod: Pod, port: Body, *, details: Mapping[str, object] | None = None, deadline: Deadline
    ) -> Routing:
        """The routing of the copy; its ``pod_resource_id`` is what the pod's Nova is given.

        :param port: what the centre answered when the port's host was set to this pod
        :param details: facts for the routing, such as ``origin`` and ``server_id``; merged into what is there
        :raises NotFoundError: something that the port names is gone at the centre
        :raises ConflictError: the pod can have no copy, for a reason that the text tells the tenant
        """
        known = await self._reach.routings.copy_in(Kind.PORT, text(port, "id"), pod.id)
        if known is not None and known.is_bound:
            if details:
                await self._reach.routings.update(known.id, details=details)
            return known
        try:
            return await self._realise(pod, port, details or {}, deadline)
        except UpstreamStatusError as error:
            if error.status not in _NAMES_UNKNOWN or not await self._forget_gone(pod, port, deadline):
                raise
        # An operator had deleted in the pod what the port stands on.
        return await self._realise(pod, port, details or {}, deadline)

    async def check(self, pod: Pod, port: Body, *, deadline: Deadline) -> None:
        """What can be said of a port of the centre before anything is made in the pod: whoever makes other things there
        for it asks first. Costs nothing where its network is in the pod already.

        :raises NotFoundError, ConflictError: as ``ensure``
        """
        check_security(pod, "Port", port)
        if port.get(HINTS) and not may_offer(pod, HINTS_EXTENSION):
            said = f"Port {text(port, 'id')} has hints, which availability zone {pod.az_name} does not know."
            raise ConflictError(f"{said} Take them away, or use another availability zone.")
        network_id = text(port, "network_id")
        if await self._reach.routings.copy_in(Kind.NETWORK, network_id, pod.id) is None:
            await self._networks.check(pod, network_id, deadline=deadline)
        wanted = subnet_ids(port)
        there = await self._reach.routings.in_pod_by_central(Kind.SUBNET, wanted, pod.id)
        await self._subnets.check(pod, sorted(wanted - there.keys()), deadline=deadline)
        if policy_id := text(port, POLICY):
            await self._policies.check(pod, policy_id, deadline=deadline)

    async def _realise(self, pod: Pod, port: Body, details: Mapping[str, object], deadline: Deadline) -> Routing:
        port_id, project_id = text(port, "id"), ProjectId(text(port, "project_id"))
        details = {**details, NETWORK_ID: text(port, "network_id")}
        wanted = Wanted(kind=Kind.PORT, central_id=port_id, pod=pod, project_id=project_id)
        network_id = text(port, "network_id")
        if await self._reach.routings.copy_in(Kind.NETWORK, network_id, pod.id) is None:
            await self._subnets.check(pod, sorted(subnet_ids(port)), deadline=deadline)
        network = await self._networks.ensure(pod, network_id, project_id, deadline=deadline)

        async def find() -> Found | None:
            return await self._find(pod, port, network, details, deadline)

        async def create() -> Found:
            # Read again under the lease, for the reason given in networks.py: the port may be gone since, and its
            # addresses somebody else's.
            now, body = await asyncio.gather(
                self._reach.central.port(port_id, at_least=int(revision(port) or 0), deadline=deadline),
                self._body(pod, port, network, deadline),
            )
            # Neutron's answer to a change does not say whether the port is trusted, its other answers do.
            if revision(now) != revision(port) or now.get(TRUSTED) != port.get(TRUSTED):
                body = await self._body(pod, now, network, deadline)
            client = self._reach.network(pod)
            answer = await client.post("/v2.0/ports", body={"port": body}, deadline=deadline)
            made = text(member(answer, "port"), "id")
            named = {DNS_NAME: body[DNS_NAME]} if DNS_NAME in body else {}
            return Found(pod_resource_id=made, details={**details, **named}, revision=revision(now))

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        await self._reach.recheck_adopted(routing, JobType.PORT)
        return routing

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        """Delete the copy and forget its routing; fine when there is none."""
        copy = await self._reach.routings.copy_in(Kind.PORT, port_id, pod.id)
        if copy is not None and copy.is_bound:
            await self.remove_copy(pod, copy, deadline=deadline)

    async def remove_copy(self, pod: Pod, copy: Routing, *, deadline: Deadline) -> None:
        """The same for a bound routing."""
        # Also without the lease: a bound row is never made again, and the pod has the last word.
        await remove_port(self._reach, pod, str(copy.pod_resource_id), deadline)
        await self._reach.routings.forget(copy.id)

    async def agree(self, run: JobRun) -> None:
        """Job body: update the copy in the pod that the host names, remove it from every other one."""
        port = await self._said(run)

        async def is_due(pod: Pod, copy: Routing) -> bool:
            nonlocal port
            if port is not None and not lives_in(port, pod, copy):
                # It was read before the lease was ours: a server may have it since.
                port = await self._said(run)
            return port is None or not lives_in(port, pod, copy)

        async def remove(pod: Pod, copy: Routing) -> None:
            await self.remove_copy(pod, copy, deadline=run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if port is not None:
                await self._update(pod, copy, port, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            if port is None:
                return await self._find(pod, {"id": run.resource_id}, None, {}, run.deadline)
            return await self._find(pod, port, None, details_of(port, pod), run.deadline)

        await visit(self._reach, run, Kind.PORT, work=work, find=find, departure=Departure(is_due, remove))

    async def _said(self, run: JobRun) -> Body | None:
        """The port as the centre has it now; None when it is gone."""
        try:
            return await self._reach.central.port(run.resource_id, at_least=expected(run), deadline=run.deadline)
        except NotFoundError:
            return None

    async def _body(self, pod: Pod, port: Body, network: Routing, deadline: Deadline) -> dict[str, object]:
        check_security(pod, "Port", port)
        body = as_known(pod, await self._wanted(pod, port, network, deadline))
        for field in (POLICY, NUMA, HINTS):
            if field in body and body[field] is None:
                del body[field]  # a word that not every pod knows
        body["network_id"] = network.pod_resource_id
        body["project_id"] = port["project_id"]
        for field, extension in ((DNS_NAME, DNS_EXTENSION), (TRUSTED, TRUSTED_EXTENSION)):
            if field in body and not may_offer(pod, extension):
                del body[field]
        return {**body, **given_once(port, knows_trusted=TRUSTED in body)}

    async def _wanted(self, pod: Pod, port: Body, network: Routing, deadline: Deadline) -> dict[str, object]:
        """The body, with everything that it names ensured in the pod."""
        wanted = sorted(subnet_ids(port))
        subnets = await self._reach.routings.by_central(Kind.SUBNET, wanted, pod.id)
        for subnet_id in wanted:
            if subnet_id in subnets and subnets[subnet_id].is_adopted == network.is_adopted:
                continue
            subnets[subnet_id] = await self._subnets.ensure(pod, subnet_id, network, deadline=deadline)
        group_ids, project_id = set(words(port, "security_groups")), ProjectId(text(port, "project_id"))
        groups = await self._reach.routings.by_central(Kind.SECURITY_GROUP, group_ids, pod.id)
        for group_id in sorted(group_ids):
            known = groups.get(group_id)
            if known is None or known.revision is None or not is_open_to(known, project_id):
                groups[group_id] = await self._groups.ensure(pod, group_id, project_id, deadline=deadline)
        policies: dict[str, Routing] = {}
        if policy_id := text(port, POLICY):
            policies[policy_id] = await self._policies.ensure(pod, policy_id, deadline=deadline)
        return wanted_port(port, subnets, groups, policies)

    async def _find(
        self, pod: Pod, port: Body, network: Routing | None, details: Mapping[str, object], deadline: Deadline
    ) -> Found | None:
        """What is ours by mark, and has project, network, MAC and addresses, as far as they are known."""
        filters = {"description": mark(text(port, "id"))}
        known = {"project_id": text(port, "project_id"), "mac_address": text(port, "mac_address")}
        filters |= {key: value for key, value in known.items() if value}
        if network is not None:
            filters["network_id"] = str(network.pod_resource_id)
        wanted = {text(fixed_ip, "ip_address") for fixed_ip in rows(port, "fixed_ips")}
        for present in await collect(self._reach.network(pod), "/v2.0/ports", "ports", deadline, filters):
            has = {text(fixed_ip, "ip_address") for fixed_ip in rows(present, "fixed_ips")}
            if not wanted or wanted & has:
                return Found(pod_resource_id=text(present, "id"), details=details)
        return None

    async def _update(self, pod: Pod, copy: Routing, port: Body, deadline: Deadline) -> None:
        path = f"/v2.0/ports/{copy.pod_resource_id}"
        present = await show(self._reach.network(pod), path, "port", deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        cleared = taken_away(port, copy, present)
        try:
            await self._write(pod, port, present, deadline, cleared)
        except UpstreamStatusError as error:
            if error.status not in _NAMES_UNKNOWN or not await self._forget_gone(pod, port, deadline):
                raise
            await self._write(pod, port, present, deadline, cleared)
        named = {DNS_NAME: text(port, DNS_NAME) or None}
        await self._reach.routings.update(copy.id, details=named, revision=revision(port))

    async def _write(self, pod: Pod, port: Body, present: Body, deadline: Deadline, cleared: Body) -> None:
        """Give the copy what it has otherwise."""
        project_id = ProjectId(text(port, "project_id"))
        network = await self._networks.ensure(pod, text(port, "network_id"), project_id, deadline=deadline)
        wanted = await self._wanted(pod, await self._possible(pod, port), network, deadline)
        if put := {**difference(wanted, present), **cleared}:
            path = f"/v2.0/ports/{text(present, 'id')}"
            await self._reach.network(pod).put(path, body={"port": put}, deadline=deadline)
            if "admin_state_up" in put:
                await look(self._reach, pod, awaited(text(port, "id")))

    async def _possible(self, pod: Pod, port: Body) -> Body:
        """The port without addresses that its pod cannot have: of a subnet that came to the network later, lives by
        router advertisements, and is in another pod. A new copy is refused for that; one that is there follows in all
        else.
        """
        wanted = subnet_ids(port)
        there = await self._reach.routings.by_central(Kind.SUBNET, wanted, pod.id)
        elsewhere = await living_elsewhere(self._reach.routings, sorted(wanted - there.keys()), pod.id)
        return without(port, elsewhere)

    async def _forget_gone(self, pod: Pod, port: Body, deadline: Deadline) -> bool:
        """Forget copies of what the port names that are not in the pod any more; whether there were any."""
        named = (
            (Kind.SECURITY_GROUP, words(port, "security_groups"), "security-groups", "security_group"),
            (Kind.QOS_POLICY, [text(port, POLICY)], "qos/policies", "policy"),
            (Kind.SUBNET, [text(ip, "subnet_id") for ip in rows(port, "fixed_ips")], "subnets", "subnet"),
            (Kind.NETWORK, [text(port, "network_id")], "networks", "network"),
        )
        client, has_any = self._reach.network(pod), False
        for kind, ids, collection, key in named:
            for copy in (await self._reach.routings.by_central(kind, ids, pod.id)).values():
                if await show(client, f"/v2.0/{collection}/{copy.pod_resource_id}", key, deadline) is None:
                    has_any = await self._reach.routings.forget_free(copy.id) or has_any
        return has_any
