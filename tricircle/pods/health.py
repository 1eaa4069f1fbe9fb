# SPDX-License-Identifier: Apache-2.0
"""Which pods answer?

The breakers of the pools know what this process met in the last calls; that is free and is what lists and placement
use. A probe asks the version documents, for operators and for pods that nobody has called for a while.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import Pod, Service
from tricircle.pods.registry import Registry
from tricircle.upstream.breaker import BreakerState
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What one service of a pod said when it was probed: milliseconds until the answer, or why there was none
    (operator)."""

    pod: Pod
    service: Service
    answered_ms: float | None = None
    failure: str | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it answered with anything but a failure of its own."""
        return self.failure is None


class Health:
    """Who answers, by the breakers of this process and by probes."""

    def __init__(self, pools: Pools, registry: Registry) -> None:
        self._pools = pools
        self._registry = registry

    def answers(self, pod: Pod, service: Service) -> bool:
        """Whether calls to the service are not refused at once: it has it, and its breaker is not open."""
        if service not in pod.endpoints:
            return False
        return not self._pools.is_open(self._registry.target(pod, service))

    def silent(self, pods: Iterable[Pod], service: Service) -> tuple[Pod, ...]:
        """Those of ``pods`` that do not answer for this service."""
        return tuple(pod for pod in pods if not self.answers(pod, service))

    def lost(self, pod: Pod) -> tuple[Service, ...]:
        """Services of a pod that fell silent and have not answered since, whether or not a look is due."""
        return tuple(
            service
            for service in pod.endpoints
            if self._pools.state(self._registry.target(pod, service)) is not BreakerState.CLOSED
        )

    async def ask_again(self, pods: Iterable[Pod], deadline: Deadline) -> None:
        """Ask the lost services of these pods whether they are back; a success closes a breaker, maybe a while later.

        Costs half a second at most, and nothing where a look is not due.
        """
        await asyncio.gather(*(self._pulse(pod, service, deadline) for pod in pods for service in self.lost(pod)))

    async def probe(self, pods: Sequence[Pod], deadline: Deadline) -> tuple[Pulse, ...]:
        """Ask the version document of every service of every pod, all at once. A success closes a breaker."""
        calls = [self._pulse(pod, service, deadline) for pod in pods for service in pod.endpoints]
        return tuple(await asyncio.gather(*calls))

    async def _pulse(self, pod: Pod, service: Service, deadline: Deadline) -> Pulse:
        started = time.perf_counter()
        headers = [(b"accept", b"application/json")]
        try:
            reply = await self._pools.send(
                self._registry.target(pod, service), Call(method="GET", path="/", headers=headers), deadline
            )
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError) as error:
            return Pulse(pod=pod, service=service, failure=str(error.__cause__ or error.message))
        if reply.status >= 500:
            return Pulse(pod=pod, service=service, failure=f"answers {reply.status}")
        return Pulse(pod=pod, service=service, answered_ms=(time.perf_counter() - started) * 1000)
