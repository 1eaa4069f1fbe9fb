# SPDX-License-Identifier: Apache-2.0
"""How many seconds pass until a new member of a group is known in two pods, and until one that goes is known in none?

Against the running lab and its worker: ``python -m benchmarks.security_groups``. Seconds count from the request to the
central Neutron until the address groups of both real pods show it, by asking them every 20 ms.
"""

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence

from tests.functional.network_world import Json, World, open_world

_ROUNDS = 10


async def _seconds(change: Callable[[], object], is_seen: Callable[[], bool]) -> float:
    began = time.monotonic()
    await asyncio.to_thread(change)
    while not await asyncio.to_thread(is_seen):
        if time.monotonic() - began > 120:
            raise TimeoutError("a pod does not follow")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def _known(world: World, group: Json) -> list[set[str]]:
    found = [world.marked(number, "address-groups", group["id"]) for number in (0, 1)]
    return [set(groups[0]["addresses"]) if groups else set() for groups in found]


async def _measure(world: World) -> tuple[list[float], list[float]]:
    network = world.network()
    world.subnet(network)
    group = world.demo.make("security-groups", "security_group", name=f"bench-{uuid.uuid4().hex[:8]}")
    world.made.insert(0, ("security-groups", group["id"]))
    rule = {"direction": "ingress", "remote_group_id": group["id"]}
    world.demo.make("security-group-rules", "security_group_rule", security_group_id=group["id"], **rule)
    for pod in world.pods:
        await world.groups.ensure(pod, str(group["id"]), world.deadline())
    opened, closed = [], []
    for _ in range(_ROUNDS):
        made: list[Json] = []

        def create(made: list[Json] = made) -> None:
            wanted = {"network_id": network["id"], "security_groups": [group["id"]]}
            made.append(world.demo.make("ports", "port", **wanted))

        def is_in_both(made: list[Json] = made) -> bool:
            address = f"{made[0]['fixed_ips'][0]['ip_address']}/32"
            return all(address in known for known in _known(world, group))

        def delete(made: list[Json] = made) -> None:
            world.demo.delete("ports", made[0]["id"])

        opened.append(await _seconds(create, is_in_both))
        closed.append(await _seconds(delete, lambda: not any(_known(world, group))))
    return opened, closed


def _said(name: str, seconds: Sequence[float]) -> str:
    return f"{name}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s, of {len(seconds)}"


async def _main() -> None:
    async with open_world() as world:
        opened, closed = await _measure(world)
    sys.stdout.write(_said("a member comes, until 2 pods know it", opened) + "\n")
    sys.stdout.write(_said("a member goes, until 2 pods have let go", closed) + "\n")


if __name__ == "__main__":
    asyncio.run(_main())
