# SPDX-License-Identifier: Apache-2.0
"""What can a pod's service suffer from, on command?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tricircle.testing.exchange import Asked, Said


class Symptom(StrEnum):
    """How the illness shows. What concerns connections as such is made with ``Listener`` instead: ``refuse()``,
    ``ignore()``, ``hold()``.
    """

    SLOW = "slow"  # answers after delay_s
    SILENT = "silent"  # takes the request, never answers
    CUT = "cut"  # sends half of the answer, then closes the connection
    FAILING = "failing"  # answers with ``status`` in the service's own form
    GARBAGE = "garbage"  # answers 200 with a page that is not of its API
    BROKEN = "broken"  # sends what ``wire`` makes of the answer's bytes, see ``wire.py``
    LYING = "lying"  # says what ``lie`` makes of the truth, see ``lies.py``


#: What is sent instead of an answer's head and body, piece by piece; an empty piece is a pause.
Wire = Callable[[bytes, bytes], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """What a service makes of a call before it answers, and of its answer."""

    hear: Callable[[Asked], Asked] = lambda asked: asked
    say: Callable[[Asked, Said], Said] = lambda _asked, said: said


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """One illness of one service.

    :ivar delay_s: before a slow answer; between the pieces of a broken one
    :ivar is_carried_out: whether the call has its effect before the symptom shows (a POST whose answer is lost)
    :ivar only: which calls suffer; all when None
    """

    symptom: Symptom
    delay_s: float = 0.0
    status: int = 500
    wire: Wire | None = None
    lie: Lie | None = None
    is_carried_out: bool = False
    only: Callable[[Asked], bool] | None = None

    def strikes(self, asked: Asked) -> bool:
        """Whether this call suffers."""
        return self.only is None or self.only(asked)
