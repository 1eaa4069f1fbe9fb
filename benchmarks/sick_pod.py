# SPDX-License-Identifier: Apache-2.0
"""What does one sick pod cost the users of the others, and how soon is it missed no more?

``python -m benchmarks.sick_pod [--seconds N] [--only NAME ...]``. The gateway is the real program, with SQLite; three
fake pods, the centre and a stub Keystone are processes of their own. A steady load of shows and creates goes to two
pods, and of lists to all three, before, while and after the third one is sick in each way. Nobody waits for an answer
before the next call is sent, so a slow answer delays no other. Ratios compare *while* with *before* of the same run.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks.fake_pod import ILLNESSES
from benchmarks.stage import ROOT, free_ports, start_python, wait_for
from benchmarks.stub_keystone import TOKEN
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.store.engine import create_engine
from tricircle.store.pods import PodRows
from tricircle.store.tables import metadata

PROBE_S = 5.0
#: Calls per second.
RATES = {"show": 20.0, "list": 5.0, "create": 1.0}
MARK = "OpenStack-Incomplete-AZs"
_VOLUMES = "/volume/v3/volumes"
_BETWEEN_S = 0.5
_CONFIG = """
[DEFAULT]
log_file = {folder}/gateway.log
[database]
connection = sqlite+aiosqlite:///{folder}/tricircle.sqlite
[gateway]
port = {port}
admin_port = {admin_port}
public_endpoint = http://127.0.0.1:{port}
token_cache_s = 60
[central]
identity_url = http://127.0.0.1:{keystone}
compute_url = http://127.0.0.1:{centre}/compute
block_storage_url = http://127.0.0.1:{centre}/volume
image_url = http://127.0.0.1:{centre}/image
network_url = http://127.0.0.1:{centre}/network
[upstream]
breaker_probe_s = {probe_s}
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:{keystone}/v3
username = tricircle
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
[service_user]
auth_type = password
auth_url = http://127.0.0.1:{keystone}/v3
username = tricircle
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
"""
_PLACES = {
    Service.COMPUTE: ("/compute", "/v2.1", "2.1", "2.96"),
    Service.BLOCK_STORAGE: ("/volume", "/v3", "3.0", "3.71"),
    Service.NETWORK: ("/network", "", None, None),
}


class PodProcess:
    """One fake pod, and how to make it ill."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._line())

    def be(self, word: str) -> None:
        """Fall ill, or get ``well``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._line() == word

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Seen:
    """What came back in one phase. Times in seconds."""

    spent: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in RATES})
    failed: int = 0
    marked: int = 0
    wrong: int = 0

    def part(self, name: str, share: float) -> float:
        """A quantile in milliseconds."""
        times = sorted(self.spent[name]) or [float("nan")]
        return times[min(int(len(times) * share), len(times) - 1)] * 1000


class Load:
    """The steady load. ``now`` is the phase that answers are counted for: the one in which they were asked."""

    def __init__(self, session: aiohttp.ClientSession, front: str, ids: list[str]) -> None:
        self._session, self._front, self._ids = session, front, ids
        self.now = Seen()
        self.whole_at: float | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, rate in RATES.items():
                group.create_task(self._beat(name, 1 / rate))

    async def _beat(self, name: str, pause_s: float) -> None:
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        while True:
            task = asyncio.create_task(self._one(getattr(self, f"_{name}"), self.now, number))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            due, number = due + pause_s, number + 1
            await asyncio.sleep(max(0.0, due - loop.time()))

    @staticmethod
    async def _one(ask: Callable[[Seen, int], Awaitable[None]], seen: Seen, number: int) -> None:
        try:
            await ask(seen, number)
        except aiohttp.ClientError:
            seen.failed += 1

    async def end(self) -> None:
        """Wait for no answer any more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _call(self, method: str, path: str, body: object = None) -> tuple[int, Any, str | None]:
        async with self._session.request(method, self._front + path, json=body) as answer:
            is_json = answer.content_type == "application/json" and answer.status != 204
            return answer.status, await answer.json() if is_json else None, answer.headers.get(MARK)

    async def _show(self, seen: Seen, number: int) -> None:
        started = time.perf_counter()
        status, _, _ = await self._call("GET", f"{_VOLUMES}/{self._ids[number % 2]}")
        seen.spent["show"].append(time.perf_counter() - started)
        seen.failed += status != 200

    async def _list(self, seen: Seen, _number: int) -> None:
        started = time.perf_counter()
        status, body, mark = await self._call("GET", f"{_VOLUMES}/detail")
        seen.spent["list"].append(time.perf_counter() - started)
        seen.failed += status != 200
        if status != 200:
            return
        found = {one["id"] for one in body["volumes"]}
        seen.marked += mark is not None
        seen.wrong += not set(self._ids[:2]) <= found or (mark is None and self._ids[2] not in found)
        if mark is None and self.whole_at is None:
            self.whole_at = time.perf_counter()

    async def _create(self, seen: Seen, number: int) -> None:
        started = time.perf_counter()
        wanted = {"size": 1, "name": "b", "availability_zone": f"az{number % 2 + 1}"}
        status, body, _ = await self._call("POST", _VOLUMES, {"volume": wanted})
        seen.spent["create"].append(time.perf_counter() - started)
        seen.failed += status != 202
        if status == 202:
            await self._call("DELETE", f"{_VOLUMES}/{body['volume']['id']}")


@dataclass(frozen=True)
class Outcome:
    """One illness: the phases, and how long after the recovery the first complete list was asked for."""

    before: Seen
    during: Seen
    after: Seen
    whole_s: float


async def _suffer(load: Load, pod: PodProcess, illness: str, seconds: float) -> Outcome:
    loop = asyncio.get_running_loop()
    before = load.now = Seen()
    await asyncio.sleep(seconds / 2)
    load.now = Seen()  # what is asked now may be answered in the next phase: it counts for none
    await asyncio.sleep(_BETWEEN_S)
    await loop.run_in_executor(None, pod.be, illness)
    during = load.now = Seen()
    await asyncio.sleep(seconds)
    await loop.run_in_executor(None, pod.be, "well")
    well_at = time.perf_counter()
    after, load.whole_at = Seen(), None
    load.now = after
    await asyncio.sleep(max(seconds / 2, PROBE_S + 2))
    whole_s = (load.whole_at or float("inf")) - well_at
    return Outcome(before, during, after, whole_s)


async def measure(front: str, pods: list[PodProcess], illnesses: list[str], seconds: float) -> dict[str, Outcome]:
    """All outcomes; the third pod is the one that falls ill."""
    headers = {"X-Auth-Token": TOKEN, "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        ids = []
        for zone in ("az1", "az2", "az3"):
            wanted = {"size": 1, "availability_zone": zone}
            async with session.post(f"{front}{_VOLUMES}", json={"volume": wanted}) as answer:
                assert answer.status == 202, await answer.text()
                ids.append((await answer.json())["volume"]["id"])
        load = Load(session, front, ids)
        running = asyncio.create_task(load.run())
        found = {}
        try:
            for illness in illnesses:
                found[illness] = await _suffer(load, pods[2], illness, seconds)
                sys.stderr.write(f"{illness}: done\n")
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await load.end()
        return found


def report(found: dict[str, Outcome]) -> str:
    """The table, in Markdown."""
    heads = (
        "the third pod is",
        "shows of others, p50 / p99",
        "creates at others, p50",
        "lists, p50",
        "lists p99 ms: before, during, after",
        "marked",
        "whole again after",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, one in found.items():
        before, during, after = one.before, one.during, one.after
        failed = sum(seen.failed + seen.wrong for seen in (before, during, after))
        share = during.marked / max(len(during.spent["list"]), 1)
        cells = [
            name + (f" ({failed} failed or wrong)" if failed else ""),
            f"{_ratio(before, during, 'show', 0.5)} / {_ratio(before, during, 'show', 0.99)}",
            _ratio(before, during, "create", 0.5),
            _ratio(before, during, "list", 0.5),
            ", ".join(f"{seen.part('list', 0.99):.0f}" for seen in (before, during, after)),
            f"{share:.0%}",
            f"{one.whole_s:.1f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    shows = [seen.part("show", 0.5) for one in found.values() for seen in (one.before,)]
    lists = [one.before.part("list", 0.5) for one in found.values()]
    lines.append(
        f"\nBefore, medians: a show {statistics.median(shows):.1f} ms, a list {statistics.median(lists):.1f} ms. "
        f"breaker_probe_s = {PROBE_S:.0f}, load average {os.getloadavg()[0]:.1f}."
    )
    return "\n".join(lines)


def _ratio(before: Seen, during: Seen, name: str, share: float) -> str:
    return f"{during.part(name, share) / before.part(name, share):.1f}"


@contextmanager
def stage(folder: Path) -> Iterator[tuple[str, list[PodProcess]]]:
    """Everything running; where the doors are, and the three pods."""
    keystone, doors, admin = free_ports(3)
    with ExitStack() as stack:
        pods = [PodProcess(stack.enter_context(_pod(folder))) for _ in range(4)]
        ports = {"keystone": keystone, "port": doors, "admin_port": admin, "centre": pods[3].port}
        (folder / "tricircle.conf").write_text(_CONFIG.format(folder=folder, probe_s=PROBE_S, **ports))
        asyncio.run(_remember(folder, pods))
        started = [start_python(folder, "benchmarks.stub_keystone", str(keystone))]
        stack.callback(_end, started)
        wait_for(f"http://127.0.0.1:{keystone}/v3", started)
        config = str(folder / "tricircle.conf")
        started.append(start_python(folder, "tricircle.cmd.gateway", "--config-file", config))
        wait_for(f"http://127.0.0.1:{doors}/healthz", started)
        yield f"http://127.0.0.1:{doors}", pods[:3]


@contextmanager
def _pod(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with (folder / "pods.log").open("ab") as log:
        command = [sys.executable, "-m", "benchmarks.fake_pod"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _end(started: list["subprocess.Popen[bytes]"]) -> None:
    for process in reversed(started):
        process.terminate()
    for process in started:
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


async def _remember(folder: Path, pods: list[PodProcess]) -> None:
    engine = create_engine(DatabaseSettings(connection=f"sqlite+aiosqlite:///{folder}/tricircle.sqlite"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for number, pod in enumerate(pods, 1):
            endpoints = {
                service: Endpoint(
                    service=service,
                    url=f"http://127.0.0.1:{pod.port}{path}",
                    prefix=prefix,
                    min_version=lowest,
                    max_version=highest,
                )
                for service, (path, prefix, lowest, highest) in _PLACES.items()
            }
            zone = f"az{number}" if number < len(pods) else ""
            name = f"Pod{number}" if zone else "RegionOne"
            await PodRows.insert(
                connection, Pod(id=PodId(str(uuid.uuid4())), name=name, az_name=zone, endpoints=endpoints)
            )
    await engine.dispose()


def main() -> int:
    """Run and print. Returns 0: a slow day is no failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each illness lasts")
    parser.add_argument("--only", nargs="*", choices=sorted(ILLNESSES), default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tricircle-sick-") as folder, stage(Path(folder)) as (front, pods):
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        found = asyncio.run(measure(front, pods, chosen.only or list(ILLNESSES), chosen.seconds))
    sys.stdout.write(report(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
