# SPDX-License-Identifier: Apache-2.0
"""Is what a pod says of storage made ours, and nothing of the pod's left in it?"""

import doctest
from typing import Any

import pytest

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.copies import volume_types
from tricircle.doors.block_storage.quotas import quota
from tricircle.doors.block_storage.volumes import volume_views
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.road.rewrite import Facts, Shape

POD = Pod(id=PodId("p2"), name="Pod2", az_name="az2", pod_az_name="canary-zone-pod2")
TYPE = "b8635746-e6af-11f1-af24-02fc00000001"
CENTRAL = "a704d6d6-31f2-4254-a147-f19ea75f7a95"


def made(shape: Shape, item: dict[str, Any], *, role: str = "member") -> dict[str, Any]:
    routing = Routing(
        id=1, central_id=CENTRAL, kind=Kind.VOLUME_TYPE, pod_id=POD.id, project_id=ProjectId(""), pod_resource_id=TYPE
    )
    wanted = set(shape.collect(item)) if shape.collect else set()
    assert wanted <= {(Kind.VOLUME_TYPE, TYPE), (Kind.VOLUME_TYPE, "9" * 36)}
    context = RequestContext(
        request_id="req-1",
        token="t",
        user_id="u",
        project_id=ProjectId("p"),
        roles=frozenset({role}),
        deadline=Deadline.after(1),
    )
    facts = Facts(pod=POD, context=context, ids={(Kind.VOLUME_TYPE, TYPE): routing})
    return shape.apply(item, facts)


def test_a_volume() -> None:
    item = {
        "availability_zone": "canary-zone-pod2",
        "volume_type": "tricircle.gold",
        "volume_type_id": TYPE,
        "service_uuid": "29fe56df-ebf9-4412-94f7-bf0336b75834",
        "name": "canary-zone-pod2 is a name of the user's",
    }
    shown = made(volume_views.VOLUME, item)
    assert (shown["availability_zone"], shown["volume_type"], shown["volume_type_id"]) == ("az2", "gold", CENTRAL)
    assert shown["service_uuid"] == volume_views.hidden_service("p2", "29fe56df-ebf9-4412-94f7-bf0336b75834")
    assert shown["name"] == "canary-zone-pod2 is a name of the user's"


@pytest.mark.parametrize(("role", "host"), [("admin", "Pod2.cmp1"), ("service", None), ("member", None)])
def test_where_a_volume_is_attached_is_for_administrators(role: str, host: str | None) -> None:
    """Cinder tells services, too."""
    shown = made(volume_views.VOLUME, {"attachments": [{"server_id": "s", "host_name": "cmp1"}]}, role=role)
    assert shown["attachments"] == [{"server_id": "s", "host_name": host}]
    assert made(volume_views.VOLUME, {"attachments": [{"host_name": None}]}, role=role) == {
        "attachments": [{"host_name": None}]
    }


def test_a_volume_that_says_little() -> None:
    assert made(volume_views.VOLUME, {"id": "v"}) == {"id": "v"}
    item = {"availability_zone": None, "service_uuid": None, "volume_type": None}
    assert made(volume_views.VOLUME, dict(item)) == item


def test_services_of_two_pods_are_two() -> None:
    assert volume_views.hidden_service("p1", "s") != volume_views.hidden_service("p2", "s")


def test_an_upload_tells_little_of_the_type() -> None:
    inside = {"id": TYPE, "name": "tricircle.gold", "description": "tricircle:x", "extra_specs": {"a": "b"}}
    shown = made(volume_views.UPLOAD, {"volume_type": {**inside, "is_public": True}})
    assert shown["volume_type"] == {"id": CENTRAL, "name": "gold", "is_public": True}
    assert made(volume_views.UPLOAD, {"volume_type": None}) == {"volume_type": None}


def test_a_group_names_our_types() -> None:
    item = {"availability_zone": "canary-zone-pod2", "volume_types": [TYPE, "9" * 36]}
    shown = made(volume_views.GROUP, item)
    assert shown == {"availability_zone": "az2", "volume_types": [CENTRAL, "9" * 36]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Volume type {TYPE} could not be found.", f"Volume type {CENTRAL} could not be found."),
        ("Type tricircle.gold is bad.", "Type gold is bad."),
        ("No room at canaryhost-1@canarybackend#fake.", "No room at (hidden)."),
        ("Zone canary-zone-pod2 of Pod2 is full.", "Zone az2 of az2 is full."),
        ("Pod21 is another word.", "Pod21 is another word."),
    ],
)
def test_texts_lose_what_is_the_pods(text: str, shown: str) -> None:
    assert made(volume_views.FAULT, {"message": text})["message"] == shown
    assert made(volume_views.MESSAGE, {"user_message": text})["user_message"] == shown


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["x" * 500_000, "a." * 250_000, "a@" * 250_000, "a@b#" * 125_000, ".-" * 250_000])
def test_long_texts_take_no_longer_than_they_are_long(text: str) -> None:
    """A pod repeats in its refusal what a client sent: once 70,000 letters stopped a gateway for minutes."""
    assert len(made(volume_views.FAULT, {"message": text})["message"]) <= 4 * len(text)


def test_operators_see_hosts() -> None:
    text = "No room at canaryhost-1@canarybackend#fake."
    assert made(volume_views.FAULT, {"message": text}, role="admin")["message"] == text


@pytest.mark.parametrize("module", [quota, volume_types, volume_views], ids=lambda one: str(one.__name__))
def test_examples(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
