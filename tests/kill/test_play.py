# SPDX-License-Identifier: Apache-2.0
"""Which scenes are prepared, in which order, and when does a play end? Without a lab: nobody acts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kill.operations import Operation, Props, Scene, Told
from tests.kill.play import Company, Plan
from tests.kill.trigger import KILLS, Party, Point, Role
from tests.kill.truth import Truth


@dataclass(kw_only=True)
class Rehearsed:
    """Says what is done with it; the first times it cannot be prepared."""

    name: str = "rehearsed"
    shares_project: bool = True
    failures: int = 0
    begun: list[str] = field(default_factory=list)

    def prepare(self, _props: Props, scene: Scene) -> None:
        self.begun.append(scene.name)
        assert len(self.begun) > self.failures, "too slow"

    def act(self, _props: Props, _scene: Scene) -> Told:
        return Told(200)

    def judge(self, _scene: Scene, _truth: Truth) -> list[str]:
        return []


class Rehearsal(Company):
    """A company without a stage: it notes what it would play."""

    def __init__(self) -> None:
        nobody: Any = None
        super().__init__(region=nobody, stage=nobody, props=nobody)
        self.noted: list[tuple[int, int]] = []

    def prepared(self, operations: Sequence[Operation]) -> list[Scene]:
        self.tenants.setdefault("shared", None)  # type: ignore[arg-type]
        self.scenes += (scenes := [self.scene(operation, "shared") for operation in operations])
        return scenes

    def play_one(self, _scene: Scene, point: Point) -> None:
        self.noted.append((point.number, len(self.scenes)))


def plans_of(operation: Operation, count: int) -> list[Plan]:
    points = [Point(role=Role.WORKER, party=Party.POD, number=n, when=KILLS[0]) for n in range(1, count + 1)]
    return [Plan(operation=operation, point=point) for point in points]


def test_all_are_played_in_order_and_few_are_prepared_ahead() -> None:
    company = Rehearsal()
    assert company.play(plans_of(Rehearsed(), 20), math.inf) == 20
    assert [number for number, _ in company.noted] == list(range(1, 21))
    assert all(0 <= ahead - number < 6 for number, ahead in company.noted)


def test_nothing_is_begun_when_the_time_is_up() -> None:
    company = Rehearsal()
    assert company.play(plans_of(Rehearsed(), 20), 0) == 0
    assert (company.noted, company.scenes) == ([], [])


def test_what_a_busy_machine_spoils_is_begun_anew() -> None:
    company, operation = Rehearsal(), Rehearsed(failures=2)
    assert company.play(plans_of(operation, 1), math.inf) == 1
    assert [scene.name for scene in company.spoiled + company.scenes] == operation.begun
    assert len(company.spoiled) == 2


def test_what_can_never_be_prepared_is_told() -> None:
    company = Rehearsal()
    with pytest.raises(AssertionError, match="too slow"):
        company.play(plans_of(Rehearsed(failures=99), 1), math.inf)
    assert len(company.spoiled) == 3
