# SPDX-License-Identifier: Apache-2.0
"""What time is it where a service runs?

Services write times by clocks of their own, and one of them may be an hour off. Who asks how long ago something was
asks by the clock that wrote it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tricircle.context import Deadline
from tricircle.upstream.client import ServiceClient


async def skew_s(
    client: ServiceClient, deadline: Deadline, *, wall_clock: Callable[[], float] = time.time
) -> float | None:
    """By how many seconds the service's clock is ahead of ours, to about one: the ``Date`` of an answer to ``GET /``,
    half a round trip ago. None: it sends none, as not every server does, or none that can be read.

    :raises UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError: as ``ServiceClient.reply``
    """
    sent = wall_clock()
    date = (await client.reply("GET", "/", deadline=deadline)).header(b"date")
    if date is None:
        return None
    now = (sent + wall_clock()) / 2
    try:
        return parsedate_to_datetime(date.decode("latin-1")).timestamp() - now
    except ValueError:
        return None


async def time_at(client: ServiceClient, deadline: Deadline) -> datetime:
    """The time by the service's clock; by ours where it does not say. Raises as ``skew_s``."""
    skew = await skew_s(client, deadline)
    return datetime.now(UTC) + timedelta(seconds=skew or 0.0)
