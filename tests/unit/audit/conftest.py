# SPDX-License-Identifier: Apache-2.0
"""Pools with short waits."""

from collections.abc import AsyncIterator

import pytest

from tricircle.conf.settings import UpstreamSettings
from tricircle.upstream.pool import Pools


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made = Pools(UpstreamSettings(connect_timeout_s=0.5, breaker_failures=3, breaker_probe_s=0.1))
    yield made
    await made.close()
