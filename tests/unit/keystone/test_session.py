# SPDX-License-Identifier: Apache-2.0
"""The service user's token: one login for all, renewed in good time."""

import asyncio
import time

import pytest

from tests.unit.keystone.fake import FakeKeystone
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.keystone.session import ServiceTokens


class WallClock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after(seconds)


async def test_one_login_serves_all_until_it_is_time_to_renew(settings: Settings, keystone: FakeKeystone) -> None:
    clock = WallClock()
    tokens = ServiceTokens(settings, clock=clock)
    found = await asyncio.gather(*(tokens.token(soon()) for _ in range(20)))
    assert set(found) == {"service-1"}
    clock.ahead = 3600 * 0.8 + 1
    # In good time: the old one still serves while the new one is fetched.
    assert await tokens.token(soon()) == "service-1"
    async with asyncio.timeout(5):
        while await tokens.token(soon()) == "service-1":
            await asyncio.sleep(0.01)
    assert keystone.logins == 2
    tokens.close()


async def test_a_token_that_ends_soon_is_not_handed_out(settings: Settings, keystone: FakeKeystone) -> None:
    clock = WallClock()
    tokens = ServiceTokens(settings, clock=clock)
    await tokens.token(soon())
    clock.ahead = 3600 - 59
    assert await tokens.token(soon()) == "service-2"
    assert keystone.logins == 2
    tokens.close()


async def test_a_refused_token_is_replaced(settings: Settings, keystone: FakeKeystone) -> None:
    tokens = ServiceTokens(settings)
    assert await tokens.token(soon()) == "service-1"
    tokens.forget("service-0")
    assert await tokens.token(soon()) == "service-1"
    tokens.forget("service-1")
    assert await tokens.token(soon()) == "service-2"
    tokens.close()


async def test_without_keystone_there_is_none_and_later_there_is(settings: Settings, keystone: FakeKeystone) -> None:
    tokens = ServiceTokens(settings)
    keystone.is_down = True
    with pytest.raises(UnavailableError):
        await tokens.token(soon())
    keystone.is_down = False
    assert (await tokens.token(soon())).startswith("service-")
    tokens.close()
