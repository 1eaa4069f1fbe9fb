# SPDX-License-Identifier: Apache-2.0
"""Which of the candidates gets the new resource? Pure: facts in, one pod out.

Filters say which pods can, weighers which of these is best. Filters are asked in order, and the first that leaves
nobody gives the reason. Weighers compare in order: the second one only decides between pods that are equal to the
first.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tricircle.context import PodId
from tricircle.errors import NoValidPodError
from tricircle.model.microversion import version_of
from tricircle.model.pod import Pod, PodState, Service

#: A pod of which no more than this is free is full, where nobody can say whether the new thing fits.
_FULL = 0.05


class Strategy(StrEnum):
    """What free capacity means for the choice."""

    SPREAD = "spread"  # the emptiest pod first
    PACK = "pack"  # the fullest pod that has room first


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pod and what is known of it now.

    :ivar is_healthy: its service for this request answers (its breaker is closed)
    :ivar bound_as: 0 for the first pod that the project was bound to, 1 for the second ...; None = it is not bound
    :ivar has_room: False = the pod's Placement says that the demand fits nowhere (a proof); True = it might fit;
        None = not asked
    :ivar free_share: part of its capacity that is free, 0.0 to 1.0; None = unknown
    :ivar copies: how many of the declared things that the request names (an image above all) it already holds
    """

    pod: Pod
    is_healthy: bool = True
    bound_as: int | None = None
    has_room: bool | None = None
    free_share: float | None = None
    copies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request needs of a pod.

    :ivar az_name: the AZ that the user asked for, None when any will do
    :ivar service: the API that will be called there
    :ivar microversion: the version that will be asked of it (2, 90), None for an unversioned API
    :ivar pod_ids: the pods that hold all that the request refers to (a volume, a server, a snapshot); None when it
        refers to nothing that runs in a pod
    :ivar network_extensions: aliases that the pod's network service must have
    :ivar near: pods that are better than others, since what belongs together with this is there
    :ivar apart: pods that are worse than others, since what belongs apart from this is there
    :ivar seed: decides between equals: the same seed always gets the same pod, and seeds spread over pods. The
        project's id is a good one.
    """

    az_name: str | None = None
    service: Service = Service.COMPUTE
    microversion: tuple[int, int] | None = None
    pod_ids: frozenset[PodId] | None = None
    network_extensions: frozenset[str] = field(default_factory=frozenset)
    strategy: Strategy = Strategy.SPREAD
    near: frozenset[PodId] = frozenset()
    apart: frozenset[PodId] = frozenset()
    seed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One question to a candidate; ``refusal`` is what a caller may read when nobody passes.

    ``is_hint``: when it would leave nobody, it is passed over.
    """

    name: str
    passes: Callable[[Candidate, Wish], bool]
    refusal: str
    is_hint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Weigher:
    """One number per candidate; more is better."""

    name: str
    weigh: Callable[[Candidate, Wish], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one candidate: the filter that refused it (None = it passed) and its weights in order."""

    candidate: Candidate
    refused_by: str | None = None
    weights: tuple[float, ...] = ()


def _is_in_az(candidate: Candidate, wish: Wish) -> bool:
    if candidate.pod.is_central:
        return False
    return wish.az_name is None or candidate.pod.az_name == wish.az_name


def _holds(candidate: Candidate, wish: Wish) -> bool:
    return wish.pod_ids is None or candidate.pod.id in wish.pod_ids


def _is_enabled(candidate: Candidate, _wish: Wish) -> bool:
    return candidate.pod.state is not PodState.DISABLED


def _is_accepting(candidate: Candidate, _wish: Wish) -> bool:
    return candidate.pod.state is not PodState.DRAINING


def _speaks(candidate: Candidate, wish: Wish) -> bool:
    endpoint = candidate.pod.endpoints.get(wish.service)
    if endpoint is None:
        return False
    if wish.microversion is None or endpoint.max_version is None:
        return True
    low = version_of(endpoint.min_version) if endpoint.min_version else (0, 0)
    return low <= wish.microversion <= version_of(endpoint.max_version)


def _has_extensions(candidate: Candidate, wish: Wish) -> bool:
    if not wish.network_extensions:
        return True
    known = candidate.pod.facts.get("network_extensions")
    return isinstance(known, Iterable) and wish.network_extensions <= set(known)


#: Order matters: the reason that a caller reads is that of the first filter which leaves nobody.
FILTERS: tuple[Filter, ...] = (
    Filter(name="az", passes=_is_in_az, refusal="The requested availability zone is not available"),
    Filter(
        name="holds",
        passes=_holds,
        refusal="The resources that the request refers to are not in one place in the requested availability zone.",
    ),
    Filter(name="enabled", passes=_is_enabled, refusal="The availability zone is out of service at the moment."),
    Filter(
        name="accepting", passes=_is_accepting, refusal="The availability zone takes no new resources at the moment."
    ),
    Filter(
        name="version",
        passes=_speaks,
        refusal="The availability zone does not offer this API version. Use a lower one, or another zone.",
    ),
    Filter(
        name="extensions",
        passes=_has_extensions,
        refusal="The availability zone lacks a network feature of the request.",
    ),
    Filter(
        name="healthy",
        passes=lambda c, _w: c.is_healthy,
        refusal="The availability zone does not answer at the moment.",
    ),
    # A single OpenStack accepts a boot that fits nowhere and lets it end in ERROR. When every pod is full, so do we:
    # the pod that is chosen anyway says it in its own words.
    Filter(
        name="room", passes=lambda c, _w: c.has_room is not False, refusal="There is not enough room.", is_hint=True
    ),
)


def _free(candidate: Candidate, wish: Wish) -> float:
    # In tenths, so that two pods that are about as full do not take turns with every server.
    share = round(0.5 if candidate.free_share is None else candidate.free_share, 1)
    return share if wish.strategy is Strategy.SPREAD else 1.0 - share


def _home(candidate: Candidate, _wish: Wish) -> float:
    """More the earlier the project was bound: whatever it makes meets in one pod, whichever service it asks. A pod that
    has no room is nobody's home."""
    if candidate.bound_as is None:
        return 0.0
    is_full = candidate.has_room is None and candidate.free_share is not None and candidate.free_share < _FULL
    return 0.0 if is_full else 1.0 / (1 + candidate.bound_as)


def _drawn(candidate: Candidate, wish: Wish) -> float:
    digest = hashlib.blake2b(f"{wish.seed}/{candidate.pod.id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _company(candidate: Candidate, wish: Wish) -> float:
    return float(candidate.pod.id in wish.near) - float(candidate.pod.id in wish.apart)


WEIGHERS: tuple[Weigher, ...] = (
    Weigher(name="company", weigh=_company),
    Weigher(name="home", weigh=_home),
    Weigher(name="copies", weigh=lambda c, _w: float(c.copies)),
    Weigher(name="free", weigh=_free),
    Weigher(name="drawn", weigh=_drawn),
)


def judge(
    candidates: Sequence[Candidate],
    wish: Wish,
    *,
    filters: Sequence[Filter] = FILTERS,
    weighers: Sequence[Weigher] = WEIGHERS,
) -> tuple[Verdict, ...]:
    """A verdict on every candidate: those that passed, best first; then the refused, latest filter first."""
    remaining = list(candidates)
    refused: list[Verdict] = []
    for question in filters:
        passed = [candidate for candidate in remaining if question.passes(candidate, wish)]
        if question.is_hint and not passed:
            continue
        failed = [candidate for candidate in remaining if candidate not in passed]
        refused = [Verdict(candidate=candidate, refused_by=question.name) for candidate in failed] + refused
        remaining = passed
    weighed = [
        Verdict(candidate=candidate, weights=tuple(weigher.weigh(candidate, wish) for weigher in weighers))
        for candidate in remaining
    ]
    weighed.sort(key=lambda verdict: verdict.weights, reverse=True)
    return (*weighed, *refused)


def choose(
    candidates: Sequence[Candidate],
    wish: Wish,
    *,
    filters: Sequence[Filter] = FILTERS,
    weighers: Sequence[Weigher] = WEIGHERS,
) -> Pod:
    """The best pod for the wish.

    :raises NoValidPodError: ``refused_by`` names the filter that left nobody (``az`` when there is no candidate at all)

    >>> pod = Pod(id=PodId("1"), name="Pod1", az_name="az1")
    >>> choose([Candidate(pod=pod)], Wish(az_name="az2"))
    Traceback (most recent call last):
    tricircle.errors.NoValidPodError: The requested availability zone is not available
    """
    verdicts = judge(candidates, wish, filters=filters, weighers=weighers)
    if verdicts and verdicts[0].refused_by is None:
        return verdicts[0].candidate.pod
    last = verdicts[0].refused_by if verdicts else filters[0].name
    refusal = next(question.refusal for question in filters if question.name == last)
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[str(verdict.refused_by)] = counts.get(str(verdict.refused_by), 0) + 1
    raise NoValidPodError(refusal, refused_by=str(last), counts=counts)
