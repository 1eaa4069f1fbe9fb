# SPDX-License-Identifier: Apache-2.0
"""Does a pod still hold an identifier in quarantine? The one condition, for the drivers in Neutron and for ourselves.

A row in quarantine says that an object at the centre has let go of an identifier. Whether a pod has it is seen from the
routings of that object at the moment when somebody asks: a row bound or not, in any pod (or in the one that the
quarantine names), of which it is not written that it has realised the revision without the identifier. Nobody marks
anything when a pod lets go: its routing is changed or removed, as it is anyway.

What pods know of the members of a security group has no revision at the centre. There the job that was filed in the
very transaction that took a member away says it: as long as one is left, a pod with the group may have the address.
"""

from collections.abc import Collection

import sqlalchemy as sa

from tricircle.model.job import EVERY_POD
from tricircle.model.quarantine import What
from tricircle.model.routing import Kind
from tricircle.store.tables import jobs, quarantine, routings


def holding() -> sa.ColumnElement[bool]:
    """Joins a row in quarantine with each routing that keeps it there."""
    realised = sa.cast(routings.c.revision, sa.BigInteger)
    is_behind = sa.or_(quarantine.c.revision.is_(None), routings.c.revision.is_(None), realised < quarantine.c.revision)
    is_of_members = quarantine.c.kind == Kind.ADDRESS_GROUP.value
    return sa.and_(
        routings.c.central_id == quarantine.c.central_id,
        routings.c.kind == quarantine.c.kind,
        sa.or_(quarantine.c.pod_id.is_(None), quarantine.c.pod_id == routings.c.pod_id),
        sa.or_(sa.and_(is_of_members, _is_filed()), sa.and_(~is_of_members, is_behind)),
    )


def _is_filed() -> sa.ColumnElement[bool]:
    """Whether a job is left for a routing. A job for every pod ends after those for each of them are written."""
    return (
        sa.exists()
        .where(
            jobs.c.resource_id == routings.c.central_id,
            jobs.c.type == Kind.ADDRESS_GROUP.value,
            jobs.c.pod_id.in_([EVERY_POD, routings.c.pod_id]),
        )
        .correlate(routings)
    )


def is_held() -> sa.ColumnElement[bool]:
    """Whether any pod holds what a row in quarantine names."""
    return sa.exists().where(holding())


def values_held(
    what: What,
    scope: str | None = None,
    values: Collection[str] | None = None,
    *,
    but_for: str | None = None,
    but_for_groups: Collection[str] = (),
    but_for_slice: tuple[str, str] | None = None,
) -> sa.Select[tuple[str, str]]:
    """Scope and value of what is held.

    :param scope, values: only these; None for all
    :param but_for: what this object itself let go of does not count: it may have it back
    :param but_for_groups: what only members of these security groups let go of does not count
    :param but_for_slice: subnet and pod: what the pod's slice of the subnet let go of does not count: the pod that may
        have it still is the one that would get it
    """
    statement = sa.select(quarantine.c.scope, quarantine.c.value).where(quarantine.c.what == what.value, is_held())
    if scope is not None:
        statement = statement.where(quarantine.c.scope == scope)
    if values is not None:
        statement = statement.where(quarantine.c.value.in_(sorted(values)))
    if but_for is not None:
        statement = statement.where(quarantine.c.central_id != but_for)
    if but_for_groups:
        is_of_members = quarantine.c.kind == Kind.ADDRESS_GROUP.value
        statement = statement.where(~sa.and_(is_of_members, quarantine.c.central_id.in_(sorted(but_for_groups))))
    if but_for_slice is not None:
        subnet_id, pod_id = but_for_slice
        columns = quarantine.c
        is_anothers = sa.or_(columns.central_id != subnet_id, columns.pod_id.is_(None), columns.pod_id != pod_id)
        statement = statement.where(sa.or_(columns.kind != Kind.SUBNET.value, is_anothers))
    return statement.distinct()
