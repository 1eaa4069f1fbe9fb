# SPDX-License-Identifier: Apache-2.0
"""A centre and two pods in memory, verified fakes, with real copies of networking on real books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.doors.compute.cloud import Cloud, cloud
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.address_groups import AddressGroups
from tricircle.copies.addresses import Addresses
from tricircle.copies.networks import Networks
from tricircle.copies.ports import Ports
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.security_groups import SecurityGroups
from tricircle.copies.subnets import Subnets
from tricircle.model.pod import Pod
from tricircle.model.routing import Routing
from tricircle.testing.network.neutron import Neutron


def soon(seconds: float = 20) -> Deadline:
    """Enough for a busy machine."""
    return Deadline.after(seconds)


class Sky:
    """What tests of copies have in their hands.

    :ivar central, inside: the centre's Neutron, and those of the pods by pod id
    """

    def __init__(self, made: Cloud) -> None:
        self.cloud, self.reach = made, made.reach
        self.central: Neutron = made.apps["central"].neutron
        self.inside: dict[str, Neutron] = {name: app.neutron for name, app in made.apps.items() if name != "central"}
        self.addresses = Addresses(self.reach.central, self.reach.owner)
        policies = QosPolicies(self.reach)
        self.networks = Networks(self.reach, policies)
        self.subnets = Subnets(self.reach, self.addresses)
        self.address_groups = AddressGroups(self.reach, rules_at_most=3)
        self.groups = SecurityGroups(self.reach, self.address_groups)
        self.ports = Ports(
            self.reach, networks=self.networks, subnets=self.subnets, groups=self.groups, policies=policies
        )
        #: Networks that can be in both pods.
        self.central.provider = ("vlan", "stretch")

    async def pod(self, name: str = "pod1", *, extensions: list[str] | None = None) -> Pod:
        """A pod, of which this is known."""
        found = await self.reach.registry.get(PodId(name))
        assert found is not None
        return found if extensions is None else replace(found, facts={"network_extensions": extensions})

    def project(self, name: str) -> ProjectId:
        """The id of a user's project."""
        return self.cloud.context(name, name).project_id

    async def make(self, collection: str, key: str, **fields: object) -> dict[str, Any]:
        """Something new at the centre."""
        client = self.reach.central.networking
        answer = await client.post(f"/v2.0/{collection}", body={key: fields}, deadline=soon())
        found = answer[key]
        assert isinstance(found, dict)
        return found

    async def network(self, name: str = "demo", **fields: object) -> dict[str, Any]:
        """A network of a project's."""
        return await self.make("networks", "network", name="net", project_id=self.project(name), **fields)

    async def subnet(self, network: dict[str, Any], cidr: str = "10.0.0.0/24", **fields: object) -> dict[str, Any]:
        """A subnet of it."""
        owned = {"network_id": network["id"], "project_id": network["project_id"], "ip_version": 4}
        return await self.make("subnets", "subnet", cidr=cidr, **{"ipv6_address_mode": None, **owned, **fields})

    async def copied(self, pod: Pod, network: dict[str, Any]) -> Routing:
        """The network's copy."""
        return await self.networks.ensure(pod, network["id"], network["project_id"], deadline=soon())

    async def close(self) -> None:
        """Let go of the books."""
        await self.cloud.engine.dispose()


@asynccontextmanager
async def open_sky(tmp_path: Path) -> AsyncIterator[Sky]:
    """As long as a test takes."""
    made = Sky(await cloud(tmp_path))
    try:
        yield made
    finally:
        await made.close()
