# SPDX-License-Identifier: Apache-2.0
"""Who asks: the middleware judges, and its answer is believed for a short time only."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.unit.keystone.fake import FakeKeystone
from tricircle.conf.settings import Settings
from tricircle.context import Deadline, RequestContext
from tricircle.errors import UnauthorizedError, UnavailableError
from tricircle.keystone.tokens import Validator
from tricircle.model.pod import Service


class WallClock:
    """The real time, and what a test adds to it (Keystone's expiry is a real time)."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


@pytest.fixture
async def validator(settings: Settings, wall: WallClock) -> AsyncIterator[Validator]:
    made = Validator(settings, clock=wall)
    yield made
    made.close()


async def identify(
    validator: Validator,
    token: str | None,
    *,
    method: str = "GET",
    path: str = "/v2.1/servers",
    service: Service | None = Service.COMPUTE,
    seconds: float = 5.0,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> RequestContext:
    headers = [*extra, *([(b"x-auth-token", token.encode())] if token is not None else [])]
    return await validator.identify(headers, method, path, service, "req-1", Deadline.after(seconds))


async def test_a_good_token_says_who_asks(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    got = await identify(validator, "good", extra=((b"x-roles", b"admin"), (b"x-user-id", b"evil")))
    assert (got.user_id, got.project_id, got.project_name) == ("user-of-good", "p1", "demo")
    assert got.roles == {"member", "reader"}
    assert not got.is_admin
    assert (got.user_domain_id, got.project_domain_id, got.system_scope) == ("default", "default", None)
    assert (got.token, got.request_id) == ("good", "req-1")
    assert "good" not in repr(got).replace("user-of-good", "")


@pytest.mark.parametrize("token", [None, "", " ", "bad"])
async def test_without_a_valid_token_nobody_is_known(validator: Validator, token: str | None) -> None:
    with pytest.raises(UnauthorizedError):
        await identify(validator, token)


async def test_a_service_token_of_a_client_means_nothing(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    keystone.issue("old", life_s=-10.0)
    keystone.issue("svc", roles=[{"id": "3", "name": "service"}])
    assert (await identify(validator, "good", extra=((b"x-service-token", b"bad"),))).user_id == "user-of-good"
    with pytest.raises(UnauthorizedError):
        await identify(validator, "old", extra=((b"x-service-token", b"svc"),))


async def test_an_answer_is_believed_for_its_time_only(
    validator: Validator, keystone: FakeKeystone, wall: WallClock
) -> None:
    keystone.issue("good")
    for _ in range(3):
        await identify(validator, "good")
    assert keystone.validations == 1
    del keystone.tokens["good"]
    await identify(validator, "good")
    wall.ahead = 30.0
    with pytest.raises(UnauthorizedError):
        await identify(validator, "good")


async def test_an_answer_is_never_believed_beyond_expiry(
    validator: Validator, keystone: FakeKeystone, wall: WallClock
) -> None:
    keystone.issue("brief", life_s=5.0)
    await identify(validator, "brief")
    keystone.issue("brief", life_s=-1.0)
    wall.ahead = 5.0
    with pytest.raises(UnauthorizedError):
        await identify(validator, "brief")


async def test_a_forgotten_token_is_asked_about_again(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    await identify(validator, "good")
    del keystone.tokens["good"]
    validator.forget("good")
    with pytest.raises(UnauthorizedError):
        await identify(validator, "good")


async def test_many_who_wait_for_one_answer_ask_once(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    keystone.delay_s = 0.2
    found = await asyncio.gather(*(identify(validator, "good") for _ in range(50)))
    assert {context.user_id for context in found} == {"user-of-good"}
    assert keystone.validations == 1


async def test_one_who_leaves_does_not_take_the_answer_along(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    keystone.delay_s = 0.3
    with pytest.raises(UnavailableError):
        await identify(validator, "good", seconds=0.05)
    assert (await identify(validator, "good")).user_id == "user-of-good"
    assert keystone.validations == 1


async def test_access_rules_bind_service_method_and_path(validator: Validator, keystone: FakeKeystone) -> None:
    rules = [{"id": "1", "service": "compute", "method": "GET", "path": "/v2.1/servers/*"}]
    keystone.issue("narrow", application_credential={"id": "a", "restricted": True, "access_rules": rules})
    assert (await identify(validator, "narrow", path="/v2.1/servers/1")).user_id == "user-of-narrow"
    for refused in (
        {"path": "/v2.1/servers"},
        {"path": "/v2.1/servers/1/action"},
        {"path": "/v2.1/servers/1", "method": "DELETE"},
        {"path": "/v2.1/servers/1", "service": Service.NETWORK},
        {"path": "/v2.1/servers/1", "service": None},
    ):
        with pytest.raises(UnauthorizedError):
            await identify(validator, "narrow", **refused)  # type: ignore[arg-type]
    before = keystone.validations
    await identify(validator, "narrow", path="/v2.1/servers/1")
    assert keystone.validations == before


async def test_access_rules_may_use_either_name_of_block_storage(validator: Validator, keystone: FakeKeystone) -> None:
    for name in ("block-storage", "volumev3"):
        rules = [{"id": "1", "service": name, "method": "GET", "path": "/v3/volumes"}]
        keystone.issue(name, application_credential={"id": "a", "restricted": True, "access_rules": rules})
        got = await identify(validator, name, path="/v3/volumes", service=Service.BLOCK_STORAGE)
        assert got.user_id == f"user-of-{name}"


async def test_without_keystone_the_answer_is_later_not_no(validator: Validator, keystone: FakeKeystone) -> None:
    keystone.issue("good")
    await identify(validator, "good")
    keystone.is_down = True
    assert (await identify(validator, "good")).user_id == "user-of-good"
    with pytest.raises(UnavailableError):
        await identify(validator, "other")
    keystone.is_down = False
    keystone.issue("other")
    assert (await identify(validator, "other")).user_id == "user-of-other"


async def test_a_token_for_no_project_or_for_the_system_is_told_apart(
    validator: Validator, keystone: FakeKeystone
) -> None:
    keystone.issue("all", system={"all": True}, project=None)
    got = await identify(validator, "all", service=None, path="/v1.0/pods")
    assert (got.project_id, got.system_scope) == ("", "all")


async def test_the_cache_forgets_the_longest_unused(keystone: FakeKeystone, settings: Settings) -> None:
    import dataclasses

    small = dataclasses.replace(settings, gateway=dataclasses.replace(settings.gateway, token_cache_size=2))
    validator = Validator(small)
    for token in ("a", "b", "c"):
        keystone.issue(token)
        await identify(validator, token)
    await identify(validator, "b")
    assert keystone.validations == 3
    await identify(validator, "a")
    assert keystone.validations == 4
    validator.close()
