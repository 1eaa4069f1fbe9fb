# SPDX-License-Identifier: Apache-2.0
"""What do operators see of a network over all pods, by the Admin API and by the commands? Of real services."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.functional.commands import openstack, shown
from tests.functional.network_world import World
from tests.functional.region_world import Region, eventually
from tricircle.model.routing import Kind, Routing

pytestmark = pytest.mark.lab

WORDS = ("multiregion", "networking")


async def _drawn(world: World) -> dict[Kind, str]:
    """The ids of a network in two pods, of its subnet, and of a port in the second pod."""
    network = world.network()
    subnet = world.subnet(network)
    ports = [world.port(network, pod) for pod in world.pods]
    for pod, port in zip(world.pods, ports, strict=True):
        await world.ports.ensure(pod, port, details={"origin": "user"}, deadline=world.deadline())
    return {Kind.NETWORK: str(network["id"]), Kind.SUBNET: str(subnet["id"]), Kind.PORT: str(ports[1]["id"])}


async def _rows(world: World, ids: dict[Kind, str]) -> list[Routing]:
    """Their routings in the second pod."""
    found = [await world.reach.routings.copy_in(kind, one, world.pods[1].id) for kind, one in ids.items()]
    return [row for row in found if row is not None]


def _topology(region: Region, network_id: str) -> Any:
    said = region.operate("GET", f"/topologies/{network_id}")
    return said.json()["topology"] if said.status_code == 200 else None


async def test_commands_show_what_is_where(world: World, region: Region) -> None:
    ids = await _drawn(world)
    network_id = ids[Kind.NETWORK]
    name = str(world.demo.show("networks", "network", network_id)["name"])
    spare = world.demo.make("ports", "port", network_id=network_id, name="spare")

    def look() -> tuple[Any, Any, Any]:
        by_name = shown(*WORDS, "topology", "show", name)
        routings = shown(*WORDS, "routing", "list", "--top-id", ids[Kind.PORT])
        return by_name, routings, shown(*WORDS, "routing", "show", str(routings[0]["id"]))

    rows, routings, routing = await asyncio.to_thread(look)
    assert {(row["resource_type"], row["pod_name"]) for row in rows if row["id"] in ids.values()} == {
        ("network", "Pod1"), ("network", "Pod2"), ("subnet", "Pod1"), ("subnet", "Pod2"), ("port", "Pod2"),
    }  # fmt: skip
    (port,) = (row for row in rows if row["id"] == ids[Kind.PORT])
    (inside,) = world.marked(1, "ports", ids[Kind.PORT])
    assert (port["in_pod"], port["az_name"], port["pod_state"]) == (inside["id"], "az2", "enabled")
    assert (port["status"], port["state"], port["is_adopted"], port["jobs"]) == ("DOWN", "bound", False, [])
    (unplaced,) = (row for row in rows if row["id"] == spare["id"])
    assert (unplaced["pod_name"], unplaced["status"], unplaced["name"]) == ("-", "DOWN", "spare")
    assert [(row["pod_name"], row["bottom_id"], row["state"]) for row in routings] == [("Pod2", inside["id"], "bound")]
    assert routing["details"] | {"origin": "user", "network_id": network_id} == routing["details"]

    world.network(name=name)
    many = await asyncio.to_thread(openstack, *WORDS, "topology", "show", name)
    assert many.returncode != 0
    assert "2 networks have the name" in many.stderr
    assert network_id in many.stderr
    none = await asyncio.to_thread(openstack, *WORDS, "topology", "show", f"{name}-not")
    assert "No network with the name or id" in none.stderr


async def test_pieces_of_a_deleted_network_are_shown_until_the_pod_lets_go(world: World, region: Region) -> None:
    ids = await _drawn(world)
    network_id = ids[Kind.NETWORK]
    async with AsyncExitStack() as stack:
        for row in await _rows(world, ids):
            await stack.enter_async_context(world.reach.holding(row, world.deadline(240)))
        for port in world.service.list("ports", network_id=network_id, device_owner="compute:az"):
            assert world.service.delete("ports", port["id"]) == 204
        assert world.demo.delete("networks", network_id) == 204
        # The first pod lets go of all of it; the second one cannot as long as somebody works on the rows.
        seen = await asyncio.to_thread(
            eventually,
            lambda: _topology(region, network_id),
            lambda found: found is not None and [pod["pod_name"] for pod in found["pods"]] == ["Pod2"],
            "only Pod2 is left",
        )
        pieces = {piece["resource_type"]: piece for piece in seen["pods"][0]["pieces"]}
        assert {kind: piece["id"] for kind, piece in pieces.items()} == {str(kind): one for kind, one in ids.items()}
        assert {piece["state"] for piece in pieces.values()} == {"leaving"}
        assert all(piece["jobs"] for piece in pieces.values())
        rows = await asyncio.to_thread(shown, *WORDS, "topology", "show", network_id)
        assert {row["id"] for row in rows if row["state"] == "leaving"} == set(ids.values())
    await asyncio.to_thread(
        eventually, lambda: _topology(region, network_id), lambda found: found is None, "nothing is left of it"
    )
