# SPDX-License-Identifier: Apache-2.0
"""Does exactly one of many get the lease, and is everybody else told so?"""

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa

from tricircle.context import PodId, ProjectId
from tricircle.errors import LeaseLostError, ReferencedRowError
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.routing import Kind, Routing
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.tables import routings

pytestmark = pytest.mark.mariadb

_POD1 = PodId("pod1")
_DEMO = ProjectId("demo")


async def _take(leases: Leases, network_id: str = "net1", *, owner: str = "test") -> Lease | Routing | None:
    return await leases.take(Kind.NETWORK, network_id, _POD1, _DEMO, owner=owner, ttl_s=30)


async def _taken(leases: Leases, network_id: str = "net1") -> Lease:
    lease = await _take(leases, network_id)
    assert isinstance(lease, Lease)
    return lease


async def _let_it_run_out(engine: Engine, lease: Lease) -> None:
    async with transaction(engine) as connection:
        statement = sa.update(routings).where(routings.c.id == lease.routing_id).values(lease_until=now_plus(-1))
        await connection.execute(statement)


async def test_one_takes_everybody_else_waits_then_sees_the_copy(engine: Engine) -> None:
    leases = Leases(engine)
    lease = await _taken(leases)
    assert lease.is_new
    assert await _take(leases) is None

    bound = await leases.bind(lease, "pod-net", revision="4", details={"a": 1})
    assert (bound.pod_resource_id, bound.revision, bound.details, bound.owner) == ("pod-net", "4", {"a": 1}, None)
    again = await _take(leases)
    assert isinstance(again, Routing)
    assert again == bound


async def test_pods_and_kinds_do_not_stand_in_each_others_way(engine: Engine) -> None:
    leases = Leases(engine)
    await _taken(leases)
    other_pod = await leases.take(Kind.NETWORK, "net1", PodId("pod2"), _DEMO, owner="test", ttl_s=30)
    other_kind = await leases.take(Kind.SUBNET, "net1", _POD1, _DEMO, owner="test", ttl_s=30)
    assert isinstance(other_pod, Lease)
    assert isinstance(other_kind, Lease)


async def test_an_unknown_pod_is_refused(engine: Engine) -> None:
    with pytest.raises(ReferencedRowError):
        await Leases(engine).take(Kind.NETWORK, "net1", PodId("none"), _DEMO, owner="test", ttl_s=30)


@pytest.mark.parametrize("what", ["no row", "given back", "run out"])
async def test_of_many_takers_exactly_one_wins(engine: Engine, what: str) -> None:
    leases = Leases(engine)
    for number in range(5):
        network_id = f"net{number}"
        if what != "no row":
            first = await _taken(leases, network_id)
            await (leases.release(first) if what == "given back" else _let_it_run_out(engine, first))
        results = await asyncio.gather(*(_take(leases, network_id, owner=f"taker-{n}") for n in range(25)))
        won = [result for result in results if isinstance(result, Lease)]
        assert len(won) == 1
        assert won[0].is_new is (what == "no row")
        assert Counter(type(result) for result in results)[type(None)] == 24
        async with transaction(engine) as connection:
            owner = (
                await connection.execute(sa.select(routings.c.owner).where(routings.c.central_id == network_id))
            ).scalar_one()
        assert owner == won[0].owner


async def test_a_released_row_says_look_first(engine: Engine) -> None:
    leases = Leases(engine)
    await leases.release(await _taken(leases))
    assert not (await _taken(leases)).is_new


async def test_a_dropped_row_leaves_nothing(engine: Engine) -> None:
    leases = Leases(engine)
    await leases.drop(await _taken(leases))
    assert await Routings(engine).copies_of(Kind.NETWORK, "net1") == []
    assert (await _taken(leases)).is_new


async def test_who_lost_the_lease_is_told_and_changes_nothing(engine: Engine) -> None:
    leases = Leases(engine)
    lost = await _taken(leases)
    await _let_it_run_out(engine, lost)
    winner = await _taken(leases)
    assert winner.owner != lost.owner

    with pytest.raises(LeaseLostError):
        await leases.renew(lost)
    with pytest.raises(LeaseLostError):
        await leases.bind(lost, "late")
    await leases.release(lost)
    await leases.drop(lost)
    assert await _take(leases) is None, "the winner still holds it"
    assert (await leases.bind(winner, "right")).pod_resource_id == "right"
    with pytest.raises(LeaseLostError):
        await leases.bind(lost, "later still")
    # The late one created nothing of its own but found the winner's: that is no loss.
    assert (await leases.bind(lost, "right")).pod_resource_id == "right"


async def test_a_lease_that_ran_out_unnoticed_still_binds(engine: Engine) -> None:
    leases = Leases(engine)
    lease = await _taken(leases)
    await _let_it_run_out(engine, lease)
    assert (await leases.bind(lease, "pod-net")).is_bound


async def test_a_renewed_lease_is_not_taken(engine: Engine) -> None:
    leases = Leases(engine)
    lease = await _taken(leases)
    await _let_it_run_out(engine, lease)
    await leases.renew(lease)
    assert await _take(leases) is None


async def test_a_bound_row_is_held_for_a_change_by_one(engine: Engine) -> None:
    leases = Leases(engine)
    unbound = await _taken(leases)
    bound = await leases.bind(unbound, "pod-net", revision="1")
    held = await asyncio.gather(*(leases.hold(bound, owner=f"h{n}", ttl_s=30) for n in range(10)))
    won = [lease for lease in held if lease is not None]
    assert len(won) == 1
    changed = await leases.bind(won[0], "pod-net", revision="2")
    assert changed.revision == "2"
    again = await leases.hold(changed, owner="h", ttl_s=30)
    assert again is not None
    await leases.drop(again)
    assert await leases.hold(changed, owner="h", ttl_s=30) is None
