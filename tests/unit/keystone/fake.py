# SPDX-License-Identifier: Apache-2.0
"""A Keystone with just what validation and the catalog need, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

TYPES = ("compute", "block-storage", "volumev3", "image", "network", "identity", "Cascading")


class FakeKeystone:
    """Tokens are entries of ``tokens``: what validation answers for them."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.validations = 0
        self.logins = 0
        self.is_down = False
        #: What a front says in its place, with 200, to whoever asks about a token.
        self.page: bytes | None = None
        self.delay_s = 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.life_s = 3600.0
        self.service_roles = ["admin", "service"]
        self.regions: dict[str, dict[str, Any]] = {}
        self.services: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.url = ""

    def issue(self, token: str, *, life_s: float = 3600.0, **more: Any) -> None:
        """Make ``token`` valid."""
        self.tokens[token] = {
            "methods": ["password"],
            "user": {"id": f"user-of-{token}", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
            "expires_at": (datetime.now(UTC) + timedelta(seconds=life_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "issued_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "catalog": [self._service(name) for name in TYPES],
            **more,
        }

    def _service(self, name: str) -> dict[str, Any]:
        endpoint = {"id": name, "interface": "internal", "region": "R", "region_id": "R", "url": f"{self.url}/v3"}
        return {"id": name, "type": name, "name": name, "endpoints": [endpoint, {**endpoint, "interface": "public"}]}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            return web.Response(status=503)
        path = request.path.rstrip("/")
        if path == "/v3":
            links = [{"rel": "self", "href": f"{self.url}/v3/"}]
            return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})
        if path == "/v3/auth/tokens":
            return await (self._login(request) if request.method == "POST" else self._validate(request))
        return await self._catalog(request)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.logins += 1
        name = f"service-{self.logins}"
        self.issue(name, life_s=self.life_s, roles=[{"id": one, "name": one} for one in self.service_roles])
        return web.json_response({"token": self.tokens[name]}, status=201, headers={"X-Subject-Token": name})

    async def _validate(self, request: web.Request) -> web.StreamResponse:
        self.validations += 1
        await self.gate.wait()
        await asyncio.sleep(self.delay_s)
        if self.page is not None:
            return web.Response(body=self.page, content_type="text/html")
        found = self.tokens.get(request.headers["X-Subject-Token"])
        if found is None:
            return web.json_response({"error": {"code": 404, "title": "Not Found", "message": "no"}}, status=404)
        return web.json_response({"token": found})

    async def _catalog(self, request: web.Request) -> web.StreamResponse:
        _root, _v3, plural, *rest = request.path.split("/")
        table: dict[str, dict[str, Any]] = getattr(self, plural)
        if request.method == "GET":
            region = request.query.get("region_id")
            found = [item for item in table.values() if region is None or item["region_id"] == region]
            return web.json_response({plural: found, "links": {"next": None}})
        (sent,) = (await request.json()).values()
        if request.method == "POST":
            sent.setdefault("id", f"{plural}-{len(table)}")
            table[sent["id"]] = sent
            return web.json_response({plural[:-1]: sent}, status=201)
        table[rest[0]].update(sent)
        return web.json_response({plural[:-1]: table[rest[0]]})


@asynccontextmanager
async def running() -> AsyncIterator[FakeKeystone]:
    """The fake, listening at its ``url``."""
    fake = FakeKeystone()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


CONFIG = """
[gateway]
public_endpoint = https://cloud.example.org
token_cache_s = 30
[central]
identity_url = {url}
[keystone_authtoken]
auth_type = password
auth_url = {url}/v3
username = tricircle
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
http_request_max_retries = 0
[service_user]
auth_type = password
auth_url = {url}/v3
username = tricircle
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
"""
