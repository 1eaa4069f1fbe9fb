# SPDX-License-Identifier: Apache-2.0
"""How does an identifier wait until pods have let go of it, and how is one that waits kept from everybody?

Rows are appended in the transaction that sets the identifier free, always, without looking whether a pod has it: a look
with the snapshot of that transaction could be older than a routing that somebody has just written. Who wants an
identifier takes it first, as stock Neutron does, and looks then (:func:`held_now`), in a transaction of its own, so
with a snapshot that is younger than whatever set the identifier free. No row of ours is locked by that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from neutron.db.models import securitygroup as security_group_models
from neutron.plugins.ml2 import models as ml2_models
from neutron_lib import context as neutron_context
from neutron_lib import exceptions
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from oslo_db import exception as db_exceptions
from oslo_log import log
from sqlalchemy import orm

from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind
from tricircle.store import clock, tables
from tricircle.store.held import values_held
from tricircle_neutron import changes, facts, leaving

LOG = log.getLogger(__name__)

_HOST = "binding:host_id"


def protect() -> None:
    """Subscribe to what ML2 has no hook for; called once per process."""
    registry.subscribe(_refuse_mac, resources.PORT, events.BEFORE_CREATE)
    registry.subscribe(_refuse_changed_mac, resources.PORT, events.BEFORE_UPDATE)
    registry.subscribe(_subnet_leaves, resources.SUBNET, events.PRECOMMIT_DELETE_ASSOCIATIONS)


def append(
    session: orm.Session, identifiers: Iterable[Left], *, pod_id: str | None = None, revision: int | None = None
) -> None:
    """Put identifiers into quarantine, within the transaction that ``session`` is in.

    :param pod_id: the only pod that can have them
    :param revision: of the object without them, when it goes on without
    """
    rows = [
        {
            "what": left.what.value,
            "scope": left.scope,
            "value": left.value,
            "kind": left.kind.value,
            "central_id": left.central_id,
            "pod_id": pod_id,
            "revision": revision,
            "created_at": clock.now(),
        }
        for left in identifiers
    ]
    for row in rows:
        session.execute(tables.quarantine.insert().values(**row))


def port_leaves(session: orm.Session, port: changes.Body, identifiers: Iterable[Left], revision: int | None) -> None:
    """Put what a port lets go of into quarantine.

    :param revision: the port's without it; None when the port itself goes
    """
    if changes.is_slice(port):
        _slice_leaves(session, identifiers, str(port.get(_HOST) or ""))
    else:
        append(session, identifiers, revision=revision)


@dataclass(frozen=True, slots=True)
class Taker:
    """Who wants an identifier, and may have some that others may not.

    :ivar object_id: what this object let go of itself it may have back
    :ivar groups_of: the project whose groups alone know the identifier as a member's: rules that still let it in are
        that project's own, as they would be for a moment in a cloud whose agents have not heard of the change yet
    :ivar slice_of: subnet and pod of the slice that wants it: what an earlier port of that slice let go of it may have.
        Who makes a slice has the subnet's routing to that pod, which would else hold the address from himself
    """

    object_id: str | None = None
    groups_of: str | None = None
    slice_of: tuple[str, str] | None = None

    def held(
        self, session: orm.Session, what: What, scope: str | None, values: Collection[str] | None = None
    ) -> set[tuple[str, str]]:
        """Scope and value of what is held from it."""
        groups = _groups_of(session, self.groups_of) if self.groups_of else ()
        statement = values_held(
            what, scope, values, but_for=self.object_id, but_for_groups=groups, but_for_slice=self.slice_of
        )
        return {(row.scope, row.value) for row in session.execute(statement)}


ANYBODY = Taker()


def taker_of(session: orm.Session, port: Any, subnet_id: str) -> Taker:
    """Who wants an address of a subnet.

    :param port: as in a request, maybe without an id yet, or of Neutron's own model
    """
    object_id, project_id = port.get("id"), port.get("project_id") or port.get("tenant_id")
    slice_of = None
    if changes.is_slice({name: port.get(name) for name in ("device_owner", "device_id")}):
        # Neutron's own objects have no such field, and say so by an error.
        host = port.get(_HOST) if isinstance(port, dict) else None
        pod_id = facts.pod_id_of(session, host if isinstance(host, str) else _host_of(session, str(object_id)))
        slice_of = (subnet_id, pod_id) if pod_id is not None else None
    return Taker(object_id, project_id, slice_of)


def _host_of(session: orm.Session, port_id: str) -> str:
    binding = ml2_models.PortBinding
    return str(session.execute(sa.select(binding.host).where(binding.port_id == port_id)).scalar() or "")


def _groups_of(session: orm.Session, project_id: str) -> list[str]:
    group = security_group_models.SecurityGroup
    return list(session.execute(sa.select(group.id).where(group.project_id == project_id)).scalars())


def seen_held(
    session: orm.Session, what: What, scope: str | None = None, *, taker: Taker = ANYBODY
) -> set[tuple[str, str]]:
    """Scope and value of what pods hold, by the snapshot of the running transaction: for choosing, not for being
    sure.
    """
    return taker.held(session, what, scope)


def held_now(what: What, scope: str, values: Collection[str], *, taker: Taker = ANYBODY) -> set[str]:
    """Those of ``values`` that pods hold at this moment, whatever the caller's own transaction sees."""
    if not values:
        return set()
    fresh = neutron_context.get_admin_context()
    with db_api.CONTEXT_READER.using(fresh):
        held = {value for _, value in taker.held(fresh.session, what, scope, values)}
    for value in sorted(held):
        LOG.info("The %s %s in %s is not given out: a pod has not let go of it yet", what.value, value, scope)
    return held


def check_mac(port: changes.Body) -> None:
    """Undo a change that took a MAC which a pod still has.

    The request is run again by Neutron: a MAC that was made up is then another one, and one that the user named is
    refused before anything is done.

    :raises RetryRequest: as said
    """
    network_id, mac = str(port["network_id"]), leaving.mac_of(port)
    if held_now(What.MAC, network_id, {mac}, taker=Taker(str(port["id"]))):
        raise db_exceptions.RetryRequest(exceptions.MacAddressInUse(net_id=network_id, mac=mac))


def _refuse_mac(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _refuse(payload.states[0], str(payload.states[0].get("network_id")), None)


def _refuse_changed_mac(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    original, wanted = payload.states
    # Status changes pass the model object here and have no MAC.
    if isinstance(original, dict) and leaving.mac_of(wanted) != leaving.mac_of(original):
        _refuse(wanted, str(original["network_id"]), payload.resource_id)


def _refuse(wanted: changes.Body, network_id: str, port_id: str | None) -> None:
    mac = leaving.mac_of(wanted)
    if mac and held_now(What.MAC, network_id, {mac}, taker=Taker(port_id)):
        raise exceptions.MacAddressInUse(net_id=network_id, mac=mac)


def _subnet_leaves(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    """A subnet takes addresses away from ports without their hooks: from slices, and where it follows from the MAC."""
    session = payload.context.session
    allocation, port, binding = models_v2.IPAllocation, models_v2.Port, ml2_models.PortBinding
    statement = (
        sa.select(
            allocation.ip_address,
            allocation.network_id,
            allocation.subnet_id,
            port.id,
            port.device_owner,
            port.device_id,
            binding.host,
        )
        .join_from(allocation, port, port.id == allocation.port_id)
        .outerjoin(binding, binding.port_id == port.id)
        .where(allocation.subnet_id == payload.resource_id)
    )
    for row in session.execute(statement):
        if changes.is_slice({"device_owner": row.device_owner, "device_id": row.device_id}):
            left = leaving.of_slice(row.network_id, row.subnet_id, row.ip_address)
            _slice_leaves(session, [left], row.host or "")
        else:
            append(session, [leaving.of_port(row.network_id, row.id, row.ip_address)])


def _slice_leaves(session: orm.Session, identifiers: Iterable[Left], host: str) -> None:
    """A slice is one pod's. A pod that was removed holds nothing more."""
    pod_id = facts.pod_id_of(session, host)
    if pod_id is not None or not host:
        append(session, identifiers, pod_id=pod_id)


def network_leaves(session: orm.Session, physical_network: str, vlan_id: int, network_id: str) -> None:
    """Put a VLAN id into quarantine."""
    left = Left(what=What.VLAN, scope=physical_network, value=str(vlan_id), kind=Kind.NETWORK, central_id=network_id)
    append(session, [left])
