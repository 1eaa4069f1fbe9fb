# SPDX-License-Identifier: Apache-2.0
"""Which status does the centre show of a port or trunk that has this copy, and is a change of it awaited? Pure."""

from collections.abc import Container

from tricircle.copies.bodies import Body, text

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"
#: What jobs await: ports of a server that are plugged in, one port, whatever changes at a server.
PLUGGED, PORT, CHANGED = "plugged", "port", "changed"
_BINDING_FAILED = "binding_failed"
#: What Neutron has for ports and trunks. Anything else a pod says is its own business, and no tenant's.
_KNOWN = (ACTIVE, "BUILD", "DEGRADED", DOWN, ERROR)


def said(present: Body) -> str:
    """The status that a pod's port or trunk has, as tenants see it: where the pod could not bind a port, nobody but
    administrators sees more than DOWN there.

    >>> said({"status": "DOWN", "binding:vif_type": "binding_failed"}), said({"status": "ACTIVE"})
    ('ERROR', 'ACTIVE')
    >>> said({"status": "on pod-7"})
    'DOWN'
    """
    if text(present, "binding:vif_type") == _BINDING_FAILED:
        return ERROR
    status = text(present, "status")
    return status if status in _KNOWN else DOWN


def shown(central: Body, status: str) -> str:
    """What the centre is to show of a port whose copy has this status.

    >>> shown({"admin_state_up": False}, "ACTIVE")
    'DOWN'
    """
    return DOWN if central.get("admin_state_up") is False else status


def wish(kind: str, central_id: str) -> str:
    """How a job's payload names what it awaits: ports of a server, or one port, by the id at the centre."""
    return f"{kind}/{central_id}"


def is_awaited(wishes: Container[str], port_id: str, server_id: str) -> bool:
    """Whether jobs that await this look at a port (``server_id`` empty: of no server).

    >>> is_awaited({"plugged/s1"}, "p1", "s1"), is_awaited({"port/p1"}, "p1", ""), is_awaited({"port/p1"}, "p2", "s1")
    (True, True, False)
    """
    return any(one in wishes for one in (wish(PORT, port_id), wish(PLUGGED, server_id), wish(CHANGED, server_id)))
