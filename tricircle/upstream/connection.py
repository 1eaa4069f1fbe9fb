# SPDX-License-Identifier: Apache-2.0
"""How does one exchange go over one connection?

HTTP/1.1 as a client, on llhttp (httptools): one request at a time, bodies of both directions in memory or as streams
with back pressure. Who may use a connection, and for how long, is ``connections.py``'s business; what a failure means
is ``pool.py``'s.
"""

import asyncio
import select
from collections.abc import AsyncIterator
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tricircle.errors import InvalidRequestError
from tricircle.upstream.reply import Headers
from tricircle.upstream.room import AnswerTooLargeError, Room
from tricircle.upstream.spare import Spare

#: Above this much unread data of a streamed answer the peer is told to wait; bytes.
_HIGH_WATER = 512 * 1024
#: More than this in the head of an answer is no answer; bytes.
_HEAD_LIMIT = 256 * 1024
_BODILESS = frozenset((204, 304))


class Connection(asyncio.Protocol):
    """One connection to an upstream. Made by ``loop.create_connection``; used by one exchange at a time.

    :param room: shared by all connections to the upstream; answers that are streamed need none
    :ivar status: of the answer, once its head is there
    :ivar headers: of the answer, names in lower case
    :ivar is_alive: whether the peer has not hung up yet
    :ivar loop: the loop that it lives in
    """

    __slots__ = (
        "_body",
        "_buffered",
        "_drained",
        "_error",
        "_head_bytes",
        "_header_bytes",
        "_is_busy",
        "_is_complete",
        "_is_head_done",
        "_is_head_only",
        "_is_keep_alive",
        "_is_paused",
        "_is_spoiled",
        "_is_streamed",
        "_is_until_eof",
        "_parser",
        "_poll",
        "_room",
        "_spare",
        "_transport",
        "_waiter",
        "headers",
        "is_alive",
        "loop",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, room: Room) -> None:
        self.loop = loop
        self._room = room
        self._body: list[bytes] = []
        self._buffered = 0
        self._is_streamed = False
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._is_busy = False
        self._is_paused = False
        self._spare = Spare()
        self._poll: select.poll | None = None
        self.is_alive = False
        self.status = 0
        self.headers: Headers = []
        self._reset(is_head_only=False, is_streamed=False)

    # what the owner calls

    @property
    def is_answered(self) -> bool:
        """Whether the head of the answer is there."""
        return self._is_head_done

    @property
    def is_silent(self) -> bool:
        """Whether nothing of the answer has come."""
        return not self._is_head_done and self._head_bytes == 0

    @property
    def is_reusable(self) -> bool:
        """Whether another exchange may follow on this connection."""
        is_whole = self._is_complete and self._is_keep_alive and self._error is None
        return self.is_alive and is_whole and not self._is_spoiled

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be read.

        Bytes that came after an answer, and that the loop had no time to read, would be taken for the answer to the
        next request. (A peer that has hung up is not quiet either.)
        """
        return self._poll is not None and not self._poll.poll(0)

    def begin(self, data: bytes, *, is_head_only: bool = False, is_streamed: bool = False) -> None:
        """Send the head (and a body held in memory) of a request.

        :param is_head_only: the answer has no body whatever its head says (HEAD)
        :param is_streamed: :meth:`answer` returns with the head; the body is read with :meth:`chunks`
        """
        self._reset(is_head_only=is_head_only, is_streamed=is_streamed)
        self._is_busy = True
        if self._transport is None or not self.is_alive:
            raise ConnectionResetError("closed before anything was sent")
        self._transport.write(data)

    async def answer(self, until: float) -> None:
        """Return when the answer is complete, or its head if it is streamed.

        :param until: the loop's time after which it is too late
        :raises TimeoutError: it is too late
        :raises ConnectionError: the peer hung up
        :raises HttpParserError: what came is not HTTP
        :raises AnswerTooLargeError: there is no room for it
        """
        while not (self._is_complete or (self._is_streamed and self._is_head_done)):
            await self._wait(until)

    def body(self) -> bytes:
        """The whole body of an answer that is not streamed; its memory is the caller's from now on."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._clear()
        return body

    async def chunks(self, idle_s: float) -> AsyncIterator[bytes]:
        """The body as it comes. Raises as :meth:`answer`; ``idle_s`` bounds each silence."""
        while True:
            if self._body:
                chunk = self.body()
                self._resume()
                yield chunk
            elif self._is_complete:
                return
            else:
                await self._wait(self.loop.time() + idle_s)

    async def upload(self, chunks: AsyncIterator[bytes], *, length: int | None, idle_s: float) -> None:
        """Send a body as it comes; stops early when the answer is already there. Raises as :meth:`answer`.

        :param length: bytes that the head promised; None: framed as chunks, because it is not known
        :raises InvalidRequestError: the body has another length. What is too much would be read as a request of its
            own, what is missing would be taken from the next one.
        """
        iterator = aiter(chunks)
        sent = 0
        if self._transport is not None and self.is_alive:
            self._spare.keep(self._transport)
        while not self._is_head_done:
            async with asyncio.timeout(idle_s):
                chunk = await anext(iterator, None)
            if chunk is None:
                break
            sent += len(chunk)
            if length is not None and sent > length:
                raise InvalidRequestError("The body is longer than its Content-Length says.")
            if chunk and not self._is_head_done:
                self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if length is None else chunk)
                await self._drain(idle_s)
        else:
            # The answer came before the end of the body: what else would be sent here is nobody's request.
            self._is_spoiled = True
            return
        if length is None:
            self._write(b"0\r\n\r\n")
        elif sent < length:
            raise InvalidRequestError("The body is shorter than its Content-Length says.")

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._clear()
        self._hang_up()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.is_alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: that ends a body without a length, and breaks everything else."""
        self.is_alive = False
        self._salvage()
        if self._is_busy and not self._is_complete:
            if self._is_head_done and self._is_until_eof and exc is None:
                self._complete()
            else:
                self._fail(exc or ConnectionResetError("closed before the answer was complete"))
        if self._drained is not None and not self._drained.done():
            if self._is_head_done:
                self._drained.set_result(None)
            else:
                self._drained.set_exception(exc or ConnectionResetError("closed before the request was sent"))

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer. An answer that nobody asked for closes the connection."""
        if not self._is_busy or self._is_complete:
            self._hang_up()
            return
        if not self._is_head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(error)
            self._hang_up()
            return
        # One endless line, or an endless number of "go on"; the last read may hold much of the body.
        if not self._is_head_done and self._head_bytes > 2 * _HEAD_LIMIT:
            self._fail(HttpParserError("the head is too large"))
            self._hang_up()

    def pause_writing(self) -> None:
        """The peer does not read as fast as we write."""
        if self._drained is None:
            self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # what the parser calls

    def on_message_begin(self) -> None:
        """An answer begins. A second one, which nobody asked for, makes the connection useless."""
        if self._is_complete:
            self._is_keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer, or a trailer, which nobody wants."""
        if not self._is_head_done:
            self.headers.append((name.lower(), value))
            self._header_bytes += len(name) + len(value)
            if self._header_bytes > _HEAD_LIMIT:
                raise HttpParserError("the head is too large")

    def on_headers_complete(self) -> None:
        """The head is there; one that only says "go on" is forgotten."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        self._is_head_done = True
        names = {name for name, _ in self.headers}
        self._is_until_eof = not names & {b"content-length", b"transfer-encoding"} and status not in _BODILESS
        if self._is_head_only:
            # The parser waits for a body that will not come: this connection ends with the exchange.
            self._complete()
        elif self._is_streamed:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self._is_complete:
            return
        self._body.append(data)
        self._buffered += len(data)
        if self._is_streamed:
            self._wake()
            if self._buffered > _HIGH_WATER and not self._is_paused and self._transport is not None:
                self._is_paused = True
                self._transport.pause_reading()
        else:
            self._room.taken += len(data)
            if self._room.is_over(self._buffered):
                error = AnswerTooLargeError("no room for the body")
                self._fail(error)  # the parser would make an error of its own of it
                raise error

    def on_message_complete(self) -> None:
        """The answer is complete, unless it only said "go on"."""
        if self._is_head_done and not self._is_complete:
            self._is_keep_alive = self._parser.should_keep_alive()
            self._complete()

    # inside

    def _hang_up(self) -> None:
        self.is_alive = False
        if self._transport is not None:
            self._transport.abort()

    def _reset(self, *, is_head_only: bool, is_streamed: bool) -> None:
        self._clear()
        self._is_head_only = is_head_only
        self._is_streamed = is_streamed
        self._is_head_done = False
        self._is_complete = False
        self._is_until_eof = False
        self._is_keep_alive = False
        self._is_spoiled = False
        self._error: Exception | None = None
        self._head_bytes = 0
        self._header_bytes = 0
        self.headers = []

    def _clear(self) -> None:
        if not self._is_streamed:
            self._room.taken -= self._buffered
        self._body = []
        self._buffered = 0

    def _complete(self) -> None:
        self._is_complete = True
        self._is_busy = False
        self._spare.drop()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _expire(self) -> None:
        self._fail(TimeoutError("no answer in time"))

    async def _wait(self, until: float) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self.loop.create_future()
        timer = self.loop.call_at(until, self._expire)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _write(self, data: bytes) -> None:
        if self._transport is None or not self.is_alive:
            raise self._error or ConnectionResetError("closed before the request was sent")
        self._transport.write(data)

    async def _drain(self, idle_s: float) -> None:
        if self._drained is not None:
            async with asyncio.timeout(idle_s):
                await asyncio.shield(self._drained)

    def _salvage(self) -> None:
        """Read what came before the connection broke."""
        try:
            while self._is_busy and not self._is_complete and (data := self._spare.read()):
                self.data_received(data)
        finally:
            self._spare.drop()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            if self.is_alive:
                self._transport.resume_reading()
