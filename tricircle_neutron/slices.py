# SPDX-License-Identifier: Apache-2.0
"""Who may change or delete the ports that hold a pod's slice of a subnet?

Tenants see these ports in their networks, as they see DHCP ports in any cloud. A tenant who deleted one would free
addresses that a pod uses. Neutron itself deletes them with the network, in an elevated context, so "administrators
only" is the whole rule; deleting a subnet takes their addresses away without a port hook, and the worker then deletes
the empty port.
"""

from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from neutron_lib import exceptions
from neutron_lib.callbacks import events, registry, resources

from tricircle_neutron import changes


class SlicePortProtectedError(exceptions.Conflict):
    """A tenant tried to touch a slice port (409)."""

    message = "Port %(port_id)s belongs to the DHCP service of its network and cannot be changed."


def protect() -> None:
    """Refuse what tenants may not do; called once per process."""
    registry.subscribe(_refuse_creation, resources.PORT, events.BEFORE_CREATE)
    registry.subscribe(_refuse_change, resources.PORT, events.BEFORE_UPDATE)
    registry.subscribe(_refuse_deletion, resources.PORT, events.BEFORE_DELETE)
    registry.subscribe(_refuse_trunk, resources.TRUNK, events.PRECOMMIT_CREATE)
    registry.subscribe(_refuse_trunk, resources.SUBPORTS, events.PRECOMMIT_CREATE)


def _refuse_creation(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    port = payload.states[0]
    if changes.is_slice(port) and not payload.context.is_admin:
        raise SlicePortProtectedError(port_id=port.get("id", ""))


def _refuse_change(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    original, wanted = payload.states
    # Status changes pass the model object here and have no tenant behind them.
    if not isinstance(original, dict) or payload.context.is_admin:
        return
    if all(original.get(field) == value for field, value in wanted.items()):
        return  # Neutron's own way of saying that a new subnet gave the port an address
    if changes.is_slice(original) or changes.is_slice({**original, **wanted}):
        raise SlicePortProtectedError(port_id=payload.resource_id)


def _refuse_deletion(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    port = payload.metadata.get("port") or {}
    if changes.is_slice(port) and not payload.context.is_admin:
        raise SlicePortProtectedError(port_id=payload.resource_id)


def _refuse_trunk(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    """A port in a trunk can be deleted by nobody, and Neutron lets any port without a host of its own be in one."""
    trunk = payload.desired_state or payload.latest_state
    port_ids = {trunk.port_id, *(sub_port.port_id for sub_port in trunk.sub_ports)}
    port = models_v2.Port
    query = sa.select(port.id, port.device_owner, port.device_id).where(port.id.in_(port_ids))
    for row in payload.context.session.execute(query):
        if changes.is_slice({"device_owner": row.device_owner, "device_id": row.device_id}):
            raise SlicePortProtectedError(port_id=row.id)
