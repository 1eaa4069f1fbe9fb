# SPDX-License-Identifier: Apache-2.0
"""Is nothing lost, doubled or left behind, wherever a process of ours dies or loses its line? See README.md here."""

import os
import random
import re
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.kill.operations import Operation
from tests.kill.outcomes import lose_calls, refuse_calls
from tests.kill.play import Company, Plan, sample
from tests.kill.repertoire import OPERATIONS
from tests.kill.trigger import KILLS

pytestmark = [pytest.mark.lab, pytest.mark.kill, pytest.mark.timeout(14400)]

_POINTS = os.environ.get("TRICIRCLE_KILL_POINTS", "")
#: So many are judged together: each has a server or two in a pod that is not large.
_BATCH = int(os.environ.get("TRICIRCLE_KILL_BATCH", "120"))
#: ``all``: every point; ``kills``: every one at which somebody dies; ``cuts``: all others; else a sample of all.
_WHICH = os.environ.get("TRICIRCLE_KILL", "")
#: How many points were played before, by a run that was cut off: go on behind them.
_PLAYED = int(os.environ.get("TRICIRCLE_KILL_PLAYED", "0"))
#: No point is begun later than so many minutes after the first; what was played is judged.
_MINUTES = float(os.environ.get("TRICIRCLE_KILL_MINUTES", "0"))
_ONLY = os.environ.get("TRICIRCLE_KILL_ONLY", "")
#: Names have a blank behind their own comma.
_WORDS = re.split(",(?! )", _ONLY)
_NAMES = {operation.name for operation in OPERATIONS}
#: How many operations a sample is drawn from: each is played once before, to learn its points.
_LEARNT = 16


def test_nothing_is_lost_doubled_or_left(company: Company, seed: int) -> None:
    operations = operations_of(seed)
    plans = company.learn(operations)
    chosen = chosen_of(plans, seed)[_PLAYED:]
    if _MINUTES:
        random.Random(seed).shuffle(chosen)  # so that those that are played in time are a sample of all
    print(f"\n{len(chosen)} of {len(plans)} points in {len(operations)} operations; TRICIRCLE_KILL_SEED={seed}")
    print("; ".join(f"{name}: {count}" for name, count in Counter(plan.operation.name for plan in chosen).items()))
    if not _ONLY:
        lose_calls(company)
        refuse_calls(company)
    problems: list[str] = []
    began = time.monotonic()
    done, until = 0, began + (_MINUTES * 60 or float("inf"))
    try:
        while done < len(chosen) and time.monotonic() < until:
            done += company.play(chosen[done : done + _BATCH], until)
            found = company.judge()
            problems += found
            minutes = (time.monotonic() - began) / 60
            print(f"{done} of {len(chosen)} points after {minutes:.0f} min: {len(problems)} problems", *found, sep="\n")
            company.close()
    finally:  # a long run may be broken off behind any of its batches
        show_played(company)
    assert not problems, "\n".join(problems)


def operations_of(seed: int) -> list[Operation]:
    """Those that the settings ask for; for a sample so many that they are learnt in a few minutes."""
    operations = [operation for operation in OPERATIONS if is_named(operation.name, _WORDS)]
    if _WHICH or _ONLY:
        return operations
    drawn = random.Random(seed).sample(range(len(operations)), _LEARNT)
    return [operations[place] for place in sorted(drawn)]


def is_named(name: str, words: Sequence[str]) -> bool:
    """Whether one of the words is in the name; a word that is a whole name of some operation means that one alone."""
    return any(word == name if word in _NAMES else word in name for word in words)


def show_played(company: Company) -> None:
    """Print what somebody died at, and which points nobody came to."""
    for (name, role, party, is_kill), count in sorted(company.tried.items()):
        print(f"{name:20} {role:8} {party:9} {count} {'kills' if is_kill else 'cuts'}")
    print(f"{len(company.missed)} did not come to their point: {'; '.join(company.missed)}")


def chosen_of(plans: list[Plan], seed: int) -> list[Plan]:
    """Those that the settings ask for."""
    if _WHICH == "all":
        return plans
    if _WHICH in ("kills", "cuts"):
        plans = [plan for plan in plans if (plan.point.when in KILLS) is (_WHICH == "kills")]
        return sample(plans, int(_POINTS), seed) if _POINTS else plans
    return sample(plans, int(_POINTS or "24"), seed)
