# SPDX-License-Identifier: Apache-2.0
"""How are the gauges of the queue kept true?"""

import asyncio
import logging

from tricircle.errors import UnavailableError
from tricircle.jobs.desk import Desk
from tricircle.model.job import JobStatus, JobType
from tricircle.observe import metrics

LOG = logging.getLogger(__name__)

#: Seconds between two looks: one statement that walks the queue.
PAUSE_S = 15.0
_SHOWN = (JobStatus.WAITING, JobStatus.RUNNING, JobStatus.STOPPED)


async def show_depths(desk: Desk) -> None:
    """Count the queue once. While the database does not answer the gauges are away, rather than wrong."""
    try:
        depths = {depth.type: depth for depth in await desk.depths()}
    except UnavailableError:
        metrics.queue_unknown()
        return
    for type_ in {*depths, *(type_.value for type_ in JobType)}:
        depth = depths.get(type_)
        counts = {status.value: depth.counts.get(status, 0) if depth else 0 for status in _SHOWN}
        metrics.queue_counted(type_, counts, depth.oldest_s if depth else 0.0)


async def keep_depths(desk: Desk, *, pause_s: float = PAUSE_S) -> None:
    """Count the queue now and then, until cancelled."""
    while True:
        try:
            await show_depths(desk)
        except Exception:
            LOG.exception("the queue could not be counted")
        await asyncio.sleep(pause_s)
