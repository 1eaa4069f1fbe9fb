# SPDX-License-Identifier: Apache-2.0
"""How does a fake service take a call: token, version, its own function, or the illness it was given?"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked, Refusal, Route, Said, asked_from, find, request_id
from tricircle.testing.identities import Identities

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
#: An event of our listener's own: bytes that go out as they are.
WIRE = "wire"
#: How long an empty piece of a broken answer takes at least; seconds.
_PAUSE_S = 0.05
#: A page such as a load balancer shows in front of a service that is gone.
_GARBAGE = b"<html><body><h1>It works!</h1></body></html>"


class CutOffError(Exception):
    """The connection has to be closed in the middle of the answer; the server does it."""


class Speaker(Protocol):
    """What a fake service must know of its own API."""

    name: str
    #: Behind the service's prefix: which paths need no token.
    public: re.Pattern[str]

    def routes(self) -> Sequence[Route]:
        """The functions, looked up behind the version (and the project id, where one may stand)."""
        ...

    def understand(self, asked: Asked) -> str:
        """Set ``asked.version`` and ``asked.prefix``; return the path that routes are looked up with."""
        ...

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """A refusal in this API's form."""
        ...

    def finish(self, asked: Asked, said: Said) -> Said:
        """Add the headers that every answer carries."""
        ...


class FakeService:
    """One service as an ASGI app below ``prefix``.

    :ivar calls: (verb, path) of all that it was asked, in order
    :ivar ailment: what it suffers from
    :ivar own_name: what its links begin with, whatever it is called by (Nova's ``compute_link_prefix``, Cinder's
        ``public_endpoint``); None: what it is called by
    """

    def __init__(self, speaker: Speaker, identities: Identities, prefix: str) -> None:
        self.speaker = speaker
        self.prefix = prefix
        self.identities = identities
        self.ailment: Ailment | None = None
        self.own_name: str | None = None
        self.calls: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        asked = asked_from(scope, await _read(receive), self.prefix)
        asked.root = self.own_name or asked.root
        self.calls.append((asked.method, asked.path))
        ailment = self.ailment
        if ailment is None or not ailment.strikes(asked):
            await _answer(send, self.answer(asked))
            return
        if ailment.lie is not None:
            await _answer(send, ailment.lie.say(asked, self.answer(ailment.lie.hear(asked))))
            return
        is_answered = ailment.is_carried_out or ailment.symptom in _SYMPTOMS_OF_THE_ANSWER or asked.method == "GET"
        await self._suffer(ailment, asked, self.answer(asked) if is_answered else None, receive, send)

    def answer(self, asked: Asked) -> Said:
        """What this service says when it is well."""
        asked.who = self.identities.of(asked.headers.get("x-auth-token"))
        try:
            path = self.speaker.understand(asked)
            if asked.who is None and not self.speaker.public.fullmatch(asked.path):
                said = self.speaker.refuse(asked, _unauthorized())
            else:
                function, values = find(self.speaker.routes(), asked.method, path)
                said = function(asked, **values)
        except Refusal as refusal:
            said = self.speaker.refuse(asked, refusal)
        return self.speaker.finish(asked, said)

    async def _suffer(self, ailment: Ailment, asked: Asked, said: Said | None, receive: Receive, send: Send) -> None:
        match ailment.symptom:
            case Symptom.SLOW:
                await asyncio.sleep(ailment.delay_s)
                await _answer(send, said or Said(status=500))
            case Symptom.SILENT:
                while (await receive())["type"] != "http.disconnect":
                    pass
            case Symptom.CUT:
                body, headers = (said or Said(status=500)).encoded()
                await _start(send, 200, {**headers, "Content-Length": str(len(body) + 100)})
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                raise CutOffError
            case Symptom.FAILING:
                await _answer(send, self.speaker.refuse(asked, Refusal(ailment.status, "The server has erred.")))
            case Symptom.GARBAGE:
                await _answer(send, Said(body=_GARBAGE))
            case Symptom.BROKEN:
                await _break(ailment, said or Said(body={}), send)


_SYMPTOMS_OF_THE_ANSWER = (Symptom.SLOW, Symptom.CUT)


async def _break(ailment: Ailment, said: Said, send: Send) -> None:
    """Put pieces on the wire, then close the connection."""
    body, headers = said.encoded()
    lines = [f"HTTP/1.1 {said.status} OK", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}"] if "Content-Length" not in headers else lines)
    for piece in ailment.wire(f"{head}\r\n\r\n".encode(), body) if ailment.wire is not None else ():
        await send({"type": WIRE, "body": piece})
        await asyncio.sleep(ailment.delay_s if piece else max(ailment.delay_s, _PAUSE_S))
    raise CutOffError


def _unauthorized() -> Refusal:
    # keystonemiddleware's own words, and its header with the address the service was configured with.
    uri = 'Keystone uri="http://keystone-of-this-pod.invalid/v3"'
    return Refusal(401, "The request you have made requires authentication.", headers={"WWW-Authenticate": uri})


async def _read(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        event = await receive()
        parts.append(event.get("body", b""))
        more = bool(event.get("more_body"))
    return b"".join(parts)


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _answer(send: Send, said: Said) -> None:
    body, headers = said.encoded()
    headers.setdefault("X-OpenStack-Request-ID", request_id())
    if said.status == 204:
        headers.pop("Content-Length", None)
    await _start(send, said.status, headers)
    await send({"type": "http.response.body", "body": body, "more_body": False})
