# SPDX-License-Identifier: Apache-2.0
"""How many seconds pass until a new member of a group is known in two pods, and until one that goes is known in none?

Against the running lab and its worker: ``python -m benchmarks.security_groups``. Seconds count from the request to the
central Neutron until the address groups of both real pods show it, by asking them every 20 ms. Beside it the same port
made and deleted directly in one pod in turn, by stock calls, until the pod shows it: a cloud of its own knows its
members from then on.
"""

import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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


@dataclass(kw_only=True)
class _Seconds:
    """Of every round, until a port came and until it went."""

    opened: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)


class _Direct:
    """The same in the first pod alone, as its operator does it."""

    def __init__(self, world: World) -> None:
        self._pod = world.inside[0]
        network = self._pod.make("networks", "network", name=f"bench-{uuid.uuid4().hex[:8]}")
        self._network_id = network["id"]
        self._pod.make("subnets", "subnet", network_id=self._network_id, ip_version=4, cidr="10.20.0.0/24")
        self._group = self._pod.make("security-groups", "security_group", name=f"bench-{uuid.uuid4().hex[:8]}")
        rule = {"direction": "ingress", "remote_group_id": self._group["id"]}
        self._pod.make("security-group-rules", "security_group_rule", security_group_id=self._group["id"], **rule)

    async def measure(self, seconds: _Seconds) -> None:
        made: list[Json] = []

        def create() -> None:
            wanted = {"network_id": self._network_id, "security_groups": [self._group["id"]]}
            made.append(self._pod.make("ports", "port", **wanted))

        def is_shown() -> bool:
            return self._pod.show("ports", "port", made[0]["id"]) is not None

        seconds.opened.append(await _seconds(create, is_shown))
        seconds.closed.append(await _seconds(lambda: self._pod.delete("ports", made[0]["id"]), lambda: not is_shown()))

    def clean(self) -> None:
        self._pod.delete("networks", self._network_id)
        self._pod.delete("security-groups", self._group["id"])


async def _measure(world: World) -> tuple[_Seconds, _Seconds]:
    network = world.network()
    world.subnet(network)
    group = world.demo.make("security-groups", "security_group", name=f"bench-{uuid.uuid4().hex[:8]}")
    world.made.insert(0, ("security-groups", group["id"]))
    rule = {"direction": "ingress", "remote_group_id": group["id"]}
    world.demo.make("security-group-rules", "security_group_rule", security_group_id=group["id"], **rule)
    for pod in world.pods:
        await world.groups.ensure(pod, str(group["id"]), world.deadline())
    ours, beside, direct = _Seconds(), _Seconds(), _Direct(world)
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

        ours.opened.append(await _seconds(create, is_in_both))
        ours.closed.append(await _seconds(delete, lambda: not any(_known(world, group))))
        await direct.measure(beside)
    direct.clean()
    return ours, beside


def _said(name: str, ours: Sequence[float], beside: Sequence[float]) -> str:
    median, direct = statistics.median(ours), statistics.median(beside)
    times = f"median {median:.2f} s, longest {max(ours):.2f} s, of {len(ours)}"
    return f"{name}: {times}; directly in one pod {direct:.2f} s; ratio {median / direct:.1f}\n"


async def _main() -> None:
    async with open_world() as world:
        ours, beside = await _measure(world)
    sys.stdout.write(_said("a member comes, until 2 pods know it", ours.opened, beside.opened))
    sys.stdout.write(_said("a member goes, until 2 pods have let go", ours.closed, beside.closed))
    sys.stdout.write(f"load average {', '.join(f'{number:.0f}' for number in os.getloadavg())}\n")


if __name__ == "__main__":
    asyncio.run(_main())
