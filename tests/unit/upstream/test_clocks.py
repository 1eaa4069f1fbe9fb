# SPDX-License-Identifier: Apache-2.0
"""Is a service's clock read from what it says, and ours taken where it says nothing?"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from tricircle.context import Deadline
from tricircle.upstream.clocks import skew_s, time_at
from tricircle.upstream.reply import Reply


def telling(date: bytes | None) -> SimpleNamespace:
    """A client of a service that says this is the time."""

    async def reply(_method: str, _path: str, **_given: object) -> Reply:
        return Reply(status=300, headers=[] if date is None else [(b"date", date)], body=b"{}")

    return SimpleNamespace(reply=reply)


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_a_clock_that_is_off(hours: int) -> None:
    there = datetime.now(UTC) + timedelta(hours=hours)
    client = telling(format_datetime(there, usegmt=True).encode())
    skew = await skew_s(client, Deadline.after(1))  # type: ignore[arg-type]
    assert skew is not None
    assert abs(skew - hours * 3600) < 5
    assert abs(await time_at(client, Deadline.after(1)) - there) < timedelta(seconds=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("date", [None, b"yesterday", b"\xff"])
async def test_who_says_nothing_has_our_time(date: bytes | None) -> None:
    client = telling(date)
    assert await skew_s(client, Deadline.after(1)) is None  # type: ignore[arg-type]
    assert abs(await time_at(client, Deadline.after(1)) - datetime.now(UTC)) < timedelta(seconds=5)  # type: ignore[arg-type]
