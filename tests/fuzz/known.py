# SPDX-License-Identifier: Apache-2.0
"""Which differences are meant, and why? Everything else is a finding."""

import re
from dataclasses import dataclass

from tests.fuzz.verdict import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """Differences that are right as they are. Patterns are searched for; blanks fit everything."""

    why: str
    door: str = ""
    kind: str = ""
    call: str = ""
    how: str = ""
    ours: str = ""
    theirs: str = ""

    def fits(self, finding: Finding) -> bool:
        """Whether this is one of them."""
        return all(
            re.search(pattern, text, re.DOTALL)
            for pattern, text in (
                (self.door, finding.door),
                (self.kind, finding.kind),
                (self.call, finding.call),
                (self.how, finding.how),
                (self.ours, finding.ours),
                (self.theirs, finding.theirs),
            )
        )


EXCUSES: tuple[Excuse, ...] = (
    Excuse(why="not carried yet: a 501 that says so", ours="^501 ", kind="class|status|500"),
    Excuse(why="the service breaks (500) and we do not", kind="class|status", ours="^4", theirs="^5"),
)


def excuse(finding: Finding) -> str | None:
    """Why a difference is meant; None when nobody says so."""
    return next((one.why for one in EXCUSES if one.fits(finding)), None)
