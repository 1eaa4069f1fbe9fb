# SPDX-License-Identifier: Apache-2.0
"""How does a port of the centre exist in the pod that its host names?

With the same MAC and addresses, in the tenant's project (Nova demands it), on the copies of its network, subnets and
security groups, which are ensured first. ``device_id`` and ``device_owner`` are the pod's own: Nova writes them there.

Natural key: MAC and address within the network's copy.
"""

import asyncio
from collections.abc import Collection, Mapping
from types import MappingProxyType

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, changed, mark, member, revision, rows, subnet_ids, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.networks import Networks
from tricircle.copies.origins import kept
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach, may_offer, show
from tricircle.copies.security_groups import SecurityGroups, is_open_to
from tricircle.copies.statuses import awaited, look
from tricircle.copies.subnets import Subnets, living_elsewhere
from tricircle.copies.trunked import remove_port
from tricircle.copies.visit import expected, visit
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import NETWORK_ID, Kind, Routing
from tricircle.upstream.client import collect

#: Fields of extensions that not every pod has: they are sent when they say something.
_NUMA, _PROFILE = "numa_affinity_policy", "device_profile"
_COPIED = ("name", "admin_state_up", "mac_address", "port_security_enabled", "allowed_address_pairs")
_DNS_NAME, _DNS_EXTENSION = "dns_name", "dns-integration"
_FOLLOWED = (
    *_COPIED,
    "fixed_ips",
    "security_groups",
    "extra_dhcp_opts",
    "description",
    "qos_policy_id",
    _NUMA,
    _DNS_NAME,
)
_HOST, _VNIC = "binding:host_id", "binding:vnic_type"
_POLICY = "qos_policy_id"
#: What Neutron answers when a port names something that is not there: networks and groups 404, subnets 400.
_NAMES_UNKNOWN = (400, 404)


def wanted_port(
    port: Body,
    subnets: Mapping[str, Routing],
    groups: Mapping[str, Routing],
    policies: Mapping[str, Routing] = MappingProxyType({}),
) -> dict[str, object]:
    """The copy's body as far as it may change.

    :param subnets, groups, policies: the bound routings of what the port names, by central id
    """
    wanted: dict[str, object] = {field: port[field] for field in _COPIED if field in port}
    wanted["description"] = mark(text(port, "id"))
    wanted["fixed_ips"] = [_fixed_ip(fixed_ip, subnets) for fixed_ip in rows(port, "fixed_ips")]
    wanted["security_groups"] = [groups[group_id].pod_resource_id for group_id in words(port, "security_groups")]
    wanted["extra_dhcp_opts"] = rows(port, "extra_dhcp_opts")
    wanted[_NUMA] = port.get(_NUMA)
    if text(port, _DNS_NAME):
        # Without one the pod's Nova writes the name of the server.
        wanted[_DNS_NAME] = port[_DNS_NAME]
    policy_id = text(port, _POLICY)
    wanted[_POLICY] = policies[policy_id].pod_resource_id if policy_id else None
    return wanted


def difference(wanted: Body, present: Body) -> dict[str, object]:
    """What to PUT so that ``present`` becomes ``wanted``; empty when it is.

    Neutron merges DHCP options: one that has to go is named with no value. Addresses that follow from the MAC are the
    pod's to compute.
    """
    # The pod shows the address that it computed; ours leaves it out.
    computed = {text(ip, "subnet_id") for ip in rows(wanted, "fixed_ips") if "ip_address" not in ip}
    shown = [
        {"subnet_id": ip["subnet_id"]} if ip["subnet_id"] in computed else dict(ip) for ip in rows(present, "fixed_ips")
    ]
    found = changed(wanted, {**present, "fixed_ips": shown}, _FOLLOWED)
    if _DNS_NAME not in present:
        found.pop(_DNS_NAME, None)  # a word that not every pod knows
    if "extra_dhcp_opts" in found:
        kept = {(option["opt_name"], option.get("ip_version")) for option in rows(wanted, "extra_dhcp_opts")}
        gone = [
            {"opt_name": option["opt_name"], "opt_value": None, "ip_version": option.get("ip_version")}
            for option in rows(present, "extra_dhcp_opts")
            if (option["opt_name"], option.get("ip_version")) not in kept
        ]
        found["extra_dhcp_opts"] = rows(wanted, "extra_dhcp_opts") + gone
    return found


def without(port: Body, subnets: Collection[str]) -> Body:
    """The port without its addresses of these subnets."""
    return {**port, "fixed_ips": [ip for ip in rows(port, "fixed_ips") if ip["subnet_id"] not in subnets]}


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
        network_id = text(port, "network_id")
        if await self._reach.routings.copy_in(Kind.NETWORK, network_id, pod.id) is None:
            await self._networks.check(pod, network_id, deadline=deadline)
        wanted = subnet_ids(port)
        there = await self._reach.routings.in_pod_by_central(Kind.SUBNET, wanted, pod.id)
        await self._subnets.check(pod, sorted(wanted - there.keys()), deadline=deadline)
        if policy_id := text(port, _POLICY):
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
            if revision(now) != revision(port):
                body = await self._body(pod, now, network, deadline)
            client = self._reach.network(pod)
            answer = await client.post("/v2.0/ports", body={"port": body}, deadline=deadline)
            made = text(member(answer, "port"), "id")
            named = {_DNS_NAME: body[_DNS_NAME]} if _DNS_NAME in body else {}
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
        try:
            port = await self._reach.central.port(run.resource_id, at_least=expected(run), deadline=run.deadline)
        except NotFoundError:
            port = None

        async def work(pod: Pod, copy: Routing) -> None:
            if port is None or not lives_in(port, pod, copy):
                await self.remove_copy(pod, copy, deadline=run.deadline)
            else:
                await self._update(pod, copy, port, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            if port is None:
                return await self._find(pod, {"id": run.resource_id}, None, {}, run.deadline)
            return await self._find(pod, port, None, _details(port, pod), run.deadline)

        await visit(self._reach, run, Kind.PORT, work=work, find=find)

    async def _body(self, pod: Pod, port: Body, network: Routing, deadline: Deadline) -> dict[str, object]:
        body = await self._wanted(pod, port, network, deadline)
        for field in (_POLICY, _NUMA):
            if body[field] is None:
                del body[field]  # a word that not every pod knows
        if text(port, _PROFILE):
            body[_PROFILE] = port[_PROFILE]
        body["network_id"] = network.pod_resource_id
        body["project_id"] = port["project_id"]
        if port.get(_VNIC, "normal") != "normal":
            body[_VNIC] = port[_VNIC]
        if _DNS_NAME in body and not may_offer(pod, _DNS_EXTENSION):
            del body[_DNS_NAME]
        return body

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
        if policy_id := text(port, _POLICY):
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
        cleared = _cleared(port, copy, present)
        try:
            await self._write(pod, port, present, deadline, cleared)
        except UpstreamStatusError as error:
            if error.status not in _NAMES_UNKNOWN or not await self._forget_gone(pod, port, deadline):
                raise
            await self._write(pod, port, present, deadline, cleared)
        named = {_DNS_NAME: text(port, _DNS_NAME) or None}
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
            (Kind.QOS_POLICY, [text(port, _POLICY)], "qos/policies", "policy"),
            (Kind.SUBNET, [text(ip, "subnet_id") for ip in rows(port, "fixed_ips")], "subnets", "subnet"),
            (Kind.NETWORK, [text(port, "network_id")], "networks", "network"),
        )
        client, has_any = self._reach.network(pod), False
        for kind, ids, collection, key in named:
            for copy in (await self._reach.routings.by_central(kind, ids, pod.id)).values():
                if await show(client, f"/v2.0/{collection}/{copy.pod_resource_id}", key, deadline) is None:
                    has_any = await self._reach.routings.forget_free(copy.id) or has_any
        return has_any


def _details(port: Body, pod: Pod) -> dict[str, object]:
    """What the centre still knows of the facts that whoever made the copy could not write down."""
    details: dict[str, object] = {NETWORK_ID: text(port, "network_id")}
    if origin := kept(port).get("origin"):
        details["origin"] = origin
    is_plugged = text(port, "device_owner").startswith("compute:")
    if is_plugged and text(port, "device_id") and text(port, _HOST) == pod.name:
        details["server_id"] = text(port, "device_id")
    return details


def _cleared(port: Body, copy: Routing, present: Body) -> dict[str, object]:
    """What to PUT beside: the name that we gave the copy, and that the owner has taken away."""
    given = copy.details.get(_DNS_NAME)
    is_gone = bool(given) and not text(port, _DNS_NAME) and present.get(_DNS_NAME) == given
    return {_DNS_NAME: ""} if is_gone else {}


def lives_in(port: Body, pod: Pod, copy: Routing) -> bool:
    """Whether the pod carries the port: the host says so, or the server that has it is the one it was copied for."""
    if text(port, _HOST) == pod.name:
        return True
    server_id = copy.details.get("server_id")
    return bool(server_id) and port.get("device_id") == server_id


def _fixed_ip(fixed_ip: Body, subnets: Mapping[str, Routing]) -> dict[str, object]:
    subnet = subnets[text(fixed_ip, "subnet_id")]
    body: dict[str, object] = {"subnet_id": subnet.pod_resource_id}
    if not subnet.details.get("is_automatic"):
        body["ip_address"] = fixed_ip["ip_address"]
    return body
