# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage catalog sync``: does Keystone send users to our doors?"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tricircle.cmd.tabular import table
from tricircle.cmd.workbench import Workbench, workbench
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.pods.publication import Step, publish

_SYNC_S = 120.0


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``catalog sync``."""
    group = groups.add_parser("catalog", help="what Keystone tells users about the central region")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    sync = commands.add_parser("sync", help="lead the central region's services to the doors; pods' regions below it")
    sync.add_argument("--dry-run", action="store_true", help="only show what would be done")
    sync.set_defaults(run=_sync)


def _sync(settings: Settings, arguments: argparse.Namespace) -> int:
    async def run() -> list[Step]:
        async with workbench(settings) as bench:
            return await publish(
                bench.catalog,
                await _pod_names(bench),
                settings.gateway,
                Deadline.after(_SYNC_S),
                is_dry=arguments.dry_run,
            )

    steps = asyncio.run(run())
    sys.stdout.write(table(("WHAT", "NAME", "RESULT", "URL"), [(s.what, s.name, s.result, s.url) for s in steps]))
    return 0


async def _pod_names(bench: Workbench) -> Sequence[str]:
    """The pods' regions; none while there is no database yet: a first installation begins with the catalog."""
    try:
        return [pod.name for pod in await bench.registry.pods() if not pod.is_central]
    except UnavailableError:
        sys.stderr.write("the database does not answer: the regions of pods were not looked at\n")
        return []
