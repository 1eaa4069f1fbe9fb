# SPDX-License-Identifier: Apache-2.0
"""The gateway's processes with stub applications: what the real program does, without doors."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from tricircle.cmd import gateway
from tricircle.conf.load import load_or_exit
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.http.dialects import Dialect
from tricircle.http.listener import ASGIApp, Listener, OperatorPages, Places, Receive, Scope, Send, send_answer
from tricircle.http.message import Answer
from tricircle.observe import logs

PLACES = Places(other=("stub", Dialect.COMPUTE))


async def _chunks(count: int, gap_s: float) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1000
        await asyncio.sleep(gap_s)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """A few pages that behave in the ways a door can behave."""
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(1.0)
    elif path == "/stuck":
        await asyncio.sleep(60.0)
    elif path == "/die":
        os._exit(3)
    elif path == "/endless":
        chunks = _chunks(100000, 0.01)
        try:
            await send_answer(Answer(status=200, body=chunks), send)
        finally:
            await chunks.aclose()
            sys.stderr.write("the stream was closed\n")
        return
    elif path == "/upload":
        size = 0
        while True:
            event = await receive()
            size += len(event.get("body", b""))
            if not event.get("more_body"):
                break
        await send_answer(Answer(status=200, body=str(size).encode()), send)
        return
    await send_answer(Answer(status=200, body=str(os.getpid()).encode()), send)


async def opened() -> None:
    """Run at the start of each process; fails as long as the file that the environment names is there."""
    if os.path.exists(os.environ.get("STUB_FAILS", "")):
        raise OSError("no database")


async def closed() -> None:
    """Run at the end of each process."""
    sys.stderr.write("everything was closed\n")


async def is_well(_deadline: Deadline) -> str | None:
    """Nothing is wrong."""
    return None


async def let_in(_scope: Scope, _rule: str, _request_id: str) -> None:
    """Everybody is an operator."""


def make_gateway(_settings: Settings) -> ASGIApp:
    """The doors."""
    return Listener(answer, places=PLACES, identity_uri="http://x", on_start=(opened,), on_stop=(closed,))


def make_admin(_settings: Settings) -> ASGIApp:
    """The Admin API."""
    pages = OperatorPages(checks={"stub": is_well}, guard=let_in)
    return Listener(answer, places=PLACES, identity_uri="http://x", pages=pages)


if __name__ == "__main__":
    logs.prepare()
    chosen = load_or_exit(prog="stub")
    logs.setup(chosen.raw, "stub")
    sys.exit(gateway.run(chosen, gateway=make_gateway, admin=make_admin))
