# SPDX-License-Identifier: Apache-2.0
"""How are examples of a strategy made without a test around them, and always the same ones for one seed?"""

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def generated(strategy: SearchStrategy[T], count: int, seed_number: int) -> list[T]:
    """Up to ``count`` examples."""
    found: list[T] = []

    @seed(seed_number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found[:count]
