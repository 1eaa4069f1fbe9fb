# SPDX-License-Identifier: Apache-2.0
"""May a group have so many more members? Those of all pods count, and those that others are making."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.unit.doors.compute.test_group_members import ONE, PATH, TWO, Copies, G, world
from tests.unit.road.scripted import World, caller, json_reply, request
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.doors.compute.declared.group_members import GroupMembers
from tricircle.doors.compute.quotas.group_limits import TOO_MANY, GroupLimits, reserved_as
from tricircle.doors.compute.quotas.quota import Share
from tricircle.errors import QuotaExceededError
from tricircle.model.pod import Service
from tricircle.model.remembered import ENDING, SEEN
from tricircle.model.reservation import Reservation
from tricircle.model.routing import Kind, Routing
from tricircle.road.allowance import Hold
from tricircle.upstream.client import Clients

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OURS = 7


class Token:
    """The service user's token."""

    async def token(self, _deadline: Deadline) -> str:
        return "services-token"


@dataclass
class Books:
    """What is being made; each look shows the next of ``looks``, the last one for ever."""

    looks: list[list[Reservation]]

    async def under_way(self, project_id: ProjectId, service: Service) -> Sequence[Reservation]:
        assert (project_id, service) == ("p1", Service.COMPUTE)
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


@dataclass
class Written:
    """Servers of the project in a pod."""

    routings: Sequence[Routing] = ()

    async def of_project(
        self, kind: Kind, pod_id: PodId, project_id: ProjectId | None, *, limit: int
    ) -> Sequence[Routing]:
        assert (kind, project_id) == (Kind.SERVER, "p1")
        return [one for one in self.routings if one.pod_id == pod_id][:limit]


def written_in(pod_id: str, number: int = 1, group_id: str = G, **more: object) -> Routing:
    """A server that is written down as a member."""
    details = {SEEN: [{"server_groups": [group_id]}], **more}
    return Routing(
        id=number, central_id=f"s{number}", kind=Kind.SERVER, pod_id=PodId(pod_id), project_id=ProjectId("p1"),
        pod_resource_id=f"s{number}", details=details,
    )  # fmt: skip


def reservation(number: int, user_id: str = "u1", group_id: str = G, resource_id: str | None = None) -> Reservation:
    """A boot into the group that is under way."""
    by = replace(caller(), user_id=user_id)
    return Reservation(
        id=number, pod_id=PodId(ONE.id), amounts={"instances": 1, **reserved_as(group_id, by)}, created_at=NOW,
        until=NOW, resource_id=resource_id,
    )  # fmt: skip


async def check(there: World, limit: int, count: int = 1, looks: Any = ((),), written: Sequence[Routing] = ()) -> None:
    """Two members are there: one in each pod."""
    limits = GroupLimits(
        carrier=there.carrier,
        clients=Clients(cast("Any", there.upstreams), Token()),
        pods=cast("Any", there.registry),
        members=GroupMembers(carrier=there.carrier, routings=cast("Any", Copies(*there.pods))),
        routings=cast("Any", Written(written)),
        books=Books([list(look) for look in looks]),
        pauses_s=(0.0, 0.0),
    )
    share = Share(count, Hold(ids=range(OURS, OURS + count)))
    await limits.check(request("POST", "/servers"), G, share, limit)


async def test_members_of_all_pods_count() -> None:
    await check(world(ONE, TWO), limit=3)
    await check(world(ONE, TWO), limit=4, count=2)
    await check(world(ONE, TWO), limit=-1, count=99)
    for limit, count in ((2, 1), (3, 2)):
        with pytest.raises(QuotaExceededError, match=TOO_MANY):
            await check(world(ONE, TWO), limit=limit, count=count)


async def test_what_older_requests_are_making_counts_and_what_younger_ones_do_not() -> None:
    with pytest.raises(QuotaExceededError, match=TOO_MANY):
        await check(world(ONE, TWO), limit=3, looks=[[reservation(OURS - 1)]])
    await check(world(ONE, TWO), limit=4, looks=[[reservation(OURS - 1)]])
    await check(world(ONE, TWO), limit=3, looks=[[reservation(OURS), reservation(OURS + 1)]])
    await check(world(ONE, TWO), limit=3, looks=[[reservation(1, user_id="u2"), reservation(2, group_id="other")]])


async def test_one_that_is_a_member_already_counts_once() -> None:
    await check(world(ONE, TWO), limit=3, looks=[[reservation(1, resource_id="server-in-Pod1")]])
    # The pod has accepted it, and nobody has written its name down yet: that is waited for.
    seen = [[reservation(1)], [reservation(1, resource_id="server-in-Pod1")]]
    await check(world(ONE, TWO), limit=3, looks=seen)


async def test_one_that_is_gone_does_not_count() -> None:
    """Until a reading of its pod its reservation stays."""
    await check(world(ONE, TWO), limit=3, looks=[[reservation(1, resource_id="gone")]])
    silent = world(ONE, TWO)
    silent.upstreams.said[ONE.id, f"{PATH}/in-Pod1"] = json_reply(503, {})
    with pytest.raises(QuotaExceededError):
        await check(silent, limit=2, looks=[[reservation(1, resource_id="who knows")]])


async def test_a_limit_is_one_users() -> None:
    there = world(ONE, TWO)

    there.upstreams.said[ONE.id, "/v2.1/servers"] = json_reply(200, {"servers": [{"id": "server-in-Pod1"}]})
    there.upstreams.said[TWO.id, "/v2.1/servers"] = json_reply(200, {"servers": []})
    await check(there, limit=2)
    with pytest.raises(QuotaExceededError):
        await check(there, limit=1)
    (asked,) = {path for _, _, path in there.upstreams.asked() if "/v2.1/servers" in path}
    assert asked == "/v2.1/servers?all_tenants=True&project_id=p1&user_id=u1"


async def test_a_pod_that_does_not_answer_counts_as_written_down() -> None:
    there = world(ONE, TWO)
    there.upstreams.said[TWO.id, f"{PATH}/in-Pod2"] = json_reply(503, {})
    written = [written_in(TWO.id, 1), written_in(TWO.id, 2, "other"), written_in(TWO.id, 4)]
    written.append(written_in(TWO.id, 3, **{ENDING: True}))
    await check(there, limit=4, written=written)
    with pytest.raises(QuotaExceededError):
        await check(there, limit=3, written=written)


def test_what_stands_in_a_reservation_is_the_users_and_the_groups() -> None:
    one: RequestContext = caller()
    names = {next(iter(reserved_as(g, by))) for g in ("a", "b") for by in (one, replace(one, user_id="u2"))}
    assert len(names) == 4
