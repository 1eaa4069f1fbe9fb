# SPDX-License-Identifier: Apache-2.0
"""How is shown what is about a pod's machines: services, hosts, hypervisors, migrations? Pure.

Only administrators see names of hosts, and they see full ones (``model/host_names.py``).
"""

from collections.abc import Callable, Iterable

from tricircle.doors.compute.zones import zone_of
from tricircle.model.host_names import full_name, name_in
from tricircle.model.pod import Pod
from tricircle.road.listing import Query
from tricircle.road.rewrite import Facts, Item, Shape

_INTERNAL = "internal"
_MIGRATION_HOSTS = ("source_compute", "source_node", "dest_compute", "dest_node")


def host_for(facts: Facts, host: object) -> object:
    """A host's name as whoever asks may read it."""
    return full_name(facts.pod, host) if facts.context.is_admin else host


def by_host(*names: str) -> Callable[[Query, Pod], Query]:
    """How a pod is asked for a list that may be filtered by hosts: by its own names for them.

    :param names: the query parameters that name a host
    """

    def adapt(query: Query, pod: Pod) -> Query:
        return [(name, name_in(pod, value) if name in names else value) for name, value in query]

    return adapt


def _renamed(item: Item, keys: Iterable[str], facts: Facts) -> None:
    for key in keys:
        if key in item:
            item[key] = host_for(facts, item[key])


def _service(item: Item, facts: Facts) -> Item:
    _renamed(item, ("host", "host_name"), facts)
    if "zone" in item and item["zone"] != _INTERNAL:
        item["zone"] = zone_of(facts.pod, item["zone"])
    return item


def _hypervisor(item: Item, facts: Facts) -> Item:
    _renamed(item, ("hypervisor_hostname",), facts)
    if isinstance(service := item.get("service"), dict):
        _renamed(service, ("host",), facts)
    return item


def _migration(item: Item, facts: Facts) -> Item:
    _renamed(item, _MIGRATION_HOSTS, facts)
    return item


def _resource(item: Item, facts: Facts) -> Item:
    if isinstance(resource := item.get("resource"), dict):
        _renamed(resource, ("host",), facts)
    return item


#: A service, or a host of the list of hosts.
SERVICE = Shape(apply=_service)
HYPERVISOR = Shape(apply=_hypervisor)
MIGRATION = Shape(apply=_migration)
#: One entry of what a host has and uses.
RESOURCE = Shape(apply=_resource)
