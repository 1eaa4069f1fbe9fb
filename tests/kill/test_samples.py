# SPDX-License-Identifier: Apache-2.0
"""Does a sample meet every way to die, whatever its size?"""

import pytest

from tests.kill.play import Plan, sample
from tests.kill.repertoire import BARE
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
