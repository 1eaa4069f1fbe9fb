# SPDX-License-Identifier: Apache-2.0
"""Whose word is it that something is gone from a pod?"""

from typing import cast

import pytest

from tricircle.context import Deadline
from tricircle.copies.reach import remove
from tricircle.errors import UpstreamStatusError
from tricircle.upstream.client import ServiceClient


class Answering:
    """A service with one answer to every deletion."""

    def __init__(self, status: int, body: str) -> None:
        self._status, self._body = status, body

    async def delete(self, _path: str, *, deadline: Deadline) -> dict[str, object]:
        if self._status >= 300:
            raise UpstreamStatusError(self._status, self._body, "Pod1/network")
        return {}


async def _remove(status: int, body: str = "") -> None:
    await remove(cast("ServiceClient", Answering(status, body)), "/v2.0/ports/p", Deadline.after(1))


async def test_what_the_service_deletes_or_does_not_know_is_gone() -> None:
    await _remove(204)
    await _remove(404, '{"NeutronError": {"type": "PortNotFound", "message": "", "detail": ""}}')


@pytest.mark.parametrize(("status", "body"), [(404, "<h1>Not Found</h1>"), (404, ""), (409, "{}"), (503, "{}")])
async def test_nobody_else_is_believed(status: int, body: str) -> None:
    with pytest.raises(UpstreamStatusError):
        await _remove(status, body)
