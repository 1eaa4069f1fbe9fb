# SPDX-License-Identifier: Apache-2.0
"""What happens to a call of the network API?"""

from tricircle.doors.network.port_status import PortStatus
from tricircle.doors.network.ports import PortRemoval
from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.door import Door
from tricircle.road.row import Behaviour, Row

PREFIX = "/network"
_ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def rows(removal: PortRemoval, status: PortStatus) -> tuple[Row, ...]:
    """Rows under the version. What changes copies is filed by Neutron's driver in the transaction of the change."""
    return (
        Row(
            ("DELETE",),
            "/ports/{port_id}",
            Behaviour.OURS,
            kind=Kind.PORT,
            id_param="port_id",
            handler=removal.delete,
        ),
        Row(
            ("GET",),
            "/ports/{port_id}",
            Behaviour.OURS,
            kind=Kind.PORT,
            id_param="port_id",
            handler=status.show,
        ),
        Row(_ALL, "/", Behaviour.CENTRAL),
        Row(_ALL, "/{rest...}", Behaviour.CENTRAL),
    )


def root_rows() -> tuple[Row, ...]:
    """The version document."""
    return (Row(("GET", "HEAD"), "/", Behaviour.CENTRAL, is_public=True),)


def door(removal: PortRemoval, status: PortStatus) -> Door:
    """The network door."""
    return Door(
        name="network",
        prefix=PREFIX,
        service=Service.NETWORK,
        dialect=Dialect.NETWORK,
        versions=frozenset(("v2.0",)),
        rows=rows(removal, status),
        root_rows=root_rows(),
    )
