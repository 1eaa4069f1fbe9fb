# SPDX-License-Identifier: Apache-2.0
"""Which server hears which? Every server pings every address of the others, from inside."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.datapath.namespaces import PathError, inside, run

SECONDS = 90.0  # for the flows of a rule that was just made, and a lease that was just asked for
_TIME = re.compile(r"time=([0-9.]+) ms")
NOBODY, ITSELF = "no answer", "-"
_FROM, _TO = "from", "to "
Row = dict[str, str]


def ping(namespace: str, address: str) -> str | None:
    """How long an answer takes, as "0.8 ms"; None when there is none."""
    try:
        found = _TIME.search(run(*inside(namespace, "ping", "-n", "-c", "1", "-W", "1", address)))
    except PathError:
        return None
    return f"{found[1]} ms" if found else None


def matrix(
    inner: Mapping[str, str],
    addresses: Mapping[str, Sequence[str]],
    *,
    seconds: float = SECONDS,
    ask: Callable[[str, str], str | None] = ping,
) -> list[Row]:
    """A row for each server, with what came back from each address.

    :param inner: the namespace of each server
    :param addresses: the addresses of each server
    :param seconds: how long an answer is waited for
    :param ask: what an address answers to a namespace: :func:`ping`
    """
    pairs = [(name, address) for name in inner for address in _others(addresses, name)]

    def patiently(pair: tuple[str, str]) -> str:
        end = time.monotonic() + seconds
        while (answer := ask(inner[pair[0]], pair[1])) is None:
            if time.monotonic() > end:
                return NOBODY
        return answer

    with ThreadPoolExecutor(max_workers=8) as pool:
        seen = dict(zip(pairs, pool.map(patiently, pairs), strict=True))
    columns = {address: f"{_TO}{name} {address}" for name in addresses for address in addresses[name]}
    return [
        {_FROM: name} | {title: seen.get((name, address), ITSELF) for address, title in columns.items()}
        for name in inner
    ]


def _others(addresses: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [address for other, found in addresses.items() if other != name for address in found]


def unanswered(rows: Sequence[Row]) -> list[str]:
    """Who had no answer of whom, as "vm1 (az1) to vm2 (az2) 10.0.1.7"; a server that nobody could ask counts too."""
    missing = [f"{row[_FROM]} {title}" for row in rows for title, cell in row.items() if cell == NOBODY]
    unasked = [row for row in rows if all(cell == ITSELF for title, cell in row.items() if title != _FROM)]
    return missing + [f"{row[_FROM]} to anybody" for row in unasked]


def drawn(rows: Sequence[Row]) -> list[str]:
    """The matrix as a table, line by line.

    >>> print("\\n".join(drawn([{"from": "a", "to b 10.0.1.7": "0.8 ms"}])))
    +------+---------------+
    | from | to b 10.0.1.7 |
    +------+---------------+
    | a    | 0.8 ms        |
    +------+---------------+
    """
    titles = list(rows[0])
    cells = [titles, *[[row[title] for title in titles] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    rule = "+" + "".join("-" * (width + 2) + "+" for width in widths)
    lines = [
        "|" + "".join(f" {cell.ljust(width)} |" for cell, width in zip(line, widths, strict=True)) for line in cells
    ]
    return [rule, lines[0], rule, *lines[1:], rule]
