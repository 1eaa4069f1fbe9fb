# SPDX-License-Identifier: Apache-2.0
"""Does a sample meet every way to die, whatever its size?"""

import pytest

from tests.kill.play import Plan, sample
from tests.kill.repertoire import BARE, OPERATIONS
from tests.kill.trigger import CUTS, KILLS, Party, Point, Role


@pytest.mark.parametrize("size", [24, 50, 100])
def test_a_sample_is_spread_and_mixed(size: int) -> None:
    points = [
        Point(role=Role.GATEWAY, party=Party.POD, number=number, when=when)
        for number in range(1, 101)
        for when in (*KILLS, *CUTS)
    ]
    plans = [Plan(operation=BARE, point=point) for point in points]
    chosen = sample(plans, size, 7)
    assert size <= len(chosen) <= 2 * size
    assert {plan.point.when for plan in chosen} == {*KILLS, *CUTS}
    numbers = [plan.point.number for plan in chosen]
    assert numbers == sorted(numbers)
    assert numbers[-1] - numbers[0] > 90
    assert sample(plans, size, 7) == chosen


def test_dice_reach_every_point() -> None:
    """Also of operations with few points, amid others: which of them a run meets is luck and nothing else."""
    points = [
        Point(role=Role.WORKER, party=Party.POD, number=number, when=when) for number in range(1, 4) for when in CUTS
    ]
    plans = [Plan(operation=operation, point=point) for operation in OPERATIONS for point in points]
    drawn = {(plan.operation.name, plan.point) for seed in range(400) for plan in sample(plans, 24, seed)}
    assert drawn == {(plan.operation.name, plan.point) for plan in plans}


def test_names_tell_operations_apart() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
