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
from tricircle.context import ProjectId
from tricircle.copies.bodies import subnet_ids
from tricircle.copies.origins import ADOPTED_NETWORK, is_unbound_claim, kept
from tricircle.copies.pod_status import is_awaited, said, shown
from tricircle.model.routing import Kind, Routing, RoutingState

Body = Mapping[str, object]

#: How ports that hold a pod's own addresses are recognised (``copies/addresses.py``).
SLICE_OWNER = "network:dhcp"
SLICE_PREFIX = "tricircle-"


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


def let_go(page: Sequence[Holding], known: Known, alive: Container[str]) -> Iterator[Finding]:
    """Ports that the centre gives to a living server that has lost them in the pod.

    :param alive: ids of the pod's servers
    """
    for holding in page:
        row = known.rows.get(holding.pod_resource_id)
        central = known.central.get(row.central_id) if row is not None else None
        if central is None or is_young(central, known.before) or holding.body.get("device_id"):
            continue
        server_id = str(central.get("device_id") or "")
        if server_id in alive and _is_of_compute(central):
            yield _serverless(server_id, central, "the server has lost its port in the pod")


def statuses(page: Sequence[Holding], known: Known, pod_name: str) -> Iterator[Finding]:
    """Ports and trunks of which the centre shows another status than the pod. Of a trunk, its parent is named."""
    for holding in page:
        row = known.rows.get(holding.pod_resource_id)
        central = known.central.get(row.central_id) if row is not None else None
        if row is None or central is None or is_young(central, known.before):
            continue
        if row.kind is Kind.PORT:
            port_id, wanted = row.central_id, shown(central, said(holding.body))
            if central.get("binding:host_id") != pod_name:
                continue
        else:
            port_id, wanted = str(central.get("port_id")), said(holding.body)
        if central.get("status") != wanted and not _is_awaited(central, port_id, known.awaited):
            note = f"{row.kind} {row.central_id}: {central.get('status')}, in the pod {wanted}"
            yield Finding(what=What.STATUS, kind=Kind.PORT, central_id=port_id, project_id=row.project_id, note=note)


def _is_awaited(central: Body, port_id: str, wishes: Container[str]) -> bool:
    return is_awaited(wishes, port_id, str(central.get("device_id") or ""))


def at_centre(
    page: Sequence[Body],
    *,
    alive: Container[str],
    subnets: Collection[str],
    copies: Container[str],
    before: datetime,
) -> Iterator[Finding]:
    """What of the ports that the centre binds to a pod does not agree with what the pod has.

    :param alive: ids of the pod's servers
    :param subnets: central ids of subnets that have a routing to the pod, bound or not
    :param copies: central ids of ports that have one
    """
    for port in page:
        if is_young(port, before):
            continue
        device_id = str(port.get("device_id") or "")
        if port.get("device_owner") == SLICE_OWNER:
            # What an adoption keeps is given back by its end only: no mark in the pod says whether it is used.
            is_ours = device_id.startswith(SLICE_PREFIX) and ADOPTED_NETWORK not in kept(port)
            if is_ours and not subnet_ids(port) & set(subnets):
                yield from _slices(port)
        elif not device_id or (port.get("device_owner") and not _is_of_compute(port)):
            continue
        elif device_id not in alive:
            yield _serverless(device_id, port, "the server is not in the pod")
        elif port["id"] not in copies and _is_of_compute(port):
            yield Finding(what=What.UNCOPIED, kind=Kind.PORT, central_id=str(port["id"]), project_id=_project(port))


def unbound(page: Sequence[Body], before: datetime) -> Iterator[Finding]:
    """Ports that a boot made at the centre and did not come to bind; they are no pod's."""
    for port in page:
        if is_unbound_claim(port) and not is_young(port, before):
            yield _serverless(str(port["device_id"]), port, "a boot that made it has died")


def astray(page: Sequence[Body], sub_ports: Container[str], bound: Container[str]) -> Iterator[Finding]:
    """Trunks of the centre with sub-ports that are bound to a pod, and a parent that is not.

    :param sub_ports, bound: central ids of the sub-ports, and of all ports, that the centre binds to the pod
    """
    for trunk in page:
        rows = trunk.get("sub_ports")
        ids = [str(row["port_id"]) for row in rows] if isinstance(rows, list) else []
        if trunk["port_id"] not in bound and any(port_id in sub_ports for port_id in ids):
            note = "sub-ports are bound to the pod without their parent"
            yield Finding(
                what=What.DIFFERS, kind=Kind.TRUNK, central_id=str(trunk["id"]), project_id=_project(trunk), note=note
            )


def _slices(port: Body) -> Iterator[Finding]:
    for subnet_id in sorted(subnet_ids(port)):
        yield Finding(
            what=What.SLICE, kind=Kind.SUBNET, central_id=subnet_id, project_id=_project(port), note=str(port["id"])
        )


def _serverless(server_id: str, port: Body, why: str) -> Finding:
    note = f"port {port['id']}: {why}"
    return Finding(what=What.SERVERLESS, kind=Kind.SERVER, central_id=server_id, project_id=_project(port), note=note)


def _project(body: Body) -> ProjectId:
    return ProjectId(str(body.get("project_id") or ""))


def _is_of_compute(port: Body) -> bool:
    return str(port.get("device_owner") or "").startswith("compute:")


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
