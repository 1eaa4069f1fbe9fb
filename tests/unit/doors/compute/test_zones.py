# SPDX-License-Identifier: Apache-2.0
"""Does the filter by AZ leave what servers show, whatever the pods call their zones?"""

import re
from dataclasses import replace

import pytest

from tests.unit.road.lists.fake_lists import context
from tricircle.context import PodId
from tricircle.doors.compute.zones import FILTER, is_met, pattern_in, zone_of
from tricircle.model.pod import Pod

PODS = [Pod(id=PodId(name), name=name, az_name=az) for name, az in (("P1", "az1"), ("P2", "az10"), ("P3", "fa.st"))]
#: What is a pod's own, and what aggregates of ours make there.
ZONES = ["nova", "az1", "tricircle", "circle", "tricircle.fast", "tricircle.az-1", "tricircle.slow"]


@pytest.mark.parametrize(
    "wanted", ["fast", "^fast$", "st", "AZ", "az", "az-1", "^a", "1$", "", "circle", "nova", "[f]as"]
)
def test_a_pod_leaves_what_one_nova_would(wanted: str) -> None:
    for pod in FILTER.about(PODS, wanted):
        for inside in ZONES:
            shown = str(zone_of(pod, inside))
            one = re.search(wanted, shown, re.IGNORECASE) is not None
            # Signs of patterns are understood in names that aggregates made.
            if wanted.startswith("[") and not inside.startswith("tricircle."):
                continue
            left = re.search(pattern_in(wanted, pod), inside, re.IGNORECASE) is not None
            assert left == one, (pod.az_name, inside)
            assert is_met(wanted, shown, pod) == one or wanted.startswith("[")


def test_the_name_of_a_pods_zone_is_that_zone() -> None:
    (pod,) = FILTER.about(PODS, "az1")
    assert pod.az_name == "az1"
    left = [inside for inside in ZONES if re.search(pattern_in("az1", pod), inside)]
    assert left == ["nova", "az1", "tricircle", "circle"]
    assert FILTER.about(PODS, "unknown") == tuple(PODS)


@pytest.mark.parametrize("bad", ["(", "[", "a{2,1}", "*", "a)(b"])
def test_what_is_no_pattern_is_for_the_pod_to_refuse(bad: str) -> None:
    assert pattern_in(bad, PODS[0]) == bad


def test_nobody_waits_for_a_pattern_of_a_client() -> None:
    slow = Pod(id=PodId("1"), name="P", az_name="a" * 200)
    assert pattern_in("(a+)+b", slow).startswith("^tricircle")


def test_members_filter_from_2_83_on() -> None:
    member = context()
    admin = replace(member, roles=frozenset({"admin"}))
    said = [(FILTER.is_honoured(member, at), FILTER.is_honoured(admin, at)) for at in ((2, 1), (2, 82), (2, 83))]
    assert said == [(False, True), (False, True), (True, True)]
