# SPDX-License-Identifier: Apache-2.0
"""What does it cost to sweep a pod in which everything agrees, and how does that grow?

``python -m benchmarks.sweep [--save]``. A pretended pod and centre with 1,000 servers, 1,000 ports and 200 networks,
and with ten times that; the ledger is SQLite in memory. Aim: calls grow with pages, not with objects; ten times the
objects take at most twelve times as long; memory holds a page and not the pod.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from benchmarks.pretended_pod import DEMO, HOST, Cloud, Size, agreeing, pretended
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.conf.settings import CentralSettings, DatabaseSettings, UpstreamSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.ensure import Ensure
from tricircle.copies.owner import Owner
from tricircle.copies.reach import Reach
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import JobRun
from tricircle.ledger.leases import Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.pods.registry import Registry
from tricircle.store import tables
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

RESULTS = Path(__file__).resolve().parent / "results"
SIZES = (Size(servers=1_000, ports=1_000, networks=200), Size(servers=10_000, ports=10_000, networks=2_000))
POD = PodId("pod-1")
_SERVICES = (Service.COMPUTE, Service.BLOCK_STORAGE, Service.NETWORK)
_ROWS = 1000


class _Tokens:
    async def token(self, _deadline: Deadline) -> str:
        return "token"


async def swept(size: Size, port: int) -> dict[str, Any]:
    """Seconds of processor and of the clock, memory in MB at most, and the report of one sweep."""
    engine = create_engine(DatabaseSettings(connection="sqlite://"))
    pools = Pools(UpstreamSettings())
    try:
        await _fill(engine, agreeing(size), f"http://127.0.0.1:{port}/pod")
        reach = _reach(engine, pools, f"http://127.0.0.1:{port}/centre")
        sweeps = Sweeps(reach, Inventory(reach.clients, reach.registry), in_flight_s=180.0)
        cpu, clock = time.process_time(), time.perf_counter()
        report = await sweeps.agree(_run())
        spent = {
            "seconds": round(time.perf_counter() - clock, 2),
            "processor_s": round(time.process_time() - cpu, 2),
        }
        # Once more, because looking at the memory takes time.
        tracemalloc.start()
        await sweeps.agree(_run())
        peak_mb = round(tracemalloc.get_traced_memory()[1] / 2**20, 1)
        tracemalloc.stop()
        return {**spent, "peak_memory_mb": peak_mb, "report": report}
    finally:
        await pools.close()
        await engine.dispose()


def _reach(engine: Engine, pools: Pools, root: str) -> Reach:
    clients = Clients(pools, _Tokens())
    names = ("compute_url", "block_storage_url", "image_url", "network_url", "identity_url")
    registry = Registry(engine, CentralSettings(**dict.fromkeys(names, root)))
    leases, routings = Leases(engine), Routings(engine)
    return Reach(
        ensure=Ensure(leases, routings),
        leases=leases,
        routings=routings,
        registry=registry,
        clients=clients,
        central=Central(clients, registry.central),
        queue=Queue(engine),
        owner=Owner(),
    )


async def _fill(engine: Engine, cloud: Cloud, root: str) -> None:
    """The tables, the pod, and a routing for everything."""
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    endpoints = {service: Endpoint(service=service, url=root, max_version="3.71") for service in _SERVICES}
    endpoints[Service.COMPUTE] = Endpoint(service=Service.COMPUTE, url=root, max_version="2.104")
    async with transaction(engine, within_s=60) as connection:
        await PodRows.insert(connection, Pod(id=POD, name=HOST, az_name="az1", endpoints=endpoints))
    rows = [
        {
            "central_id": central_id,
            "kind": kind.value,
            "pod_id": POD,
            "project_id": DEMO,
            "pod_resource_id": pod_id,
            "revision": "1",
            "details": details,
        }
        for kind, central_id, pod_id, details in cloud.routings
    ]
    for at in range(0, len(rows), _ROWS):
        async with transaction(engine, within_s=60) as connection:
            await connection.execute(tables.routings.insert(), rows[at : at + _ROWS])


def _run() -> JobRun:
    return JobRun(
        type=JobType.SWEEP,
        resource_id=POD,
        pod_id=POD,
        project_id=ProjectId(""),
        revision=None,
        payload={},
        deadline=Deadline.after(3600),
    )


def measured(size: Size) -> dict[str, Any]:
    """One sweep, with what the pretended services were asked."""
    with pretended(size) as (port, pipe):
        result = asyncio.run(swept(size, port))
        pipe.send(True)
        # There were two sweeps; who owns networks was asked once.
        calls = {path: max(1, count // 2) for path, count in cast("dict[str, int]", pipe.recv()).items()}
    report = result.pop("report")
    objects = sum(report["seen"].values())
    return {
        "size": asdict(size),
        "objects": objects,
        "pages": report["pages"],
        "calls": sum(calls.values()),
        "calls_to_the_pod": sum(count for path, count in calls.items() if path.startswith("pod ")),
        "calls_to_the_centre": sum(count for path, count in calls.items() if path.startswith("centre ")),
        "objects_per_call": round(objects / sum(calls.values()), 1),
        "found": report["found"],
        "incomplete": report["incomplete"],
        **result,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 when something was found, or the growth is not as aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write the result below benchmarks/results")
    arguments = parser.parse_args(argv)
    small, large = (measured(size) for size in SIZES)
    ratios = {name: round(large[name] / small[name], 1) for name in ("objects", "calls", "seconds", "processor_s")}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    result = {"at": datetime.now(UTC).isoformat(), "machine": machine, "sweeps": [small, large], "ratios": ratios}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    if arguments.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "sweep.json").write_text(json.dumps(result, indent=2) + "\n")
    is_good = not any(one["found"] or one["incomplete"] for one in (small, large))
    return 0 if is_good and ratios["seconds"] <= 12 and ratios["calls"] <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
