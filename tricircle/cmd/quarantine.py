# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage quarantine``: which VLAN ids, addresses and MACs wait, since when, and for which pods?"""

import argparse
import asyncio
import sys

from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.ledger.quarantine import Quarantine
from tricircle.model.quarantine import Held
from tricircle.store.engine import create_engine


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``quarantine list``."""
    group = groups.add_parser("quarantine", help="VLAN ids, addresses and MACs that pods have not let go of")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="what is given to nobody, since when, and the pods that still hold it")
    listing.add_argument("--limit", type=int, default=1000, help="how many at most, oldest first (default: 1000)")
    listing.set_defaults(run=_list)


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    titles = ("WHAT", "SCOPE", "VALUE", "SINCE", "HELD BY", "AS PART OF")
    rows = asyncio.run(_held(settings, arguments.limit))
    sys.stdout.write(table(titles, [_cells(held) for held in rows]))
    return 0


async def _held(settings: Settings, limit: int) -> list[Held]:
    engine = create_engine(settings.database)
    try:
        return await Quarantine(engine).held(limit)
    finally:
        await engine.dispose()


def _cells(held: Held) -> tuple[str, ...]:
    left = held.left
    since = f"{held.since:%Y-%m-%d %H:%M:%S}"
    origin = f"{left.kind.value} {left.central_id}"
    return (left.what.value, left.scope, left.value, since, ", ".join(held.pods.values()), origin)
