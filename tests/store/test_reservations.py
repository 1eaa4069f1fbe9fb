# SPDX-License-Identifier: Apache-2.0
"""Do reservations hold when many processes take at once, and does nothing stay that should not?"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa

from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.errors import QuotaExceededError
from tricircle.ledger.reservations import Fit, Reservations, Taken, Wanted
from tricircle.model.pod import Service
from tricircle.model.reservation import Amounts, Reading, of_user, users_part
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import bindings, pods, reservations, usages

pytestmark = pytest.mark.mariadb

POD1, POD2 = PodId("pod1"), PodId("pod2")
DEMO = ProjectId("demo")
VOLUMES = Service.BLOCK_STORAGE


@pytest.fixture
async def second(engine: Engine, settings: DatabaseSettings) -> AsyncIterator[Engine]:
    """What another process opens on the same database."""
    made = create_engine(settings)
    yield made
    await made.dispose()


def up_to(limit: int, *, most: int = 1, least: int = 1) -> Fit:
    """As many as fit below ``limit``."""

    def fit(taken: Amounts) -> list[Amounts]:
        room = min(most, limit - taken.get("volumes", 0))
        if room < least:
            raise QuotaExceededError(f"{taken.get('volumes', 0)} of {limit}")
        return [{"volumes": 1}] * room

    return fit


def wanted(fit: Fit, pod: PodId = POD1, *, until_s: float = 60) -> Wanted:
    return Wanted(project_id=DEMO, service=VOLUMES, pod_id=pod, fit=fit, until_s=until_s)


async def said(books: Reservations, used: int, pod: PodId = POD1) -> Reading:
    """What the pod says when it is asked now."""
    return Reading(pod_id=pod, amounts={"volumes": used}, seen_at=await books.time())


async def left(engine: Engine) -> list[int]:
    async with transaction(engine) as connection:
        return list((await connection.execute(sa.select(reservations.c.id))).scalars())


async def shift(engine: Engine, table: sa.Table, column: str, seconds: float) -> None:
    """Let a time of all rows be so many seconds from now."""
    async with transaction(engine) as connection:
        await connection.execute(sa.update(table).values({column: now_plus(seconds)}))


async def race(books: Sequence[Reservations], takers: int, fit: Fit, used: int = 0) -> list[Taken]:
    async def one(number: int) -> Taken:
        mine = books[number % len(books)]
        return await mine.take(wanted(fit), [await said(mine, used)])

    return await asyncio.gather(*(one(number) for number in range(takers)))


async def test_of_many_at_the_limit_exactly_one_passes(engine: Engine, second: Engine) -> None:
    books = [Reservations(engine), Reservations(second)]
    for _ in range(5):
        results = await race(books, 16, up_to(3), used=2)
        passed = [taken for taken in results if taken.refusal is None]
        assert len(passed) == 1
        assert {str(taken.refusal) for taken in results if taken.refusal} == {"3 of 3"}
        assert await left(engine) == list(passed[0].ids)
        await books[0].release(passed[0].ids)


async def test_of_many_below_the_limit_as_many_pass_as_fit(engine: Engine, second: Engine) -> None:
    results = await race([Reservations(engine), Reservations(second)], 12, up_to(7, most=2))
    assert sum(len(taken.ids) for taken in results) == 7
    assert len(await left(engine)) == 7


async def test_other_projects_and_services_do_not_count(engine: Engine) -> None:
    books = Reservations(engine)
    for project, service in ((DEMO, VOLUMES), (DEMO, Service.COMPUTE), (ProjectId("alt"), VOLUMES)):
        asked = Wanted(project_id=project, service=service, pod_id=POD1, fit=up_to(1), until_s=60)
        assert (await books.take(asked, [])).refusal is None


async def test_what_is_counted_goes_with_the_next_reading_and_not_before(engine: Engine) -> None:
    books = Reservations(engine)
    before = await said(books, 0)
    taken = await books.take(wanted(up_to(3)), [before])
    await books.bind(taken.ids)
    assert (await books.look(DEMO, VOLUMES, [before])).most == {"volumes": 1}
    standing = await books.look(DEMO, VOLUMES, [await said(books, 1)])
    assert (standing.used, standing.reserved) == ({"volumes": 1}, {})
    assert await left(engine) == []


async def test_an_older_reading_brings_nothing_back(engine: Engine) -> None:
    """It was asked for before the volume was there, and comes late: without care nothing would count the volume."""
    books = Reservations(engine)
    late = await said(books, 0)
    taken = await books.take(wanted(up_to(1)), [])
    await books.bind(taken.ids)
    await books.look(DEMO, VOLUMES, [await said(books, 1)])
    assert (await books.take(wanted(up_to(1)), [late])).refusal is not None


async def test_what_was_refused_is_free_at_once(engine: Engine) -> None:
    books = Reservations(engine)
    taken = await books.take(wanted(up_to(1)), [])
    await books.release(taken.ids)
    assert (await books.take(wanted(up_to(1)), [])).refusal is None


async def test_what_a_killed_process_took_is_settled_after_its_time(engine: Engine, second: Engine) -> None:
    await Reservations(engine).take(wanted(up_to(1)), [])
    others = Reservations(second)
    assert (await others.take(wanted(up_to(1)), [await said(others, 0)])).refusal is not None
    await shift(engine, usages, "seen_at", -10)
    await shift(engine, reservations, "until", -1)
    assert (await others.take(wanted(up_to(1)), [])).refusal is not None, "only a reading settles it"
    assert (await others.take(wanted(up_to(1)), [await said(others, 0)])).refusal is None
    assert len(await left(engine)) == 1


async def test_a_pod_that_is_down_counts_with_what_it_said_last_to_anybody(engine: Engine, second: Engine) -> None:
    books = Reservations(engine)
    await books.look(DEMO, VOLUMES, [await said(books, 2), await said(books, 1, POD2)])
    taken = await Reservations(second).take(wanted(up_to(9), POD2), [await said(books, 3, POD2)])
    assert taken.standing.used == {"volumes": 5}
    assert (await books.look(DEMO, VOLUMES, [])).used == {"volumes": 5}


async def test_what_pods_have_accepted_is_looked_after_until_they_count_it(engine: Engine) -> None:
    books = Reservations(engine)
    taken = await books.take(wanted(up_to(3, most=2)), [])
    assert await books.pending(DEMO, VOLUMES) == []
    await books.name(taken.ids[0], "server-1")
    (pending,) = await books.pending(DEMO, VOLUMES)
    assert (pending.id, pending.resource_id, pending.pod_id) == (taken.ids[0], "server-1", POD1)
    await books.bind([pending.id])
    assert await books.pending(DEMO, VOLUMES) == []


async def test_projects_that_nobody_asked_about_are_found(engine: Engine) -> None:
    books = Reservations(engine)
    for project in ("a", "b", "c"):
        asked = Wanted(project_id=ProjectId(project), service=VOLUMES, pod_id=POD1, fit=up_to(1), until_s=60)
        await books.take(asked, [])
    assert await books.idle(VOLUMES, after="", past_s=10, limit=9) == []
    await shift(engine, reservations, "until", -11)
    assert await books.idle(VOLUMES, after="", past_s=10, limit=2) == ["a", "b"]
    assert await books.idle(VOLUMES, after="b", past_s=10, limit=2) == ["c"]
    assert await books.idle(Service.COMPUTE, after="", past_s=10, limit=9) == []


async def test_what_nobody_can_need_is_purged(engine: Engine) -> None:
    books = Reservations(engine)
    taken = await books.take(wanted(up_to(9)), [await said(books, 1)])
    await books.take(wanted(up_to(9), POD2), [await said(books, 1, POD2)])
    async with transaction(engine) as connection:
        await connection.execute(bindings.insert().values(id="b", project_id=DEMO, pod_id=POD1))
        await connection.execute(sa.delete(pods).where(pods.c.id == POD2))
    await shift(engine, usages, "seen_at", -90_000)
    assert await books.purge() == 2, "the reservation and the reading of the pod that is gone"
    assert await left(engine) == list(taken.ids)
    assert (await books.look(DEMO, VOLUMES, [])).used == {"volumes": 1}, "what the pod that is left said"
    async with transaction(engine) as connection:
        await connection.execute(sa.delete(bindings))
    assert await books.purge() == 0, "something is still being made"
    await books.release(taken.ids)
    assert await books.purge() == 1, "the reading of a pod to which the project is not bound"
    assert await books.purge() == 1, "the lock"
    async with transaction(engine) as connection:
        assert (await connection.execute(sa.select(usages))).all() == []


async def test_pods_with_reservations_are_known_without_a_binding(engine: Engine) -> None:
    """A request may die between its reservation and the first use of the pod; somebody has to ask that pod."""
    books = Reservations(engine)
    taken = await books.take(wanted(up_to(9), POD2), [])
    assert await books.open_in(DEMO, VOLUMES) == {POD2}
    await books.release(taken.ids)
    assert await books.open_in(DEMO, VOLUMES) == frozenset()


async def test_a_users_part_is_written_down_until_the_pod_is_asked_for_it_again(engine: Engine) -> None:
    """Others of the project make things meanwhile: their readings say nothing of the user."""
    books = Reservations(engine)

    def fit(taken: Amounts) -> list[Amounts]:
        if users_part("u", taken).get("volumes", 0) >= 2:
            raise QuotaExceededError("the user's")
        return [{"volumes": 1, **of_user("u", {"volumes": 1})}]

    asked = Reading(pod_id=POD1, amounts={"volumes": 5, **of_user("u", {"volumes": 0})}, seen_at=await books.time())
    first = await books.take(wanted(fit), [asked])
    await books.bind(first.ids)
    standing = await books.look(DEMO, VOLUMES, [await said(books, 6)])
    assert (standing.most["volumes"], users_part("u", standing.most)) == (6, {"volumes": 1})
    assert await left(engine) == []
    second = await books.take(wanted(fit), [])
    assert second.refusal is None
    assert (await books.take(wanted(fit), [])).refusal is not None
    gone = Reading(pod_id=POD1, amounts={"volumes": 5, **of_user("u", {"volumes": 0})}, seen_at=await books.time())
    assert (await books.take(wanted(fit), [gone])).refusal is None


async def test_a_users_part_counts_though_a_reading_without_it_is_newer(engine: Engine) -> None:
    """The user asks for limits while a boot of his is under way, and that answer is written down first."""
    books = Reservations(engine)

    def fit(taken: Amounts) -> list[Amounts]:
        used = users_part("u", taken).get("volumes", 0)
        if used >= 5:
            raise QuotaExceededError(f"{used} of 5")
        return [{"volumes": 1, **of_user("u", {"volumes": 1})}]

    asked = Reading(pod_id=POD1, amounts={"volumes": 6, **of_user("u", {"volumes": 5})}, seen_at=await books.time())
    await books.look(DEMO, VOLUMES, [await said(books, 7)])
    taken = await books.take(wanted(fit), [asked])
    assert (taken.ids, str(taken.refusal)) == ((), "5 of 5")
    standing = await books.look(DEMO, VOLUMES, [])
    assert (standing.used["volumes"], users_part("u", standing.used)) == (7, {"volumes": 5})


async def test_an_older_part_of_a_user_takes_the_place_of_no_newer_one(engine: Engine) -> None:
    books = Reservations(engine)
    moments = [await books.time(), await books.time()]
    old, new = (
        Reading(pod_id=POD1, amounts={"volumes": used, **of_user("u", {"volumes": used})}, seen_at=moment)
        for used, moment in zip((5, 2), moments, strict=True)
    )
    other = Reading(pod_id=POD1, amounts={"volumes": 5, **of_user("v", {"volumes": 3})}, seen_at=moments[0])
    await books.look(DEMO, VOLUMES, [new])
    standing = await books.look(DEMO, VOLUMES, [old, other])
    assert standing.used == {"volumes": 2, **of_user("u", {"volumes": 2}), **of_user("v", {"volumes": 3})}
