# SPDX-License-Identifier: Apache-2.0
"""What does every request of a listener get, whichever door it goes to?

A request id and a place in the access log; an answer in the door's own form whatever breaks; ``/healthz``; on the
Admin API's listener also ``/metrics`` and the details of health, for whom its guard lets in. Plain ASGI: nothing stands
between a request and its door but this.
"""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oslo_log import log

from tricircle.context import Deadline, RequestContext
from tricircle.errors import TricircleError
from tricircle.http.dialects import Dialect
from tricircle.http.faults import answer_to, fault_of
from tricircle.http.message import Answer
from tricircle.observe import logs, metrics
from tricircle.upstream.head import VIA

LOG = log.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Says nothing when all is well; raises or returns words when it is not.
Check = Callable[[Deadline], Awaitable[str | None]]
Hook = Callable[[], Awaitable[None]]
#: Scope, rule of ours, id of the request: returns when the caller may see the page, else raises a ``TricircleError``.
Guard = Callable[[Scope, str, str], Awaitable[None]]

#: Rules that guard the pages for operators.
METRICS_RULE = "admin_api:metrics"
DETAIL_RULE = "admin_api:health_detail"

#: Keys of the scope: what an application is told, and what it may tell for the access log and the metrics.
REQUEST_ID_KEY = "tricircle.request_id"
GLOBAL_REQUEST_ID_KEY = "tricircle.global_request_id"
#: Who asked, a ``RequestContext``; set by the application when it knows.
CONTEXT_KEY = "tricircle.context"
_GLOBAL_ID = re.compile(rb"req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")
_CHECK_S = 3.0


class ClientGoneError(Exception):
    """The client left in the middle of a streamed answer; nobody is left to be told."""


@dataclass(slots=True, kw_only=True)
class _Visit:
    """What is known of one request."""

    request_id: str
    global_request_id: str | None
    door: str
    dialect: Dialect
    status: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which door stands where on a listener, as far as errors and numbers need to know.

    :ivar doors: first segment of the path (without slash) -> name and dialect
    :ivar other: name and dialect of every other path
    """

    other: tuple[str, Dialect]
    doors: Mapping[str, tuple[str, Dialect]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPages:
    """The pages of a listener for operators: ``/metrics`` and ``/healthz?detail``.

    :ivar checks: what ``/healthz?detail`` asks
    :ivar guard: who may see them; the catalog tells the address to everybody
    """

    checks: Mapping[str, Check]
    guard: Guard


class Listener:
    """The outermost application of a listener.

    :param app: what answers everything else
    :param identity_uri: where callers without a valid token are sent
    :param pages: None: this listener shows no details and no metrics
    :param on_start: run before the first request; a failure ends the process
    :param on_stop: run after the last answer, each even if another fails
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        places: Places,
        identity_uri: str,
        pages: OperatorPages | None = None,
        on_start: Sequence[Hook] = (),
        on_stop: Sequence[Hook] = (),
    ) -> None:
        self._app = app
        self._places = places
        self._identity_uri = identity_uri
        self._pages = pages
        self._on_start = on_start
        self._on_stop = on_stop
        self._access = logs.AccessLog()
        #: Requests that are being answered now.
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == "/healthz" or (path == "/metrics" and self._pages is not None):
                await send_answer(await self._own_page(scope), send)
            else:
                await self._visit(scope, receive, send, path)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _visit(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        started = time.perf_counter()
        door, dialect = self._places.doors.get(path.partition("/")[2].partition("/")[0], self._places.other)
        global_id: str | None = None
        is_loop = False
        for name, value in scope["headers"]:
            if name == b"x-openstack-request-id":
                global_id = value.decode() if _GLOBAL_ID.fullmatch(value) else None
            elif name == b"via":
                is_loop = is_loop or VIA in (one.strip() for one in value.split(b","))
        visit = _Visit(request_id=_request_id(), global_request_id=global_id, door=door, dialect=dialect)
        scope[REQUEST_ID_KEY] = visit.request_id
        scope[GLOBAL_REQUEST_ID_KEY] = global_id

        gone: asyncio.Future[None] | None = None

        async def sending(event: MutableMapping[str, Any]) -> None:
            nonlocal gone
            if event["type"] == "http.response.start":
                visit.status = event["status"]
                event["headers"] = [*event["headers"], (b"x-openstack-request-id", visit.request_id.encode())]
            else:
                visit.sent_bytes += len(event.get("body", b""))
                if event.get("more_body"):
                    # The server drops what is sent to a client that has left: somebody must stop the stream.
                    gone = gone or asyncio.ensure_future(_departure(receive))
                    if gone.done():
                        raise ClientGoneError
            await send(event)

        token = logs.begin(visit.request_id, global_id)
        self.in_flight += 1
        metrics.request_began()
        try:
            if is_loop:
                LOG.error(
                    "A request of ours came back to us: an endpoint of a pod or of the centre points at the gateway"
                )
                await send_answer(dialect.render(508, "The request went round in a circle."), sending)
            else:
                await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - the last net: whatever was forgotten is a 500, never a traceback
            await self._rescue(error, scope, visit, sending)
        finally:
            if gone is not None:
                gone.cancel()
            self.in_flight -= 1
            logs.end(token)
            self._note(scope, visit, path, time.perf_counter() - started)

    async def _rescue(self, error: Exception, scope: Scope, visit: _Visit, send: Send) -> None:
        if isinstance(error, ClientGoneError):
            return
        if visit.status:
            # The head is out: the only honest end is a broken connection.
            LOG.warning("An answer broke off in the middle: %s: %s", type(error).__name__, error)
            raise error
        fault = fault_of(error, visit.dialect)
        if fault.is_internal:
            LOG.error("A request failed inside", exc_info=error)
        elif fault.status >= 500:
            LOG.warning("A request failed: %s: %s", fault.code, error)
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"*/*")
        await send_answer(answer_to(error, visit.dialect, identity_uri=self._identity_uri, accept=accept), send)

    def _note(self, scope: Scope, visit: _Visit, path: str, seconds: float) -> None:
        metrics.request_answered(visit.door, visit.status, seconds)
        client = scope.get("client")
        caller: RequestContext | None = scope.get(CONTEXT_KEY)
        query: bytes = scope["query_string"]
        # Queries of the identity door may hold secrets of federated logins.
        asked = logs.without_secrets(path)
        if query and visit.dialect is not Dialect.IDENTITY:
            asked = f"{asked}?{query.decode('latin-1')}"
        self._access.write(
            request_id=visit.request_id,
            global_request_id=visit.global_request_id,
            user=caller.user_id if caller is not None else "-",
            project=caller.project_id if caller is not None else "-",
            text=(
                f'{client[0] if client else "-"} "{scope["method"]} {_one_line(asked)}" status: {visit.status} '
                f"len: {visit.sent_bytes} time: {seconds:.6f}"
            ),
        )

    async def _own_page(self, scope: Scope) -> Answer:
        is_metrics = scope["path"] == "/metrics"
        if self._pages is None or not (is_metrics or b"detail" in scope["query_string"]):
            return Answer.json(200, {"status": "ok"})
        try:
            await self._pages.guard(scope, METRICS_RULE if is_metrics else DETAIL_RULE, _request_id())
        except TricircleError as error:
            return answer_to(error, self._places.other[1], identity_uri=self._identity_uri)
        if is_metrics:
            kind = metrics.CONTENT_TYPE.encode()
            return Answer(status=200, headers=[(b"content-type", kind)], body=metrics.exposition())
        found = {name: await _checked(check) for name, check in self._pages.checks.items()}
        is_well = all(words == "ok" for words in found.values())
        state = "ok" if is_well else "failing"
        return Answer.json(200 if is_well else 503, {"status": state, "in_flight": self.in_flight, "checks": found})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            for hook in self._on_start:
                await hook()
        except Exception as error:
            LOG.exception("Cannot start")
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for hook in self._on_stop:
            try:
                await hook()
            except Exception:
                LOG.exception("Something could not be closed")
        metrics.write_down()
        self._access.flush()
        await send({"type": "lifespan.shutdown.complete"})


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer over ASGI, whatever its body, and close what it came from."""
    body = answer.body
    try:
        if isinstance(body, bytes):
            headers = [*answer.headers, (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if answer.close is not None:
            await answer.close()


async def _checked(check: Check) -> str:
    try:
        return await check(Deadline.after(_CHECK_S)) or "ok"
    except (TricircleError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


def _request_id() -> str:
    """``req-`` and a random UUID; the short way, since there is one per request."""
    digits = os.urandom(16).hex()
    return f"req-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _one_line(text: str) -> str:
    """A path as a log line may hold it: percent-decoded paths can hold anything."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
