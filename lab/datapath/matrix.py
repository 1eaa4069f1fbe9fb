# SPDX-License-Identifier: Apache-2.0
"""Which server hears which? Every server pings every address of the others, from inside."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.datapath.namespaces import PathError, inside, run

SECONDS = 30.0  # for the flows of a rule that was just made, and a lease that was just asked for
_TIME = re.compile(r"time=([0-9.]+) ms")
NOBODY = "no answer"


def ping(namespace: str, address: str) -> str | None:
    """How long an answer takes, as "0.8 ms"; None when there is none."""
    try:
        found = _TIME.search(run(*inside(namespace, "ping", "-n", "-c", "1", "-W", "1", address)))
    except PathError:
        return None
    return f"{found[1]} ms" if found else None


def matrix(inner: Mapping[str, str], addresses: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """A row for each server, with what came back from each address.

    :param inner: the namespace of each server
    :param addresses: the addresses of each server
    """
    pairs = [(name, address) for name in inner for address in _others(addresses, name)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        seen = dict(zip(pairs, pool.map(lambda pair: _patiently(inner[pair[0]], pair[1]), pairs), strict=True))
    columns = {address: f"to {name} {address}" for name in addresses for address in addresses[name]}
    return [
        {"from": name} | {title: seen.get((name, address), "-") for address, title in columns.items()} for name in inner
    ]


def _others(addresses: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [address for other, found in addresses.items() if other != name for address in found]


def _patiently(namespace: str, address: str) -> str:
    end = time.monotonic() + SECONDS
    while (answer := ping(namespace, address)) is None:
        if time.monotonic() > end:
            return NOBODY
    return answer
