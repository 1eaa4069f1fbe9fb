# SPDX-License-Identifier: Apache-2.0
"""What do many boots at once need: a tenant without limits, networks that no pod has yet; and what was made twice?"""

import asyncio
from collections import Counter

from tests.api.doors import test_servers as servers
from tests.api.whole import Plan, Whole
from tests.asgi import Said

NETWORKS, BOOTS = 10, 50
#: Three pods in two AZs.
PLAN = Plan(
    zones={"Pod1": ("az1", "nova", 1000), "Pod2": ("az2", "inner", 1000), "Pod3": ("az2", "nova", 1000)},
    request_deadline_s=60.0,
)


async def prepared(cloud: Whole) -> list[str]:
    """A tenant that may have as much as it likes; ten new networks of its own, each with a subnet."""
    limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    project = cloud.project_id("demo")
    assert (await cloud.admin.ask("PUT", f"/compute/v2.1/os-quota-sets/{project}", limits)).status == 200
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    made = []
    for number in range(NETWORKS):
        said = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": f"net{number}"}})
        network_id = str(said.json()["network"]["id"])
        subnet = {"subnet": {"network_id": network_id, "cidr": f"10.0.{number}.0/24", "ip_version": 4}}
        assert (await cloud.tenant.ask("POST", "/network/v2.0/subnets", subnet)).status == 201
        made.append(network_id)
    return made


async def boots(cloud: Whole, networks: list[str]) -> list[Said]:
    """The answers to fifty boots at once, spread over networks and AZs."""
    return await asyncio.gather(
        *(
            servers.boot(
                cloud,
                cloud.tenant,
                networks=[{"uuid": networks[number % NETWORKS]}],
                availability_zone=f"az{number % 2 + 1}",
            )
            for number in range(BOOTS)
        )
    )


def marks(cloud: Whole, pod: str, noun: str) -> Counter[str]:
    """How often each mark of ours is on what a pod's Neutron has."""
    found = [str(one.get("description", "")) for one in cloud.pods[pod].neutron.resources[noun].values()]
    return Counter(mark for mark in found if mark.startswith("tricircle:"))


def twins(cloud: Whole) -> list[str]:
    """What was made twice in a pod."""
    nouns = ("networks", "subnets", "ports", "security_groups")
    made = [(pod, noun, marks(cloud, pod, noun)) for pod in cloud.pods for noun in nouns]
    return [f"{pod} {noun} {mark}" for pod, noun, found in made for mark, times in found.items() if times > 1]
