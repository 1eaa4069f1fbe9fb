# SPDX-License-Identifier: Apache-2.0
"""Which status does the centre show of a port or trunk that has this copy? Pure."""

from tricircle.copies.bodies import Body, text

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"
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
