# SPDX-License-Identifier: Apache-2.0
"""Which status have ports and trunks at the centre, where no agent reports any?

That of their copies. Gateway and workers learn it from the pods and write it into the details of the copies' routings
(``copies/statuses.py``); whatever updates the port after that, an update of nothing included, makes it the port's own.
So the status stands in Neutron's tables, where filters and sorting find it, and only Neutron writes them.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.services.trunk import constants as trunk_constants
from sqlalchemy import orm

from tricircle.model.routing import STATUS, Kind
from tricircle.store import tables
from tricircle_neutron import changes


def of_port(session: orm.Session, port: Mapping[str, object]) -> str:
    """The status of a port that is bound to a pod: DOWN until the pod says otherwise.

    What the network service itself has at a pod (a slice) has nothing to be realised.
    """
    if not port["admin_state_up"]:
        return str(constants.PORT_STATUS_DOWN)
    if changes.is_of_network_service(port):
        return str(constants.PORT_STATUS_ACTIVE)
    said = _said(session, Kind.PORT, str(port["id"]), str(port[portbindings.HOST_ID]))
    return said or str(constants.PORT_STATUS_DOWN)


def of_trunk(session: orm.Session, trunk_id: str, host: str) -> str:
    """The status of a trunk whose parent is bound to this pod, or to none (empty)."""
    return _said(session, Kind.TRUNK, trunk_id, host) or str(trunk_constants.TRUNK_DOWN_STATUS)


def _said(session: orm.Session, kind: Kind, central_id: str, host: str) -> str:
    columns = tables.routings.c
    statement = (
        sa.select(columns.details)
        .join(tables.pods, tables.pods.c.id == columns.pod_id)
        .where(columns.central_id == central_id, columns.kind == kind.value, tables.pods.c.name == host)
        .where(columns.pod_resource_id.is_not(None))
    )
    details = session.execute(statement).scalar() if host else None
    return str(details.get(STATUS) or "") if isinstance(details, Mapping) else ""
