# SPDX-License-Identifier: Apache-2.0
"""Where is a server group, when its members come and go and others are being made?"""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from tests.unit.doors.compute.test_group_limits import Books, Written, reservation, written_in
from tests.unit.doors.compute.test_group_members import NAME, ONE, PATH, TWO, Copies, G, group, world
from tests.unit.road.scripted import World, json_reply, request
from tricircle.context import PodId
from tricircle.doors.compute.boots.group_pods import GroupPods
from tricircle.doors.compute.declared.group_members import GroupMembers
from tricircle.model.reservation import Reservation
from tricircle.model.routing import Routing
from tricircle.road.allowance import Hold


async def pods(
    there: World, begun: Sequence[Reservation] = (), *, written: Sequence[Routing] = (), ids: Sequence[int] = ()
) -> set[str]:
    found = GroupPods(
        members=GroupMembers(carrier=there.carrier, routings=cast("Any", Copies(*there.pods))),
        routings=cast("Any", Written(written)),
        books=Books([list(begun)]),
    )
    return set(await found.of(request("POST", "/servers"), G, Hold(ids=ids)))


def left(*names: str) -> World:
    """A group with copies in both pods whose members in the named ones are gone."""
    there = world(ONE, TWO)
    for name in names:
        body = {"server_group": group(f"in-{name}", name=NAME)}
        pod = next(pod for pod in there.pods if pod.name == name)
        there.upstreams.said[pod.id, f"{PATH}/in-{name}"] = json_reply(200, body)
    return there


@pytest.mark.parametrize(
    ("gone", "found"), [((), {ONE.id, TWO.id}), (("Pod1",), {TWO.id}), (("Pod1", "Pod2"), set[PodId]())]
)
async def test_a_group_is_where_its_members_are(gone: tuple[str, ...], found: set[PodId]) -> None:
    """Not where it has copies: the last member may be gone, or the first boot may have failed."""
    assert await pods(left(*gone)) == found


async def test_boots_that_have_begun_count_and_for_each_other_the_earlier_one() -> None:
    there = left("Pod1", "Pod2")
    assert await pods(there, [reservation(1)]) == {ONE.id}
    assert await pods(there, [reservation(1, user_id="u2")]) == {ONE.id}
    assert await pods(there, [reservation(1, group_id="other")]) == set()
    assert await pods(there, [reservation(8)], ids=[7]) == set()
    assert await pods(there, [reservation(6)], ids=[7, 8]) == {ONE.id}


async def test_one_that_is_gone_already_does_not_count() -> None:
    assert await pods(left("Pod1", "Pod2"), [reservation(1, resource_id="deleted")]) == set()


async def test_of_a_pod_that_does_not_answer_what_is_written_down_counts() -> None:
    there = left("Pod2")
    there.upstreams.said[ONE.id, f"{PATH}/in-Pod1"] = json_reply(503, {})
    assert await pods(there) == set()
    assert await pods(there, written=[written_in(ONE.id)]) == {ONE.id}
    assert await pods(there, written=[written_in(ONE.id, group_id="other")]) == set()
