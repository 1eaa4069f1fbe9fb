# SPDX-License-Identifier: Apache-2.0
"""How is the walk-through shown to a newcomer by ``make demo``, step by step with what it answered?"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.datapath.matrix import Row, drawn, matrix
from lab.datapath.plan import DataPath
from lab.stock_client import StockClient
from lab.walkthrough import ADMIN, OTHER_TENANT, TENANT, Names, Narrator, Walkthrough

_WIDTH = 118
_ROWS = 6


class Talking(Narrator):
    """Prints chapters, commands, and the gist of what they answered."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._chapter = 0

    def chapter(self, title: str) -> None:
        self._chapter += 1
        print(
            f"\n{self._chapter}. {title}  [{time.monotonic() - self._started:.0f} s]\n" + "-" * (len(title) + 4),
            flush=True,
        )

    def command(self, line: str) -> None:
        print(f"  $ {line if len(line) < _WIDTH else line[:_WIDTH] + ' ...'}", flush=True)

    def answer(self, value: object, seconds: float) -> None:
        self.table(gist(value), seconds)

    def table(self, lines: Sequence[str], seconds: float) -> None:
        for line in lines:
            print(f"      {line}")
        print(f"      ({seconds:.1f} s)", flush=True)


def gist(value: object) -> Sequence[str]:
    """The few lines of an answer that a reader wants: a small table of a list, the telling fields of an object."""
    if isinstance(value, list):
        return _table(value)
    if isinstance(value, Mapping):
        inner = next(iter(value.values())) if len(value) == 1 else value
        if isinstance(inner, list):
            return _table(inner)
        return _fields(inner if isinstance(inner, Mapping) else value)
    lines = str(value).splitlines()
    return [line[:_WIDTH] for line in lines[:2]] + (["..."] if len(lines) > 2 else [])


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={_short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_short(v) for v in value)
    return str(value)


def _table(rows: Sequence[object]) -> Sequence[str]:
    if not rows:
        return ["(empty)"]
    shown = [row for row in rows[:_ROWS] if isinstance(row, Mapping)]
    if not shown:
        return [_short(rows)[:_WIDTH]]
    keys = list(shown[0])[:6]
    cells = [keys, *[[_short(row.get(key, ""))[:38] for key in keys] for row in shown]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(keys))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()[:_WIDTH]
        for line in cells
    ]
    return lines + ([f"... and {len(rows) - _ROWS} more"] if len(rows) > _ROWS else [])


_TELLING = (
    "id",
    "name",
    "pod_name",
    "az_name",
    "status",
    "addresses",
    "availability_zone",
    "OS-EXT-AZ:availability_zone",
    "security_groups",
    "key_name",
    "cidr",
    "size",
    "fixed_ips",
    "properties",
    "device",
    "state",
)


def _fields(value: Mapping[str, object]) -> Sequence[str]:
    chosen = [(key, value[key]) for key in _TELLING if value.get(key) not in (None, "", [], {})]
    return [f"{key}: {_short(item)}"[:_WIDTH] for key, item in chosen] or [_short(value)[:_WIDTH]]


def show(python: Path, clouds: Path, admin_url: str, path: DataPath | None) -> list[Row]:
    """Walk through, ping between the servers at last, and leave all of it: what an earlier demo left is removed first.

    :param path: the data path of the lab; None: servers have no packets
    :return: who answered whom; nothing without a data path
    """
    with StockClient(python, clouds) as client:
        client.warm(TENANT, ADMIN, OTHER_TENANT)
        walk = Walkthrough(client, admin_url, Names(), Talking())
        print("\nRemoving what an earlier demo left, if there was one.", flush=True)
        walk.sweep_leftovers()
        walk.catalog()
        walk.pods()
        walk.declare()
        walk.boot("az1", with_own_port=True)
        walk.boot("az2")
        walk.lists()
        walk.volume("az1")
        walk.actions("az2")
        return [] if path is None else pings(walk, path)


def pings(walk: Walkthrough, path: DataPath) -> list[Row]:
    """Let the servers of both pods ping each other, and show who answered whom."""
    walk.narrator.chapter("Packets: each server pings the others, from inside")
    names = walk.names
    walk.ask(TENANT, "security", "group", "rule", "create", "--protocol", "icmp", names.group)
    # The groups of a boot are not those of a port that existed before.
    walk.do(TENANT, "port", "set", "--security-group", names.group, names.own_port)
    inner, addresses = ends(walk, path)
    first = next(iter(inner.values()))
    walk.narrator.command(f"ip netns exec {first} ping -c 1 ...   # and so on")
    started = time.monotonic()
    rows = matrix(inner, addresses)
    walk.narrator.table(drawn(rows), time.monotonic() - started)
    return rows


def ends(walk: Walkthrough, path: DataPath) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The namespace and the addresses of each server of the walk-through, by name and AZ."""
    names = walk.names
    inner: dict[str, str] = {}
    addresses: dict[str, list[str]] = {}
    for zone, pod in zip(sorted(names.servers), path.pods, strict=False):
        server = walk.client.json(TENANT, "server", "show", names.servers[zone])
        label = f"{names.servers[zone]} ({zone})"
        inner[label] = pod.guest(server["id"])
        addresses[label] = [address for found in server["addresses"].values() for address in found]
    return inner, addresses
