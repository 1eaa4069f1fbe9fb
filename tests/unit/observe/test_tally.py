# SPDX-License-Identifier: Apache-2.0
"""What is counted in memory first ends up as if it had been counted one by one."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tricircle.observe.tally import Tally

BOUNDS = (0.1, 1.0)
SEEN = (0.05, 0.1, 0.2, 5.0)


def numbers(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def made() -> tuple[CollectorRegistry, Counter, Histogram, Gauge]:
    registry = CollectorRegistry()
    return (
        registry,
        Counter("asked", "x", ("door",), registry=registry),
        Histogram("took", "x", ("door",), buckets=BOUNDS, registry=registry),
        Gauge("now", "x", registry=registry),
    )


async def test_numbers_are_those_of_counting_one_by_one() -> None:
    registry, counter, histogram, gauge = made()
    tally = Tally(BOUNDS)
    for seconds in SEEN:
        tally.count(counter, "compute")
        tally.time(histogram, seconds, "compute")
    tally.level(gauge, 3)
    tally.level(gauge, 2)
    tally.write()
    tally.write()
    expected, one_by_one, observed, level = made()
    for seconds in SEEN:
        one_by_one.labels("compute").inc()
        observed.labels("compute").observe(seconds)
    level.set(2)
    assert numbers(registry) == numbers(expected)


async def test_they_are_written_by_themselves() -> None:
    registry, counter, _histogram, _gauge = made()
    tally = Tally(BOUNDS)
    tally.count(counter, "compute")
    assert 'asked_total{door="compute"} 1.0' not in numbers(registry)
    async with asyncio.timeout(5):
        while 'asked_total{door="compute"} 1.0' not in numbers(registry):
            await asyncio.sleep(0.05)


def test_outside_of_a_loop_they_are_written_at_once() -> None:
    registry, counter, _histogram, _gauge = made()
    Tally(BOUNDS).count(counter, "compute")
    assert 'asked_total{door="compute"} 1.0' in numbers(registry)
