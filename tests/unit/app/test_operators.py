# SPDX-License-Identifier: Apache-2.0
"""Who is let in to the pages for operators?"""

import pytest

from tests.unit.road.scripted import Validator, caller
from tests.unit.road.test_pipeline import Enforcer
from tricircle.app.operators import guard
from tricircle.errors import ForbiddenError, UnauthorizedError
from tricircle.http.listener import DETAIL_RULE, METRICS_RULE, Scope


def scope(token: bytes | None) -> Scope:
    headers = [] if token is None else [(b"x-auth-token", token)]
    return {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": headers}


@pytest.mark.parametrize("rule", [METRICS_RULE, DETAIL_RULE])
async def test_a_valid_token_of_an_operator_is_needed(rule: str) -> None:
    validator = Validator(known={"users-token": caller(), "admins-token": caller("p9", "admin")})
    check = guard(validator, Enforcer(), has_open_metrics=False)
    await check(scope(b"admins-token"), rule, "req-1")
    for token in (None, b"unknown"):
        with pytest.raises(UnauthorizedError):
            await check(scope(token), rule, "req-1")
    with pytest.raises(ForbiddenError, match=rule):
        await check(scope(b"users-token"), rule, "req-1")


async def test_open_metrics_open_nothing_else() -> None:
    check = guard(Validator(), Enforcer(), has_open_metrics=True)
    await check(scope(None), METRICS_RULE, "req-1")
    with pytest.raises(UnauthorizedError):
        await check(scope(None), DETAIL_RULE, "req-1")
