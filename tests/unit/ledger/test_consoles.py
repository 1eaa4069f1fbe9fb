# SPDX-License-Identifier: Apache-2.0
"""What opens a console, how often, until when, and what does a reader of the table learn?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tricircle.conf.settings import DatabaseSettings
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.ledger.consoles import Consoles
from tricircle.model.console import taken_apart
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import consoles, metadata

POD1 = PodId("pod1")
PARTS = taken_apart("novnc", "http://10.0.0.5:6080/vnc_lite.html?path=%3Ftoken%3Dpods-own")
CALLER = RequestContext(
    request_id="req-1", token="t", user_id="u", project_id=ProjectId("p"), roles=frozenset(), deadline=Deadline.after(9)
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path}/consoles"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


async def issued(book: Consoles) -> tuple[str, str]:
    assert PARTS is not None
    return await book.issue(CALLER, POD1, "s", "novnc", PARTS)


async def expire(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(sa.update(consoles).values(expires_at=now_plus(-1)))


async def test_until_it_expires_a_token_opens_what_it_was_given_for(engine: Engine) -> None:
    book = Consoles(engine, ttl_s=600)
    console_id, token = await issued(book)
    for _ in range(3):
        opened = await book.use(token)
        assert opened is not None
        assert (opened.token, opened.channel) == ("pods-own", "ws://10.0.0.5:6080/?token=pods-own")
        assert (opened.console.id, opened.console.server_id, opened.console.user_id) == (console_id, "s", "u")
        assert "pods-own" not in repr(opened)
    assert await book.page(console_id) == opened.console
    await expire(engine)
    assert await book.use(token) is None
    assert await book.look(token) is None
    assert await book.page(console_id) is None


async def test_uses_can_be_counted(engine: Engine) -> None:
    book = Consoles(engine, ttl_s=600, uses=2)
    _, token = await issued(book)
    assert [await book.use(token) is not None for _ in range(4)] == [True, True, False, False]
    assert await book.look(token) is not None


@pytest.mark.parametrize("change", [str.upper, lambda token: token[:-1], lambda token: token + "0", lambda _: ""])
async def test_nothing_else_opens_it(engine: Engine, change: object) -> None:
    book = Consoles(engine, ttl_s=600)
    console_id, token = await issued(book)
    assert callable(change)
    other = change(token)
    assert await book.use(other) is None or other == token
    assert await book.use(console_id) is None
    assert await book.use("\u00e9" * 36) is None
    assert await book.use("x" * 10_000) is None


async def test_the_table_opens_nothing(engine: Engine) -> None:
    book = Consoles(engine, ttl_s=600)
    _, token = await issued(book)
    async with transaction(engine) as connection:
        row = str((await connection.execute(sa.select(consoles))).one())
    assert token not in row
    assert "pods-own" not in row


async def test_a_row_that_was_changed_opens_nothing(engine: Engine) -> None:
    book = Consoles(engine, ttl_s=600)
    (_, mine), (_, other) = await issued(book), await issued(book)
    async with transaction(engine) as connection:
        rows = (await connection.execute(sa.select(consoles.c.id, consoles.c.sealed).order_by(consoles.c.id))).all()
        for row, sealed in zip(rows, reversed([row.sealed for row in rows]), strict=True):
            await connection.execute(sa.update(consoles).where(consoles.c.id == row.id).values(sealed=sealed))
    assert await book.use(mine) is None
    assert await book.use(other) is None


async def test_what_has_expired_goes(engine: Engine) -> None:
    book = Consoles(engine, ttl_s=600)
    await issued(book)
    await expire(engine)
    _, token = await issued(book)
    assert await book.purge() == 1
    assert await book.purge() == 0
    assert await book.use(token) is not None
