# SPDX-License-Identifier: Apache-2.0
"""How does a network of the centre exist in a pod?

As a VLAN network with the centre's segmentation id on the pod's name for the same physical network, so that its copies
in several pods are one broadcast domain. It belongs to the service project and is shared, by RBAC, with each project
that has a port on it there (``shares.py``): such a tenant can boot on it and see its addresses, and cannot edit it.

Natural key: physical network and VLAN id. A network that is no VLAN at the centre becomes one of the pod's own type;
it can live in one pod only.
"""

import logging
from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, changed, mark, marked, member, revision, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.network_refusals import check_zone, largest_mtu, no_second_pod, refusal, segment_taken
from tricircle.copies.port_content import SECURITY
from tricircle.copies.port_security import as_known, check_security
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach, may_offer, remove, show
from tricircle.copies.shares import Shares
from tricircle.copies.visit import expected, visit
from tricircle.copies.wires import check_wire
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

_TYPE, _PHYSNET, _SEGMENT = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
#: Network types that name a place outside of the pod, and so can be the same in several.
_STRETCHED = ("vlan", "flat")
_POLICY = "qos_policy_id"
#: A word that not every pod knows, the extension of those that do, and all such words.
_DNS_DOMAIN, _DNS_EXTENSION = "dns_domain", "dns-integration"
_MAY_LACK = (_DNS_DOMAIN, SECURITY)
_FOLLOWED = ("name", "admin_state_up", "mtu", SECURITY, _DNS_DOMAIN)
#: Router ports go with their router, not with the network.
_ROUTER_OWNERS = ("network:router_",)


def wanted_network(
    network: Body, physical_networks: Mapping[str, object], policy_id: str | None = None
) -> dict[str, object]:
    """The copy's body.

    :param network: the central network as an administrator sees it
    :param physical_networks: the pod's names of the centre's physical networks; one that is missing has the same name
    :param policy_id: the pod's id of the network's QoS policy
    """
    wanted: dict[str, object] = {field: network[field] for field in _FOLLOWED if field in network}
    wanted["description"] = mark(text(network, "id"))
    wanted[_POLICY] = policy_id
    if is_stretched(network):
        physnet = text(network, _PHYSNET)
        wanted[_TYPE] = network[_TYPE]
        wanted[_PHYSNET] = physical_networks.get(physnet, physnet)
        if network.get(_SEGMENT) is not None:
            wanted[_SEGMENT] = network[_SEGMENT]
    return wanted


def difference(network: Body, pod: Pod, present: Body, policy_id: str | None = None) -> dict[str, object]:
    """What to PUT so that the copy ``present`` agrees with the central network; empty when it does.

    :param policy_id: the pod's id of the network's QoS policy
    """
    wanted = wanted_network(network, pod.physical_networks, policy_id)
    found = changed(wanted, present, (*_FOLLOWED, "description", _POLICY))
    return {field: value for field, value in found.items() if field not in _MAY_LACK or field in present}


def has_key(network: Body, pod: Pod, present: Body) -> bool:
    """Whether something in the pod has the natural key of the network's copy."""
    return not changed(wanted_network(network, pod.physical_networks), present, (_TYPE, _PHYSNET, _SEGMENT))


def is_stretched(network: Body) -> bool:
    """Whether copies in several pods can be one network."""
    return network.get(_TYPE) in _STRETCHED


class Networks:
    """Copies of networks.

    :ivar shares: with whom they are shared in pods
    """

    def __init__(self, reach: Reach, policies: QosPolicies) -> None:
        self._reach = reach
        self._policies = policies
        self.shares = Shares(reach)

    async def ensure(self, pod: Pod, network_id: str, project_id: ProjectId, *, deadline: Deadline) -> Routing:
        """The routing of the copy, shared with ``project_id``, whose port is about to live there.

        :raises NotFoundError: the network is gone at the centre
        :raises ConflictError: the network can live in other pods only, or the pod cannot carry it
        """
        routing = await self._reach.routings.copy_in(Kind.NETWORK, network_id, pod.id)
        if routing is None or not routing.is_bound:
            routing = await self._realise(pod, network_id, deadline)
        if project_id not in words(routing.details, "projects"):
            await self.shares.lend(pod, routing, project_id, deadline)
        return routing

    async def check(self, pod: Pod, network_id: str, *, deadline: Deadline) -> None:
        """What can be said before anything is made in a pod that does not have the network yet.

        :raises NotFoundError: the network is gone at the centre
        :raises ConflictError: the network can live in other pods only, or the pod uses its segment for something else
        """
        network = await self._reach.central.network(network_id, deadline=deadline)
        await self._check_place(pod, network, deadline)
        if policy_id := text(network, _POLICY):
            await self._policies.check(pod, policy_id, deadline=deadline)
        await self._check_segment(pod, network, deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: update the copies, or remove them with everything on them when the network is gone."""
        try:
            network = await self._reach.central.network(run.resource_id, at_least=expected(run), deadline=run.deadline)
        except NotFoundError:
            network = None

        async def work(pod: Pod, copy: Routing) -> None:
            if network is None:
                await self._remove(pod, copy, run.deadline)
            else:
                await self._update(pod, copy, network, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, network, run.deadline)

        await visit(self._reach, run, Kind.NETWORK, work=work, find=find)

    async def _realise(self, pod: Pod, network_id: str, deadline: Deadline) -> Routing:
        seen = await self._reach.central.network(network_id, deadline=deadline)
        await self._check_place(pod, seen, deadline)
        wanted = Wanted(
            kind=Kind.NETWORK, central_id=network_id, pod=pod, project_id=ProjectId(text(seen, "project_id"))
        )

        async def find() -> Found | None:
            return await self._find(pod, network_id, seen, deadline)

        async def create() -> Found:
            # Read again under the lease: a change before it is in what is read now, a change after it finds the row
            # and its job waits for us.
            network = await self._reach.central.network(network_id, deadline=deadline)
            check_security(pod, "Network", network)
            client = self._reach.network(pod)
            await self._reach.owner.project(client, deadline)
            policy_id = await self._policy(pod, network, deadline)
            body = known_to(pod, wanted_network(network, pod.physical_networks, policy_id))
            try:
                answer = await client.post("/v2.0/networks", body={"network": body}, deadline=deadline)
            except UpstreamStatusError as error:
                network = await self._lower_mtu(pod, network_id, error, deadline)
                body["mtu"] = network["mtu"]
                answer = await client.post("/v2.0/networks", body={"network": body}, deadline=deadline)
            return Found(pod_resource_id=text(member(answer, "network"), "id"), revision=revision(network))

        try:
            routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        except UpstreamStatusError as error:
            if refused := refusal(pod, seen, error):
                raise refused from error
            raise
        await self._reach.recheck_adopted(routing, JobType.NETWORK)
        return routing

    async def _lower_mtu(self, pod: Pod, network_id: str, error: UpstreamStatusError, deadline: Deadline) -> Body:
        """The central network with the MTU that the pod can carry: everywhere the lowest on the way holds, and other
        pods follow by the job that the change files. Raises the error when it speaks of something else.
        """
        largest = largest_mtu(error)
        if largest is None:
            raise error
        LOG.warning("The MTU of network %s becomes %d: pod %s carries no more", network_id, largest, pod.name)
        path, body = f"/v2.0/networks/{network_id}", {"network": {"mtu": largest}}
        return member(await self._reach.central.networking.put(path, body=body, deadline=deadline), "network")

    async def _policy(self, pod: Pod, network: Body, deadline: Deadline) -> str | None:
        """The pod's id of the network's QoS policy; None when it has none."""
        if policy_id := text(network, _POLICY):
            return (await self._policies.ensure(pod, policy_id, deadline=deadline)).pod_resource_id
        return None

    async def _check_place(self, pod: Pod, network: Body, deadline: Deadline) -> None:
        check_zone(pod, network)
        check_security(pod, "Network", network)
        await check_wire(self._reach, pod, network, deadline)
        if not is_stretched(network):
            zone = await self._reach.zone_elsewhere(Kind.NETWORK, text(network, "id"), pod)
            if zone is not None:
                raise no_second_pod(network, zone)

    async def _check_segment(self, pod: Pod, network: Body, deadline: Deadline) -> None:
        """Whether a network in the pod that is not a copy of this one has its segment."""
        body = wanted_network(network, pod.physical_networks)
        segment = {field: text(body, field) for field in (_TYPE, _PHYSNET, _SEGMENT) if field in body}
        if not segment:
            return
        params = {**segment, "fields": ("id", "description")}
        there = await collect(self._reach.network(pod), "/v2.0/networks", "networks", deadline, params)
        if any(marked(present.get("description")) != text(network, "id") for present in there):
            raise segment_taken(pod, network)

    async def _find(self, pod: Pod, network_id: str, network: Body | None, deadline: Deadline) -> Found | None:
        """What is ours by mark and project, and has the network's natural key as far as that is known."""
        client = self._reach.network(pod)
        filters = {"description": mark(network_id), "project_id": await self._reach.owner.project(client, deadline)}
        for present in await collect(client, "/v2.0/networks", "networks", deadline, filters):
            if network is None or has_key(network, pod, present):
                return Found(pod_resource_id=text(present, "id"))
        return None

    async def _update(self, pod: Pod, copy: Routing, network: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"/v2.0/networks/{copy.pod_resource_id}"
        present = await show(client, path, "network", deadline)
        if present is None:
            # With everything on it. Ports of servers that live there are made anew by their jobs, with their network.
            await self._reach.routings.forget(copy.id)
            return
        put = {} if copy.is_adopted else difference(network, pod, present, await self._policy(pod, network, deadline))
        if put:
            try:
                await client.put(path, body={"network": put}, deadline=deadline)
            except UpstreamStatusError as error:
                network = await self._lower_mtu(pod, copy.central_id, error, deadline)
                await client.put(path, body={"network": {**put, "mtu": network["mtu"]}}, deadline=deadline)
        await self._reach.routings.update(copy.id, revision=revision(network))
        await self.shares.agree(pod, copy, network, deadline)

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """Delete the copy and all ports on it: at the centre there is none left that one of them could be a copy of.

        Of an operator's own network only what we lent is taken back; our ports there go by their own jobs.
        """
        client = self._reach.network(pod)
        if copy.is_adopted:
            await self.shares.take_back(pod, copy, deadline)
            await self._reach.routings.forget(copy.id)
            return
        filters = {"network_id": str(copy.pod_resource_id)}
        for port in await collect(client, "/v2.0/ports", "ports", deadline, filters):
            if not text(port, "device_owner").startswith(_ROUTER_OWNERS):
                await remove(client, f"/v2.0/ports/{text(port, 'id')}", deadline)
        await remove(client, f"/v2.0/networks/{copy.pod_resource_id}", deadline)
        await self._reach.routings.forget(copy.id)


def known_to(pod: Pod, body: dict[str, object]) -> dict[str, object]:
    """The body without words that the pod may not know: they are sent when they say something."""
    unsaid = {field for field in (_POLICY, _DNS_DOMAIN) if not body.get(field)}
    if body.get(_DNS_DOMAIN) and not may_offer(pod, _DNS_EXTENSION):
        LOG.warning("Pod %s knows no %s: network %s goes without", pod.name, _DNS_DOMAIN, body["description"])
        unsaid.add(_DNS_DOMAIN)
    return as_known(pod, {field: value for field, value in body.items() if field not in unsaid})
