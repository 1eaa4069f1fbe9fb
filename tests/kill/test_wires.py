# SPDX-License-Identifier: Apache-2.0
"""Do the relays see where a call ends, and which calls change something?"""

import asyncio

import pytest

from tests.kill.trigger import Caller, Party, Point, Role, Trigger, When
from tests.kill.wires import Session, read_answer, read_packet, read_request


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def query(text: str, sequence: int = 0) -> bytes:
    payload = b"\x03" + text.encode()
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


async def test_requests_are_cut_where_they_end() -> None:
    first = b"POST /v2.1/servers?a=b HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    second = b"GET /v2.1/servers HTTP/1.1\r\n\r\n"
    reader = reader_of(first + second + b"GET / HT")
    one, two, three = [await read_request(reader) for _ in range(3)]
    assert one is not None
    assert (one.data, one.verb, one.path, one.is_write) == (first, "POST", "/v2.1/servers", True)
    assert two is not None
    assert (two.data, two.is_write) == (second, False)
    assert three is None


@pytest.mark.parametrize(
    ("answer", "verb", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "GET", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "GET", True),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "GET", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", "GET", False),
    ],
)
async def test_an_answer_is_whole_or_none(answer: bytes, verb: str, is_whole: bool) -> None:
    read = await read_answer(reader_of(answer), verb)
    assert (read.data if read else None) == (answer if is_whole else None)


async def test_a_commit_counts_when_its_transaction_wrote() -> None:
    session = Session()
    texts = ["SELECT 1", "COMMIT", "INSERT INTO tricircle_jobs (a) VALUES (1)", "COMMIT", "COMMIT"]
    reader = reader_of(b"".join(query(text) for text in [*texts, "DELETE FROM a", "ROLLBACK", "COMMIT"]))
    seen = []
    while (packet := await read_packet(reader)) is not None:
        seen.append(session.command(packet))
    assert [command for command in seen if command and command[1]] == [("COMMIT of INSERT INTO tricircle_jobs", True)]
    assert session.command(query("a login", sequence=1)) is None


def test_the_chosen_call_fires_once() -> None:
    trigger, caller = Trigger(), Caller(role=Role.GATEWAY, pid=0)
    trigger.arm(Point(role=Role.GATEWAY, party=Party.POD, number=2, when=When.SENT, what="^POST"))
    calls = [(Party.POD, "POST /a"), (Party.CENTRE, "POST /b"), (Party.POD, "DELETE /c"), (Party.POD, "POST /d")]
    fired = [trigger.asked(caller, party, what, is_write=True) for party, what in calls]
    assert fired == [None, None, None, When.SENT]
    assert trigger.asked(caller, Party.POD, "POST /e", is_write=True) is None
    assert trigger.asked(caller, Party.POD, "GET /f", is_write=False) is None
    assert trigger.disarm() == "POST /d"
