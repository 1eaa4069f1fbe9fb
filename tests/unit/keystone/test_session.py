# SPDX-License-Identifier: Apache-2.0
"""The service user's token: one login for all, renewed in good time."""

import asyncio
import re
import time
from dataclasses import replace

import pytest

from tests.unit.keystone.fake import FakeKeystone
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import IDENTITY_AWAY, ServiceUserError, UnavailableError
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


NO_ADMIN = ["member", "service"]


async def test_a_service_user_without_the_role_gets_no_token(
    settings: Settings, keystone: FakeKeystone, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator reads why; Keystone is not asked again for a while, and then all is well by itself."""
    clock = WallClock()
    tokens = ServiceTokens(settings, clock=clock)
    keystone.service_roles = NO_ADMIN
    for _ in range(3):
        with pytest.raises(ServiceUserError, match="no role 'admin' in its project, only: member, service"):
            await tokens.token(soon())
    assert keystone.logins == 1
    assert "no role 'admin'" in caplog.text
    keystone.service_roles = ["Admin"]
    clock.ahead = 3
    assert await tokens.token(soon()) == "service-2"
    tokens.close()


async def test_a_process_says_so_at_its_start(
    settings: Settings, keystone: FakeKeystone, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = ServiceTokens(settings)
    keystone.service_roles = []
    await tokens.begin()
    with pytest.raises(ServiceUserError, match="only: none"):
        await tokens.token(soon())
    assert keystone.logins == 1
    assert "no role 'admin'" in caplog.text
    tokens.close()


async def test_a_renewal_that_tells_of_a_lost_role_ends_the_former_token(
    settings: Settings, keystone: FakeKeystone
) -> None:
    clock = WallClock()
    tokens = ServiceTokens(settings, clock=clock)
    assert await tokens.token(soon()) == "service-1"
    keystone.service_roles = NO_ADMIN
    clock.ahead = 3600 * 0.8 + 1
    # The renewal goes on beside; what it says counts for whoever comes then.
    await tokens.token(soon())
    flight = tokens._flight
    assert flight is not None
    with pytest.raises(ServiceUserError):
        await flight
    with pytest.raises(ServiceUserError):
        await tokens.token(soon())
    tokens.close()


async def test_a_role_may_have_another_name(settings: Settings, keystone: FakeKeystone) -> None:
    renamed = replace(settings, gateway=replace(settings.gateway, admin_role="cloud_admin"))
    tokens = ServiceTokens(renamed)
    with pytest.raises(ServiceUserError, match="no role 'cloud_admin'"):
        await tokens.token(soon())
    tokens.close()
    keystone.service_roles = ["cloud_admin"]
    tokens = ServiceTokens(renamed)
    token = await tokens.token(soon())
    await tokens.confirm(token, soon())
    tokens.close()


async def test_a_token_whose_user_lost_the_role_meanwhile_is_not_confirmed(
    settings: Settings, keystone: FakeKeystone, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = ServiceTokens(settings)
    token = await tokens.token(soon())
    await tokens.confirm(token, soon())
    keystone.tokens[token]["roles"] = [{"id": "2", "name": "member"}]
    keystone.service_roles = NO_ADMIN
    with pytest.raises(ServiceUserError):
        await tokens.confirm(token, soon())
    assert "is not believed" in caplog.text
    with pytest.raises(ServiceUserError):
        await tokens.token(soon())
    tokens.close()


async def test_a_token_that_keystone_knows_no_more_is_not_confirmed(settings: Settings, keystone: FakeKeystone) -> None:
    tokens = ServiceTokens(settings)
    token = await tokens.token(soon())
    del keystone.tokens[token]
    with pytest.raises(UnavailableError):
        await tokens.confirm(token, soon())
    assert await tokens.token(soon()) == "service-2"
    keystone.is_down = True
    with pytest.raises(UnavailableError):
        await tokens.confirm("service-2", soon())
    tokens.close()


@pytest.mark.parametrize(
    "page",
    [
        b"<html>We are being maintained</html>", b"", b"\xff", b"[]", b"{}", b'{"token": null}', b'{"token": []}',
        b'{"token": {"roles": null}}', b'{"token": {"roles": ["admin"]}}', b'{"token": {"roles": [{}]}}',
        b'{"token": {"x": ' + b"[" * 9999,
    ],
)  # fmt: skip
async def test_a_page_of_a_front_confirms_nothing(settings: Settings, keystone: FakeKeystone, page: bytes) -> None:
    tokens = ServiceTokens(settings)
    token = await tokens.token(soon())
    keystone.page = page
    with pytest.raises(UnavailableError, match=re.escape(IDENTITY_AWAY)) as told:
        await tokens.confirm(token, soon())
    assert not isinstance(told.value, ServiceUserError)
    keystone.page = None
    await tokens.confirm(await tokens.token(soon()), soon())
    tokens.close()


async def test_keystone_is_asked_once_for_all_who_wait_and_never_before_they_asked(
    settings: Settings, keystone: FakeKeystone
) -> None:
    """A question that is under way may have been answered before the role was lost."""
    tokens = ServiceTokens(settings)
    token = await tokens.token(soon())
    keystone.gate.clear()
    first = asyncio.ensure_future(tokens.confirm(token, soon()))
    async with asyncio.timeout(5):
        while keystone.validations == 0:
            await asyncio.sleep(0)
    later = [asyncio.ensure_future(tokens.confirm(token, soon())) for _ in range(10)]
    await asyncio.sleep(0)
    keystone.gate.set()
    await asyncio.gather(first, *later)
    assert keystone.validations == 2
    await tokens.confirm(token, soon())
    assert keystone.validations == 3
    tokens.close()


async def test_nobody_waits_for_keystone_beyond_the_deadline(settings: Settings, keystone: FakeKeystone) -> None:
    tokens = ServiceTokens(settings)
    token = await tokens.token(soon())
    keystone.gate.clear()
    with pytest.raises(UnavailableError):
        await tokens.confirm(token, soon(0.05))
    keystone.gate.set()
    tokens.close()
