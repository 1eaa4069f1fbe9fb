# SPDX-License-Identifier: Apache-2.0
"""May a network get a subnet that takes its addresses from router advertisements?

Such a subnet can be in one pod only. The central Neutron gives every port of the network an address of it at once, so
on a network that has copies in several pods all but one would have ports that they cannot make.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from neutron_lib import constants, exceptions
from neutron_lib import context as neutron_context
from neutron_lib.db import api as db_api
from sqlalchemy import orm

from tricircle.model.routing import Kind
from tricircle.store import tables

_AUTOMATIC = (constants.IPV6_SLAAC, constants.DHCPV6_STATELESS)


class AutomaticSubnetRefusedError(exceptions.Conflict):
    """The network has copies in several pods (409)."""

    message = (
        "Network %(network_id)s is in several places already (availability zones: %(zones)s), and a subnet that takes "
        "its addresses from router advertisements cannot be. Use ipv6_address_mode dhcpv6-stateful."
    )


def is_automatic(subnet: Mapping[str, object]) -> bool:
    """Whether addresses of the subnet follow from MACs."""
    return subnet.get("ipv6_address_mode") in _AUTOMATIC


def check(subnet: Mapping[str, object]) -> None:
    """Refuse such a subnet on a network of several pods.

    Copies are seen as they are now, whatever the transaction of the request saw when it began. One that comes in the
    same instant is refused by whoever makes it, or goes without the subnet.

    :raises AutomaticSubnetRefusedError: as said
    """
    if not is_automatic(subnet):
        return
    network_id, fresh = str(subnet["network_id"]), neutron_context.get_admin_context()
    with db_api.CONTEXT_READER.using(fresh):
        zones = _zones_of_copies(fresh.session, network_id)
    if len(zones) > 1:
        raise AutomaticSubnetRefusedError(network_id=network_id, zones=", ".join(sorted(set(zones))))


def _zones_of_copies(session: orm.Session, network_id: str) -> list[str]:
    """The zone of each pod that has a copy of the network, or is about to have one."""
    routings, pods = tables.routings.c, tables.pods.c
    query = (
        sa.select(pods.az_name)
        .join_from(tables.routings, tables.pods, routings.pod_id == pods.id)
        .where(routings.kind == Kind.NETWORK.value, routings.central_id == network_id)
    )
    return [str(zone) for zone in session.execute(query).scalars()]
