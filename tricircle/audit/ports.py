# SPDX-License-Identifier: Apache-2.0
"""Do the ports and trunks of the centre agree with what a pod has? Pure."""

from collections.abc import Collection, Container, Iterator, Sequence
from datetime import datetime

from tricircle.audit.compare import Body, Known, is_young
from tricircle.audit.findings import Finding, Holding, What
from tricircle.context import ProjectId
from tricircle.copies.bodies import subnet_ids
from tricircle.copies.origins import ADOPTED_NETWORK, SLICE_OWNER, SUB_PORT_OWNER, is_slice, is_unbound_claim, kept
from tricircle.copies.pod_status import is_awaited, said, shown
from tricircle.model.routing import Kind


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
            is_ours = is_slice(port) and ADOPTED_NETWORK not in kept(port)
            if is_ours and not subnet_ids(port):
                yield _empty_slice(port)
            elif is_ours and not subnet_ids(port) & set(subnets):
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
        if trunk["port_id"] not in bound and any(port_id in sub_ports for port_id in sub_ports_of(trunk)):
            note = "sub-ports are bound to the pod without their parent"
            yield Finding(
                what=What.DIFFERS, kind=Kind.TRUNK, central_id=str(trunk["id"]), project_id=_project(trunk), note=note
            )


def loose(page: Sequence[Body], housed: Container[str], before: datetime) -> Iterator[Finding]:
    """Ports that are bound to the pod as sub-ports, and in no trunk: they left theirs while somebody bound them.

    :param housed: central ids of all sub-ports of trunks, read after the ports were bound
    """
    for port in page:
        if port.get("device_owner") == SUB_PORT_OWNER and port["id"] not in housed and not is_young(port, before):
            port_id, note = str(port["id"]), "bound to the pod as a sub-port, and in no trunk"
            yield Finding(what=What.ASTRAY, kind=Kind.PORT, central_id=port_id, project_id=_project(port), note=note)


def sub_ports_of(trunk: Body) -> list[str]:
    """Central ids of a trunk's sub-ports."""
    rows = trunk.get("sub_ports")
    return [str(row["port_id"]) for row in rows] if isinstance(rows, list) else []


def _empty_slice(port: Body) -> Finding:
    """Its subnet is gone, and took the addresses with it."""
    note = "holds no address any more"
    return Finding(what=What.SLICE, kind=Kind.PORT, central_id=str(port["id"]), project_id=_project(port), note=note)


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
