# SPDX-License-Identifier: Apache-2.0
"""Is nothing lost, doubled or left behind, wherever a process of ours dies or loses its line? See README.md here."""

import os

import pytest

from tests.kill.outcomes import lose_calls, refuse_calls
from tests.kill.play import Company, sample
from tests.kill.repertoire import OPERATIONS

pytestmark = [pytest.mark.lab, pytest.mark.kill, pytest.mark.timeout(14400)]

_SIZE = int(os.environ.get("TRICIRCLE_KILL_POINTS", "24"))
#: So many are judged together: each has a server or two in a pod that is not large.
_BATCH = 120
_IS_WHOLE = os.environ.get("TRICIRCLE_KILL") == "all"
_ONLY = os.environ.get("TRICIRCLE_KILL_ONLY", "")


def test_nothing_is_lost_doubled_or_left(company: Company, seed: int) -> None:
    operations = [operation for operation in OPERATIONS if _ONLY in operation.name]
    plans = company.learn(operations)
    chosen = plans if _IS_WHOLE else sample(plans, _SIZE, seed)
    print(f"\n{len(chosen)} of {len(plans)} points in {len(operations)} operations; TRICIRCLE_KILL_SEED={seed}")
    if not _ONLY:
        lose_calls(company)
        refuse_calls(company)
    problems: list[str] = []
    for start in range(0, len(chosen), _BATCH):
        company.play(chosen[start : start + _BATCH])
        problems += company.judge()
        company.close()
    for (name, role, party, is_kill), count in sorted(company.tried.items()):
        print(f"{name:20} {role:8} {party:9} {count} {'kills' if is_kill else 'cuts'}")
    print(f"{len(company.missed)} did not come to their point: {'; '.join(company.missed)}")
    assert not problems, "\n".join(problems)
