# SPDX-License-Identifier: Apache-2.0
"""A region's services with just what registration, limits, aggregates and inspection call, on one real socket.

Answers are cut from those of real services. What a service shall do wrong is said with ``broken``: a status for all
its answers, or ``"garbage"`` for a page that is no answer of its API.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.unit.servers import serving

#: Catalog type -> path of the service behind the server's root, and what the catalog has behind it.
SERVICES = {
    "compute": ("/compute", "/v2.1"),
    "block-storage": ("/volume", "/v3/%(project_id)s"),
    "image": ("/image", ""),
    "network": ("/network", ""),
    "placement": ("/placement", ""),
}
VERSIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "compute": (200, {"versions": [{"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1"}]}),
    "block-storage": (
        300,
        {"versions": [{"id": "v3.0", "status": "CURRENT", "version": "3.71", "min_version": "3.0"}]},
    ),
    "image": (300, {"versions": [{"id": "v2.16", "status": "CURRENT"}, {"id": "v2.0", "status": "SUPPORTED"}]}),
    "network": (200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}]}),
    "placement": (200, {"versions": [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39", "links": []}]}),
    "identity": (300, {"versions": {"values": [{"id": "v3.14", "status": "stable", "links": []}]}}),
}
EXTENSIONS = ("port-security", "provider", "quotas", "security-group", "standard-attr-description", "router")
DEFAULTS = {
    "compute": {"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100},
    "block-storage": {"volumes": 10, "gigabytes": 1000, "volumes_lvm": -1},
    "network": {"network": 100, "port": 500},
}


class FakeRegion:
    """One region. Everything is public: tests read it and change it."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.broken: dict[str, int | str] = {}
        self.refused: dict[str, int] = {}
        self.zone = "nova"
        self.extensions = list(EXTENSIONS)
        self.projects = {"p1", "p2"}
        self.lists_quotas = True
        self.has_unified_limits = False
        self.quotas: dict[tuple[str, str], dict[str, int]] = {}
        self.aggregates: dict[int, dict[str, Any]] = {}
        self.networking: dict[str, list[dict[str, Any]]] = {"networks": [], "subnets": [], "ports": []}
        self.date: str | None = None
        self.room: list[dict[str, Any]] = [{"allocations": {}}]
        self._ids = itertools.count(1)

    def url(self, service: str) -> str:
        """The root of a service, as the settings of the centre have it."""
        path = {"identity": "/identity", **{name: place[0] for name, place in SERVICES.items()}}[service]
        return f"http://127.0.0.1:{self.port}{path}"

    def catalog_url(self, service: str) -> str:
        """The URL of a service, as the catalog has it."""
        return self.url(service) + SERVICES[service][1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every call to every service."""
        roots = {place[0]: name for name, place in SERVICES.items()} | {"/identity": "identity"}
        root = "/" + request.path.split("/")[1]
        service, path = roots[root], request.path.removeprefix(root)
        self.calls.append(f"{request.method} {service} {path}")
        self.tokens.add(request.headers.get("x-auth-token", ""))
        ailment = self.refused.get(self.calls[-1], self.broken.get(service))
        if isinstance(ailment, int):
            return web.json_response({"error": {"code": ailment, "message": "no"}}, status=ailment)
        if ailment == "garbage":
            return web.Response(text="<html>It works!</html>", content_type="text/html")
        if path == "/":
            status, document = VERSIONS[service]
            return self._said(document, status)
        return await self._resource(service, path, request)

    def _said(self, body: Any, status: int = 200) -> web.Response:
        headers = {"Date": self.date} if self.date else {}
        return web.json_response(body, status=status, headers=headers)

    async def _resource(self, service: str, path: str, request: web.Request) -> web.StreamResponse:
        if service == "placement":
            return self._said({"allocation_requests": self.room})
        name = path.split("/")[2]
        if name == "os-services":
            return self._said({"services": []})
        if name == "os-aggregates":
            return await self._aggregates(path, request)
        if service == "network" and name in self.networking:
            return self._networking(name, path, request)
        if name in ("os-quota-sets", "quotas"):
            if path.count("/") == 2 and self.lists_quotas:
                listed = {project: limits for (one, project), limits in self.quotas.items() if one == service}
                return self._said({"quotas": [{**limits, "project_id": one} for one, limits in listed.items()]})
            if path.count("/") == 2:
                return self._said({}, 500)
            return await self._quotas(service, path.split("/")[3], request)
        answers: dict[str, Any] = {
            "os-availability-zone": {"availabilityZoneInfo": [{"zoneName": self.zone}]},
            "availability_zones": {"availability_zones": [{"name": self.zone}]},
            "extensions": {"extensions": [{"alias": alias} for alias in self.extensions]},
            "agents": {
                "agents": [{"configurations": {"bridge_mappings": {"stretch": "br-x"}}}, {"configurations": {}}]
            },
            "rbac-policies": {"rbac_policies": []},
            "os-quota-class-sets": {"quota_class_set": {"instances": 10, "cores": 20, "ram": 51200}},
            "os-hypervisors": {
                "hypervisor_statistics": {"memory_mb": 1000, "free_ram_mb": 250, "vcpus": 1, "vcpus_used": 4}
            },
            "scheduler-stats": {"pools": [{"capabilities": {"total_capacity_gb": 10, "free_capacity_gb": 5}}]},
        }
        return self._said(answers[name]) if name in answers else self._said({}, 404)

    def _networking(self, name: str, path: str, request: web.Request) -> web.StreamResponse:
        things = self.networking[name]
        if path.count("/") > 2:
            found = next((thing for thing in things if thing["id"] == path.split("/")[3]), None)
            fault = {"NeutronError": {"type": "NetworkNotFound", "message": "not found", "detail": ""}}
            return self._said(fault, 404) if found is None else self._said({name.removesuffix("s"): found})
        wanted = {key: value for key, value in request.query.items() if key not in ("limit", "marker")}
        is_after = "marker" not in request.query
        page = [t for t in things if is_after and all(t.get(key) == value for key, value in wanted.items())]
        return self._said({name: page})

    async def _quotas(self, service: str, project: str, request: web.Request) -> web.StreamResponse:
        key = "quota" if service == "network" else "quota_set"
        if service == "compute" and project not in self.projects:
            fault = {"badRequest": {"code": 400, "message": f"Project ID {project} is not a valid project."}}
            return self._said(fault, 400)
        if service == "network" and request.method == "GET" and (service, project) not in self.quotas:
            return self._said({key: DEFAULTS[service]})  # whoever looks changes nothing, as a survey does
        limits = self.quotas.setdefault((service, project), dict(DEFAULTS[service]))
        if request.method == "PUT" and not self.has_unified_limits:
            limits.update((await request.json())[key])
        return self._said({key: {**limits, "id": project} if key == "quota_set" else limits})

    async def _aggregates(self, path: str, request: web.Request) -> web.StreamResponse:
        found = self.aggregates.get(int(path.split("/")[3])) if path.count("/") > 2 else None
        if request.method == "GET":
            return self._said({"aggregates": list(self.aggregates.values())})
        if found is not None and path.endswith("/action"):
            found.setdefault("metadata", {}).update((await request.json())["set_metadata"]["metadata"])
            return self._said({"aggregate": found})
        wanted = {} if request.method == "DELETE" else (await request.json())["aggregate"]
        if wanted.get("availability_zone") == "internal":
            fault = {"code": 400, "message": "Cannot use the reserved zone."}
            return self._said({"badRequest": fault}, 400)
        if request.method == "POST":
            if any(item["name"] == wanted["name"] for item in self.aggregates.values()):
                return self._said({"conflictingRequest": {"code": 409, "message": "Aggregate exists."}}, 409)
            made = {"id": next(self._ids), **wanted}
            self.aggregates[made["id"]] = made
            return self._said({"aggregate": made})
        if found is None:
            return self._said({"itemNotFound": {"code": 404, "message": "no such aggregate"}}, 404)
        if request.method == "DELETE":
            del self.aggregates[found["id"]]
            return web.Response(status=200)
        found.update(wanted)
        return self._said({"aggregate": found})


@asynccontextmanager
async def region() -> AsyncIterator[FakeRegion]:
    """A region that answers until the end of the block."""
    made = FakeRegion()
    async with serving(made.answer) as port:
        made.port = port
        yield made
