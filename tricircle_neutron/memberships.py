# SPDX-License-Identifier: Apache-2.0
"""Who is a member of which security group, under which addresses, and what follows when that changes?

Pods know the members of a group that rules name as their remote by addresses (``copies/address_groups.py``). So a
change of a member files a job for each group concerned, in the member's own transaction, and every address that a group
loses waits until no such job is left: until every pod has let go of it, whoever else could have it then.

As in stock Neutron every port that carries a group counts, bound or not; its address is known before its server runs.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2
from neutron.db.models import securitygroup as security_group_models
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from sqlalchemy import orm

from tricircle.model.job import JobType
from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind
from tricircle_neutron import changes, jobs, members_of, quarantine

#: Seconds for which jobs of one group gather: of many boots at once each pod hears once.
_GATHER_S = 0.2
_DELETED = {"deleted": True}


def watch() -> None:
    """Subscribe to what ML2 has no hook for; called once per process."""
    registry.subscribe(_subnet_leaves, resources.SUBNET, events.PRECOMMIT_DELETE_ASSOCIATIONS)
    # Neutron has no hook inside the transaction of an address group's change: a sweep covers a crash in between.
    registry.subscribe(_address_group_changed, resources.ADDRESS_GROUP, events.AFTER_UPDATE)
    registry.subscribe(_address_group_deleted, resources.ADDRESS_GROUP, events.AFTER_DELETE)


def port_changes(session: orm.Session, original: changes.Body | None, current: changes.Body | None) -> None:
    """File jobs for the groups whose members change, and keep back the addresses that they lose.

    :param original: the port before; None when it is new
    :param current: the port after; None when it is deleted
    """
    before = members_of.port(original) if original else frozenset()
    after = members_of.port(current) if current else frozenset()
    port = current or original or {}
    lost = [_left(str(port["network_id"]), group, address) for group, address in sorted(before - after)]
    if lost:
        quarantine.append(session, lost)
    _file(session, {group for group, _ in before ^ after}, str(port.get("project_id") or ""))


def look_again(session: orm.Session, port: changes.Body) -> None:
    """File jobs for the groups of a port that has got addresses without a change of its own."""
    _file(session, {group for group, _ in members_of.port(port)}, str(port.get("project_id") or ""))


def group_is_deleted(session: orm.Session, group_id: str, project_id: str) -> None:
    """File the removal of what pods know of the members of a group."""
    jobs.append(session, JobType.ADDRESS_GROUP, group_id, project_id=project_id, payload=_DELETED)


def _file(session: orm.Session, groups: Collection[str], project_id: str) -> None:
    for group in sorted(groups):
        jobs.append(session, JobType.ADDRESS_GROUP, group, project_id=project_id, delay_s=_GATHER_S)


def _left(network_id: str, group_id: str, address: str) -> Left:
    return Left(what=What.ADDRESS, scope=network_id, value=address, kind=Kind.ADDRESS_GROUP, central_id=group_id)


def _subnet_leaves(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    """A subnet takes addresses that follow from the MAC away from ports, without their hooks."""
    session = payload.context.session
    allocation, port, binding = models_v2.IPAllocation, models_v2.Port, security_group_models.SecurityGroupPortBinding
    statement = (
        sa.select(allocation.network_id, allocation.ip_address, binding.security_group_id, port.project_id)
        .join_from(allocation, port, port.id == allocation.port_id)
        .join(binding, binding.port_id == port.id)
        .where(allocation.subnet_id == payload.resource_id)
    )
    projects: dict[str, str] = {}
    for row in session.execute(statement):
        quarantine.append(session, [_left(row.network_id, row.security_group_id, row.ip_address)])
        projects[row.security_group_id] = row.project_id
    for group_id, project_id in sorted(projects.items()):
        _file(session, [group_id], project_id)


def _address_group_changed(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _after(payload, payload.states[-1]["project_id"], {})


def _address_group_deleted(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    _after(payload, payload.states[-1]["project_id"], _DELETED)


def _after(payload: Any, project_id: str, facts_left: Mapping[str, object]) -> None:
    with db_api.CONTEXT_WRITER.using(payload.context):
        jobs.append(
            payload.context.session,
            JobType.ADDRESS_GROUP,
            payload.resource_id,
            project_id=project_id,
            payload=facts_left,
        )
