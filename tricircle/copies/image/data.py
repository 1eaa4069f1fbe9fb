# SPDX-License-Identifier: Apache-2.0
"""How does the data of an image come from one Glance into another?

As a stream: what was read is written before more is read, so memory holds a piece and not an image, and the slower of
the two sets the pace. The hash is taken on the way; the last piece is held back until it agrees with what the source
says of the image, so that no Glance ever calls an image ready that is not the one it should be.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, text
from tricircle.copies.image.content import size_of
from tricircle.errors import BadUpstreamAnswerError, UnavailableError, UpstreamStatusError
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Reply

#: Bytes that have been passed on so far.
Progress = Callable[[int], Awaitable[None]]
#: Seconds between two reports of progress.
_REPORT_S = 2.0
#: Seconds until a Glance begins to answer a download.
_BEGIN_S = 60.0
_BINARY = (b"content-type", b"application/octet-stream")


class Hash(Protocol):
    """A hash that is being taken."""

    def update(self, data: bytes, /) -> None:
        """Go on with these bytes."""
        ...

    def hexdigest(self) -> str:
        """Of all bytes so far."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """One Glance, and the image's id there."""

    client: ServiceClient
    image_id: str

    @property
    def path(self) -> str:
        """Where the data is."""
        return f"/v2/images/{self.image_id}/file"


async def transfer(image: Body, source: Side, sink: Side, progress: Progress, deadline: Deadline) -> int:
    """Carry the data over; the number of bytes.

    :param image: as the source shows it; its size and hash are what must arrive
    :raises BadUpstreamAnswerError: what came is not what the source says the image is; the sink has nothing of it
    :raises UnavailableError: the source does not give it now
    :raises UpstreamStatusError, OutcomeUnknownError: the sink refused, or did not say what it has
    """
    reply = await source.client.stream("GET", source.path, deadline=deadline.within(_BEGIN_S))
    try:
        if reply.status not in (200, 204):
            raise UnavailableError(f"{source.client.target.label} does not give the data: {reply.status}")
        pieces = _checked(_pieces(reply), image, progress)
        headers = [_BINARY]
        if isinstance(image.get("size"), int):
            headers.append((b"content-length", str(size_of(image)).encode()))
        answer = await sink.client.stream("PUT", sink.path, body=pieces, headers=headers, deadline=deadline)
    finally:
        if reply.close is not None:
            await reply.close()
    said = await _whole(answer)
    if answer.status >= 300:
        raise UpstreamStatusError(answer.status, said, sink.client.target.label)
    return size_of(image)


async def _checked(pieces: AsyncIterator[bytes], image: Body, progress: Progress) -> AsyncIterator[bytes]:
    """The pieces, the last one only when all of them are the image."""
    taken, held, passed = _hash_of(image), b"", 0
    size, reported = image.get("size"), time.monotonic()
    async for piece in pieces:
        if not piece:
            continue
        passed += len(piece)
        if isinstance(size, int) and passed > size:
            break
        if held:
            yield held
        held = piece
        if taken is not None:
            taken.update(piece)
        if time.monotonic() - reported > _REPORT_S:
            reported = time.monotonic()
            await progress(passed)
    if isinstance(size, int) and passed != size:
        raise BadUpstreamAnswerError(f"Of an image of {size} bytes {passed} came.")
    wanted = text(image, "os_hash_value") or text(image, "checksum")
    if taken is not None and taken.hexdigest() != wanted:
        raise BadUpstreamAnswerError("The data of an image is not what its hash says.")
    if held:
        yield held
    await progress(passed)


def _hash_of(image: Body) -> Hash | None:
    """The hash that the image's record is compared with; None when it has none that we know."""
    algorithm = text(image, "os_hash_algo")
    if text(image, "os_hash_value") and algorithm in hashlib.algorithms_available:
        return hashlib.new(algorithm, usedforsecurity=False)
    return hashlib.new("md5", usedforsecurity=False) if text(image, "checksum") else None


async def _pieces(reply: Reply) -> AsyncIterator[bytes]:
    if isinstance(reply.body, bytes):
        yield reply.body
        return
    async for piece in reply.body:
        yield piece


async def _whole(reply: Reply) -> str:
    """The text of an answer, its beginning."""
    try:
        parts = [piece async for piece in _pieces(reply)]
    finally:
        if reply.close is not None:
            await reply.close()
    return b"".join(parts)[:2000].decode("utf-8", "replace")
