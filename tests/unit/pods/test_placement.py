# SPDX-License-Identifier: Apache-2.0
"""Does a new resource get a pod that can take it, the best of these, and the right reason otherwise?"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.context import PodId
from tricircle.errors import NoValidPodError, UnavailableError
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.pods.placement import FILTERS, WEIGHERS, Candidate, Filter, Strategy, Wish, choose, judge


def a_pod(name: str, az: str = "az1", state: PodState = PodState.ENABLED, maximum: str = "2.96") -> Pod:
    compute = Endpoint(
        service=Service.COMPUTE, url="http://pod.example", prefix="/v2.1", min_version="2.1", max_version=maximum
    )
    return Pod(
        id=PodId(name),
        name=name,
        az_name=az,
        state=state,
        endpoints={Service.COMPUTE: compute},
        facts={"network_extensions": ["router", "dns-domain-ports"]},
    )


def refusal(candidates: list[Candidate], wish: Wish) -> str:
    with pytest.raises(NoValidPodError) as caught:
        choose(candidates, wish)
    assert isinstance(caught.value, UnavailableError)
    return caught.value.refused_by


def test_the_az_is_kept() -> None:
    candidates = [Candidate(pod=a_pod("Pod1", "az1")), Candidate(pod=a_pod("Pod2", "az2"))]
    assert choose(candidates, Wish(az_name="az2")).name == "Pod2"


def test_no_az_means_any() -> None:
    assert choose([Candidate(pod=a_pod("Pod2", "az2"))], Wish()).name == "Pod2"


def test_the_central_region_is_never_chosen() -> None:
    assert refusal([Candidate(pod=a_pod("RegionOne", ""))], Wish()) == "az"


def test_nobody_at_all_is_an_unknown_az() -> None:
    assert refusal([], Wish(az_name="az9")) == "az"


@pytest.mark.parametrize(
    ("candidate", "wish", "reason"),
    [
        (Candidate(pod=a_pod("Pod1", state=PodState.DISABLED)), Wish(), "enabled"),
        (Candidate(pod=a_pod("Pod1", state=PodState.DRAINING)), Wish(), "accepting"),
        (Candidate(pod=a_pod("Pod1"), is_healthy=False), Wish(), "healthy"),
        (Candidate(pod=a_pod("Pod1")), Wish(microversion=(2, 97)), "version"),
        (Candidate(pod=a_pod("Pod1")), Wish(microversion=(2, 0)), "version"),
        (Candidate(pod=a_pod("Pod1")), Wish(service=Service.BLOCK_STORAGE), "version"),
        (Candidate(pod=a_pod("Pod1")), Wish(pod_ids=frozenset({PodId("Pod2")})), "holds"),
        (Candidate(pod=a_pod("Pod1")), Wish(network_extensions=frozenset({"trunk"})), "extensions"),
    ],
)
def test_what_a_pod_lacks_is_the_reason(candidate: Candidate, wish: Wish, reason: str) -> None:
    assert refusal([candidate], wish) == reason


def test_versions_are_numbers_not_text() -> None:
    pod = a_pod("Pod1", maximum="2.104")
    assert choose([Candidate(pod=pod)], Wish(microversion=(2, 97))) is pod


def test_the_reason_is_that_of_the_last_hope_and_counts_everybody() -> None:
    candidates = [
        Candidate(pod=a_pod("Pod1", "az2")),
        Candidate(pod=a_pod("Pod2", state=PodState.DRAINING)),
        Candidate(pod=a_pod("Pod3"), is_healthy=False),
    ]
    with pytest.raises(NoValidPodError) as caught:
        choose(candidates, Wish(az_name="az1"))
    assert caught.value.refused_by == "healthy"
    assert caught.value.counts == {"az": 1, "accepting": 1, "healthy": 1}
    assert "Pod" not in caught.value.message


def test_a_full_pod_is_passed_over_but_taken_when_all_are_full() -> None:
    full, free = (
        Candidate(pod=a_pod("Pod1"), has_room=False, bound_as=0),
        Candidate(pod=a_pod("Pod2"), has_room=None),
    )
    assert choose([full, free], Wish()).name == "Pod2"
    assert choose([full], Wish()).name == "Pod1"


def test_bound_before_copies_before_free_capacity() -> None:
    bound = Candidate(pod=a_pod("Pod1"), bound_as=0, free_share=0.1)
    warm = Candidate(pod=a_pod("Pod2"), copies=1, free_share=0.5)
    empty = Candidate(pod=a_pod("Pod3"), free_share=0.9)
    assert [v.candidate.pod.name for v in judge([empty, warm, bound], Wish())] == ["Pod1", "Pod2", "Pod3"]


@pytest.mark.parametrize(
    ("second", "name"), [({"free_share": 0.9}, "Pod2"), ({"free_share": 0.01}, "Pod1"), ({"has_room": False}, "Pod1")]
)
def test_all_that_a_project_makes_meets_in_its_first_pod_unless_that_is_full(second: dict[str, Any], name: str) -> None:
    """Whatever is free there for servers, or for volumes."""
    candidates = [
        Candidate(pod=a_pod("Pod1"), bound_as=1, free_share=0.7),
        Candidate(pod=a_pod("Pod2"), bound_as=0, **second),
        Candidate(pod=a_pod("Pod3"), free_share=1.0),
    ]
    assert choose(candidates, Wish()).name == name


def test_spread_takes_the_emptiest_and_pack_the_fullest() -> None:
    fuller, emptier = Candidate(pod=a_pod("Pod1"), free_share=0.2), Candidate(pod=a_pod("Pod2"), free_share=0.8)
    assert choose([fuller, emptier], Wish()).name == "Pod2"
    assert choose([fuller, emptier], Wish(strategy=Strategy.PACK)).name == "Pod1"


def test_about_equally_full_pods_do_not_take_turns() -> None:
    choices = {
        choose(
            [Candidate(pod=a_pod("Pod1"), free_share=0.5 + n / 1000), Candidate(pod=a_pod("Pod2"), free_share=0.5)],
            Wish(seed="project"),
        ).name
        for n in range(-40, 40)
    }
    assert len(choices) == 1


def test_projects_spread_over_equal_pods() -> None:
    candidates = [Candidate(pod=a_pod(f"Pod{n}")) for n in range(4)]
    counts = Counter(choose(candidates, Wish(seed=f"project-{n}")).name for n in range(400))
    assert len(counts) == 4
    assert min(counts.values()) > 60


def test_an_operator_s_own_filter_and_order_of_weighers() -> None:
    only_two = Filter(name="two", passes=lambda c, _w: c.pod.name.endswith("2"), refusal="Only pods that end in 2.")
    candidates = [Candidate(pod=a_pod("Pod1"), bound_as=0), Candidate(pod=a_pod("Pod2"))]
    assert choose(candidates, Wish(), filters=(*FILTERS, only_two)).name == "Pod2"
    assert choose(candidates, Wish(), weighers=WEIGHERS[:1]).name == "Pod1"


CANDIDATES = st.builds(
    Candidate,
    pod=st.builds(
        a_pod,
        name=st.sampled_from([f"Pod{n}" for n in range(9)]),
        az=st.sampled_from(["", "az1", "az2"]),
        state=st.sampled_from(PodState),
    ),
    is_healthy=st.booleans(),
    bound_as=st.none() | st.integers(0, 3),
    has_room=st.sampled_from([None, True, False]),
    free_share=st.none() | st.floats(0, 1),
    copies=st.integers(0, 2),
)


@given(
    st.lists(CANDIDATES, unique_by=lambda c: c.pod.name, max_size=9),
    st.sampled_from([None, "az1"]),
    st.text(max_size=4),
)
def test_the_choice_is_right_whatever_the_order(candidates: list[Candidate], az: str | None, seed: str) -> None:
    wish = Wish(az_name=az, seed=seed, microversion=(2, 90))
    able = [
        c
        for c in candidates
        if c.pod.az_name and az in (None, c.pod.az_name) and c.pod.state is PodState.ENABLED and c.is_healthy
    ]
    if not able:
        assert refusal(candidates, wish) in {"az", "enabled", "accepting", "healthy"}
        return
    chosen = choose(candidates, wish)
    assert chosen in [c.pod for c in able]
    assert chosen == choose(candidates[::-1], wish)
    assert len(judge(candidates, wish)) == len(candidates)
