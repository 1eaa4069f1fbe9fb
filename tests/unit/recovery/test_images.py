# SPDX-License-Identifier: Apache-2.0
"""Are copies of images known again, and only what is a whole copy of the centre's?"""

from typing import Any

import pytest

from tricircle.audit.findings import Holding
from tricircle.context import PodId, ProjectId
from tricircle.copies.image import content
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.recovery.facts import Why
from tricircle.recovery.images import of_images

POD = Pod(id=PodId("p1"), name="Pod1", az_name="az1")
IMAGE, DISTINCT = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-f000-0000-000000000001"
ORIGINAL: dict[str, Any] = {
    "id": IMAGE, "name": "cirros", "owner": "tenant", "visibility": "shared", "status": "active", "min_disk": 0,
    "min_ram": 0, "disk_format": "raw", "container_format": "bare", "checksum": "c", "size": 5, "tags": [],
}  # fmt: skip


def copy(pod_id: str = IMAGE, **body: Any) -> Holding:
    shown = {**ORIGINAL, "id": pod_id, "tags": ["tricircle", f"tricircle:{IMAGE}"], **body}
    marked = content.marked(shown)
    return Holding(
        kind=Kind.IMAGE, pod_resource_id=pod_id, central_id=marked, project_id=ProjectId(str(shown["owner"])),
        created_at=None, body=shown,
    )  # fmt: skip


def test_a_copy_is_known_by_mark_owner_and_id() -> None:
    found = of_images(POD, [copy(DISTINCT)], {DISTINCT: ["b", "a"]}, {IMAGE: ORIGINAL})
    fact = found.facts[IMAGE]
    assert (fact.routing.pod_resource_id, fact.routing.project_id, fact.job) == (DISTINCT, "tenant", None)
    assert fact.routing.details == {"is_ours": True, "members": ["a", "b"]}
    assert fact.routing.revision == content.digest(ORIGINAL)


def test_a_copy_that_has_not_followed_is_compared() -> None:
    fact = of_images(POD, [copy(name="old")], {}, {IMAGE: ORIGINAL}).facts[IMAGE]
    assert (fact.routing.revision, fact.job) == ("", JobType.IMAGE)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"owner": "other"}, Why.OTHER),
        ({"checksum": "d"}, Why.OTHER),
        ({"pod_id": "c0ffee00-0000-4000-8000-000000000002"}, Why.OTHER),
    ],
    ids=["somebody else's", "other data", "an id that no copy has"],
)
def test_a_mark_proves_nothing(body: dict[str, Any], why: Why) -> None:
    found = of_images(POD, [copy(**body)], {}, {IMAGE: ORIGINAL})
    assert (found.facts, [one.why for one in found.strangers]) == ({}, [why])


def test_what_the_centre_does_not_know_is_named() -> None:
    assert [one.why for one in of_images(POD, [copy()], {}, {}).strangers] == [Why.UNKNOWN]


@pytest.mark.parametrize("body", [{"status": "queued"}, {"tags": []}], ids=["not whole", "the operator's"])
def test_what_the_next_use_finds_is_left_to_it(body: dict[str, Any]) -> None:
    found = of_images(POD, [copy(**body)], {}, {IMAGE: ORIGINAL})
    assert (found.facts, found.strangers) == ({}, [])
