# SPDX-License-Identifier: Apache-2.0
"""What are storage hosts called to administrators, and what do such names mean?"""

import pytest

from tricircle.context import PodId
from tricircle.doors.block_storage.operators.hosts import adapting, show
from tricircle.model.host_names import full_name, name_in, pod_named
from tricircle.model.pod import Pod

ONE = Pod(id=PodId("1"), name="Pod1", az_name="az1")
TEN = Pod(id=PodId("2"), name="Pod1.east", az_name="az1")
OTHER = Pod(id=PodId("3"), name="Pod2", az_name="az2")
POOL = "storage@lvm#pool"


@pytest.mark.parametrize("pod", [ONE, TEN, OTHER])
def test_a_name_that_is_shown_is_understood(pod: Pod) -> None:
    shown = str(full_name(pod, POOL))
    assert pod_named([ONE, TEN, OTHER], shown) is pod
    assert name_in(pod, shown) == POOL


@pytest.mark.parametrize("name", [POOL, "Pod3.storage", "pod1.storage", "", "Pod1"])
def test_other_names_name_no_pod(name: str) -> None:
    assert pod_named([ONE, TEN, OTHER], name) is None
    assert name_in(ONE, name) == name


@pytest.mark.parametrize("value", [None, "", 7])
def test_what_is_no_name_stays(value: object) -> None:
    assert full_name(ONE, value) == value


def test_a_pod_is_asked_with_its_own_names() -> None:
    query = [("host", "Pod1.a"), ("name", "Pod1.a"), ("host", "Pod2.b")]
    assert adapting("host")(query, ONE) == [("host", "a"), ("name", "Pod1.a"), ("host", "Pod2.b")]


def test_every_field_that_names_a_host() -> None:
    item: dict[str, object] = {"host": "a", "cluster": None, "cluster_name": "c", "binary": "cinder-volume", "id": 3}
    assert show(item, OTHER) == {
        "host": "Pod2.a",
        "cluster": None,
        "cluster_name": "Pod2.c",
        "binary": "cinder-volume",
        "id": 3,
    }
