# SPDX-License-Identifier: Apache-2.0
"""What is known of one request so far, on its way through the road?"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.errors import InvalidRequestError
from tricircle.http.message import Headers, Request
from tricircle.model.microversion import Version

Receive = Callable[[], Awaitable[Any]]

_ANONYMOUS = ""


@dataclass(slots=True)
class Trip:
    """One request. ``request`` and ``version`` are there once they have been read."""

    method: str
    headers: Headers = field(repr=False)
    query: bytes = field(repr=False)
    receive: Receive
    request_id: str
    global_request_id: str | None
    deadline: Deadline
    version: Version | None = None
    request: Request | None = None

    def anonymous(self) -> RequestContext:
        """The context of a call that needs no token."""
        return RequestContext(
            request_id=self.request_id,
            global_request_id=self.global_request_id,
            token=_ANONYMOUS,
            user_id=_ANONYMOUS,
            project_id=ProjectId(_ANONYMOUS),
            roles=frozenset(),
            deadline=self.deadline,
        )


async def in_time(body: Awaitable[bytes], deadline: Deadline) -> bytes:
    """A body that is waited for no longer than the request. :raises InvalidRequestError: it did not arrive"""
    try:
        async with asyncio.timeout(deadline.remaining_s()):
            return await body
    except TimeoutError as error:
        raise InvalidRequestError("The body of the request did not arrive in time.") from error
