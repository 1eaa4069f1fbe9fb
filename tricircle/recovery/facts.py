# SPDX-License-Identifier: Apache-2.0
"""Which of the objects that bear our mark get a routing, and which are strangers? Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tricircle.audit.findings import MALFORMED, Holding
from tricircle.context import ProjectId
from tricircle.copies.bodies import Body
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

#: The project of what belongs to nobody.
ANYBODY = ProjectId("")


class Why(StrEnum):
    """Why an object that bears our mark gets no routing."""

    UNKNOWN = "the centre knows no such object"
    OTHER = "it does not belong to, or consist of, what the centre says"
    UNREADABLE = "it is not what objects of its kind look like"
    SECOND = "an older object has the same mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A routing to be.

    :ivar defaults: details that hold unless the row that is there says otherwise
    :ivar job: what compares the copy with the centre, where it is not known to agree
    """

    routing: Routing
    defaults: Mapping[str, object] = field(default_factory=dict)
    job: JobType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """An object with our mark that gets no routing."""

    pod: Pod
    holding: Holding
    why: Why


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was made of the objects of a kind in one pod; facts by central id."""

    facts: dict[str, Fact] = field(default_factory=dict)
    strangers: list[Stranger] = field(default_factory=list)

    def routings(self) -> dict[str, Routing]:
        """The routings to be, by central id."""
        return {central_id: fact.routing for central_id, fact in self.facts.items()}


#: Whether an object is the copy of a central one as far as it cannot change; the routing of one that is.
Judge = Callable[[Holding, Body], bool]
Maker = Callable[[Holding, Body], Fact]


def merged(former: Routing | None, fact: Fact) -> Routing | None:
    """The routing to write; None when the one that is there says it all."""
    before = former.details if former is not None else {}
    details = {**fact.defaults, **before, **fact.routing.details}
    wanted = replace(fact.routing, details=details)
    if former is None:
        return wanted
    said = (former.details, former.revision, former.project_id, former.pod_resource_id)
    return None if said == (details, wanted.revision, wanted.project_id, wanted.pod_resource_id) else wanted


def sort(pod: Pod, holdings: Iterable[Holding], declared: Mapping[str, Body], judge: Judge, make: Maker) -> Sorted:
    """The routings of all marked objects of a kind in a pod; of several with one mark, of the oldest."""
    found = Sorted()
    for holding in sorted(holdings, key=age):
        if holding.central_id is None:
            continue
        central = declared.get(holding.central_id)
        try:
            why = _why_not(holding, central, judge, found)
            if central is not None and why is None:
                found.facts[holding.central_id] = make(holding, central)
        except MALFORMED:
            # One object that is no such thing must not keep the others from being written down.
            why = Why.UNREADABLE
        if why is not None:
            found.strangers.append(Stranger(pod=pod, holding=holding, why=why))
    return found


def _why_not(holding: Holding, central: Body | None, judge: Judge, found: Sorted) -> Why | None:
    """Why an object gets no routing; None when it may."""
    if central is None:
        return Why.UNKNOWN
    if not judge(holding, central):
        return Why.OTHER
    return Why.SECOND if holding.central_id in found.facts else None


def owned(pod: Pod, kind: Kind, holding: Holding, details: Mapping[str, object] | None = None) -> Fact:
    """Of what runs in the pod. The detail of an attachment's list does not say whose it is."""
    return Fact(
        routing=Routing(
            id=0,
            central_id=holding.pod_resource_id,
            kind=kind,
            pod_id=pod.id,
            project_id=holding.project_id or ANYBODY,
            pod_resource_id=holding.pod_resource_id,
            details=details or {},
            created_at=holding.created_at,
        )
    )


def age(holding: Holding) -> tuple[bool, str, str]:
    """Oldest first; what does not say its age comes last."""
    at = holding.created_at
    return (at is None, at.isoformat() if at else "", holding.pod_resource_id)
