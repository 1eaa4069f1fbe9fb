# SPDX-License-Identifier: Apache-2.0
"""Does a recovered server say in the down-cell form what it said before, and nothing that nobody knows?"""

from typing import Any

from tricircle.audit.findings import Holding
from tricircle.context import PodId, ProjectId
from tricircle.model.pod import Pod
from tricircle.model.remembered import ENDING, SEEN
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.facts import merged
from tricircle.recovery.servers import memberships, server

POD = Pod(id=PodId("p1"), name="Pod1", az_name="az1")
TENANT = ProjectId("tenant")
IMAGE, DISTINCT = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-f000-0000-000000000001"
FLAVOR = {"vcpus": 1, "ram": 64, "disk": 1, "ephemeral": 0, "swap": 0, "extra_specs": {"a": "b"}}
SHOWN: dict[str, Any] = {
    "id": "S", "status": "ACTIVE", "user_id": "u", "image": {"id": DISTINCT, "links": []},
    "flavor": {**FLAVOR, "original_name": "tricircle.m1"},
}  # fmt: skip


def held(kind: Kind, pod_id: str, **body: Any) -> Holding:
    return Holding(
        kind=kind, pod_resource_id=pod_id, central_id=pod_id, project_id=TENANT, created_at=None, body=body
    )  # fmt: skip


def details(groups: dict[str, list[str]] | None, former: Routing | None = None, **body: Any) -> dict[str, object]:
    fact = server(POD, held(Kind.SERVER, "S", **{**SHOWN, **body}), "az1", groups)
    wanted = merged(former, fact)
    return {} if wanted is None else dict(wanted.details)


def test_all_of_it_is_in_two_lists() -> None:
    seen = {"image": IMAGE, "user_id": "u", "server_groups": ["G"], "flavor": {**FLAVOR, "original_name": "m1"}}
    assert details({"S": ["G"]}) == {"asked_az": "az1", SEEN: [seen]}


def test_members_of_copies_are_members_of_the_central_group() -> None:
    ours = held(Kind.SERVER_GROUP, "g1", name="tricircle.G", members=["S", "T"])
    pods_own = held(Kind.SERVER_GROUP, "g2", name="web", members=["U"])
    assert memberships([ours, pods_own]) == {"S": ["G"], "T": ["G"], "U": ["g2"]}


def test_a_server_of_a_volume_has_no_image() -> None:
    (seen,) = details({}, image="")[SEEN]  # type: ignore[misc]
    assert (seen["image"], seen["server_groups"]) == ("", [])


def test_groups_that_could_not_be_read_are_not_forgotten() -> None:
    fact = server(POD, held(Kind.SERVER, "S", **SHOWN), None, {"S": ["G"]})
    assert merged(fact.routing, server(POD, held(Kind.SERVER, "S", **SHOWN), None, None)) is None
    (seen,) = details(None)[SEEN]  # type: ignore[misc]
    assert seen["server_groups"] == []


def test_what_is_older_than_the_pod_gives_way() -> None:
    former = server(POD, held(Kind.SERVER, "S", **SHOWN), "az1", {}).routing
    resized = {**FLAVOR, "ram": 128, "original_name": "m2"}
    (seen,) = details({}, former, flavor=resized)[SEEN]  # type: ignore[misc]
    assert seen["flavor"] == resized
    assert details({}, former) == {}


def test_a_server_that_ends_is_no_record_of_a_pod_that_is_down() -> None:
    assert details({}, **{"OS-EXT-STS:task_state": "deleting"})[ENDING] is True


def test_a_pod_too_old_to_embed_flavors_says_nothing() -> None:
    assert details({}, flavor={"id": "m1"}) == {"asked_az": "az1"}
