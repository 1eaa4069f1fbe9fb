# SPDX-License-Identifier: Apache-2.0
"""Is "not found" said only when it is known?"""

import asyncio
import contextlib

import pytest

from tests.unit.road.scripted import World, caller, json_reply, pod
from tricircle.context import Deadline, ProjectId
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.model.pod import PodState
from tricircle.model.routing import Kind
from tricircle.road.route import NEGATIVE_S, when
from tricircle.road.searches import SEARCH_BURST, SEARCHES_AT_ONCE, Searches
from tricircle.upstream.reply import Reply

ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")
ID = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11"
PATH = f"/v2.1/servers/{ID}"
SERVER = {"server": {"id": ID, "tenant_id": "p1", "created": "2026-01-02T03:04:05Z"}}


async def test_a_routing_is_believed_without_asking() -> None:
    """The hot path makes no call."""
    world = World((ONE, TWO))
    world.routings.add(Kind.SERVER, ID, TWO)
    located = await world.locator.locate(Kind.SERVER, ID, caller())
    assert located.pod is TWO
    assert world.upstreams.calls == []


async def test_an_unknown_id_is_looked_for_and_written_down() -> None:
    """Pods are the truth: what no routing knows is found in them, once."""
    world = World((ONE, TWO))
    world.upstreams.said["id-Pod2", PATH] = json_reply(200, SERVER)
    located = await world.locator.locate(Kind.SERVER, ID, caller())
    assert located.pod is TWO
    routing = world.routings.rows[Kind.SERVER, ID]
    assert (routing.project_id, routing.created_at) == ("p1", when("2026-01-02T03:04:05Z"))
    calls = len(world.upstreams.calls)
    await world.locator.locate(Kind.SERVER, ID, caller())
    assert len(world.upstreams.calls) == calls


async def test_the_search_goes_with_the_users_token_alone() -> None:
    """Never with a service token."""
    world = World((ONE,))
    world.upstreams.said["id-Pod1", PATH] = json_reply(200, SERVER)
    await world.locator.locate(Kind.SERVER, ID, caller())
    headers = dict(world.upstreams.calls[0][1].headers)
    assert headers[b"x-auth-token"] == b"users-token"
    assert b"x-service-token" not in headers


@pytest.mark.parametrize("word", ["detail", "summary", "a/b", "a?b", "..", "x" * 256])
@pytest.mark.parametrize("kind", [Kind.SERVER, Kind.VOLUME])
async def test_what_can_be_no_id_is_asked_of_nobody(kind: Kind, word: str) -> None:
    """A pod answers ``/servers/detail`` with a list, which would say nothing about whether there is such a server."""
    world = World((ONE, TWO))
    with pytest.raises(NotFoundError):
        await world.locator.locate(kind, word, caller())
    assert world.upstreams.calls == []


async def test_not_found_when_every_pod_said_so() -> None:
    """And for a while nobody is asked again."""
    world = World((ONE, TWO))
    with pytest.raises(NotFoundError, match=f"Instance {ID} could not be found."):
        await world.locator.locate(Kind.SERVER, ID, caller())
    assert len(world.upstreams.calls) == 2
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, ID, caller())
    assert len(world.upstreams.calls) == 2
    world.now = NEGATIVE_S + 1
    world.upstreams.said["id-Pod1", PATH] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod is ONE


async def test_what_one_project_does_not_find_another_may() -> None:
    """A negative answer is about who asked."""
    world = World((ONE,))
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, ID, caller("p2"))
    world.upstreams.said["id-Pod1", PATH] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID, caller("p1"))).pod is ONE


PROXYS_404 = Reply(status=404, headers=[(b"content-type", b"text/html")], body=b"<h1>404 Not Found</h1>nginx")


@pytest.mark.parametrize("said", [UnavailableError("down"), json_reply(500, {}), json_reply(418, {}), PROXYS_404])
async def test_a_pod_that_does_not_answer_may_hold_it(said: object) -> None:
    """503, not 404; and nothing is remembered."""
    world = World((ONE, TWO))
    world.upstreams.said["id-Pod2", PATH] = said  # type: ignore[assignment]
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, ID, caller())
    del world.upstreams.said["id-Pod2", PATH]
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, ID, caller())


async def test_a_dead_pod_does_not_hide_what_another_one_has() -> None:
    """Found is found."""
    world = World((ONE, TWO))
    world.upstreams.said["id-Pod1", PATH] = UnavailableError("down")
    world.upstreams.said["id-Pod2", PATH] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod is TWO


async def test_a_switched_off_pod_is_unavailable() -> None:
    """Its resources exist, and an unknown one may be there."""
    off = pod("Pod2", "az2", state=PodState.DISABLED)
    world = World((ONE, off))
    world.routings.add(Kind.SERVER, "there", off)
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, "there", caller())
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, ID, caller())
    assert [asked[0] for asked in world.upstreams.asked()] == ["id-Pod1"]


async def test_a_draining_pod_is_asked() -> None:
    """It serves what it has."""
    world = World((pod("Pod1", "az1", state=PodState.DRAINING),))
    world.upstreams.said["id-Pod1", PATH] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod.name == "Pod1"


async def test_what_is_gone_is_still_asked_for_where_it_was() -> None:
    """Else a dead pod would turn every "gone" into "perhaps"."""
    world = World((ONE, TWO))
    world.routings.add(Kind.SERVER, ID, ONE)
    await world.locator.forget(Kind.SERVER, ID)
    assert world.routings.rows == {}
    world.upstreams.said["id-Pod2", PATH] = UnavailableError("down")
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod is ONE
    assert world.upstreams.calls == []


async def test_a_refusal_is_the_pods_to_make() -> None:
    """403 of a pod is passed on by the forwarded call, and nothing is written down."""
    world = World((ONE, TWO))
    world.upstreams.said["id-Pod2", PATH] = json_reply(403, {"forbidden": {"message": "no"}})
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod is TWO
    assert world.routings.rows == {}


async def test_a_pod_that_refuses_does_not_hide_what_another_one_has() -> None:
    """A pod that takes nobody's token must not speak for all."""
    world = World((ONE, TWO))
    world.upstreams.said["id-Pod1", PATH] = json_reply(401, {})
    world.upstreams.said["id-Pod2", PATH] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID, caller())).pod is TWO


async def test_another_spelling_of_an_id_is_not_written_down() -> None:
    """Nova finds ids in capitals as well; the routing is for the one that the server has."""
    world = World((ONE,))
    world.upstreams.said["id-Pod1", f"/v2.1/servers/{ID.upper()}"] = json_reply(200, SERVER)
    assert (await world.locator.locate(Kind.SERVER, ID.upper(), caller())).pod is ONE
    assert world.routings.rows == {}


async def test_guessing_ids_is_slowed_down() -> None:
    """A project may look for so many unknown ids, and later for more; others are not slowed."""
    world = World((ONE,))
    for n in range(int(SEARCH_BURST)):
        with pytest.raises(NotFoundError):
            await world.locator.locate(Kind.SERVER, f"id-{n}", caller())
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, "one-more", caller())
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, "one-more", caller("p2"))
    world.now += 1.0
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, "one-more", caller())


async def test_what_is_found_is_no_guess() -> None:
    """Volumes that Nova made for servers are known to nobody until they are looked for, all at once perhaps."""
    world = World((ONE, TWO))
    found = [f"{n:08d}-0000-0000-0000-000000000000" for n in range(3 * int(SEARCH_BURST))]
    for one in found:
        item = {"server": {"id": one, "tenant_id": "p1"}}
        world.upstreams.said["id-Pod2", f"/v2.1/servers/{one}"] = json_reply(200, item)
    located = await asyncio.gather(*(world.locator.locate(Kind.SERVER, one, caller()) for one in found))
    assert {one.pod.name for one in located} == {"Pod2"}
    # None of them was counted: as many guesses as ever are left.
    for n in range(int(SEARCH_BURST)):
        with pytest.raises(NotFoundError):
            await world.locator.locate(Kind.SERVER, f"id-{n}", caller())
    with pytest.raises(UnavailableError, match="do not exist"):
        await world.locator.locate(Kind.SERVER, "one-more", caller())


async def test_what_a_pod_only_may_have_is_a_guess() -> None:
    """Who is refused learns nothing, and may go on guessing."""
    world = World((ONE,))
    world.upstreams.said["id-Pod1", PATH] = json_reply(403, {"forbidden": {"message": "no"}})
    for _ in range(int(SEARCH_BURST)):
        await world.locator.locate(Kind.SERVER, ID, caller())
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, ID, caller())


async def test_who_looks_for_too_many_at_once_waits_no_longer_than_there_is_time() -> None:
    """Its pods do not answer: nobody else's searches wait with it."""
    searches = Searches(lambda: 0.0)
    async with contextlib.AsyncExitStack() as going_on:
        for _ in range(SEARCHES_AT_ONCE):
            await going_on.enter_async_context(searches.turn(ProjectId("p1"), Deadline.after(5)))
        with pytest.raises(UnavailableError, match="nobody knows yet"):
            async with searches.turn(ProjectId("p1"), Deadline.after(0.01)):
                raise AssertionError("it did not wait")
        async with searches.turn(ProjectId("p2"), Deadline.after(5)):
            searches.give_back(ProjectId("p2"))


@pytest.mark.parametrize("bad", ["", "a/b", "x" * 256])
async def test_what_cannot_be_an_id_is_not_looked_for(bad: str) -> None:
    """No pod is asked."""
    world = World((ONE,))
    with pytest.raises(NotFoundError):
        await world.locator.locate(Kind.SERVER, bad, caller())
    assert world.upstreams.calls == []


async def test_the_database_away_is_not_not_found() -> None:
    """Its error goes up as it is."""
    world = World((ONE,))
    world.routings.is_away = True
    with pytest.raises(UnavailableError):
        await world.locator.locate(Kind.SERVER, ID, caller())


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.000000", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05+00:00"),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_are_utc(text: object, iso: str | None) -> None:
    """However a service writes them."""
    moment = when(text)
    assert (moment.isoformat() if moment else None) == iso
