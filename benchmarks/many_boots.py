# SPDX-License-Identifier: Apache-2.0
"""What do fifty boots at once on ten new networks over three pods cost, beside the same made in the pods by hand?

``python -m benchmarks.many_boots``: the whole gateway in this process, before fake pods on real sockets and with a real
MariaDB. Each round is once through the gateway and once directly, where a patient tenant of three clouds makes the
networks in each pod and then all ports and servers at once, by the calls that stock clients send. Exit code 1 when a
boot was refused or anything was made twice.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from tests import mariadb
from tests.api.doors import crowd
from tests.api.whole import Whole, whole
from tricircle.conf.settings import DatabaseSettings
from tricircle.store import schema

_ROUNDS = 3
_FLAVOR = "by-hand"
_FIGURES = ("seconds", "processor_s", "calls")
Json = dict[str, Any]


def _asked(cloud: Whole) -> Counter[str]:
    """How often each pod was asked until now."""
    return Counter(
        {name: sum(len(service.calls) for service in pod.services.values()) for name, pod in cloud.pods.items()}
    )


async def _at_the_gateway(cloud: Whole) -> Json:
    networks = await crowd.prepared(cloud)
    before, began, busy = _asked(cloud), time.monotonic(), time.process_time()
    said = await crowd.boots(cloud, networks)
    seconds, processor = time.monotonic() - began, time.process_time() - busy
    calls = (_asked(cloud) - before).total()
    listed = (await cloud.tenant.ask("GET", "/compute/v2.1/servers?limit=1000")).json()["servers"]
    return {
        "seconds": seconds,
        "processor_s": processor,
        "calls": calls,
        "refused": sum(one.status != 202 for one in said),
        "made_twice": len(crowd.twins(cloud)),
        "servers": len(listed),
    }


class _Tenant:
    """A tenant of one pod that knows the pod."""

    def __init__(self, cloud: Whole, pod: str, session: aiohttp.ClientSession) -> None:
        self._root = cloud.ports[pod].url
        self._session = session
        self._tokens = {name: cloud.identities.sign_in(name, "secret", name) for name in ("demo", "admin")}
        self._limits = f"/compute/v2.1/os-quota-sets/{cloud.project_id('demo')}"
        self._image_id = cloud.image_id
        self.networks: list[str] = []

    async def make(self, path: str, member: str, body: Json, who: str = "demo") -> Json:
        headers = {"X-Auth-Token": self._tokens[who], "OpenStack-API-Version": "compute 2.90"}
        async with self._session.post(self._root + path, json={member: body}, headers=headers) as answer:
            said: Json = await answer.json()
            assert member in said, said
            made: Json = said[member]
            return made

    async def prepare(self) -> None:
        """What the pod's operator does for the tenant."""
        wanted = {"id": _FLAVOR, "name": _FLAVOR, "ram": 64, "vcpus": 1, "disk": 1}
        await self.make("/compute/v2.1/flavors", "flavor", wanted, "admin")
        limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        headers = {"X-Auth-Token": self._tokens["admin"]}
        async with self._session.put(self._root + self._limits, json=limits, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def network(self, number: int) -> None:
        network = await self.make("/network/v2.0/networks", "network", {"name": f"own{number}"})
        subnet = {"network_id": network["id"], "cidr": f"10.1.{number}.0/24", "ip_version": 4}
        await self.make("/network/v2.0/subnets", "subnet", subnet)
        self.networks.append(str(network["id"]))

    async def boot(self, number: int) -> None:
        port = {"network_id": self.networks[number % crowd.NETWORKS]}
        made = await self.make("/network/v2.0/ports", "port", port)
        networks = [{"port": made["id"]}]
        wanted = {"name": "vm", "flavorRef": _FLAVOR, "imageRef": self._image_id, "networks": networks}
        await self.make("/compute/v2.1/servers", "server", wanted)


async def _by_hand(cloud: Whole) -> Json:
    async with aiohttp.ClientSession() as session:
        tenants = [_Tenant(cloud, pod, session) for pod in cloud.pods]
        for one in tenants:
            await one.prepare()
        before, began, busy = _asked(cloud), time.monotonic(), time.process_time()
        await asyncio.gather(*(one.network(number) for one in tenants for number in range(crowd.NETWORKS)))
        boots = (tenants[n % len(tenants)].boot(n // len(tenants)) for n in range(crowd.BOOTS))
        await asyncio.gather(*boots)
    seconds, processor = time.monotonic() - began, time.process_time() - busy
    return {"seconds": seconds, "processor_s": processor, "calls": (_asked(cloud) - before).total()}


async def _round(url: str, folder: Path) -> tuple[Json, Json]:
    async with whole(crowd.PLAN, url, folder) as cloud:
        return await _at_the_gateway(cloud), await _by_hand(cloud)


def _measured() -> tuple[list[Json], list[Json]]:
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name, mariadb.server(Path(name, "mariadb")) as server:
        for number in range(_ROUNDS):
            server.run(f"CREATE DATABASE round_{number}")
            url = server.url(f"round_{number}")
            schema.upgrade(DatabaseSettings(connection=url), "head")
            mine, direct = asyncio.run(_round(url, Path(name)))
            ours.append(mine)
            theirs.append(direct)
    return ours, theirs


def _medians(rounds: list[Json]) -> Json:
    return {name: round(statistics.median(one[name] for one in rounds), 2) for name in _FIGURES}


def main() -> int:
    """Exit code 1 when the fifty boots made anything but fifty servers and everything else once."""
    ours, theirs = _measured()
    totals = {name: sum(one[name] for one in ours) for name in ("refused", "made_twice", "servers")}
    pairs = [{name: mine[name] / direct[name] for name in _FIGURES} for mine, direct in zip(ours, theirs, strict=True)]
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    halves = {"gateway": _medians(ours), "by_hand": _medians(theirs), "ratios": _medians(pairs)}
    sys.stdout.write(json.dumps({"machine": machine, "rounds": _ROUNDS, **halves, **totals}, indent=2) + "\n")
    return 0 if totals == {"refused": 0, "made_twice": 0, "servers": _ROUNDS * crowd.BOOTS} else 1


if __name__ == "__main__":
    sys.exit(main())
