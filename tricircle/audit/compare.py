# SPDX-License-Identifier: Apache-2.0
"""What of a page of holdings does not agree with the routings and with the centre? Pure.

Nothing here is certain yet: lists and rows are read one after the other, and requests are under way. So what is young
is left alone, what seems to be missing is asked for by its id before anybody acts, and whoever acts holds the routing's
lease and looks again.
"""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from tricircle.audit.findings import MALFORMED, NOBODY, Finding, Holding, What
from tricircle.model.routing import Kind, Routing, RoutingState

Body = Mapping[str, object]

#: Why something with our mark is no copy, in words.
NOT_OWNERS = "its project is not that of copies"
OTHER_PROJECT = "it belongs to another project than its original"
NOT_LIKE = "it is not like its original"


class Shape(Protocol):
    """What copies of one kind look like (``shapes.py``)."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """Names of what the copy has otherwise than the centre wants it."""
        ...

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """Why something with our mark cannot be the copy of ``central``, in words; empty when it can.

        ``central`` is None when the original is gone.
        """
        ...

    def is_in_use(self, holding: Holding) -> bool:
        """Whether a server certainly uses it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the objects of one page.

    :ivar rows: bound routings by the id in the pod
    :ivar others: routings, bound or not, of what the marks of holdings without a row name, by central id
    :ivar central: the originals by central id; one that is not among them is gone
    :ivar before: what was made or changed later may be the work of a request that is still under way
    :ivar awaited: what jobs look at by themselves (``copies/pod_status.py``)
    """

    rows: Mapping[str, Routing]
    others: Mapping[str, Routing] = field(default_factory=dict)
    central: Mapping[str, Body] = field(default_factory=dict)
    before: datetime
    awaited: Container[str] = ()


_USED = "its original is gone at the centre, and a server uses it"


def unwritten(page: Sequence[Holding], rows: Mapping[str, Routing], kind: Kind) -> Iterator[Finding]:
    """Owned objects without a routing; also young ones: writing one down twice does nothing twice."""
    for holding in page:
        if holding.pod_resource_id not in rows:
            yield Finding(
                what=What.UNWRITTEN,
                kind=kind,
                central_id=holding.pod_resource_id,
                pod_resource_id=holding.pod_resource_id,
                project_id=holding.project_id or NOBODY,
                created_at=holding.created_at,
            )


def absent(states: Sequence[RoutingState], seen: Container[str]) -> Iterator[Finding]:
    """Of bound rows that were written before the list began: what was not in it. To be asked for by its id."""
    for state in states:
        routing = state.routing
        if routing.is_bound and state.is_old and not state.is_held and routing.pod_resource_id not in seen:
            yield of_routing(What.GONE, routing)


def attempts(states: Sequence[RoutingState]) -> Iterator[Finding]:
    """Rows that somebody took, did not bind, and whose lease ran out or was given back. Young ones were written by this
    sweep, with a job.
    """
    for state in states:
        if (
            not state.routing.is_bound
            and state.is_old
            and not state.is_held
            and not state.routing.details.get("is_born")
        ):
            yield of_routing(What.ATTEMPT, state.routing)


def copies(page: Sequence[Holding], known: Known, shape: Shape, kind: Kind) -> Iterator[Finding]:
    """What of a page of copies does not agree."""
    for holding in page:
        row = known.rows.get(holding.pod_resource_id)
        try:
            found = _written(row, holding, known, shape) if row is not None else _loose(holding, known, shape, kind)
        except MALFORMED as error:
            # One object that is no such thing must not keep the others from being looked at.
            found = _of_holding(What.UNREADABLE, holding, kind, f"{type(error).__name__}: {error}"[:200])
        if found is not None:
            yield found


def _written(row: Routing, holding: Holding, known: Known, shape: Shape) -> Finding | None:
    central = known.central.get(row.central_id)
    if central is None:
        # A tenant's deletion has its job. Without one the centre may be older than the pod: servers keep theirs.
        return of_routing(What.IN_USE, row, _USED) if shape.is_in_use(holding) else of_routing(What.OUTLIVED, row)
    if is_young(central, known.before):
        return None  # its own job is on its way
    fields = shape.difference(central, row, holding.body)
    return of_routing(What.DIFFERS, row, ", ".join(sorted(fields))) if fields else None


def _loose(holding: Holding, known: Known, shape: Shape, kind: Kind) -> Finding | None:
    """Something without a routing."""
    if holding.central_id is None:
        return None  # not ours
    other = known.others.get(holding.central_id)
    if other is not None and (not other.is_bound or other.pod_resource_id == holding.pod_resource_id):
        return None  # an attempt: under way, or found among the rows; or bound a moment ago
    if holding.created_at is not None and holding.created_at > known.before:
        return None
    central = known.central.get(holding.central_id)
    if reason := shape.mismatch(central, holding):
        return _of_holding(What.FOREIGN, holding, kind, reason)
    if other is not None:
        return _of_holding(What.DUPLICATE, holding, kind, f"beside {other.pod_resource_id}", other.id)
    if central is not None:
        return _of_holding(What.ADOPTABLE, holding, kind)
    if shape.is_in_use(holding):
        return _of_holding(What.IN_USE, holding, kind, _USED)
    return _of_holding(What.ORPHAN, holding, kind)


def homeless(page: Sequence[Holding], known: Known, alive: Container[str]) -> Iterator[Finding]:
    """Images that a pod made of its servers, and that neither the centre nor a row knows.

    :param alive: ids of the pod's servers
    """
    for holding in page:
        image_id, server_id = holding.pod_resource_id, str(holding.body.get("instance_uuid") or "")
        is_known = image_id in known.rows or image_id in known.others or image_id in known.central
        if holding.central_id is not None or is_known or server_id not in alive:
            continue
        if holding.created_at is None or holding.created_at <= known.before:
            yield Finding(
                what=What.HOMELESS,
                kind=Kind.IMAGE,
                central_id=image_id,
                pod_resource_id=image_id,
                project_id=holding.project_id or NOBODY,
                created_at=holding.created_at,
                note=f"made of server {server_id}",
            )


def unfetched(states: Sequence[RoutingState]) -> Iterator[Finding]:
    """Images that a pod has begun to make, and whose way home ended: their job looks what came of them."""
    for state in states:
        routing = state.routing
        if not routing.is_bound and state.is_old and not state.is_held and routing.details.get("is_born"):
            yield replace(of_routing(What.HOMELESS, routing), pod_resource_id=routing.central_id)


def is_young(body: Body, before: datetime) -> bool:
    """Whether an object of the centre was changed after ``before``."""
    written = body.get("updated_at") or body.get("created_at")
    if not isinstance(written, str):
        return False
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=before.tzinfo)) > before


def of_routing(what: What, routing: Routing, note: str = "") -> Finding:
    """A finding about a row."""
    return Finding(
        what=what,
        kind=routing.kind,
        central_id=routing.central_id,
        pod_resource_id=routing.pod_resource_id or "",
        project_id=routing.project_id,
        routing_id=routing.id,
        note=note,
    )


def _of_holding(what: What, holding: Holding, kind: Kind, note: str = "", routing_id: int = 0) -> Finding:
    return Finding(
        what=what,
        kind=kind,
        central_id=holding.central_id or "",
        pod_resource_id=holding.pod_resource_id,
        project_id=holding.project_id or NOBODY,
        routing_id=routing_id,
        created_at=holding.created_at,
        note=note,
    )
