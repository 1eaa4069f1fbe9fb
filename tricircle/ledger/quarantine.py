# SPDX-License-Identifier: Apache-2.0
"""Which identifiers wait for pods, what ends their waiting, and when is a record of them of no more use?"""

from tricircle.model.job import JobKey, JobType
from tricircle.model.quarantine import Held
from tricircle.observe import metrics
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.jobs import JobRows
from tricircle.store.quarantine import QuarantineRows

#: Rows of one transaction, and how many transactions one chore may take.
_ROWS = 1000
_ROUNDS = 50
#: Seconds after which something must be under way that ends the quarantine.
_LONG_S = 600.0
#: Seconds that a row stays at least: on Galera another node may show a routing a little later.
_YOUNG_S = 60.0


class Quarantine:
    """Reads and clears the quarantine.

    Every method raises ``UnavailableError`` when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def held(self, limit: int) -> list[Held]:
        """What pods still hold, oldest first."""
        async with transaction(self._engine) as connection:
            return await QuarantineRows.held(connection, limit)

    async def purge(self, *, older_than_s: float = _YOUNG_S) -> int:
        """Remove what no pod holds, and show how much is left; how many rows went."""
        gone = 0
        for _ in range(_ROUNDS):
            removed = await transact(
                self._engine,
                lambda connection: QuarantineRows.purge(connection, older_than_s=older_than_s, limit=_ROWS),
            )
            gone += removed
            if removed < _ROWS:
                break
        async with transaction(self._engine) as connection:
            counts = await QuarantineRows.counts(connection)
        for what, number in counts.items():
            metrics.quarantined(what, number)
        return gone

    async def nudge(self, *, older_than_s: float = _LONG_S) -> int:
        """File a job for every copy that keeps something in quarantine and that nobody works on; how many.

        Whoever died after writing down that he would make a copy, and before looking whether its original is still
        there, left a routing for which no other job comes.
        """

        async def work(connection: Connection) -> int:
            copies = await QuarantineRows.forgotten(connection, older_than_s=older_than_s, limit=_ROWS)
            for copy in copies:
                key = JobKey(type=JobType(copy.kind.value), resource_id=copy.central_id, pod_id=copy.pod_id)
                await JobRows.append(connection, key, copy.project_id, revision=None, payload={}, delay_s=0)
            return len(copies)

        return await transact(self._engine, work)
