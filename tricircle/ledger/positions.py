# SPDX-License-Identifier: Apache-2.0
"""Where does the next page of a list begin in each pod?

Keys of resources are never compared with a marker to find a place within a pod: a pod sorts by facts that it does not
show. So the end of each page is written down per pod.
"""

from collections.abc import Mapping

from tricircle.context import PodId
from tricircle.store.cursors import CursorRows
from tricircle.store.engine import Engine, transact

#: A client that pages on after a day gets its place recomputed.
KEEP_S = 86_400.0
#: Rows that one transaction of a purge removes.
_PURGE_ROWS = 1000


class Positions:
    """Reads and writes of positions, one transaction each; they may vanish at any time.

    Every method raises ``UnavailableError`` when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def load(self, list_key: str, marker: str) -> dict[PodId, str | None] | None:
        """Per pod the last id taken before or at ``marker`` (None: nothing was taken); None when nothing is known.

        :param list_key: digest of who asks for what, at most 64 ASCII characters
        """
        return await transact(self._engine, lambda connection: CursorRows.get(connection, list_key, marker))

    async def save(self, list_key: str, marker: str, positions: Mapping[PodId, str | None]) -> None:
        """Write down where each pod stood when the page ended with ``marker``."""
        await transact(self._engine, lambda connection: CursorRows.put(connection, list_key, marker, positions))

    async def purge(self, *, unused_s: float = KEEP_S) -> int:
        """Remove what nobody used for ``unused_s`` seconds, in small transactions; how many went."""
        total = 0
        while True:
            gone = await transact(
                self._engine, lambda connection: CursorRows.purge(connection, unused_s=unused_s, limit=_PURGE_ROWS)
            )
            total += gone
            if gone < _PURGE_ROWS:
                return total
