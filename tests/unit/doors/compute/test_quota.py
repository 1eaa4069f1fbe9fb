# SPDX-License-Identifier: Apache-2.0
"""How many servers fit, and in which words is it said that they do not?"""

import pytest

from tricircle.doors.compute.quota import Amounts, fitting
from tricircle.doors.compute.usage import summed
from tricircle.errors import QuotaExceededError

ONE = Amounts(1, 2, 64)


def test_as_many_as_fit() -> None:
    assert fitting(Amounts(10, -1, -1), Amounts(9, 0, 0), ONE, (1, 5)) == 1
    assert fitting(Amounts(-1, 20, 640), Amounts(9, 12, 0), ONE, (1, 5)) == 4
    assert fitting(Amounts(-1, -1, -1), Amounts(900, 900, 900), ONE, (3, 5)) == 5


@pytest.mark.parametrize(
    ("limits", "usage", "counts", "text"),
    [
        (
            Amounts(10, 20, 51200),
            Amounts(10, 10, 640),
            (1, 1),
            "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
        ),
        (
            Amounts(0, 0, -1),
            Amounts(0, 0, 0),
            (1, 3),
            "Quota exceeded for cores, instances: Requested 6, 1-3, but already used 0, 0 of 0, 0 cores, instances",
        ),
        (
            Amounts(-1, -1, 100),
            Amounts(1, 2, 64),
            (1, 1),
            "Quota exceeded for ram: Requested 64, but already used 64 of 100 ram",
        ),
    ],
)
def test_too_many(limits: Amounts, usage: Amounts, counts: tuple[int, int], text: str) -> None:
    with pytest.raises(QuotaExceededError) as caught:
        fitting(limits, usage, ONE, counts)
    assert caught.value.message == text


def test_usage_is_added_up_per_project() -> None:
    first = {
        "tenant_id": "a",
        "total_hours": 1.0,
        "start": "s",
        "server_usages": [{"name": "x", "flavor": "tricircle.m1"}],
    }
    second = {"tenant_id": "a", "total_hours": 0.5, "start": "s", "server_usages": [{"name": "y"}]}
    other = {"tenant_id": "b", "total_hours": 2}
    assert summed([first, other, second]) == [
        {
            "tenant_id": "a",
            "total_hours": 1.5,
            "start": "s",
            "server_usages": [{"name": "x", "flavor": "m1"}, {"name": "y"}],
        },
        {"tenant_id": "b", "total_hours": 2},
    ]
