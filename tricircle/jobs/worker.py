# SPDX-License-Identifier: Apache-2.0
"""Who carries jobs out, how many at once, and how does a worker begin and end?

What becomes of one run: ``runs.py``.
"""

import asyncio
import logging
import os
import random
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

from tricircle.conf.settings import WorkerSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.errors import UnavailableError
from tricircle.jobs.claim import Claim
from tricircle.jobs.queue import Queue
from tricircle.jobs.reports import Report, bounded
from tricircle.jobs.retry import RetryRules
from tricircle.jobs.runs import Cut, Running, Runs, words
from tricircle.model.job import JobKey, JobType
from tricircle.observe import logs

LOG = logging.getLogger(__name__)

#: Seconds between two looks for work while the database does not answer, at least.
_OUTAGE_POLL_S = 2.0
#: Seconds behind its deadline after which a body is cancelled: a call that nobody answers ends at the deadline, and
#: says so. Cancelled together with its body it would look like a body that hangs, and like a client that left.
_OVERTIME_S = 2.0
#: Seconds without a look for work after which a worker is sick. An attempt may take as long as a transaction.
_STALLED_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """What a body is told: look at this resource, and make this pod (or every pod that has a copy) agree.

    :ivar pod_id: ``EVERY_POD`` when no single pod is meant
    :ivar revision: the newest that any request spoke of; older reads are to be retried, not believed
    :ivar payload: of all requests together, the newest request's value for each name
    :ivar deadline: calls to others wait no longer; a body that has not ended soon after it is cancelled
    """

    type: JobType
    resource_id: str
    pod_id: PodId
    project_id: ProjectId
    revision: int | None
    payload: Mapping[str, object]
    deadline: Deadline


#: Returns when the pod agrees, with a report if there is something to say; raises ``RetryLaterError`` to be called
#: again without fault, anything else if it failed.
Body = Callable[[JobRun], Awaitable[Report | None]]
#: Something to be done now and then that may fail.
Chore = Callable[[], Awaitable[object]]


class Worker:
    """Claims due jobs and runs their bodies until :meth:`stop` is called.

    :param bodies: what to do, by type; rows of other types are left for other workers
    :param deadlines: seconds for runs of types that need another deadline than all others
    :param chores: done about every ``tidy_s`` seconds, after the queue's own tidying
    :param stalled_s: without a look for work for so long it is called stalled
    """

    def __init__(
        self,
        queue: Queue,
        bodies: Mapping[JobType, Body],
        settings: WorkerSettings,
        *,
        owner: str | None = None,
        chores: Sequence[Chore] = (),
        tidy_s: float = 900.0,
        stalled_s: float = _STALLED_S,
        deadlines: Mapping[JobType, float] | None = None,
    ) -> None:
        self._queue = queue
        self._bodies = dict(bodies)
        self._settings = settings
        self._rules = RetryRules(
            first_s=settings.retry_s, most_s=settings.retry_max_s, max_attempts=settings.max_attempts
        )
        self._runs = Runs(queue, self._rules)
        self._owner = owner or f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(3)}"
        self._chores = (queue.purge, *chores)
        self._tidy_s = tidy_s
        self._stalled_s = stalled_s
        self._deadlines = dict(deadlines or {})
        self._running: dict[JobKey, Running] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._is_outage = False
        self._looked = monotonic()

    @property
    def running(self) -> tuple[JobKey, ...]:
        """The keys that are being run now."""
        return tuple(self._running)

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._is_stopping

    def condition(self) -> tuple[bool, str]:
        """Whether the worker looks for work, and a word for how it fares. May be called from another thread."""
        if not self._is_stopping and monotonic() - self._looked > self._stalled_s:
            return False, "stalled"
        if self._is_stopping:
            return True, "stopping"
        return True, "waiting for the database" if self._is_outage else "ok"

    def stop(self) -> None:
        """Take nothing new; :meth:`run` returns when what runs has ended, or the grace is over. May be called twice."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped. Outages of the database are waited out, failures of bodies become retries."""
        LOG.info("worker %s carries out: %s", self._owner, ", ".join(sorted(self._bodies)))
        async with asyncio.TaskGroup() as group:
            tidying = group.create_task(self._tidy())
            while not self._is_stopping:
                await self._look_once(group)
            tidying.cancel()
            await self._wind_down()
        LOG.info("worker %s has stopped", self._owner)

    async def _look_once(self, group: asyncio.TaskGroup) -> None:
        """Claim what there is room for and start it; when there was nothing to do, wait a little."""
        self._wake.clear()
        self._looked = monotonic()
        free = self._settings.concurrency - len(self._running)
        asked = monotonic()
        claims = await self._claim(free) if free > 0 else []
        for claim in claims:
            running = Running(claim=claim, valid_until=asked + claim.lease_s)
            self._running[claim.key] = running
            group.create_task(self._carry_out(running))
        if not claims:
            pause = max(self._settings.poll_s, _OUTAGE_POLL_S if self._is_outage else 0)
            await self._wait(pause * random.uniform(0.75, 1.25))

    async def _claim(self, limit: int) -> list[Claim]:
        try:
            claims = await self._queue.claim(
                self._owner,
                self._settings.lease_s,
                limit,
                Counter(key.pod_id for key in self._running),
                per_pod=self._settings.per_pod,
                types=self._bodies.keys(),
            )
        except UnavailableError as error:
            if not self._is_outage:
                LOG.warning("no jobs can be claimed for now: %s", error.message)
            self._is_outage = True
            return []
        except Exception:  # whatever the database or its driver came up with, jobs of others still wait for us
            LOG.exception("no jobs can be claimed for now")
            self._is_outage = True
            return []
        if self._is_outage:
            LOG.info("jobs can be claimed again")
        self._is_outage = False
        return claims

    async def _wait(self, seconds: float) -> None:
        """Until a run ends, the worker is stopped, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _wind_down(self) -> None:
        """Let what runs end within the grace, then cut it short and let its keys be given back."""
        until = monotonic() + self._settings.stop_timeout_s
        while self._running and (left := until - monotonic()) > 0:
            self._wake.clear()
            await self._wait(left)
        for running in self._running.values():
            LOG.warning("%s is interrupted: the worker stops", words(running.claim))
            running.cut_short(Cut.STOPPING)

    async def _carry_out(self, running: Running) -> None:
        """One run from claim to outcome. The border: no failure of one job reaches another."""
        # Each run is a task of its own, so what is begun here ends with it.
        logs.begin(f"req-{uuid4()}")
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._runs.keep(running))
                error = await self._run_body(running)
                await self._runs.settle(running, error)
                renewal.cancel()
        except Exception:  # whatever it was, the lease runs out and somebody tries again
            LOG.exception("%s: its outcome could not be written", words(running.claim))
        finally:
            self._running.pop(running.claim.key, None)
            self._wake.set()

    async def _run_body(self, running: Running) -> BaseException | None:
        """Run the body within its deadline. None: it succeeded; otherwise why not."""
        claim = running.claim
        limit_s = self._deadlines.get(claim.key.type, self._settings.job_deadline_s)
        if claim.attempts >= self._rules.max_attempts:
            return RuntimeError(claim.last_error or "too many attempts")
        run = JobRun(
            type=claim.key.type,
            resource_id=claim.key.resource_id,
            pod_id=claim.key.pod_id,
            project_id=claim.project_id,
            revision=claim.revision,
            payload=claim.payload,
            deadline=Deadline.after(limit_s),
        )
        try:
            async with asyncio.timeout(limit_s + _OVERTIME_S) as running.scope:
                said = await self._bodies[claim.key.type](run)
            running.report = bounded(said) if said else None
        except TimeoutError as error:
            if running.cut is None and running.scope is not None and running.scope.expired():
                return TimeoutError(f"did not end within {limit_s:g} s")
            return error
        except Exception as error:  # noqa: BLE001 - a body may fail in any way; each becomes a retry
            return error
        finally:
            # What has ended cannot be cut short any more.
            running.scope = None
        return None

    async def _tidy(self) -> None:
        """Do the chores for ever; one that fails is done next time."""
        while True:
            await asyncio.sleep(self._tidy_s * random.uniform(0.5, 1.5))
            for chore in self._chores:
                try:
                    await chore()
                except UnavailableError as error:
                    LOG.warning("tidying is not possible now: %s", error.message)
                except Exception:
                    LOG.exception("tidying failed")
