# SPDX-License-Identifier: Apache-2.0
"""Is a resource found where it was recorded, by every id it has?"""

import asyncio
from datetime import UTC, datetime

import pytest

from tricircle.context import PodId, ProjectId
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.positions import Positions
from tricircle.ledger.recent import Recent
from tricircle.ledger.routings import Routings
from tricircle.model.routing import Kind, Routing
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.tables import cursors

pytestmark = pytest.mark.mariadb

_POD1 = PodId("pod1")
_POD2 = PodId("pod2")
_DEMO = ProjectId("demo")
_BORN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def _copy(engine: Engine, kind: Kind, central_id: str, pod: PodId, pod_id: str, **details: object) -> Routing:
    leases = Leases(engine)
    lease = await leases.take(kind, central_id, pod, _DEMO, owner="test", ttl_s=30)
    assert isinstance(lease, Lease)
    return await leases.bind(lease, pod_id, details=details)


async def test_an_owned_resource_is_recorded_once(engine: Engine) -> None:
    routings = Routings(engine)
    assert await routings.owned(Kind.SERVER, "s1") is None
    first = await routings.record(Kind.SERVER, "s1", _POD1, _DEMO, created_at=_BORN, details={"name": "vm1"})
    assert first.is_bound
    assert first.pod_resource_id == "s1"
    assert first.created_at == _BORN
    again = await routings.record(Kind.SERVER, "s1", _POD1, _DEMO, details={"az": "az1"})
    assert again.id == first.id
    assert again.created_at == _BORN
    assert again.details == {"name": "vm1", "az": "az1"}
    assert await Routings(engine).owned(Kind.SERVER, "s1") == again
    assert await routings.owned(Kind.VOLUME, "s1") is None
    assert await routings.owned(Kind.SERVER, "S1") is None


async def test_many_record_the_same_at_once(engine: Engine) -> None:
    routings = Routings(engine)
    found = await asyncio.gather(*(routings.record(Kind.SERVER, "s1", _POD1, _DEMO) for _ in range(20)))
    assert len({routing.id for routing in found}) == 1


async def test_a_reserved_row_is_bound_by_record(engine: Engine) -> None:
    lease = await Leases(engine).take(Kind.SERVER, "s1", _POD1, _DEMO, owner="boot", ttl_s=30)
    assert isinstance(lease, Lease)
    routings = Routings(engine)
    unbound = await routings.owned(Kind.SERVER, "s1")
    assert unbound is not None
    assert not unbound.is_bound
    assert (await routings.record(Kind.SERVER, "s1", _POD1, _DEMO)).id == unbound.id
    bound = await routings.owned(Kind.SERVER, "s1")
    assert bound is not None
    assert bound.is_bound


async def test_forgotten_and_changed_routings_are_seen_at_once_in_this_process(engine: Engine) -> None:
    routings = Routings(engine)
    routing = await routings.record(Kind.VOLUME, "v1", _POD1, _DEMO, details={"a": 1, "b": {"c": 1}})
    assert await routings.update(routing.id, details={"a": None, "b": {"d": 2}}, revision="r2")
    changed = await routings.owned(Kind.VOLUME, "v1")
    assert changed is not None
    assert changed.details == {"b": {"c": 1, "d": 2}}
    assert changed.revision == "r2"
    assert await routings.forget(routing.id)
    assert await routings.owned(Kind.VOLUME, "v1") is None
    assert not await routings.forget(routing.id)
    assert not await routings.update(routing.id, revision="r3")


async def test_what_is_remembered_is_a_minute_old_at_most(engine: Engine) -> None:
    clock = [0.0]
    here = Routings(engine, recent=Recent(clock=lambda: clock[0]))
    there = Routings(engine)
    routing = await here.record(Kind.VOLUME, "v1", _POD1, _DEMO)
    await there.forget(routing.id)
    assert await here.owned(Kind.VOLUME, "v1") == routing
    clock[0] = 61.0
    assert await here.owned(Kind.VOLUME, "v1") is None


async def test_two_writers_of_details_both_succeed(engine: Engine) -> None:
    routings = Routings(engine)
    routing = await routings.record(Kind.SERVER, "s1", _POD1, _DEMO)
    await asyncio.gather(*(routings.update(routing.id, details={f"key{n}": n}) for n in range(10)))
    changed = await routings.copy_in(Kind.SERVER, "s1", _POD1)
    assert changed is not None
    assert changed.details == {f"key{n}": n for n in range(10)}


async def test_copies_are_found_from_both_sides(engine: Engine) -> None:
    routings = Routings(engine)
    one = await _copy(engine, Kind.NETWORK, "net1", _POD1, "pod1-net1")
    two = await _copy(engine, Kind.NETWORK, "net1", _POD2, "pod2-net1")
    three = await _copy(engine, Kind.NETWORK, "net2", _POD1, "pod1-net2")
    await Leases(engine).take(Kind.NETWORK, "net1", PodId("pod3"), _DEMO, owner="test", ttl_s=30)

    assert [r.pod_id for r in await routings.copies_of(Kind.NETWORK, "net1")] == ["pod1", "pod2", "pod3"]
    assert await routings.copy_in(Kind.NETWORK, "net1", _POD2) == two
    assert await routings.copy_in(Kind.NETWORK, "net3", _POD2) is None
    assert await routings.by_pod_resource(_POD1, Kind.NETWORK, ["pod1-net1", "pod1-net2", "pod2-net1", "x"]) == {
        "pod1-net1": one,
        "pod1-net2": three,
    }
    assert await routings.by_central(Kind.NETWORK, ["net1", "net2", "x"], _POD1) == {"net1": one, "net2": three}
    assert await routings.by_central(Kind.NETWORK, ["net1"], PodId("pod3")) == {}
    assert await routings.by_central(Kind.NETWORK, [], _POD1) == {}
    assert await routings.of_pod(_POD1) == {Kind.NETWORK: 2}


async def test_more_ids_than_one_statement_names(engine: Engine) -> None:
    routings = Routings(engine)
    await _copy(engine, Kind.NETWORK, "net-0007", _POD1, "pod-net")
    ids = [f"net-{n:04}" for n in range(2500)]
    assert set(await routings.by_central(Kind.NETWORK, ids, _POD1)) == {"net-0007"}


async def test_the_ports_of_a_server(engine: Engine) -> None:
    routings = Routings(engine)
    early = await _copy(engine, Kind.PORT, "port1", _POD1, "pp1", origin="gateway")
    await _copy(engine, Kind.PORT, "port2", _POD1, "pp2", origin="user", server_id="s1")
    await _copy(engine, Kind.PORT, "port3", _POD2, "pp3", server_id="s1")
    assert [r.central_id for r in await routings.ports_of_server("s1", _POD1)] == ["port2"]
    await routings.update(early.id, details={"server_id": "s1"})
    assert [r.central_id for r in await routings.ports_of_server("s1", _POD1)] == ["port1", "port2"]
    await routings.update(early.id, details={"server_id": None})
    assert [r.central_id for r in await routings.ports_of_server("s1", _POD1)] == ["port2"]


async def test_the_servers_of_a_reservation(engine: Engine) -> None:
    routings = Routings(engine)
    first = await _copy(engine, Kind.SERVER, "s1", _POD1, "s1", reservation_id="r1")
    await routings.update(first.id, details={"seen": []})
    assert [r.central_id for r in await routings.of_reservation("r1")] == ["s1"]
    await routings.update(first.id, details={"reservation_id": "r2"})
    assert [r.central_id for r in await routings.of_reservation("r1")] == []
    assert [r.central_id for r in await routings.of_reservation("r2")] == ["s1"]


async def test_keypairs_have_ids_of_their_own_kind(engine: Engine) -> None:
    central_id = f"{'u' * 64}/{'ключ' * 60}"
    bound = await _copy(engine, Kind.KEYPAIR, central_id, _POD1, "ключ" * 60)
    assert await Routings(engine).copy_in(Kind.KEYPAIR, central_id, _POD1) == bound


async def test_positions_are_kept_per_marker(engine: Engine) -> None:
    positions = Positions(engine)
    assert await positions.load("list", "m1") is None
    await positions.save("list", "m1", {_POD1: "a", _POD2: None})
    await positions.save("list", "m2", {_POD1: "b"})
    assert await positions.load("list", "m1") == {"pod1": "a", "pod2": None}
    await positions.save("list", "m1", {_POD1: "c"})
    assert await positions.load("list", "m1") == {"pod1": "c"}
    assert await positions.load("other", "m1") is None


async def test_positions_that_nobody_uses_go(engine: Engine) -> None:
    positions = Positions(engine)
    for marker in ("m1", "m2", "m3"):
        await positions.save("list", marker, {_POD1: marker})
    async with transaction(engine) as connection:
        await connection.execute(cursors.update().values(used_at=now_plus(-100_000)))
    assert await positions.load("list", "m2") == {"pod1": "m2"}
    assert await positions.purge() == 2
    assert await positions.load("list", "m1") is None
    assert await positions.load("list", "m2") == {"pod1": "m2"}


async def test_many_save_the_same_page_at_once(engine: Engine) -> None:
    positions = Positions(engine)
    await asyncio.gather(*(positions.save("list", "m1", {_POD1: str(n)}) for n in range(20)))
    found = await positions.load("list", "m1")
    assert found is not None
    assert found[_POD1] in {str(n) for n in range(20)}
