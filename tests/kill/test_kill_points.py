# SPDX-License-Identifier: Apache-2.0
"""Is nothing lost, doubled or left behind, wherever a process of ours dies or loses its line? See README.md here."""

import os
import time
from collections.abc import Sequence

import pytest

from tests.kill.outcomes import lose_calls, refuse_calls
from tests.kill.play import Company, Plan, sample
from tests.kill.repertoire import OPERATIONS
from tests.kill.trigger import KILLS

pytestmark = [pytest.mark.lab, pytest.mark.kill, pytest.mark.timeout(14400)]

_SIZE = int(os.environ.get("TRICIRCLE_KILL_POINTS", "24"))
#: So many are judged together: each has a server or two in a pod that is not large.
_BATCH = 120
#: ``all``: every point; ``kills``: every one at which somebody dies; else a sample of all.
_WHICH = os.environ.get("TRICIRCLE_KILL", "")
#: How many points were played before, by a run that was cut off: go on behind them.
_PLAYED = int(os.environ.get("TRICIRCLE_KILL_PLAYED", "0"))
_ONLY = os.environ.get("TRICIRCLE_KILL_ONLY", "")
_WORDS = _ONLY.split(",")


def test_nothing_is_lost_doubled_or_left(company: Company, seed: int) -> None:
    operations = [operation for operation in OPERATIONS if any(word in operation.name for word in _WORDS)]
    plans = company.learn(operations)
    chosen = chosen_of(plans, seed)[_PLAYED:]
    print(f"\n{len(chosen)} of {len(plans)} points in {len(operations)} operations; TRICIRCLE_KILL_SEED={seed}")
    if not _ONLY:
        lose_calls(company)
        refuse_calls(company)
    problems: list[str] = []
    began = time.monotonic()
    for start in range(0, len(chosen), _BATCH):
        company.play(chosen[start : start + _BATCH])
        problems += company.judge()
        done = min(start + _BATCH, len(chosen))
        print(
            f"{done} of {len(chosen)} points after {(time.monotonic() - began) / 60:.0f} min: {len(problems)} problems"
        )
        company.close()
    for (name, role, party, is_kill), count in sorted(company.tried.items()):
        print(f"{name:20} {role:8} {party:9} {count} {'kills' if is_kill else 'cuts'}")
    print(f"{len(company.missed)} did not come to their point: {'; '.join(company.missed)}")
    assert not problems, "\n".join(problems)


def chosen_of(plans: Sequence[Plan], seed: int) -> Sequence[Plan]:
    """Those that the settings ask for."""
    if _WHICH == "all":
        return plans
    if _WHICH == "kills":
        return [plan for plan in plans if plan.point.when in KILLS]
    return sample(plans, _SIZE, seed)
