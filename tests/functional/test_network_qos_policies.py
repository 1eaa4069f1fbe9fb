# SPDX-License-Identifier: Apache-2.0
"""QoS policies of the centre on ports and networks, realised in two real pods."""

import pytest

from tests.functional.network_world import Json, World
from tricircle.model.routing import Kind

pytestmark = pytest.mark.lab

LIMITS, MARKS = "bandwidth_limit_rules", "dscp_marking_rules"


def _policy(world: World, name: str) -> Json:
    """A policy of the operator's that every tenant may use, as in any cloud."""
    policy = world.service.make("qos/policies", "policy", name=name, shared=True)
    world.made.append(("qos/policies", policy["id"]))
    return policy


def _rule(world: World, policy: Json, collection: str, **values: object) -> Json:
    return world.service.make(f"qos/policies/{policy['id']}/{collection}", collection.removesuffix("s"), **values)


def _copies(world: World, number: int, policy: Json) -> list[Json]:
    return world.inside[number].list("qos/policies", "policies", description=f"tricircle:{policy['id']}")


def _said(policy: Json) -> set[tuple[object, ...]]:
    return {
        (rule["type"], rule.get("direction"), rule.get("max_kbps"), rule.get("dscp_mark")) for rule in policy["rules"]
    }


async def test_policies_of_ports_and_networks_follow_and_go(world: World) -> None:
    of_network, of_port = _policy(world, "silver"), _policy(world, "gold")
    _rule(world, of_network, LIMITS, max_kbps=3000)
    limit = _rule(world, of_port, LIMITS, max_kbps=1000, direction="ingress")
    network = world.network(qos_policy_id=of_network["id"])
    world.subnet(network)
    ports = [world.port(network, pod, qos_policy_id=of_port["id"]) for pod in world.pods]
    shown = []
    for number, port in enumerate(ports):
        routing = await world.ports.ensure(world.pods[number], port, deadline=world.deadline())
        shown.append(world.inside[number].show("ports", "port", routing.pod_resource_id))
        (gold,), (silver,) = _copies(world, number, of_port), _copies(world, number, of_network)
        assert shown[number]["qos_policy_id"] == gold["id"]
        assert shown[number]["qos_network_policy_id"] == silver["id"]
        assert _said(gold) == {("bandwidth_limit", "ingress", 1000, None)}
        assert (gold["name"], gold["shared"], gold["is_default"]) == ("gold", False, False)
        assert gold["project_id"] != shown[number]["project_id"]

    path = f"qos/policies/{of_port['id']}"
    world.service.change(f"{path}/{LIMITS}", "bandwidth_limit_rule", limit["id"], max_kbps=2000)
    _rule(world, of_port, MARKS, dscp_mark=14)
    world.service.change("qos/policies", "policy", of_port["id"], name="platinum")
    wanted = {("bandwidth_limit", "ingress", 2000, None), ("dscp_marking", None, None, 14)}

    def has_followed(number: int) -> bool:
        (copy,) = _copies(world, number, of_port)
        return copy["name"] == "platinum" and _said(copy) == wanted

    await world.until(lambda: has_followed(0) and has_followed(1))
    assert world.service.delete(f"{path}/{LIMITS}", limit["id"]) == 204
    await world.until(lambda: _said(_copies(world, 0, of_port)[0]) == {("dscp_marking", None, None, 14)})

    for port in ports:
        world.demo.change("ports", "port", port["id"], qos_policy_id=None)
    world.demo.change("networks", "network", network["id"], qos_policy_id=None)

    def is_free() -> bool:
        now = [world.inside[number].show("ports", "port", shown[number]["id"]) for number in (0, 1)]
        return all(port["qos_policy_id"] is None and port["qos_network_policy_id"] is None for port in now)

    await world.until(is_free)
    for policy in (of_port, of_network):
        assert world.service.delete("qos/policies", policy["id"]) == 204
    await world.until(lambda: not [one for n in (0, 1) for p in (of_port, of_network) for one in _copies(world, n, p)])
    await world.settled()
    for policy in (of_port, of_network):
        assert not await world.reach.routings.copies_of(Kind.QOS_POLICY, str(policy["id"]))


async def test_a_policy_that_a_port_gets_while_it_is_in_a_pod(world: World) -> None:
    policy = _policy(world, "late")
    _rule(world, policy, LIMITS, max_kbps=500)
    network = world.network()
    world.subnet(network)
    port = world.port(network, world.pods[0])
    routing = await world.ports.ensure(world.pods[0], port, deadline=world.deadline())
    world.demo.change("ports", "port", port["id"], qos_policy_id=policy["id"])

    def has_it() -> bool:
        copies = _copies(world, 0, policy)
        now = world.inside[0].show("ports", "port", routing.pod_resource_id)
        return [now["qos_policy_id"]] == [copy["id"] for copy in copies]

    await world.until(has_it)


async def test_a_change_and_its_job_are_one(world: World) -> None:
    policy = _policy(world, "nowhere")
    _rule(world, policy, LIMITS, max_kbps=500)
    await world.settled()
    assert not _copies(world, 0, policy), "nothing is made before something needs it"
