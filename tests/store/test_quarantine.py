# SPDX-License-Identifier: Apache-2.0
"""When is an identifier in quarantine held, by whom, and when does its row go?"""

import pytest

from tricircle.context import PodId, ProjectId
from tricircle.errors import ConflictError
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.quarantine import Quarantine
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.quarantine import What
from tricircle.model.routing import Kind
from tricircle.store.clock import now
from tricircle.store.engine import Engine, transaction
from tricircle.store.held import values_held
from tricircle.store.quarantine import QuarantineRows
from tricircle.store.tables import quarantine

pytestmark = pytest.mark.mariadb

_POD1, _POD2 = PodId("pod1"), PodId("pod2")
_DEMO = ProjectId("demo")


async def _leave(engine: Engine, what: What, value: str, **values: object) -> None:
    row = {"scope": "n1", "kind": Kind.PORT.value, "central_id": "p1", "created_at": now(), **values}
    async with transaction(engine) as connection:
        await connection.execute(quarantine.insert().values(what=what.value, value=value, **row))


async def _copy(
    engine: Engine, pod: PodId, revision: str | None, kind: Kind = Kind.PORT, central_id: str = "p1"
) -> int:
    leases = Leases(engine)
    lease = await leases.take(kind, central_id, pod, _DEMO, owner="test", ttl_s=30)
    assert isinstance(lease, Lease)
    return (await leases.bind(lease, f"in-{pod}", revision=revision)).id


async def _values(engine: Engine, what: What, **conditions: object) -> set[str]:
    async with transaction(engine) as connection:
        return {row.value for row in await connection.execute(values_held(what, **conditions))}


async def test_what_no_pod_has_is_not_held(engine: Engine) -> None:
    await _leave(engine, What.MAC, "aa")
    assert await _values(engine, What.MAC) == set()
    await _copy(engine, _POD1, "3", kind=Kind.NETWORK)
    await _copy(engine, _POD1, "3", central_id="p2")
    assert await _values(engine, What.MAC) == set()


async def test_an_attempt_under_way_holds(engine: Engine) -> None:
    await _leave(engine, What.ADDRESS, "10.0.0.5")
    leases = Leases(engine)
    lease = await leases.take(Kind.PORT, "p1", _POD1, _DEMO, owner="test", ttl_s=30)
    assert isinstance(lease, Lease)
    assert await _values(engine, What.ADDRESS, scope="n1", values=["10.0.0.5", "10.0.0.6"]) == {"10.0.0.5"}
    assert await _values(engine, What.ADDRESS, scope="n2") == set()
    assert await _values(engine, What.ADDRESS, scope="n1", but_for="p1") == set()
    await leases.drop(lease)
    assert await _values(engine, What.ADDRESS, scope="n1") == set()


async def test_the_last_of_several_pods_counts(engine: Engine) -> None:
    await _leave(engine, What.VLAN, "101", kind=Kind.NETWORK.value)
    first, second = [await _copy(engine, pod, "3", kind=Kind.NETWORK) for pod in (_POD1, _POD2)]
    (held,) = await Quarantine(engine).held(10)
    assert (held.left.value, dict(held.pods)) == ("101", {_POD1: "Pod1", _POD2: "Pod2"})
    await Routings(engine).forget(first)
    (held,) = await Quarantine(engine).held(10)
    assert dict(held.pods) == {_POD2: "Pod2"}
    await Routings(engine).forget(second)
    assert await Quarantine(engine).held(10) == []


async def test_a_change_is_held_until_it_is_realised(engine: Engine) -> None:
    # As text "9" would be more than "10".
    await _leave(engine, What.ADDRESS, "10.0.0.5", revision=10)
    copy = await _copy(engine, _POD1, "9")
    routings = Routings(engine)
    assert await _values(engine, What.ADDRESS) == {"10.0.0.5"}
    await routings.update(copy, revision="10")
    assert await _values(engine, What.ADDRESS) == set()
    # What was adopted and not yet compared may be anything.
    await routings.forget(copy)
    await _copy(engine, _POD1, None)
    assert await _values(engine, What.ADDRESS) == {"10.0.0.5"}


async def test_a_port_in_a_pod_is_held_from_its_own_project_too(engine: Engine) -> None:
    await _leave(engine, What.ADDRESS, "10.0.0.5")
    await _copy(engine, _POD1, "3")
    assert await _values(engine, What.ADDRESS, but_for_groups=["p1"]) == {"10.0.0.5"}


async def test_a_slice_is_one_pods(engine: Engine) -> None:
    await _leave(engine, What.ADDRESS, "10.0.0.2", kind=Kind.SUBNET.value, pod_id=_POD2)
    await _copy(engine, _POD1, "3", kind=Kind.SUBNET)
    assert await _values(engine, What.ADDRESS) == set()
    await _copy(engine, _POD2, "3", kind=Kind.SUBNET)
    assert await _values(engine, What.ADDRESS) == {"10.0.0.2"}


async def test_a_slice_may_have_its_own_again(engine: Engine) -> None:
    """And nothing that anybody else let go of: another pod, a pod that nobody names, another subnet, a port."""
    mine, mine_too = {"kind": Kind.SUBNET.value, "central_id": "s1"}, ("s1", _POD1)
    await _copy(engine, _POD1, "3", kind=Kind.SUBNET, central_id="s1")
    await _leave(engine, What.ADDRESS, "10.0.0.2", pod_id=_POD1, **mine)
    assert await _values(engine, What.ADDRESS) == {"10.0.0.2"}, "also by the routing of the one who wants it"
    assert await _values(engine, What.ADDRESS, but_for_slice=mine_too) == set()
    assert await _values(engine, What.ADDRESS, but_for_slice=("s2", _POD1)) == {"10.0.0.2"}
    assert await _values(engine, What.ADDRESS, but_for_slice=("s1", _POD2)) == {"10.0.0.2"}
    await _leave(engine, What.ADDRESS, "10.0.0.3", **mine)
    await _copy(engine, _POD2, "3", kind=Kind.SUBNET, central_id="s1")
    await _leave(engine, What.ADDRESS, "10.0.0.4", pod_id=_POD2, **mine)
    await _copy(engine, _POD1, "3")
    await _leave(engine, What.ADDRESS, "10.0.0.5")
    others = {"10.0.0.3", "10.0.0.4", "10.0.0.5"}
    assert await _values(engine, What.ADDRESS, but_for_slice=mine_too) == others
    # The slice's own, and another's before: the other still counts.
    await _leave(engine, What.ADDRESS, "10.0.0.2")
    assert await _values(engine, What.ADDRESS, but_for_slice=mine_too) == others | {"10.0.0.2"}


async def test_only_what_nobody_holds_is_cleared_away(engine: Engine) -> None:
    for number in range(5):
        await _leave(engine, What.MAC, f"free{number}", central_id="nobody")
    await _leave(engine, What.MAC, "held")
    await _copy(engine, _POD1, "3")
    store = Quarantine(engine)
    assert await store.purge() == 0, "all are too young"
    async with transaction(engine) as connection:
        assert await QuarantineRows.purge(connection, older_than_s=-1, limit=2) == 2
        assert await QuarantineRows.counts(connection) == {What.VLAN: 0, What.ADDRESS: 0, What.MAC: 1}
    assert await store.purge(older_than_s=-1) == 3
    assert [held.left.value for held in await store.held(10)] == ["held"]


async def test_a_copy_that_nobody_works_on_gets_a_job(engine: Engine) -> None:
    """Its maker died after taking the row, and the job of the deletion came before that."""
    await _leave(engine, What.VLAN, "101", kind=Kind.NETWORK.value)
    await _leave(engine, What.MAC, "aa", kind=Kind.PORT.value, central_id="p2")
    for kind, central_id, pod in ((Kind.NETWORK, "p1", _POD1), (Kind.PORT, "p2", _POD1), (Kind.PORT, "p2", _POD2)):
        assert isinstance(await Leases(engine).take(kind, central_id, pod, _DEMO, owner="dead", ttl_s=-1), Lease)
    queue, store = Queue(engine), Quarantine(engine)
    await queue.append(JobType.PORT, "p2", _DEMO, pod_id=_POD2)
    assert await store.nudge() == 0, "all is too young"
    assert await store.nudge(older_than_s=-1) == 2
    assert await store.nudge(older_than_s=-1) == 0
    filed = sorted((job.type.value, job.resource_id, job.pod_id) for job in await queue.waiting())
    assert filed == [("network", "p1", "pod1"), ("port", "p2", "pod1"), ("port", "p2", "pod2")]


async def test_an_address_of_a_member_is_held_until_no_job_is_left(engine: Engine) -> None:
    """Members have no revision: the job that was written with the change says whether pods have followed."""
    await _leave(engine, What.ADDRESS, "10.0.0.5", kind=Kind.ADDRESS_GROUP.value, central_id="g1")
    queue = Queue(engine)
    everywhere = await queue.append(JobType.ADDRESS_GROUP, "g1", _DEMO)
    assert await _values(engine, What.ADDRESS) == set(), "no pod knows the group"
    for pod in (_POD1, _POD2):
        await _copy(engine, pod, "1", kind=Kind.ADDRESS_GROUP, central_id="g1")
    assert await _values(engine, What.ADDRESS) == {"10.0.0.5"}
    assert await _values(engine, What.ADDRESS, but_for_groups=["g2"]) == {"10.0.0.5"}
    assert await _values(engine, What.ADDRESS, but_for_groups=["g1", "g2"]) == set()
    each = [await queue.append(JobType.ADDRESS_GROUP, "g1", _DEMO, pod_id=pod) for pod in (_POD1, _POD2)]
    await queue.withdraw(everywhere)
    (held,) = await Quarantine(engine).held(10)
    assert set(held.pods) == {_POD1, _POD2}
    await queue.withdraw(each[0])
    (held,) = await Quarantine(engine).held(10)
    assert set(held.pods) == {_POD2}
    # Jobs of other groups and of other types keep nothing back.
    await queue.append(JobType.ADDRESS_GROUP, "g2", _DEMO)
    await queue.append(JobType.SECURITY_GROUP, "g1", _DEMO)
    await queue.withdraw(each[1])
    assert await _values(engine, What.ADDRESS) == set()
    assert await Quarantine(engine).purge(older_than_s=-1) == 1


async def test_a_job_that_keeps_an_address_back_is_not_deleted_by_hand(engine: Engine) -> None:
    """The pod's rules still let the address in, whoever has it."""
    await _leave(engine, What.ADDRESS, "10.0.0.5", kind=Kind.ADDRESS_GROUP.value, central_id="g1")
    queue, desk = Queue(engine), Desk(engine)
    copy = await _copy(engine, _POD1, "1", kind=Kind.ADDRESS_GROUP, central_id="g1")
    everywhere = await queue.append(JobType.ADDRESS_GROUP, "g1", _DEMO)
    mine, other, theirs = [
        await queue.append(JobType.ADDRESS_GROUP, group, _DEMO, pod_id=pod)
        for group, pod in (("g1", _POD1), ("g1", _POD2), ("g2", _POD1))
    ]
    for job_id in (everywhere, mine):
        with pytest.raises(ConflictError, match="keeps back addresses"):
            await desk.delete(job_id)
    assert await _values(engine, What.ADDRESS) == {"10.0.0.5"}
    for job_id in (other, theirs):
        await desk.delete(job_id)
    await Routings(engine).forget(copy)
    for job_id in (everywhere, mine):
        await desk.delete(job_id)
    assert await queue.waiting() == []
