# SPDX-License-Identifier: Apache-2.0
"""Does image data arrive whole or not at all, piece by piece?"""

import hashlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from tricircle.context import Deadline
from tricircle.copies.image.data import Side, transfer
from tricircle.errors import BadUpstreamAnswerError, UnavailableError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.reply import Headers, Reply, Target

PIECES = [b"abc", b"", b"defg", b"h"]
DATA = b"".join(PIECES)
IMAGE = {
    "id": "i", "size": len(DATA), "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(DATA).hexdigest(),
    "checksum": hashlib.md5(DATA).hexdigest(),
}  # fmt: skip


class Store:
    """One Glance's data calls, in memory; it takes pieces one by one, and knows how far the source was ahead."""

    target = Target("p", Service.IMAGE, "http://p", "Pod1/image")

    def __init__(self, status: int = 204, pieces: list[bytes] | None = None) -> None:
        self.status = status
        self.pieces = PIECES if pieces is None else pieces
        self.read = 0
        self.taken: list[bytes] = []
        self.is_whole = False
        self.headers: Headers = []
        self.closed = 0

    async def stream(
        self, method: str, path: str, *, body: AsyncIterator[bytes] | None = None, headers: Headers | None = None,
        deadline: Deadline,
    ) -> Reply:  # fmt: skip
        assert path == "/v2/images/i/file"
        if body is None:
            return Reply(status=self.status, headers=[], body=self._chunks(), close=self._close)
        self.headers = headers or []
        async for piece in body:
            self.taken.append(piece)
        self.is_whole = True
        return Reply(status=self.status, headers=[], body=b"refused")

    async def _chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            yield piece

    async def _close(self) -> None:
        self.closed += 1


async def carried(source: Store, sink: Store, image: dict[str, object] | None = None) -> list[int]:
    """Carry it over; what was reported."""
    seen: list[int] = []

    async def progress(passed: int) -> None:
        seen.append(passed)

    sides = [Side(cast("Any", one), "i") for one in (source, sink)]
    await transfer(IMAGE if image is None else image, sides[0], sides[1], progress, Deadline.after(5))
    return seen


async def test_all_of_it_arrives() -> None:
    source, sink = Store(200), Store()
    assert await carried(source, sink) == [len(DATA)]
    assert b"".join(sink.taken) == DATA
    assert (b"content-length", b"8") in sink.headers
    assert source.closed == 1


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abcdefgX"], [b"abcdefgh", b"more"], []])
async def test_what_is_not_the_image_never_becomes_one(pieces: list[bytes]) -> None:
    """The last piece is held back, so the sink has no whole upload."""
    source, sink = Store(200, pieces), Store()
    with pytest.raises(BadUpstreamAnswerError):
        await carried(source, sink)
    assert not sink.is_whole
    assert len(b"".join(sink.taken)) < len(DATA)
    assert source.closed == 1


async def test_an_image_without_data() -> None:
    """As of a server that boots from a volume."""
    source, sink = Store(204, []), Store()
    empty = {"id": "i", "size": 0, "checksum": hashlib.md5(b"").hexdigest()}
    await carried(source, sink, empty)
    assert (sink.is_whole, sink.taken) == (True, [])
    assert (b"content-length", b"0") in sink.headers


async def test_a_source_that_gives_nothing() -> None:
    sink = Store()
    with pytest.raises(UnavailableError):
        await carried(Store(503), sink)
    assert sink.taken == []


async def test_a_sink_that_refuses() -> None:
    source = Store(200)
    with pytest.raises(UpstreamStatusError) as caught:
        await carried(source, Store(413))
    assert (caught.value.status, caught.value.body) == (413, "refused")
    assert source.closed == 1
