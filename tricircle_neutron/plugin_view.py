# SPDX-License-Identifier: Apache-2.0
"""What do the core plugin's lists of availability zones and agents show at the centre, where no agent exists?

The methods of the core plugin are wrapped in place, as Neutron's own OVN driver does, because ML2 has no hook for them.
"""

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neutron_lib.api import converters
from neutron_lib.db import api as db_api
from neutron_lib.exceptions import agent as agent_exceptions
from neutron_lib.exceptions import availability_zone as zone_exceptions
from neutron_lib.plugins import directory

from tricircle.model.pod import PodState
from tricircle_neutron import facts, network_zones, pages

_RESOURCES = ("network", "router")
_MARK = "_answered_by_tricircle"


def install(_resource: str, _event: str, _trigger: object, payload: object = None) -> None:
    """Put our answers in place of the agents' ones; called when a process starts, perhaps once per thread."""
    plugin = directory.get_plugin()
    for name, function in _ANSWERS.items():
        _replace(plugin, name, function)


def _replace(plugin: Any, name: str, function: Callable[..., Any]) -> None:
    stock = getattr(plugin, name)
    if getattr(stock, _MARK, False):
        return

    @functools.wraps(stock)
    def method(_plugin: object, *args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    setattr(method, _MARK, True)
    setattr(plugin, name, types.MethodType(method, plugin))


def availability_zones(
    context: Any, filters: Mapping[str, Sequence[object]] | None = None, **_paging: object
) -> list[dict[str, object]]:
    """Each availability zone of the pods, once for networks and once for routers; ``project_id`` serves the policy
    check.
    """
    with db_api.CONTEXT_READER.using(context):
        zones = facts.zones(context.session)
    rows: list[dict[str, object]] = [
        {
            "name": name,
            "resource": resource,
            "state": "available" if is_available else "unavailable",
            "project_id": context.project_id,
        }
        for name, is_available in sorted(zones.items())
        for resource in _RESOURCES
    ]
    return [row for row in rows if pages.matches(row, filters or {})]


def validate_availability_zones(context: Any, resource_type: str, availability_zones: Sequence[str]) -> None:
    """Refuse hints that no pod can honour. :raises AvailabilityZoneNotFound: Neutron's own 404."""
    if not availability_zones or resource_type not in _RESOURCES:
        return
    with db_api.CONTEXT_READER.using(context):
        unknown = facts.unknown_zones(context.session, availability_zones)
    if unknown:
        raise zone_exceptions.AvailabilityZoneNotFound(availability_zone=", ".join(unknown))


def agents(
    context: Any,
    filters: Mapping[str, Sequence[object]] | None = None,
    fields: Sequence[str] | None = None,
    **paging: Any,
) -> list[dict[str, object]]:
    """The pods, each as one agent (administrators only, by Neutron's policy).

    :param paging: as ``pages.page`` has it
    :raises InvalidInput: ``alive`` is no boolean
    """
    wanted = dict(filters or {})
    if alive := wanted.pop("alive", None):
        # Neutron itself converts it here only, and reads the first.
        wanted["alive"] = [converters.convert_to_boolean(alive[0])]
    with db_api.CONTEXT_READER.using(context):
        pods = facts.pods(context.session)
    rows = pages.page(map(_as_agent, pods), filters=wanted, **paging)
    return [{name: row[name] for name in fields or row if name in row} for row in rows]


def agent(context: Any, id: str, fields: Sequence[str] | None = None) -> dict[str, object]:  # noqa: A002 - Neutron's keyword
    """One pod as an agent. :raises AgentNotFound: Neutron's own 404."""
    for row in agents(context, {"id": [id]}, fields):
        return row
    raise agent_exceptions.AgentNotFound(id=id)


def _as_agent(pod: facts.PodFact) -> dict[str, object]:
    return {
        "id": pod.id,
        "agent_type": "Pod",
        "binary": "tricircle-worker",
        "topic": "N/A",
        "host": pod.name,
        "availability_zone": pod.az_name,
        "admin_state_up": pod.state is PodState.ENABLED,
        "alive": pod.state is not PodState.DISABLED,
        "created_at": pod.created_at,
        "started_at": pod.created_at,
        "heartbeat_timestamp": pod.updated_at,
        "description": "",
        "configurations": {},
        "resources_synced": None,
        "resource_versions": {},
    }


_ANSWERS: Mapping[str, Callable[..., Any]] = {
    "get_availability_zones": availability_zones,
    "validate_availability_zones": validate_availability_zones,
    "get_network_availability_zones": network_zones.zones_of,
    "get_agents": agents,
    "get_agent": agent,
}
