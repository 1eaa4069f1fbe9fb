# SPDX-License-Identifier: Apache-2.0
"""Who is in a server group? All that are in any pod, whoever asks; what a pod does not say is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest

from tests.unit.doors.counted import newly_counted
from tests.unit.road.scripted import World, caller, json_reply, pod, request
from tricircle.context import PodId, ProjectId
from tricircle.doors.compute.declared.declared_changes import ServerGroupChanges
from tricircle.doors.compute.declared.group_members import GroupMembers
from tricircle.http.message import Answer
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.upstream.reply import Call, Reply

ONE, TWO = pod("Pod1", "az1", compute="2.90"), pod("Pod2", "az2", compute="2.90")
G, NAME = "central-group", "tricircle.central-group"
PATH = "/v2.1/os-server-groups"


class Copies:
    """Copies of the group in these pods."""

    def __init__(self, *pods: Pod) -> None:
        self._pods = pods

    async def copies_of(self, kind: Kind, central_id: str) -> Sequence[Routing]:
        assert (kind, central_id) == (Kind.SERVER_GROUP, G)
        return [
            Routing(
                id=number, central_id=G, kind=kind, pod_id=PodId(one.id), project_id=ProjectId("p1"),
                pod_resource_id=f"in-{one.name}",
            )
            for number, one in enumerate(self._pods, 1)
        ]  # fmt: skip


@dataclass
class Groups:
    """A pod's list of groups, in pages: one project's, or with ``all_projects`` those of all."""

    own: Sequence[Mapping[str, Any]]
    others: Sequence[Mapping[str, Any]] = ()
    at_once: int = 2

    def __call__(self, call: Call) -> Reply:
        asked = dict(parse_qsl(call.path.partition("?")[2]))
        groups = [*self.own, *(self.others if "all_projects" in asked else ())]
        start = int(asked.get("offset", 0))
        return json_reply(200, {"server_groups": groups[start : start + self.at_once]})


def group(group_id: str, *members: str, name: str | None = None) -> dict[str, Any]:
    return {"id": group_id, "name": name or f"tricircle.{group_id}", "policy": "affinity", "members": list(members)}


def world(*pods: Pod) -> World:
    """A centre with one group, without members."""
    there = World(pods)
    there.upstreams.said["central", PATH] = json_reply(200, {"server_groups": [group(G, name="web")]})
    there.upstreams.said["central", f"{PATH}/{G}"] = json_reply(200, {"server_group": group(G, name="web")})
    for one in pods:
        there.upstreams.said[one.id, f"{PATH}/in-{one.name}"] = json_reply(
            200, {"server_group": group(f"in-{one.name}", f"server-in-{one.name}", name=NAME)}
        )
    return there


async def show(there: World, *, project: str = "p1", version: tuple[int, int] = (2, 90)) -> Answer:
    changes = ServerGroupChanges(
        carrier=there.carrier,
        members=GroupMembers(carrier=there.carrier, routings=cast("Any", Copies(*there.pods))),
    )
    asked = request("GET", f"/os-server-groups/{G}", context=caller(project, "admin"), microversion=version)
    asked.params["group_id"] = G
    return await changes.show(asked)


async def index(there: World, query: str = "", version: tuple[int, int] = (2, 90)) -> Answer:
    members = GroupMembers(carrier=there.carrier, routings=cast("Any", Copies(*there.pods)))
    changes = ServerGroupChanges(carrier=there.carrier, members=members)
    return await changes.index(request("GET", "/os-server-groups", query=query, microversion=version))


def members_in(answer: Answer) -> list[str]:
    body = cast("dict[str, Any]", answer.object())
    found = body.get("server_group") or body["server_groups"][0]
    return list(found["members"])


async def test_an_administrator_sees_the_members_of_another_projects_group() -> None:
    """Lists of pods hold the caller's own groups; the copies are asked for by their ids."""
    there = world(ONE, TWO)
    there.upstreams.said[ONE.id, PATH] = there.upstreams.said[TWO.id, PATH] = Groups(own=[])
    answer = await show(there, project="another")
    assert members_in(answer) == ["server-in-Pod1", "server-in-Pod2"]
    assert answer.header(INCOMPLETE_HEADER) is None


@pytest.mark.parametrize(
    ("second", "said", "reason"),
    [
        (TWO, json_reply(503, {}), "no answer"),
        (TWO, json_reply(403, {"forbidden": {"message": "no"}}), "status 403"),
        (TWO, json_reply(200, {}), "nonsense"),
        (replace(TWO, state=PodState.DISABLED), json_reply(200, {}), "disabled"),
        (pod("Pod2", "az2", compute="2.60"), json_reply(200, {}), "version"),
    ],
)
@pytest.mark.parametrize("is_list", [True, False])
async def test_members_in_a_pod_that_does_not_say_them_are_missed(
    second: Pod, said: Reply, reason: str, is_list: bool
) -> None:
    there = world(ONE, second)
    there.upstreams.said[second.id, f"{PATH}/in-Pod2"] = there.upstreams.said[second.id, PATH] = said
    there.upstreams.said[ONE.id, PATH] = Groups(own=[group(G, "server-in-Pod1")])
    with newly_counted() as counted:
        answer = await (index(there) if is_list else show(there))
    assert (members_in(answer), answer.header(INCOMPLETE_HEADER)) == (["server-in-Pod1"], b"az2")
    assert counted == {("Pod2", "compute", reason): 1}


async def test_a_copy_that_an_operator_has_deleted_has_no_members() -> None:
    there = world(ONE, TWO)
    del there.upstreams.said[TWO.id, f"{PATH}/in-Pod2"]
    answer = await show(there)
    assert (members_in(answer), answer.header(INCOMPLETE_HEADER)) == (["server-in-Pod1"], None)


async def test_a_pods_groups_are_read_to_their_end() -> None:
    there = world(ONE)
    others = [group(f"g{number}", f"s{number}") for number in range(5)]
    there.upstreams.said[ONE.id, PATH] = Groups(own=others, others=[group(G, "foreign")])
    assert members_in(await index(there)) == []
    assert members_in(await index(there, query="all_projects=1")) == ["foreign"]
    there.upstreams.said[ONE.id, PATH] = Groups(own=[*others, group(G, "a", "b")])
    assert members_in(await index(there)) == ["a", "b"]


async def test_a_pod_that_tells_the_same_page_for_ever_is_left() -> None:
    there = world(ONE)
    there.upstreams.said[ONE.id, PATH] = json_reply(200, {"server_groups": [group(G, "a")]})
    answer = await index(there)
    assert (members_in(answer), answer.header(INCOMPLETE_HEADER)) == (["a"], b"az1")
