# SPDX-License-Identifier: Apache-2.0
"""Which identifiers wait for pods, and when is a record of them of no more use?"""

from tricircle.model.quarantine import Held
from tricircle.observe import metrics
from tricircle.store.engine import Engine, transact, transaction
from tricircle.store.quarantine import QuarantineRows

#: Rows of one transaction, and how many transactions one chore may take.
_ROWS = 1000
_ROUNDS = 50
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
