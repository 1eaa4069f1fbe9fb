# SPDX-License-Identifier: Apache-2.0
"""What is a request as a door sees it, and an answer as it leaves?

Bodies are bytes or streams; a body that needs no change is never parsed, a stream stays a stream.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from tricircle.context import Deadline, RequestContext
from tricircle.errors import BadUpstreamAnswerError, BodyTooLargeError, InvalidRequestError

#: Header pairs; names in lower case.
Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[dict[str, object]]]
#: A whole body, waited for until a deadline. :raises InvalidRequestError: it did not come
InTime = Callable[[Awaitable[bytes], Deadline], Awaitable[bytes]]


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of ``name`` (lower case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


@dataclass(slots=True, kw_only=True)
class Request:
    """One request at a door.

    :ivar path: what stands behind the door's prefix, still percent-encoded: ``/v2.1/servers/<id>``
    :ivar query: the raw query string without ``?``
    :ivar params: values that the door's table found in the path (decoded)
    :ivar root: version and, if the client wrote one, project id, as they stand in ``path``: ``/v3/<project id>``
    :ivar microversion: what was negotiated; None where the door knows no microversions
    :ivar timings: milliseconds by stage, for ``Server-Timing``
    :ivar in_time: waits for the whole body no longer than a deadline; None waits for ever
    """

    method: str
    path: str
    query: bytes
    headers: Headers = field(repr=False)
    receive: Receive = field(repr=False)
    body_limit: int
    context: RequestContext
    params: dict[str, str] = field(default_factory=dict)
    root: str = ""
    microversion: tuple[int, int] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    in_time: InTime | None = field(default=None, repr=False)
    _body: bytes | None = field(default=None, repr=False)

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), or None."""
        return header(self.headers, name)

    def note(self, stage: str, started: float) -> None:
        """A stage took the time since ``started`` (``perf_counter``), beside what it took before."""
        self.timings[stage] = self.timings.get(stage, 0.0) + (time.perf_counter() - started) * 1000

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, once. :raises BodyTooLargeError: never; a stream's limit is the upstream's."""
        if self._body is not None:
            yield self._body
            return
        more = True
        while more:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise InvalidRequestError("The client went away in the middle of the body.")
            chunk = event.get("body", b"")
            more = bool(event.get("more_body", False))
            if isinstance(chunk, bytes) and chunk:
                yield chunk

    async def body(self) -> bytes:
        """The whole body.

        :raises BodyTooLargeError: it is over ``body_limit`` bytes
        :raises InvalidRequestError: it did not come before the request's deadline, or breaks off
        """
        if self._body is None:
            whole = self._whole()
            self._body = await (whole if self.in_time is None else self.in_time(whole, self.context.deadline))
        return self._body

    async def _whole(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > self.body_limit:
                raise BodyTooLargeError(f"Request is too large. Larger than max_request_body_size ({self.body_limit}).")
            parts.append(chunk)
        return b"".join(parts)

    async def json(self) -> dict[str, object]:
        """The body as a JSON object. :raises InvalidRequestError: when it is not one (text as Nova's)."""
        try:
            value = msgspec.json.decode(await self.body())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequestError("Malformed request body") from error
        if not isinstance(value, dict):
            raise InvalidRequestError("Malformed request body")
        return value

    def query_pairs(self) -> list[tuple[str, str]]:
        """The query as decoded pairs, in order, blanks kept."""
        return parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What goes back. ``body`` may be a stream; then ``close`` must be awaited when it was sent or given up."""

    status: int
    headers: Headers = field(default_factory=list, repr=False)
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    close: Callable[[], Awaitable[None]] | None = None

    @classmethod
    def json(cls, status: int, value: object, headers: Headers | None = None) -> "Answer":
        """An answer with a JSON body."""
        return cls(
            status=status,
            headers=[(b"content-type", b"application/json"), *(headers or [])],
            body=msgspec.json.encode(value),
        )

    def object(self) -> dict[str, object]:
        """The body as a JSON object. :raises BadUpstreamAnswerError: when it is not one"""
        try:
            value = msgspec.json.decode(self.body if isinstance(self.body, bytes) else b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.") from error
        if not isinstance(value, dict):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return value

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), or None."""
        return header(self.headers, name)


Handler = Callable[[Request], Awaitable[Answer]]
