# SPDX-License-Identifier: Apache-2.0
"""What does a worker show of itself to monitoring?"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tricircle.conf.settings import WorkerSettings
from tricircle.jobs.depths import keep_depths
from tricircle.jobs.desk import Desk
from tricircle.jobs.worker import Worker
from tricircle.observe.exporter import Exporter

LOG = logging.getLogger(__name__)


@asynccontextmanager
async def shown(worker: Worker, desk: Desk, settings: WorkerSettings) -> AsyncIterator[Exporter | None]:
    """``/metrics`` and ``/healthz`` of a worker while the block lasts; None when nobody asked for them.

    A port that is taken costs the pages, not the worker: jobs are worth more than their numbers.
    """
    exporter = _exporter(worker, settings)
    if exporter is None:
        yield None
        return
    LOG.info("metrics are at port %d of %s", exporter.port, settings.metrics_host)
    counting = asyncio.create_task(keep_depths(desk))
    try:
        yield exporter
    finally:
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting
        await asyncio.to_thread(exporter.close)


def _exporter(worker: Worker, settings: WorkerSettings) -> Exporter | None:
    if not settings.metrics_port:
        return None
    try:
        return Exporter(settings.metrics_host, settings.metrics_port, worker.condition)
    except OSError as error:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        LOG.error("no metrics: %s: %s; give this worker a [worker] metrics_port of its own", place, error)  # noqa: TRY400
        return None
