# SPDX-License-Identifier: Apache-2.0
"""Is a pod wired to the physical network of a network of the centre?

Its agents have told at the last survey which they are wired to. When that speaks against the pod, it is asked anew:
wires are laid without telling us. A pod whose agents tell nothing has what its Neutron accepts.
"""

from collections.abc import Iterable

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, text, words
from tricircle.copies.network_refusals import no_wire
from tricircle.copies.reach import Reach
from tricircle.model.pod import WIRES, Pod
from tricircle.pods.survey import physical_networks

_PHYSNET = "provider:physical_network"


def is_wired(pod: Pod, physnet: str) -> bool | None:
    """Whether the pod's agents are known to be wired to a physical network of the centre; None when they told nothing.

    >>> from tricircle.context import PodId
    >>> facts = {"wires": ["physnet7"], "physical_networks": {"wan": "physnet7"}}
    >>> pod = Pod(id=PodId("1"), name="Pod1", az_name="az1", facts=facts)
    >>> is_wired(pod, "wan"), is_wired(pod, "far")
    (True, False)
    """
    known = words(pod.facts, WIRES)
    return pod.physical_networks.get(physnet, physnet) in known if known else None


def uneven(pods: Iterable[Pod]) -> frozenset[str]:
    """The physical networks, by their names at the centre, that some of the pods are known to have and some to lack."""
    known = []
    for pod in pods:
        central = {own: name for name, own in pod.physical_networks.items()}
        if wires := words(pod.facts, WIRES):
            known.append(frozenset(central.get(wire, wire) for wire in wires))
    return frozenset().union(*known) - frozenset.intersection(*known) if known else frozenset()


async def check_wire(reach: Reach, pod: Pod, network: Body, deadline: Deadline) -> None:
    """Costs nothing where the pod has the wire.

    :raises ConflictError: it has not; the text says which AZs have
    """
    physnet = text(network, _PHYSNET)
    if not physnet or is_wired(pod, physnet) is not False:
        return
    answer = await reach.network(pod).get("/v2.0/agents", deadline=deadline)
    wires = physical_networks(answer.get("agents"))
    if wires and pod.physical_networks.get(physnet, physnet) not in wires:
        zones = {one.az_name for one in await reach.registry.accepting() if one.id != pod.id and is_wired(one, physnet)}
        raise no_wire(pod, network, zones)
