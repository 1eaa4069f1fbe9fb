# SPDX-License-Identifier: Apache-2.0
"""Which pods are there, and where do they serve what? Answered from memory, at most two seconds old.

Every request asks this several times, so the answer must not cost a query. One reader refreshes the snapshot; while
the database is away, one that is up to a minute old goes on being used, because pods come and go by an operator's hand.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tricircle.conf.settings import CentralSettings
from tricircle.context import PodId
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.model.pod import Pod, PodState, Service
from tricircle.store.engine import TRANSACTION_S, Engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.reply import CENTRAL, Target

LOG = logging.getLogger(__name__)

#: Seconds for which a snapshot is used without asking the database.
FRESH_S = 2.0
#: Seconds for which a snapshot is used when the database does not answer.
STALE_S = 60.0
#: Seconds that a request waits for the database while there is a snapshot that could be used instead.
_IMPATIENCE_S = 0.5
#: Seconds for which a failure counts for everybody, so that requests do not queue for one timeout after the other.
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Snapshot:
    pods: tuple[Pod, ...]
    read_at: float
    by_id: dict[PodId, Pod] = field(default_factory=dict)
    by_name: dict[str, Pod] = field(default_factory=dict)


class Registry:
    """The pods as this process knows them.

    :param clock: seconds that only grow
    """

    def __init__(
        self, engine: Engine, central: CentralSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = asyncio.Lock()
        self._snapshot: _Snapshot | None = None
        self._asked_at = float("-inf")
        self._failure: tuple[float, UnavailableError] | None = None
        urls = {
            Service.COMPUTE: central.compute_url,
            Service.BLOCK_STORAGE: central.block_storage_url,
            Service.IMAGE: central.image_url,
            Service.NETWORK: central.network_url,
            Service.IDENTITY: central.identity_url,
        }
        self._central = {
            service: Target(pod=CENTRAL, service=service, url=url, label=f"{CENTRAL}/{service}")
            for service, url in urls.items()
        }

    async def pods(self) -> tuple[Pod, ...]:
        """All pods, by name, the central region's row among them.

        :raises UnavailableError: the database does not answer and nothing younger than a minute is known
        """
        return (await self._current()).pods

    async def get(self, pod_id: PodId) -> Pod | None:
        """One pod by its id, or None."""
        return (await self._current()).by_id.get(pod_id)

    async def by_name(self, name: str) -> Pod | None:
        """The pod of a Keystone region, or None."""
        return (await self._current()).by_name.get(name)

    async def enabled(self) -> tuple[Pod, ...]:
        """The pods that are asked: enabled or draining, without the central region."""
        return tuple(pod for pod in await self.pods() if not pod.is_central and pod.state is not PodState.DISABLED)

    async def accepting(self, az_name: str | None = None) -> tuple[Pod, ...]:
        """The pods that take new resources; of one AZ, or of all."""
        return tuple(
            pod
            for pod in await self.enabled()
            if pod.state is PodState.ENABLED and (az_name is None or pod.az_name == az_name)
        )

    async def az_names(self) -> tuple[str, ...]:
        """The AZs that tenants see, sorted. One whose pods are all disabled is among them: its resources still
        exist."""
        return tuple(sorted({pod.az_name for pod in await self.pods() if not pod.is_central}))

    def forget(self) -> None:
        """Ask the database next time; for the process that has just changed a pod."""
        self._asked_at = float("-inf")

    @staticmethod
    def target(pod: Pod, service: Service) -> Target:
        """Where to send a call for a service of a pod. :raises NotFoundError: the pod has no such service."""
        endpoint = pod.endpoints.get(service)
        if endpoint is None:
            raise NotFoundError(f"The availability zone has no {service} service.")
        return Target(pod=pod.id, service=service, url=endpoint.url, label=f"{pod.name}/{service}")

    def central(self, service: Service) -> Target:
        """Where to send a call for a central service. :raises NotFoundError: the centre has no such service."""
        target = self._central.get(service)
        if target is None:
            raise NotFoundError(f"There is no central {service} service.")
        return target

    async def _current(self) -> _Snapshot:
        if (known := self._fresh()) is not None:
            return known
        async with self._lock:
            # Whoever waited here finds the work done.
            if (known := self._fresh()) is not None:
                return known
            if self._failure is not None and self._clock() - self._failure[0] < _PAUSE_S:
                raise UnavailableError(self._failure[1].message, self._failure[1].retry_after_s)
            return await self._refreshed()

    def _fresh(self) -> _Snapshot | None:
        return self._snapshot if self._clock() - self._asked_at < FRESH_S else None

    async def _refreshed(self) -> _Snapshot:
        """Read anew, or go on with what is known. Also a failure counts as asked: nobody waits again at once."""
        known = self._snapshot
        is_usable = known is not None and self._clock() - known.read_at < STALE_S
        try:
            within_s = _IMPATIENCE_S if is_usable else TRANSACTION_S
            async with transaction(self._engine, within_s=within_s) as connection:
                pods = await PodRows.list(connection)
        except UnavailableError as error:
            if known is None or not is_usable:
                self._snapshot, self._failure = None, (self._clock(), error)
                raise
            LOG.warning("the database does not answer; going on with the pods known %.0f s ago", self._age_s(known))
            self._asked_at = self._clock()
            return known
        now = self._clock()
        fresh = _Snapshot(pods, now, {pod.id: pod for pod in pods}, {pod.name: pod for pod in pods})
        self._snapshot, self._asked_at, self._failure = fresh, now, None
        return fresh

    def _age_s(self, snapshot: _Snapshot) -> float:
        return self._clock() - snapshot.read_at
