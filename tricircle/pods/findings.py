# SPDX-License-Identifier: Apache-2.0
"""What was seen of a pod, how bad is it, and what is to be done?"""

from dataclasses import dataclass
from enum import StrEnum

from tricircle.model.pod import Pod


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"  # as it should be
    NOTE = "note"  # cannot be seen from here, or is a matter of taste
    WARNING = "warning"  # works, but not as users expect
    FAILURE = "failure"  # does not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    pod: str
    check: str
    level: Level
    text: str
    remedy: str = ""


def finding_of(pod: Pod, check: str, level: Level, text: str, remedy: str = "") -> Finding:
    """A finding about a pod."""
    return Finding(pod=pod.name, check=check, level=level, text=text, remedy=remedy)
