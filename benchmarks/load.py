# SPDX-License-Identifier: Apache-2.0
"""How fast is an answer, and how much processor time did it take, over a fixed number of requests?

A small load generator: N requests over C kept-alive connections, each sent when the one before was answered.
Processor time is read from ``/proc`` for the processes of the server measured, so the generator's own does not count.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to ask, and how often.

    :ivar request: the whole request, byte for byte
    :ivar expected: bytes that a right answer's body holds
    :ivar per_second: requests per second, spread evenly over time; None sends as fast as answers come
    """

    port: int
    request: bytes
    expected: bytes
    requests: int
    connections: int
    per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came out; times in microseconds."""

    per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float


async def measure(load: Load, pids: Sequence[int]) -> Result:
    """Send the load. :raises ValueError: an answer was not the one expected"""
    each = load.requests // load.connections
    spent: list[float] = []
    before = cpu_s(pids)
    started = time.perf_counter()
    async with asyncio.timeout(_PATIENCE_S + load.requests / 100), asyncio.TaskGroup() as group:
        for number in range(load.connections):
            group.create_task(_converse(load, number, each, spent))
    whole_s = time.perf_counter() - started
    used_s = cpu_s(pids) - before
    spent.sort()
    return Result(
        per_second=len(spent) / whole_s,
        p50_us=spent[len(spent) // 2] * 1e6,
        p99_us=spent[int(len(spent) * 0.99)] * 1e6,
        cpu_us=used_s / len(spent) * 1e6,
    )


async def _converse(load: Load, number: int, count: int, spent: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        for turn in range(count):
            if load.per_second is not None:
                due = began + (turn * load.connections + number) / load.per_second
                await asyncio.sleep(max(0.0, due - loop.time()))
            started = time.perf_counter()
            writer.write(load.request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"content-length:") + len(b"content-length:")
            body = await reader.readexactly(int(head[at : head.index(b"\r", at)]))
            spent.append(time.perf_counter() - started)
            if load.expected not in body or not head.startswith(b"http/1.1 200"):
                raise ValueError(f"not the answer expected: {head[:200]!r} {body[:300]!r}")
    finally:
        writer.close()


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time that processes have used so far, user and system, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * _TICK_S


def family(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
