# SPDX-License-Identifier: Apache-2.0
"""In which availability zones is a network realised, without a query for every network of a list?

Neutron asks for the zones network by network while it builds a list. So our routings are mapped as a relationship of
Neutron's network model, loaded with one more query for the whole list, as Neutron loads its own agents' bindings.
"""

from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from sqlalchemy import orm

from tricircle.model.routing import Kind
from tricircle.store import tables

_RELATIONSHIP = "tricircle_zones"


class _ZoneOfNetwork:
    """One pod that has a copy of a network."""

    az_name: str


def map_to_networks() -> None:
    """Add the relationship to Neutron's model; called once per process, before the first query."""
    if hasattr(models_v2.Network, _RELATIONSHIP):
        return
    routings, pods = tables.routings.c, tables.pods.c
    copies = (
        sa.select(routings.id, routings.central_id, pods.az_name)
        .join_from(tables.routings, tables.pods, routings.pod_id == pods.id)
        .where(routings.kind == Kind.NETWORK.value, routings.pod_resource_id.is_not(None))
        .subquery("tricircle_zones")
    )
    join = orm.foreign(copies.c.central_id) == models_v2.Network.id
    # Neutron's session hooks insist on a way back and would make a broken one.
    back = orm.relationship(
        models_v2.Network, primaryjoin=join, viewonly=True, back_populates=_RELATIONSHIP, sync_backref=False
    )
    orm.registry().map_imperatively(_ZoneOfNetwork, copies, primary_key=[copies.c.id], properties={"network": back})
    forth = orm.relationship(
        _ZoneOfNetwork,
        primaryjoin=join,
        viewonly=True,
        lazy="selectin",
        back_populates="network",
        sync_backref=False,
    )
    setattr(models_v2.Network, _RELATIONSHIP, forth)


def zones_of(network: Any) -> list[str]:
    """The zones of a row of Neutron's network model, sorted; empty before its first port."""
    return sorted({zone.az_name for zone in getattr(network, _RELATIONSHIP)})
