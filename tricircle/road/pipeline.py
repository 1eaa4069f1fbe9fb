# SPDX-License-Identifier: Apache-2.0
"""How does a request go from the listener to its door and back?"""

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from tricircle.context import Deadline
from tricircle.errors import MethodNotAllowedError, TricircleError
from tricircle.http.dialects import Dialect
from tricircle.http.listener import CONTEXT_KEY, GLOBAL_REQUEST_ID_KEY, REQUEST_ID_KEY
from tricircle.http.message import Answer
from tricircle.road.entrance import Entrance, Gate, OpenDoor, RoadSettings
from tricircle.road.needs import Authorises, Identifies, KnownPods
from tricircle.road.path import ascii_target, canonical
from tricircle.road.trip import Receive, Trip
from tricircle.road.versions import Ranges

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BODILESS_STATUSES = frozenset((204, 304))
#: Verbs of the services. Others have no business behind us: an Apache would answer TRACE with what we sent it.
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Road:
    """The doors as one ASGI application. Request ids, logs and the last net are the listener's.

    :param root: what is answered at ``/``; None where a door without a prefix answers everything
    """

    def __init__(
        self,
        entrances: Sequence[Entrance],
        *,
        validator: Identifies,
        enforcer: Authorises,
        pods: KnownPods,
        settings: RoadSettings,
        root: Callable[[], Answer] | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        gate = Gate(validator=validator, enforcer=enforcer, pods=pods, settings=settings, ranges=ranges or Ranges())
        self._deadline_s = settings.request_deadline_s
        self._root = root
        self._doors = {entrance.door.prefix.strip("/"): OpenDoor(entrance, gate) for entrance in entrances}
        self._only = self._doors.get("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = time.perf_counter()
        trip = Trip(
            method=scope["method"],
            headers=list(scope["headers"]),
            query=ascii_target(scope.get("query_string", b"")).encode(),
            receive=receive,
            request_id=scope.get(REQUEST_ID_KEY, ""),
            global_request_id=scope.get(GLOBAL_REQUEST_ID_KEY),
            deadline=Deadline.after(self._deadline_s),
        )
        raw = scope.get("raw_path") or scope["path"].encode()
        text = ascii_target(raw)
        door = self._door_of(text)
        answer = await self._answer(door, trip, text)
        if trip.request is not None:
            trip.request.timings["total"] = (time.perf_counter() - started) * 1000
            if trip.request.context.token:
                scope[CONTEXT_KEY] = trip.request.context
        if door is not None:
            door.finish(answer, trip)
        await _send(answer, trip.method, send)

    def _door_of(self, raw: str) -> OpenDoor | None:
        if self._only is not None:
            return self._only
        return self._doors.get(raw.lstrip("/").partition("/")[0])

    async def _answer(self, door: OpenDoor | None, trip: Trip, raw: str) -> Answer:
        if door is None:
            if self._root is not None and not raw.strip("/"):
                return self._root()
            return Dialect.ADMIN.render(404, "There is no API at this path.")
        try:
            if trip.method not in _METHODS:
                raise MethodNotAllowedError(f"The method {trip.method} is not allowed for this resource.", _METHODS)
            path = canonical(raw)
            return await door.answer(trip, path if door is self._only else path.behind(1))
        except TricircleError as error:
            return door.fault(error, trip)
        except BaseExceptionGroup as group:
            # Several things were done at once; what went wrong first is what is said.
            first = _first(group)
            if first is None:
                raise
            return door.fault(first, trip)


def _first(group: BaseExceptionGroup[BaseException]) -> TricircleError | None:
    """The first error of ours in a group that holds nothing else."""
    ours, others = group.split(TricircleError)
    if ours is None or others is not None:
        return None
    leaf: BaseException = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf if isinstance(leaf, TricircleError) else None


async def _send(answer: Answer, method: str, send: Send) -> None:
    body = answer.body
    headers = answer.headers
    try:
        if isinstance(body, bytes):
            if method != "HEAD" and answer.status not in _BODILESS_STATUSES:
                headers = [pair for pair in headers if pair[0] != b"content-length"]
                headers.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if answer.close is not None:
            await answer.close()
