# SPDX-License-Identifier: Apache-2.0
"""Who has a console open, and how do its messages get across?

Messages are passed on as they come, one by one: who does not take them makes the other side wait, not our memory grow.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from websockets.exceptions import ConnectionClosed

from tricircle.model.console import Console
from tricircle.observe import metrics

#: Codes that one may send as a farewell; the others stand for one that did not come.
_SENDABLE = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_NORMAL, _POLICY, _FAILED = 1000, 1008, 1011


class Side(Protocol):
    """One end of a console, the user's or the pod's (``websockets.asyncio.connection.Connection``)."""

    @property
    def close_code(self) -> int | None:
        """Why it ended; None while it has not."""
        ...

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Messages as they come, until the end."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send one message; waits while too much is on its way."""
        ...

    async def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Say good-bye."""
        ...


class TooManyError(Exception):
    """There is no room for another console: of this user, or at all."""


class Sessions:
    """The consoles that this process keeps open.

    :param most: of all users together
    :param per_user: of one user
    """

    def __init__(self, *, most: int, per_user: int) -> None:
        self._most = most
        self._per_user = per_user
        self._users: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._users.total()

    def enter(self, console: Console) -> "Session":
        """Room for one more, until :meth:`Session.leave`. :raises TooManyError: there is none"""
        if self._users.total() >= self._most or self._users[console.user_id] >= self._per_user:
            raise TooManyError
        self._users[console.user_id] += 1
        metrics.consoles_open(self.open)
        return Session(console, self)

    def leave(self, user_id: str) -> None:
        """One less. To be called by its session only."""
        self._users[user_id] -= 1
        if not self._users[user_id]:
            del self._users[user_id]
        metrics.consoles_open(self.open)


@dataclass(slots=True, eq=False)
class Session:
    """One open console.

    :ivar received: bytes from the pod
    :ivar sent: bytes to the pod
    """

    console: Console
    sessions: Sessions
    started: float = field(default_factory=time.monotonic)
    received: int = 0
    sent: int = 0
    is_over: bool = False

    def leave(self) -> None:
        """Give the room back; a second time does nothing."""
        if not self.is_over:
            self.is_over = True
            self.sessions.leave(self.console.user_id)

    async def relay(self, user: Side, pod: Side, *, limit_s: float) -> str:
        """Pass messages on until one side ends, or for ``limit_s`` seconds (0: for ever); who ended it, in a word."""
        up = asyncio.create_task(self._pump(user, pod, is_up=True))
        down = asyncio.create_task(self._pump(pod, user, is_up=False))
        try:
            done, _ = await asyncio.wait((up, down), timeout=limit_s or None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        if not done:
            word, code = "limit", _POLICY
        else:
            word, code = _ended(user, pod)
        # Both at once: neither shall wait for the other's farewell.
        await asyncio.gather(user.close(code), pod.close(code), return_exceptions=True)
        return word

    async def _pump(self, source: Side, sink: Side, *, is_up: bool) -> None:
        try:
            async for message in source:
                size = len(message)
                if is_up:
                    self.sent += size
                else:
                    self.received += size
                await sink.send(message)
        except ConnectionClosed:
            return


def _ended(user: Side, pod: Side) -> tuple[str, int]:
    """Which side ended, and the code to tell the other one."""
    for word, side in (("user", user), ("pod", pod)):
        if (code := side.close_code) is not None:
            return word, _NORMAL if code == 1005 else code if code in _SENDABLE or 3000 <= code < 5000 else _FAILED
    return "failed", _FAILED
