# SPDX-License-Identifier: Apache-2.0
"""Which process dies at which of its calls, or loses its line?

A *point* names who dies (gateway or worker), to whom it speaks (a pod, the centre or the database), the number of the
call among those of its kind, and when: ``SENT``, the call is under way and not answered, or ``ANSWERED``, the other
side has answered and the process has not heard it.
"""

import os
import re
import signal
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who may die."""

    GATEWAY = "gateway"
    WORKER = "worker"


class Party(StrEnum):
    """To whom a call goes."""

    POD = "pod"
    CENTRE = "centre"
    DATABASE = "database"


class When(StrEnum):
    """At which moment of a call its caller dies; or, without anybody's death, what of the call is lost on the way."""

    SENT = "sent"
    ANSWERED = "answered"
    UNSENT = "request lost"
    LOST = "answer lost"


#: Somebody dies.
KILLS = (When.SENT, When.ANSWERED)
#: The line breaks, and nobody dies.
CUTS = (When.UNSENT, When.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose connection it is."""

    role: Role
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One way to die. ``number`` counts from 1; ``what`` names the only calls that are counted, by verb and path."""

    role: Role
    party: Party
    number: int
    when: When
    what: str = ""

    def __str__(self) -> str:
        return f"{self.role} {self.when} {self.party} {self.number}"


class Trigger:
    """Counts calls, and kills at the one that was chosen. Used by the wires' thread and by the test's.

    :param counts_reads: whether a point's number counts every call, or only those that change something
    """

    def __init__(self, *, counts_reads: bool = False) -> None:
        self._counts_reads = counts_reads
        self._lock = threading.Lock()
        self._point: Point | None = None
        self._counted: Counter[tuple[Role, Party]] = Counter()
        self._log: list[str] = []
        self._fell = ""
        self._struck = threading.Event()
        self.kills: list[int] = []

    def arm(self, point: Point | None) -> None:
        """Begin to count anew; without a point, only count."""
        with self._lock:
            self._point, self._counted, self._fell, self._log = point, Counter(), "", []
            self._struck.clear()

    def disarm(self) -> str:
        """Kill nobody any more. What was being asked when somebody died, empty when nobody did."""
        with self._lock:
            fell, self._point, self._fell = self._fell, None, ""
            return fell

    @property
    def fell(self) -> str:
        """As :meth:`disarm` says, and empty after it."""
        return self._fell

    @property
    def log(self) -> list[str]:
        """The calls that were counted, in order."""
        with self._lock:
            return list(self._log)

    def counted(self) -> dict[tuple[Role, Party], int]:
        """How many calls were counted since :meth:`arm`."""
        with self._lock:
            return dict(self._counted)

    def asked(self, caller: Caller, party: Party, what: str, *, is_write: bool) -> When | None:
        """A call is about to go out: when must its caller die? None when it may live."""
        if not (is_write or self._counts_reads):
            return None
        with self._lock:
            key = (caller.role, party)
            if self._point is not None and not re.search(self._point.what, what):
                return None
            self._counted[key] += 1
            self._log.append(f"{caller.role} {caller.pid} {party} {self._counted[key]}: {what}")
            point = self._point
            if point is None or (point.role, point.party) != key or self._counted[key] != point.number:
                return None
            self._fell, self._point = what, None
            return point.when

    def kill(self, caller: Caller) -> None:
        """End the process as a loss of power would."""
        # Written down first: whoever hears of the death may ask at once who it was.
        self.kills.append(caller.pid)
        with suppress(ProcessLookupError):
            os.kill(caller.pid, signal.SIGKILL)
        self._struck.set()

    def struck(self, seconds: float) -> int:
        """Who was killed since :meth:`arm`. The client may have its answer before: some calls are made after it.

        :raises AssertionError: nobody was, within these seconds
        """
        assert self._struck.wait(seconds), "the call that somebody dies at has no end"
        return self.kills[-1]
