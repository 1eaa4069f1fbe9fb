# SPDX-License-Identifier: Apache-2.0
"""A worker process for tests: bodies that tell on standard output what they do.

Arguments: the database's URL, the seconds that a body takes, the seconds of grace.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oslo_config import cfg

from tricircle.cmd import worker as command
from tricircle.conf.settings import (
    CentralSettings,
    ConsoleSettings,
    DatabaseSettings,
    GatewaySettings,
    Settings,
    UpstreamSettings,
    WorkerSettings,
)
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import JobRun, Worker
from tricircle.model.job import JobType
from tricircle.store.engine import create_engine

_URL, _BODY_S, _GRACE_S = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


async def _body(run: JobRun) -> None:
    _say("begin", run.resource_id)
    await asyncio.sleep(_BODY_S)
    _say("end", run.resource_id)


@asynccontextmanager
async def _build(settings: Settings) -> AsyncIterator[Worker]:
    engine = create_engine(settings.database)
    yield Worker(Queue(engine), {JobType.NETWORK: _body}, settings.worker)
    await engine.dispose()
    _say("closed")


def main() -> int:
    """Run until a signal."""
    settings = Settings(
        database=DatabaseSettings(connection=_URL),
        gateway=GatewaySettings(),
        central=CentralSettings(compute_url="", block_storage_url="", image_url="", network_url="", identity_url=""),
        upstream=UpstreamSettings(),
        console=ConsoleSettings(),
        worker=WorkerSettings(poll_s=0.05, lease_s=2, stop_timeout_s=_GRACE_S),
        raw=cfg.ConfigOpts(),
    )
    return command.run(settings, _build)


if __name__ == "__main__":
    sys.exit(main())
