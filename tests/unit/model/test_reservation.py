# SPDX-License-Identifier: Apache-2.0
"""What is taken, when pods' readings and reservations overlap?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tricircle.context import PodId
from tricircle.model.reservation import Amounts, Reading, Reservation, of_user, standing, users_part

T0 = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO = PodId("one"), PodId("two")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def reading(pod: PodId, seen: float, used: int) -> Reading:
    return Reading(pod_id=pod, amounts={"volumes": used}, seen_at=at(seen))


def reservation(pod: PodId, created: float, *, until: float = 300, bound: float | None = None) -> Reservation:
    return Reservation(
        id=1,
        pod_id=pod,
        amounts={"volumes": 1},
        created_at=at(created),
        until=at(until),
        bound_at=None if bound is None else at(bound),
    )


def volumes(amounts: Amounts) -> int:
    return amounts.get("volumes", 0)


@pytest.mark.parametrize(
    ("seen", "until", "bound", "is_covered"),
    [
        (5, 300, None, False),  # still being made
        (5, 300, 4, True),  # counted before the pod was asked
        (4, 300, 4, False),  # at the same instant: nobody knows
        (3, 300, 4, False),  # asked before
        (301, 300, None, True),  # whatever became of it, it has
        (300, 300, None, False),
    ],
)
def test_a_reading_covers_what_was_counted_before_it(
    seen: float, until: float, bound: float | None, is_covered: bool
) -> None:
    one = reservation(ONE, 0, until=until, bound=bound)
    taken = standing([reading(ONE, seen, 1)], [one])
    assert one.is_covered(reading(ONE, seen, 1)) is is_covered
    assert volumes(taken.most) == (1 if is_covered else 2)


def test_what_a_pod_may_have_counted_already_is_doubtful() -> None:
    taken = standing([reading(ONE, 5, 3)], [reservation(ONE, 4)])
    assert (volumes(taken.used), volumes(taken.reserved), volumes(taken.doubtful)) == (3, 1, 1)
    assert (volumes(taken.least), volumes(taken.most)) == (3, 4)


def test_what_a_pod_cannot_have_counted_is_certain() -> None:
    """It was down, and said last what it used long before; or it was never asked."""
    for known in ([reading(ONE, -60, 3)], [reading(TWO, 5, 3)]):
        taken = standing(known, [reservation(ONE, 4)])
        assert (volumes(taken.least), volumes(taken.most)) == (4, 4)


def test_of_two_pods_each_reading_counts_for_its_own() -> None:
    taken = standing(
        [reading(ONE, 9, 1), reading(TWO, 1, 2)], [reservation(ONE, 0, bound=3), reservation(TWO, 0, bound=3)]
    )
    assert (volumes(taken.used), volumes(taken.reserved)) == (3, 1)


def test_parts_of_users_stay_as_they_were_said_last_and_grow_by_what_is_counted() -> None:
    """Until the pod is asked for the user again."""
    former = Reading(
        pod_id=ONE, amounts={"cores": 9, **of_user("a", {"cores": 3}), **of_user("b", {"cores": 1})}, seen_at=T0
    )
    counted = [replace(reservation(ONE, 1), amounts={"cores": 2, **of_user(user, {"cores": 2})}) for user in "abc"]
    newer = Reading(pod_id=ONE, amounts={"cores": 8, **of_user("b", {"cores": 0})}, seen_at=at(9))
    made = newer.completed(former, counted)
    assert made.amounts["cores"] == 8
    assert {user: users_part(user, made.amounts) for user in "abcd"} == {
        "a": {"cores": 5}, "b": {"cores": 0}, "c": {"cores": 2}, "d": {},
    }  # fmt: skip
    plain = reading(ONE, 9, 4)
    assert plain.completed(None, [reservation(ONE, 1)]) is plain
    assert plain.completed(reading(ONE, 1, 2), []) == plain
