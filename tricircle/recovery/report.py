# SPDX-License-Identifier: Apache-2.0
"""What has a recovery found, written and not managed? Collected while it runs, shown at its end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Did(StrEnum):
    """What became of one record."""

    KEPT = "kept"  # it was there, and right
    WRITTEN = "written"  # it was missing or wrong
    REMOVED = "removed"  # the pod does not have what it speaks of
    FILED = "filed"  # a job will make the copy agree
    IMPORTED = "imported"  # the centre did not know what runs in the pod, and knows it now


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be recovered, and what the operator can do."""

    text: str
    remedy: str


@dataclass(slots=True)
class Report:
    """Filled by the parts of a recovery.

    :ivar counts: by (pod name, noun, what was done)
    :ivar notes: what an operator should know, and need not act upon
    :ivar progress: told a line now and then
    """

    progress: Callable[[str], None] = lambda _line: None
    counts: Counter[tuple[str, str, Did]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)

    def count(self, pod_name: str, noun: str, did: Did, number: int = 1) -> None:
        """Add to what was done."""
        if number:
            self.counts[pod_name, noun, did] += number

    def note(self, text: str) -> None:
        """Add a note; one that was given already is not repeated."""
        if text not in self._said:
            self._said.add(text)
            self.notes.append(text)

    def problem(self, text: str, remedy: str) -> None:
        """Add a problem."""
        problem = Problem(text, remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def rows(self) -> list[tuple[str, str, dict[Did, int]]]:
        """(pod name, noun, numbers), sorted."""
        keys = sorted({(pod, noun) for pod, noun, _did in self.counts})
        return [(pod, noun, {did: self.counts[pod, noun, did] for did in Did}) for pod, noun in keys]
