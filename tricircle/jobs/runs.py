# SPDX-License-Identifier: Apache-2.0
"""What becomes of a run that succeeds, fails, hangs or is interrupted?

A run may be cut short in three ways: its deadline passes, its key is lost (or may be lost, because the database does
not answer), or the worker is stopping and the grace is over. In all of them the body is cancelled where it waits, and
nothing of the key is written unless it is still ours.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from tricircle.errors import LeaseLostError, TricircleError, UnavailableError
from tricircle.jobs.claim import Claim
from tricircle.jobs.queue import Queue
from tricircle.jobs.reports import Report
from tricircle.jobs.retry import RetryRules, decide
from tricircle.observe import metrics

LOG = logging.getLogger(__name__)

#: Seconds between two tries to write an outcome, or to renew a lease, while the database does not answer.
_WRITE_AGAIN_S = 0.5


class Cut(StrEnum):
    """Why a body was cancelled before its deadline."""

    LOST = "lost"  # somebody else has the key, or may have it
    STOPPING = "stopping"  # the grace of a stopping worker is over


@dataclass(slots=True, kw_only=True)
class Running:
    """One key that is being run. ``valid_until`` is when the lease may be over, by our clock, on the safe side."""

    claim: Claim
    valid_until: float
    started: float = field(default_factory=monotonic)
    cut: Cut | None = None
    report: Report | None = None
    scope: asyncio.Timeout | None = None

    def cut_short(self, why: Cut) -> None:
        """Cancel the body, unless it has ended or is being cancelled already."""
        if self.cut is None and self.scope is not None and not self.scope.expired():
            self.cut = why
            self.scope.reschedule(asyncio.get_running_loop().time())


class Runs:
    """Keeps the keys of what is being run, and writes down how it ended."""

    def __init__(self, queue: Queue, rules: RetryRules) -> None:
        self._queue = queue
        self._rules = rules

    async def keep(self, running: Running) -> None:
        """Renew the lease until cancelled; when it is lost, or may be, cut the body short."""
        claim = running.claim
        pause = claim.lease_s / 3
        while True:
            await asyncio.sleep(max(0.0, min(pause, running.valid_until - monotonic())))
            asked = monotonic()
            try:
                async with asyncio.timeout(max(0.0, running.valid_until - asked)):
                    await self._queue.renew(claim)
            except LeaseLostError:
                running.cut_short(Cut.LOST)
                return
            except Exception as error:  # whatever it was, the lease lasts a little longer
                if not isinstance(error, UnavailableError | TimeoutError):
                    LOG.exception("%s: its lease could not be renewed", words(claim))
                pause = _WRITE_AGAIN_S
                if monotonic() >= running.valid_until:
                    running.cut_short(Cut.LOST)
                    return
            else:
                running.valid_until = asked + claim.lease_s
                pause = claim.lease_s / 3

    async def settle(self, running: Running, error: BaseException | None) -> None:
        """Write the outcome, again and again while the database does not answer and the key is still ours."""
        claim, ran_s = running.claim, monotonic() - running.started
        if running.cut is Cut.LOST:
            LOG.warning("%s was cut short: its key is lost", words(claim))
            metrics.job_ended(claim.key.type, "lost", ran_s)
            return
        outcome, write = self._outcome(running, error, ran_s)
        metrics.job_ended(claim.key.type, outcome, ran_s)
        while True:
            try:
                await write()
            except LeaseLostError:
                LOG.warning("%s: its key was lost before the outcome was written", words(claim))
                return
            except UnavailableError:
                if monotonic() + _WRITE_AGAIN_S >= running.valid_until:
                    raise
                await asyncio.sleep(_WRITE_AGAIN_S)
            else:
                return

    def _outcome(
        self, running: Running, error: BaseException | None, ran_s: float
    ) -> tuple[str, Callable[[], Awaitable[None]]]:
        """What to call the run's end, and how to write it down."""
        claim = running.claim
        if running.cut is Cut.STOPPING:
            return "interrupted", lambda: self._queue.release(claim)
        if error is None:
            LOG.info("%s: done in %.3f s", words(claim), ran_s)
            return "done", lambda: self._queue.finish(claim, ran_s=ran_s, report=running.report)
        text = f"{type(error).__name__}: {error}"
        waited_s = claim.waited_s + ran_s
        again = decide(error, attempts=claim.attempts, waited_s=waited_s, rules=self._rules, chance=random.random())
        # The trace helps with defects of ours only; refusals of others say all in one line.
        trace = None if isinstance(error, TricircleError | TimeoutError) else error
        if again is None:
            LOG.error("%s: given up after %d attempts: %s", words(claim), claim.attempts + 1, text, exc_info=trace)
            return "stopped", lambda: self._queue.fail(claim, text, ran_s=ran_s)
        if again.is_failure:
            LOG.warning("%s: failed, again in %.1f s: %s", words(claim), again.delay_s, text, exc_info=trace)
        else:
            LOG.info("%s: not now, again in %.1f s: %s", words(claim), again.delay_s, text)
        return (
            "failed" if again.is_failure else "later",
            lambda: self._queue.retry(claim, text, again.delay_s, is_failure=again.is_failure),
        )


def words(claim: Claim) -> str:
    """A claim as operators read it in a log line."""
    where = f" in pod {claim.key.pod_id}" if claim.key.pod_id else ""
    return f"job {claim.key.type.value} {claim.key.resource_id}{where} ({len(claim.jobs)} requests)"
