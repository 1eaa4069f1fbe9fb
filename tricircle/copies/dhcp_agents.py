# SPDX-License-Identifier: Apache-2.0
"""How many DHCP agents of a pod serve a network there? Each needs an address of every subnet of its own.

A pod's Neutron gives a network to ``dhcp_agents_per_network`` of its agents, a number that no API shows, and only when
the network has its first port. An agent that gets no address tries again by itself, every few seconds.
"""

from collections import Counter
from collections.abc import Mapping

from tricircle.context import Deadline
from tricircle.copies.bodies import rows, text
from tricircle.copies.reach import Reach, may_offer
from tricircle.model.pod import DHCP_AGENTS, Pod

#: Without it (ML2/OVN) there are no agents to choose.
EXTENSION = "dhcp_agent_scheduler"
_KIND = "DHCP agent"


def may_be_several(pod: Pod) -> bool:
    """Whether a network may have more than one in the pod, by what its last survey saw."""
    count = pod.facts.get(DHCP_AGENTS)
    return isinstance(count, int) and count > 1


async def serving(reach: Reach, pod: Pod, pod_network_id: str, deadline: Deadline) -> int:
    """How many serve a network of the pod; 0: none yet, or there is no such thing."""
    if not may_offer(pod, EXTENSION):
        return 0
    path = f"/v2.0/networks/{pod_network_id}/dhcp-agents"
    return len(rows(await reach.network(pod).get(path, deadline=deadline, ok=(404,)), "agents"))


async def served(reach: Reach, pod: Pod, deadline: Deadline) -> Mapping[str, int]:
    """The same of all networks that have more than one, by their ids in the pod. A call for each agent, if it has
    several."""
    if not may_offer(pod, EXTENSION):
        return {}
    client = reach.network(pod)
    agents = rows(await client.get("/v2.0/agents", params={"agent_type": _KIND}, deadline=deadline), "agents")
    counts: Counter[str] = Counter()
    for agent in agents if len(agents) > 1 else ():
        path = f"/v2.0/agents/{text(agent, 'id')}/dhcp-networks"
        answer = await client.get(path, deadline=deadline, ok=(404,))
        counts.update(text(network, "id") for network in rows(answer, "networks"))
    return {network_id: count for network_id, count in counts.items() if count > 1}
