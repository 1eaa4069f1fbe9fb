# SPDX-License-Identifier: Apache-2.0
"""What became of all the requests to one door? Counts and differences, for people and as JSON."""

import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.verdict import Finding

#: So many lines of one sort are printed; the file has them all.
_SHOWN = 40
#: A run says after so many requests how far it is.
_STEP = 250


@dataclass(slots=True)
class Report:
    """Counts of one door."""

    door: str
    mutated: int = 0
    hostile: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    answered_by: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    passed_over: list[Finding] = field(default_factory=list)
    routed: int = 0
    compared: int = 0
    same_class: int = 0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, *, status: int, who: str, is_mutation: bool, is_routed: bool) -> None:
        """One request has its answer. ``is_routed``: a row of the door was found for it."""
        with self.lock:
            self.statuses[f"{status // 100}xx" if status else "none"] += 1
            self.statuses[str(status)] += 1
            self.answered_by[who] += 1
            self.mutated += is_mutation
            self.routed += is_mutation and is_routed
            self.hostile += not is_mutation
            if (done := self.mutated + self.hostile) % _STEP == 0:
                print(f"{self.door}: {done} requests, {len(self.findings)} findings", flush=True)

    def compare(self, *, is_same_class: bool) -> None:
        """A good request made bad has been sent to both sides."""
        with self.lock:
            self.compared += 1
            self.same_class += is_same_class

    def find(self, finding: Finding, excuse: str | None) -> None:
        """Something is not as it should be, or differs for a reason that is written down."""
        with self.lock:
            if excuse is None:
                self.findings.append(finding)
                print("  " + finding.line(), flush=True)
            else:
                self.excused[excuse] += 1
                self.passed_over.append(finding)

    def text(self) -> str:
        """For people."""
        total = self.mutated + self.hostile
        lines = [
            (
                f"{self.door}: {total} requests in {self.seconds:.0f} s, {self.mutated} of them good ones made bad, "
                f"{self.hostile} hostile"
            ),
            f"  a row found {self.routed} of those made bad",
            "  answered by " + _counts(self.answered_by),
            "  statuses    " + _counts(self.statuses),
            f"  same class  {self.same_class} of {self.compared} compared",
            f"  findings    {len(self.findings)}",
        ]
        for reason, number in sorted(self.excused.items()):
            lines.append(f"  excused     {number:5} {reason}")
        kinds: Counter[str] = Counter()
        for finding in sorted(self.findings, key=lambda one: (one.kind, one.call, one.how)):
            kinds[finding.kind] += 1
            if kinds[finding.kind] <= _SHOWN:
                lines.append("    " + finding.line())
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """``<door>.json``: everything."""
        folder.mkdir(exist_ok=True)
        whole = {
            "door": self.door,
            "mutated": self.mutated,
            "hostile": self.hostile,
            "routed": self.routed,
            "seconds": round(self.seconds),
            "compared": self.compared,
            "same_class": self.same_class,
            "statuses": dict(self.statuses),
            "answered_by": dict(self.answered_by),
            "excused": dict(self.excused),
            "findings": [asdict(finding) for finding in self.findings],
            "passed_over": [asdict(finding) for finding in self.passed_over],
        }
        (folder / f"{self.door}.json").write_text(json.dumps(whole, indent=1) + "\n")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{key} {number}" for key, number in sorted(counter.items()))
