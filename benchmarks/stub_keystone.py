# SPDX-License-Identifier: Apache-2.0
"""A Keystone that finds one token good. ``python -m benchmarks.stub_keystone PORT``"""

import sys
from datetime import UTC, datetime, timedelta

from aiohttp import web

#: The token, and the project that it is for.
TOKEN = "b" * 180
#: What whoever signs in with a password gets.
SERVICE_TOKEN = "c" * 180
_OURS = ("admin", "service")
PROJECT = "0123456789abcdef0123456789abcdef"


def _token(url: str, roles: tuple[str, ...] = ("member", "reader")) -> dict[str, object]:
    ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    domain = {"id": "default", "name": "Default"}
    endpoint = {"id": "e", "interface": "internal", "region": "R", "region_id": "R", "url": f"{url}/v3"}
    return {
        "methods": ["password"],
        "user": {"id": "u" * 32, "name": "demo", "domain": domain},
        "project": {"id": PROJECT, "name": "demo", "domain": domain},
        "roles": [{"id": name, "name": name} for name in roles],
        "expires_at": ends,
        "issued_at": ends,
        "catalog": [{"id": "i", "type": "identity", "name": "keystone", "endpoints": [endpoint]}],
    }


async def _answer(request: web.Request) -> web.StreamResponse:
    url = f"http://{request.host}"
    if request.path.rstrip("/") == "/v3":
        links = [{"rel": "self", "href": f"{url}/v3/"}]
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})
    await request.read()
    if request.method == "POST":
        body = {"token": _token(url, _OURS)}
        return web.json_response(body, status=201, headers={"X-Subject-Token": SERVICE_TOKEN})
    if request.headers.get("X-Subject-Token") == SERVICE_TOKEN:
        return web.json_response({"token": _token(url, _OURS)})
    if request.headers.get("X-Subject-Token") != TOKEN:
        return web.json_response({"error": {"code": 404, "title": "Not Found", "message": "no"}}, status=404)
    return web.json_response({"token": _token(url)})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", _answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
