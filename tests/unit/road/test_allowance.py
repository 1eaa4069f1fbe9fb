# SPDX-License-Identifier: Apache-2.0
"""What becomes of a reservation, by what becomes of the call that uses it?"""

from collections.abc import Sequence
from typing import cast

import pytest

from tests.unit.road.scripted import json_reply
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, TricircleError, UnavailableError
from tricircle.ledger.reservations import Reservations
from tricircle.road.allowance import Hold
from tricircle.upstream.reply import Reply


class Books:
    """Writes down what is written down; or cannot."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.done: list[tuple[object, ...]] = []
        self.is_away = is_away

    async def name(self, reservation_id: int, resource_id: str) -> None:
        self._write("name", reservation_id, resource_id)

    async def bind(self, ids: Sequence[int]) -> None:
        self._write("bind", *ids)

    async def release(self, ids: Sequence[int]) -> None:
        self._write("release", *ids)

    def _write(self, *what: object) -> None:
        if self.is_away:
            raise UnavailableError("no database")
        self.done.append(what)


def hold(books: Books, *ids: int) -> Hold:
    return Hold(cast("Reservations", books), ids)


async def call(outcome: Reply | TricircleError) -> Reply:
    if isinstance(outcome, TricircleError):
        raise outcome
    return outcome


@pytest.mark.parametrize(
    ("status", "done"),
    [(202, [("bind", 1)]), (400, [("release", 1)]), (409, [("release", 1)]), (503, [("release", 1)]), (500, [])],
)
async def test_an_answer_settles_it_unless_it_says_nothing(status: int, done: list[tuple[object, ...]]) -> None:
    books = Books()
    async with hold(books, 1) as taken:
        assert (await taken.send(call(json_reply(status, {})))).status == status
    assert books.done == done


@pytest.mark.parametrize(
    ("error", "done"),
    [
        (UnavailableError("not sent"), [("release", 1)]),
        (OutcomeUnknownError("no answer"), []),
        (BadUpstreamAnswerError("no sense"), []),
    ],
)
async def test_only_what_was_not_sent_is_given_back(error: TricircleError, done: list[tuple[object, ...]]) -> None:
    books = Books()
    with pytest.raises(type(error)):
        async with hold(books, 1) as taken:
            await taken.send(call(error))
    assert books.done == done


async def test_what_is_counted_later_keeps_its_name_and_what_no_call_was_made_for_goes() -> None:
    books = Books()
    async with hold(books, 1, 2, 3) as taken:
        await taken.send(call(json_reply(202, {})), identify=lambda _reply: "server-1")
    assert books.done == [("name", 1, "server-1"), ("release", 2, 3)]


async def test_a_database_that_is_away_fails_nothing_that_the_pod_has_done() -> None:
    async with hold(Books(is_away=True), 1, 2) as taken:
        assert (await taken.send(call(json_reply(202, {})))).status == 202


async def test_without_a_limit_nothing_is_written() -> None:
    async with Hold() as taken:
        assert (await taken.send(call(json_reply(202, {})))).status == 202
