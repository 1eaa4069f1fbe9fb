# SPDX-License-Identifier: Apache-2.0
"""Pools with short waits and a clock that a test moves."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.servers import Clock
from tricircle.conf.settings import UpstreamSettings
from tricircle.upstream.pool import Pools


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pools(clock: Clock) -> AsyncIterator[Pools]:
    made = Pools(
        UpstreamSettings(connect_timeout_s=0.5, breaker_failures=3, breaker_probe_s=5.0, stream_idle_s=0.4), clock=clock
    )
    yield made
    await made.close()
