# SPDX-License-Identifier: Apache-2.0
"""To which pods does the place confine a boot that its request names: an AZ that an aggregate makes, or a host?

Administrators may name a host in three ways (``az:host:node``, ``host``, ``hypervisor_hostname``). All are made the
pod's own names here, and the pod is chosen by them. The hint ``query`` may name hosts, too, by their full names.
"""

from collections.abc import Mapping
from dataclasses import replace

from tricircle.doors.compute.boots.boot_request import BootRequest, hints_of
from tricircle.doors.compute.boots.host_queries import possible, query_of, unread, without_hosts
from tricircle.doors.compute.needs import KnownPods
from tricircle.doors.compute.operators.aggregate_zones import AggregateZones
from tricircle.doors.compute.operators.machines import Machine, Machines
from tricircle.doors.compute.zones import PREFIX
from tricircle.errors import InvalidRequestError
from tricircle.http.message import Request
from tricircle.model.host_names import name_in
from tricircle.model.pod import Pod

_HOST, _NODE = "host", "hypervisor_hostname"


class Places:
    """Reads where a server shall be."""

    def __init__(self, *, zones: AggregateZones, machines: Machines, pods: KnownPods) -> None:
        self._zones = zones
        self._machines = machines
        self._pods = pods

    async def confined(self, request: Request, wanted: BootRequest) -> BootRequest:
        """The request with the pods that its place leaves, and with pods' own names of machines.

        :raises InvalidRequestError: several pods have a host of that name, or the names are of different pods
        """
        wanted = await self._in_zone(request, wanted)
        if request.context.is_admin:
            wanted = await self._queried(wanted)
        host_name = wanted.zone.host or _text(wanted.server, _HOST)
        node_name = wanted.zone.node or _text(wanted.server, _NODE)
        host = await self._machines.find(request, host_name) if host_name else None
        node = await self._machines.find_node(request, node_name) if node_name else None
        pods = frozenset(machine.pod.id for machine in (host, node) if machine is not None)
        if len(pods) > 1:
            raise InvalidRequestError(f"No valid host was found. {node_name} is no hypervisor of {host_name}.")
        if not pods:
            return wanted  # that there is no such machine, any pod says
        within = pods if wanted.within is None else pods & wanted.within
        return replace(_named(wanted, host, node), within=within)

    async def zone_in(self, request: Request, pod: Pod, name: str) -> str | None:
        """What an AZ of an aggregate is called in a pod; None when it has no host there."""
        return PREFIX + name if pod.id in await self._zones.pods_of(request, name) else None

    async def _queried(self, wanted: BootRequest) -> BootRequest:
        """Confined to the pods in which the hint ``query`` can be true by the hosts that it names."""
        hints = hints_of(wanted.document)
        query = query_of(hints)
        if query is None:
            return replace(wanted, shown_query=unread(hints))
        known = [pod for pod in await self._pods.pods() if not pod.is_central]
        pods, shown = possible(query, known), without_hosts(query, known)
        within = wanted.within if pods is None else pods if wanted.within is None else pods & wanted.within
        return replace(wanted, host_query=query, shown_query=shown, within=within)

    async def _in_zone(self, request: Request, wanted: BootRequest) -> BootRequest:
        name = wanted.zone.name
        if name is None or name in await self._pods.az_names():
            return wanted
        pods = await self._zones.pods_of(request, name)
        if not pods:
            return wanted  # there is no such AZ: the check of AZs says so
        return replace(wanted, zone=replace(wanted.zone, pod_zone=PREFIX + name), within=pods)


def host_in(pod: Pod, asked: object) -> object:
    """What an action says (``{"host": ...}`` or nothing), with the pod's own name for a host of it.

    A host of another pod stays as it is: the pod does not know it, and says so.
    """
    if isinstance(asked, Mapping) and isinstance(host := asked.get(_HOST), str):
        return {**asked, _HOST: name_in(pod, host)}
    return asked


def _named(wanted: BootRequest, host: Machine | None, node: Machine | None) -> BootRequest:
    """The request with the pod's own names."""
    zone, server = wanted.zone, dict(wanted.server)
    if host is not None:
        zone = replace(zone, host=host.name if zone.host else "")
        server |= {_HOST: host.name} if _HOST in server else {}
    if node is not None:
        zone = replace(zone, node=node.name if zone.node else "")
        server |= {_NODE: node.name} if _NODE in server else {}
    return replace(wanted, zone=zone, server=server)


def _text(server: Mapping[str, object], key: str) -> str:
    value = server.get(key)
    return value if isinstance(value, str) else ""
