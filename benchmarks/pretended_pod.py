# SPDX-License-Identifier: Apache-2.0
"""A pod and a centre that agree, of any size, behind one port: lists only, pages ready before anybody asks.

They run in a process of their own, so that what is measured is who asks. ``/pod`` and ``/centre`` are the roots of
all services; everything that was asked is counted.
"""

import asyncio
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from tricircle.context import PodId, ProjectId
from tricircle.copies.addresses import Slice
from tricircle.copies.bodies import mark
from tricircle.copies.networks import wanted_network
from tricircle.copies.port_content import wanted_port
from tricircle.copies.security_groups import name_in_pod
from tricircle.copies.subnet_content import wanted_subnet
from tricircle.model.routing import Kind, Routing

Json = dict[str, Any]

SERVICE, DEMO, HOST = "5" * 32, "d" * 32, "Pod1"
_TIME = "2026-01-01T00:00:00Z"
_START_S = 60.0
#: How many items a service gives at once.
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many of what."""

    servers: int
    ports: int
    networks: int
    groups: int = 20


@dataclass(frozen=True, slots=True)
class Cloud:
    """What both say, and what is written down about it."""

    pod: Mapping[str, Sequence[Json]]
    centre: Mapping[str, Sequence[Json]]
    routings: Sequence[tuple[Kind, str, str, Json]]


def number(kind: int, count: int) -> str:
    """An id."""
    return f"{kind:08x}-0000-4000-8000-{count:012x}"


def agreeing(size: Size) -> Cloud:
    """Servers with a port each, on networks with one subnet each."""
    pod: dict[str, list[Json]] = {"servers": [], "networks": [], "subnets": [], "security_groups": [], "ports": []}
    centre: dict[str, list[Json]] = {"networks": [], "subnets": [], "security_groups": [], "ports": []}
    routings: list[tuple[Kind, str, str, Json]] = []
    pod["rbac_policies"] = []
    for one in range(size.servers):
        server_id = number(1, one)
        pod["servers"].append(_server(server_id))
        routings.append((Kind.SERVER, server_id, server_id, {}))
    for one in range(size.networks):
        network, subnet = _network(number(2, one), one), _subnet(number(3, one), number(2, one), one)
        centre["networks"].append(network)
        centre["subnets"].append(subnet)
        piece = Slice(port_id=number(4, one), addresses=(_address(one, 2),))
        centre["ports"].append(_slice(piece, subnet, network))
        copies = number(12, one), number(13, one)
        owner = {"project_id": SERVICE, "created_at": _TIME}
        pod["networks"].append({"id": copies[0], **wanted_network(network, {}), **owner})
        shape = wanted_subnet(subnet, piece, str(subnet["gateway_ip"]))
        pod["subnets"].append({"id": copies[1], "network_id": copies[0], **shape, **owner})
        pod["rbac_policies"].append(_share(number(22, one), copies[0]))
        routings.append((Kind.NETWORK, network["id"], copies[0], {"projects": [DEMO]}))
        routings.append((Kind.SUBNET, subnet["id"], copies[1], {"gateway_ip": subnet["gateway_ip"]}))
    for one in range(size.groups):
        group = _group(number(5, one))
        centre["security_groups"].append(group)
        pod["security_groups"].append(
            {**group, "id": number(15, one), "description": mark(group["id"]), "name": name_in_pod(group)}
        )
        routings.append((Kind.SECURITY_GROUP, group["id"], number(15, one), {}))
    _add_ports(size, pod, centre, routings)
    return Cloud(pod, centre, routings)


def _add_ports(
    size: Size, pod: dict[str, list[Json]], centre: dict[str, list[Json]], routings: list[tuple[Kind, str, str, Json]]
) -> None:
    for one in range(size.ports):
        place, group, server_id = one % size.networks, one % size.groups, number(1, one % size.servers)
        port = _port(number(6, one), place, group, server_id, one)
        centre["ports"].append(port)
        subnets = {number(3, place): _row(Kind.SUBNET, number(3, place), number(13, place))}
        groups = {number(5, group): _row(Kind.SECURITY_GROUP, number(5, group), number(15, group))}
        copy = {
            **wanted_port(port, subnets, groups),
            "id": number(16, one),
            "network_id": number(12, place),
            "project_id": DEMO,
            "created_at": _TIME,
            "device_id": server_id,
            "device_owner": "compute:nova",
        }
        pod["ports"].append(copy)
        routings.append((Kind.PORT, port["id"], copy["id"], {"server_id": server_id, "origin": "user"}))


def _row(kind: Kind, central_id: str, pod_id: str) -> Routing:
    return Routing(
        id=1, central_id=central_id, kind=kind, pod_id=PodId("p"), project_id=ProjectId(DEMO), pod_resource_id=pod_id
    )


def _server(server_id: str) -> Json:
    padding = {f"OS-EXT-{name}": "x" * 40 for name in ("a", "b", "c", "d", "e", "f", "g", "h")}
    return {"id": server_id, "tenant_id": DEMO, "created": _TIME, "status": "ACTIVE", "name": server_id, **padding}


def _network(network_id: str, one: int) -> Json:
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "x", "provider:segmentation_id": one}
    plain = {"name": f"net-{one}", "admin_state_up": True, "mtu": 1450, "port_security_enabled": True}
    return {"id": network_id, "project_id": DEMO, "updated_at": _TIME, "revision_number": 1, **plain, **vlan}


def _subnet(subnet_id: str, network_id: str, one: int) -> Json:
    words = {"name": f"sub-{one}", "enable_dhcp": True, "dns_nameservers": [], "host_routes": [], "ip_version": 4}
    place = {"cidr": f"10.{one >> 8}.{one & 255}.0/24", "gateway_ip": _address(one, 1), "network_id": network_id}
    return {"id": subnet_id, "project_id": DEMO, "updated_at": _TIME, "revision_number": 1, **words, **place}


def _slice(piece: Slice, subnet: Json, network: Json) -> Json:
    ips = [{"subnet_id": subnet["id"], "ip_address": piece.addresses[0]}]
    held = {"device_owner": "network:dhcp", "device_id": "tricircle-00", "binding:host_id": HOST, "fixed_ips": ips}
    return {"id": piece.port_id, "network_id": network["id"], "project_id": SERVICE, "updated_at": _TIME, **held}


def _share(policy_id: str, network_id: str) -> Json:
    what = {"object_type": "network", "object_id": network_id, "action": "access_as_shared", "target_tenant": DEMO}
    return {"id": policy_id, "project_id": SERVICE, **what}


def _group(group_id: str) -> Json:
    rule = {"id": group_id, "direction": "egress", "ethertype": "IPv4", "remote_group_id": None}
    words = {"name": "web", "stateful": True, "security_group_rules": [rule]}
    return {"id": group_id, "project_id": DEMO, "created_at": _TIME, "updated_at": _TIME, **words}


def _port(port_id: str, place: int, group: int, server_id: str, one: int) -> Json:
    mac = f"fa:16:{one >> 24 & 255:02x}:{one >> 16 & 255:02x}:{one >> 8 & 255:02x}:{one & 255:02x}"
    return {
        "id": port_id,
        "name": f"port-{one}",
        "project_id": DEMO,
        "network_id": number(2, place),
        "admin_state_up": True,
        "mac_address": mac,
        "port_security_enabled": True,
        "allowed_address_pairs": [],
        "fixed_ips": [{"subnet_id": number(3, place), "ip_address": _address(place, 10 + one // 200 % 200)}],
        "security_groups": [number(5, group)],
        "extra_dhcp_opts": [],
        "device_id": server_id,
        "device_owner": "compute:az1",
        "binding:host_id": HOST,
        "updated_at": _TIME,
        "revision_number": 1,
    }


def _address(network: int, host: int) -> str:
    return f"10.{network >> 8}.{network & 255}.{host}"


class _Lists:
    """Answers, with every object as the bytes that it will be."""

    def __init__(self, cloud: Cloud) -> None:
        self._things = {
            place: {key: {one["id"]: json.dumps(one) for one in things} for key, things in lists.items()}
            for place, lists in (("pod", cloud.pod), ("centre", cloud.centre))
        }
        slices = [one["id"] for one in cloud.centre["ports"] if one["device_owner"] == "network:dhcp"]
        self._slices = {one: self._things["centre"]["ports"][one] for one in slices}
        self._orders: dict[int, tuple[list[str], dict[str, int]]] = {}
        self.calls: Counter[str] = Counter()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        place, _, path = request.path.strip("/").partition("/")
        self.calls[f"{place} {path}"] += 1
        if path.startswith("v2.0/quotas"):
            return web.json_response({"project": {"project_id": SERVICE}})
        parts = path.split("/")
        key = {"types": "volume_types", "os-server-groups": "server_groups"}.get(parts[1], parts[1].replace("-", "_"))
        things = self._things[place].get(key, {})
        query = request.query
        if "id" in query:
            things = {one: things[one] for one in query.getall("id") if one in things}
        elif query.get("device_owner") and key == "ports":
            things = self._slices
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", PAGE_LIMIT))
        return self._page(key, things, query.get("marker"), offset, limit)

    def _page(self, key: str, things: Mapping[str, str], marker: str | None, offset: int, limit: int) -> web.Response:
        known = self._orders.get(id(things))
        if known is None or len(known[0]) != len(things):
            order = list(things)
            known = order, {one: at for at, one in enumerate(order)}
            if things is self._slices or any(things is lists.get(key) for lists in self._things.values()):
                self._orders[id(things)] = known
        order, places = known
        start = places[marker] + 1 if marker else offset
        taken = order[start : start + min(limit, PAGE_LIMIT)]
        links = '[{"rel": "next", "href": "/x"}]' if start + len(taken) < len(order) else "[]"
        body = f'{{"{key}": [{", ".join(things[one] for one in taken)}], "{key}_links": {links}}}'
        return web.Response(text=body, content_type="application/json")


@contextmanager
def pretended(size: Size) -> Iterator[tuple[int, Connection]]:
    """Port, and a pipe that answers anything with what was asked so far."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(size, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(_START_S):
            raise TimeoutError("the pretended services did not start")
        yield int(ours.recv()), ours
    finally:
        process.terminate()
        process.join()


def _run(size: Size, pipe: Connection) -> None:
    asyncio.run(_serve(_Lists(agreeing(size)), pipe))


async def _serve(lists: _Lists, pipe: Connection) -> None:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", lists)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    while await asyncio.to_thread(pipe.recv):
        pipe.send(dict(lists.calls))
