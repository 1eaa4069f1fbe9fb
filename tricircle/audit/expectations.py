# SPDX-License-Identifier: Apache-2.0
"""What should copies look like in one pod, now?"""

from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime

from tricircle.audit.centre import Centre
from tricircle.audit.compare import Shape
from tricircle.audit.findings import Holding, Part
from tricircle.audit.network_shapes import (
    AddressGroupShape,
    GroupShape,
    NetworkShape,
    PolicyShape,
    PortShape,
    SubnetShape,
    TrunkShape,
)
from tricircle.audit.seen import Seen
from tricircle.audit.shapes import FlavorShape, ImageShape, ServerGroupShape, VolumeTypeShape
from tricircle.audit.shares import Shares
from tricircle.context import Deadline
from tricircle.copies.address_groups import Remote, has_address_groups
from tricircle.copies.addresses import Slice, slice_of
from tricircle.copies.bodies import Body, rows, subnet_ids, text, words
from tricircle.copies.dhcp_agents import served
from tricircle.copies.reach import Reach
from tricircle.copies.security_group_rules import remote_groups
from tricircle.copies.sub_ports import tags
from tricircle.copies.subnets import living_elsewhere
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing


class Expectations:
    """Shapes of copies, with what of the pod and of its routings they depend on.

    :ivar shares: with whom networks and groups are shared there
    """

    def __init__(self, reach: Reach, centre: Centre, pod: Pod, deadline: Deadline) -> None:
        self._reach = reach
        self._centre = centre
        self._pod = pod
        self._deadline = deadline
        self._slices: dict[str, Slice] = {}
        self._served: Mapping[str, int] = {}
        self._named = Seen()
        self.shares = Shares(reach, centre, pod, deadline)

    async def read_slices(self) -> None:
        """Which addresses of which subnet the pod may use by itself, and how many DHCP agents serve its networks."""
        async for page in self._centre.slices_of(self._pod.name, deadline=self._deadline):
            for port in page:
                for subnet_id in subnet_ids(port):
                    self._slices[subnet_id] = slice_of(port, subnet_id)
        self._served = await served(self._reach, self._pod, self._deadline)

    def name_groups(self, page: Sequence[Holding]) -> None:
        """Take in which address groups these security groups name."""
        rules = [rule for one in page for rule in rows(one.body, "security_group_rules")]
        self._named.add({text(rule, "remote_address_group_id") for rule in rules} - {""})

    async def shape(self, kind: Kind, central: Mapping[str, Body], before: datetime, *, read: Container[str]) -> Shape:
        """What copies of these originals look like.

        :param before: what was changed later may be the work of a request that is still under way
        :param read: the parts of the pod that were read to the end
        """
        if kind is Kind.FLAVOR:
            return FlavorShape()
        if kind is Kind.VOLUME_TYPE:
            return VolumeTypeShape(self._pod)
        if kind is Kind.IMAGE:
            return ImageShape()
        if kind is Kind.SERVER_GROUP:
            return ServerGroupShape()
        bodies = central.values()
        if kind is Kind.TRUNK:
            ports = {one for body in bodies for one in (text(body, "port_id"), *tags(body))}
            return TrunkShape(pod=self._pod, ports=await self._bound(Kind.PORT, ports))
        if kind is Kind.SECURITY_GROUP:
            shares = self.shares.there if Part.RBAC_POLICY.value in read else None
            if not has_address_groups(self._pod):
                return GroupShape(remotes=None, shares=shares, outlived=self.shares.outlived)
            copies = await self._bound(Kind.ADDRESS_GROUP, {one for body in bodies for one in remote_groups(body)})
            return GroupShape(
                remotes={one: Remote(address_group_id=str(copy.pod_resource_id)) for one, copy in copies.items()},
                shares=shares,
                outlived=self.shares.outlived,
            )
        policy_ids = {text(body, "qos_policy_id") for body in bodies} - {""}
        networks = await self._bound(Kind.NETWORK, {text(body, "network_id") for body in bodies} - {""})
        if kind is Kind.PORT:
            subnets = {one for body in bodies for one in subnet_ids(body)}
            group_ids = {one for body in bodies for one in words(body, "security_groups")}
            there = await self._bound(Kind.SUBNET, subnets)
            return PortShape(
                pod=self._pod,
                networks=networks,
                subnets=there,
                elsewhere=await living_elsewhere(self._reach.routings, subnets - there.keys(), self._pod.id),
                groups=await self._bound(Kind.SECURITY_GROUP, group_ids),
                policies=await self._bound(Kind.QOS_POLICY, policy_ids),
            )
        owner = await self._reach.owner.project(self._reach.network(self._pod), self._deadline)
        if kind is Kind.ADDRESS_GROUP:
            named = self._named if Kind.SECURITY_GROUP.value in read else None
            return AddressGroupShape(owner=owner, named=named, before=before)
        if kind is Kind.SUBNET:
            return SubnetShape(owner=owner, slices=self._slices, served=self._served, networks=networks)
        if kind is Kind.QOS_POLICY:
            return PolicyShape(owner=owner)
        policies = await self._bound(Kind.QOS_POLICY, policy_ids)
        return NetworkShape(
            pod=self._pod,
            owner=owner,
            shares=self.shares.there,
            outlived=self.shares.outlived,
            policies=policies,
        )

    async def _bound(self, kind: Kind, ids: Collection[str]) -> dict[str, Routing]:
        return await self._reach.routings.by_central(kind, ids, self._pod.id) if ids else {}
