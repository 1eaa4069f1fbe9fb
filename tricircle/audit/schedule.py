# SPDX-License-Identifier: Apache-2.0
"""When is a pod swept? Now and then, when it comes back, and when an operator asks.

Every worker looks; two that file at the same moment file twice, and the queue folds the two into one run.
"""

import asyncio
import logging
import random

from tricircle.audit.findings import NOBODY
from tricircle.context import Deadline, PodId
from tricircle.errors import UnavailableError
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.sweep import SweepEnd
from tricircle.pods.health import Health
from tricircle.pods.registry import Registry
from tricircle.store.engine import Engine, transaction
from tricircle.store.sweeps import SweepRows

LOG = logging.getLogger(__name__)

#: Seconds between two looks.
_LOOK_S = 10.0


class Schedule:
    """Files sweeps, and finds their ends.

    :param interval_s: seconds between two sweeps of a pod; 0: none by itself
    :param health: who fell silent in this process; None: no pod is swept for coming back
    """

    def __init__(
        self,
        engine: Engine,
        queue: Queue,
        registry: Registry,
        *,
        interval_s: float = 0.0,
        health: Health | None = None,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._interval_s = interval_s
        self._health = health
        self._answering: dict[PodId, bool] | None = None
        #: Pods that came back and whose sweep could not be filed yet.
        self._owed: set[PodId] = set()

    async def file(self, pod_id: PodId) -> int:
        """Ask for a sweep of a pod now; the job's id."""
        return await self._queue.append(JobType.SWEEP, pod_id, NOBODY, pod_id=pod_id)

    async def end_of(self, pod_id: PodId, job_id: int) -> SweepEnd | None:
        """How the sweep that was asked for by this job ended; None while it waits or runs."""
        async with transaction(self._engine) as connection:
            return await SweepRows.end_of(connection, pod_id, job_id)

    async def run(self) -> None:
        """Look for ever. An outage of the database is waited out."""
        while True:
            try:
                await self.look()
            except UnavailableError as error:
                LOG.warning("no sweeps can be filed for now: %s", error.message)
            except Exception:
                LOG.exception("looking for pods to sweep failed")
            await asyncio.sleep(_LOOK_S * random.uniform(0.75, 1.25))

    async def look(self) -> list[PodId]:
        """File a sweep of every pod that is due, or has come back since the last look; which ones.

        A sweep that waits or runs anyway is not asked for twice.
        """
        self._owed |= await self._returned()
        wanted = set(self._owed)
        if wanted or self._interval_s > 0:
            async with transaction(self._engine) as connection:
                wanted -= await SweepRows.in_hand(connection)
                if self._interval_s > 0:
                    wanted |= set(await SweepRows.due(connection, interval_s=self._interval_s))
        for pod_id in sorted(wanted):
            await self.file(pod_id)
        self._owed.clear()
        return sorted(wanted)

    async def _returned(self) -> set[PodId]:
        """Pods that were not asked, or did not answer, at the last look or until now, and are and do now.

        Only a call finds out that a pod is back, and maybe nobody else has one for it: so the look is one.
        """
        if self._health is None:
            return set()
        pods = await self._registry.enabled()
        silent = [pod for pod in pods if not self._answers(self._health, pod)]
        await self._health.ask_again(silent, Deadline.after(_LOOK_S))
        now = {pod.id: self._answers(self._health, pod) for pod in pods}
        before = dict(now if self._answering is None else self._answering)
        before.update((pod.id, False) for pod in silent)
        self._answering = now
        return {pod_id for pod_id, answers in now.items() if answers and not before.get(pod_id, False)}

    @staticmethod
    def _answers(health: Health, pod: Pod) -> bool:
        return not any(service is not Service.IDENTITY for service in health.lost(pod))
