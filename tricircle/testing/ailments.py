# SPDX-License-Identifier: Apache-2.0
"""What can a pod's service suffer from, on command?"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tricircle.testing.exchange import Asked


class Symptom(StrEnum):
    """How the illness shows. A service that refuses connections is made with ``Listener.refuse()`` instead."""

    SLOW = "slow"  # answers after delay_s
    SILENT = "silent"  # takes the request, never answers
    CUT = "cut"  # sends half of the answer, then closes the connection
    FAILING = "failing"  # answers with ``status`` in the service's own form
    GARBAGE = "garbage"  # answers 200 with a page that is not of its API


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """One illness of one service.

    :ivar is_carried_out: whether the call has its effect before the symptom shows (a POST whose answer is lost)
    :ivar only: which calls suffer; all when None
    """

    symptom: Symptom
    delay_s: float = 0.0
    status: int = 500
    is_carried_out: bool = False
    only: Callable[[Asked], bool] | None = None

    def strikes(self, asked: Asked) -> bool:
        """Whether this call suffers."""
        return self.only is None or self.only(asked)
