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
    request: str = ""

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
                (self.request, finding.request),
            )
        )


EXCUSES: tuple[Excuse, ...] = (
    Excuse(
        why="Python's decoder takes NaN and Infinity, which are no JSON: we refuse them as such",
        kind="class|status",
        ours="^400 ",
        request=r"\bNaN\b|Infinity\b",
    ),
    Excuse(why="the service breaks (500) and we do not", kind="class|status", ours="^[24]", theirs="^5"),
    Excuse(
        why="Keystone hangs up without an answer, as for an application credential that is a text: we say so",
        door="identity",
        kind="class",
        ours="^50[34] .*did not answer",
        theirs="^0 ",
    ),
    Excuse(
        why="Nova leaves it to the host, which only logs that it cannot; we say so in Nova's words",
        door="compute",
        kind="class",
        call="(addFixedIp|removeFixedIp)$",
        ours="^40[04] .*(Network could not be found|doesn't have fixed IP|Zero fixed IPs)",
        theirs="^202",
    ),
    Excuse(
        why="both refuse: JSON that is no object is refused before an action is looked for",
        door="block-storage",
        kind="status",
        call="/action ",
        ours="^400 .*Malformed request body",
        theirs="^404",
    ),
    Excuse(
        why="both refuse: a type that nobody has is looked for before the form of the others",
        door="block-storage",
        kind="status",
        call="^POST /groups$",
        ours="^404",
        theirs="^400",
    ),
    Excuse(why="an administrator cleans up in all pods at once", kind="wrong pod", call="^POST /workers/cleanup$"),
    Excuse(
        why="both refuse: whether somebody may is looked at before the form of a query",
        kind="status",
        ours="^403 .*Policy",
        theirs="^400 .*query param",
    ),
    Excuse(
        why="the centre has no compute service: its Nova refuses rules of anti-affinity (docs/status.md)",
        door="compute",
        kind="class",
        call="^POST /os-server-groups$",
        ours="^409 .*max_server_per_host",
        theirs="^200",
    ),
)


def excuse(finding: Finding) -> str | None:
    """Why a difference is meant; None when nobody says so."""
    return next((one.why for one in EXCUSES if one.fits(finding)), None)
