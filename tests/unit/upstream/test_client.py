# SPDX-License-Identifier: Apache-2.0
"""JSON calls of our own: identity, microversion, errors, pages."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from tests.unit.servers import Clock, serving, speaking, target
from tricircle.conf.settings import UpstreamSettings
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.errors import (
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    ServiceUserError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.model.pod import Service
from tricircle.upstream.client import Clients, collect
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import CENTRAL


class Tokens:
    async def token(self, deadline: Deadline) -> str:
        assert deadline.remaining_s() > 0
        return "service-token"


def soon() -> Deadline:
    return Deadline.after(5.0)


def caller() -> RequestContext:
    return RequestContext(
        request_id="req-1",
        token="user-token",
        user_id="u",
        project_id=ProjectId("p"),
        roles=frozenset({"member"}),
        deadline=soon(),
    )


async def test_one_call_does_not_take_the_whole_time_of_a_long_work(pools: Pools) -> None:
    heard = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += 1
        await reader.read()

    async with speaking(talk) as port, asyncio.timeout(20):
        client = Clients(pools, Tokens(), call_s=0.3).as_service(target(port))
        deadline = Deadline.after(3600)
        with pytest.raises(UnavailableError):
            await client.get("/v2.0/networks", deadline=deadline)
        with pytest.raises(OutcomeUnknownError):
            await client.post("/v2.0/networks", body={}, deadline=deadline)
        with pytest.raises(UnavailableError):
            await client.stream("GET", "/v2/images/x/file", deadline=deadline)
        assert heard == 3
        assert pools.is_open(target(port))


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": await request.text(),
        }
    )


async def test_for_a_user_both_tokens_go_along(pools: Pools) -> None:
    async with serving(echo) as port:
        client = Clients(pools, Tokens()).as_user(caller(), target(port), "2.79")
        got = await client.post("/v2.1/x", body={"a": 1}, params={"id": ["1", "2"]}, deadline=soon())
    headers = got["headers"]
    assert isinstance(headers, dict)
    assert headers["x-auth-token"] == "user-token"
    assert headers["x-service-token"] == "service-token"
    assert headers["openstack-api-version"] == "compute 2.79"
    assert headers["x-openstack-request-id"] == "req-1"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"
    assert got["path"] == "/v2.1/x?id=1&id=2"
    assert json.loads(str(got["body"])) == {"a": 1}


async def test_as_the_service_user_only_its_token_goes(pools: Pools) -> None:
    async with serving(echo) as port:
        got = await Clients(pools, Tokens()).as_service(target(port)).get("/v2.1/x", deadline=soon())
    headers = got["headers"]
    assert isinstance(headers, dict)
    assert headers["x-auth-token"] == "service-token"
    assert "x-service-token" not in headers


async def test_refusals_are_errors_unless_they_are_expected(pools: Pools) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        if request.path == "/empty":
            return web.Response(status=202)
        if request.path == "/list":
            return web.json_response([1])
        return web.json_response({"itemNotFound": {"message": "gone"}}, status=404)

    async with serving(refuse) as port:
        client = Clients(pools, Tokens()).as_service(target(port))
        assert await client.delete("/v2.1/x", deadline=soon(), ok=(404,)) == {}
        assert await client.post("/empty", deadline=soon()) == {}
        with pytest.raises(UpstreamStatusError) as caught:
            await client.get("/v2.1/x", deadline=soon())
        assert (caught.value.status, "gone" in caught.value.body) == (404, True)
        # From a pod, what cannot be read is no answer.
        with pytest.raises(UnavailableError):
            await client.get("/list", deadline=soon())
        with pytest.raises(OutcomeUnknownError):
            await client.post("/list", deadline=soon())
        central = Clients(pools, Tokens()).as_service(replace(target(port), pod=CENTRAL))
        with pytest.raises(BadUpstreamAnswerError):
            await central.get("/list", deadline=soon())


class RenewableTokens:
    def __init__(self) -> None:
        self.number = 1

    async def token(self, _deadline: Deadline) -> str:
        return f"token-{self.number}"

    def forget(self, token: str) -> None:
        if token == f"token-{self.number}":
            self.number += 1


async def test_a_refused_service_token_is_replaced_once(pools: Pools) -> None:
    seen: list[str] = []

    async def choosy(request: web.Request) -> web.StreamResponse:
        token = request.headers["x-auth-token"]
        seen.append(token)
        return web.json_response({"token": token}, status=200 if token == "token-2" else 401)

    async with serving(choosy) as port:
        tokens = RenewableTokens()
        client = Clients(pools, tokens).as_service(target(port))
        assert await client.post("/v2.1/x", body={}, deadline=soon()) == {"token": "token-2"}
        assert seen == ["token-1", "token-2"]
        tokens.number = 7
        with pytest.raises(UpstreamStatusError):
            await client.get("/v2.1/x", deadline=soon())
        assert seen[2:] == ["token-7", "token-8"]


@pytest.mark.parametrize(
    "following",
    [
        {"things_links": [{"rel": "next", "href": "http://pod1.example/public/v2/things?marker=1"}]},
        {"next": "/v2/things?marker=1"},
        {"links": {"next": "http://keystone.example:5000/root/v2/things?marker=1", "previous": None}},
    ],
)
async def test_all_pages_are_collected(pools: Pools, following: dict[str, object]) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        assert request.path == "/root/v2/things"
        if "marker" in request.query:
            return web.json_response({"things": [{"id": 2}], "links": {"next": None}})
        return web.json_response({"things": [{"id": 1}], **following})

    async with serving(page) as port:
        client = Clients(pools, Tokens()).as_service(target(port, "/root"))
        assert await collect(client, "/v2/things", "things", soon(), {"limit": 1}) == [{"id": 1}, {"id": 2}]


async def test_pages_that_go_round_in_a_circle_are_refused(pools: Pools) -> None:
    async def page(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"things": [], "next": "/v2/things"})

    async with serving(page) as port:
        client = Clients(pools, Tokens()).as_service(target(port))
        with pytest.raises(BadUpstreamAnswerError):
            await collect(client, "/v2/things", "things", soon())


@pytest.mark.parametrize("things", [[], [{"id": 1}]])
async def test_pages_that_go_on_for_ever_are_refused(pools: Pools, things: list[dict[str, int]]) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("marker", "0"))
        return web.json_response({"things": things, "next": f"/v2/things?marker={number + 1}"})

    async with serving(page) as port:
        client = Clients(pools, Tokens()).as_service(target(port))
        with pytest.raises(BadUpstreamAnswerError):
            await collect(client, "/v2/things", "things", soon())


class Doubted:
    """Tokens of a service user who has the role, or lost it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_admin = False

    async def token(self, _deadline: Deadline) -> str:
        return "service-token"

    async def confirm(self, token: str, _deadline: Deadline) -> None:
        self.asked.append(token)
        if not self.is_admin:
            raise ServiceUserError("no role")


def saying(status: int, body: object) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


NEUTRON, NOVA = {"NeutronError": {"type": "PortNotFound"}}, {"itemNotFound": {"code": 404, "message": "x"}}


@pytest.mark.parametrize("body", [NEUTRON, NOVA], ids=["Neutron", "Nova"])
async def test_not_there_is_not_believed_when_the_role_was_lost(pools: Pools, body: object) -> None:
    """Whatever the caller takes for no error."""
    tokens = Doubted()
    async with serving(saying(404, body)) as port:
        client = Clients(pools, tokens).as_service(target(port))
        with pytest.raises(ServiceUserError):
            await client.delete("/v2.0/ports/1", deadline=soon(), ok=(404,))
        with pytest.raises(ServiceUserError):
            await client.get("/v2.0/ports/1", deadline=soon())
        with pytest.raises(ServiceUserError):
            await client.reply("GET", "/v2.0/ports/1", deadline=soon())
        tokens.is_admin = True
        assert await client.delete("/v2.0/ports/1", deadline=soon(), ok=(404,)) == {}
        assert (await client.reply("GET", "/v2.0/ports/1", deadline=soon())).status == 404
    assert tokens.asked == ["service-token"] * 5


async def test_glance_hides_with_other_words(pools: Pools) -> None:
    tokens = Doubted()

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="<html>No image found with ID x</html>", content_type="text/html")

    async with serving(answer) as port:
        image = replace(target(port), service=Service.IMAGE)
        client = Clients(pools, tokens).as_service(image)
        with pytest.raises(ServiceUserError):
            await client.stream("GET", "/v2/images/x/file", deadline=soon())
        with pytest.raises(UpstreamStatusError):
            # A service without such a path says nothing of things.
            await Clients(pools, tokens).as_service(replace(target(port), pod=CENTRAL)).get("/x", deadline=soon())
    assert len(tokens.asked) == 1


async def test_a_streamed_answer_that_is_doubted_gives_its_connection_back(clock: Clock) -> None:
    """Whoever asks again and again while the role is lost may not use up the connections of others."""
    tokens = Doubted()

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, body=b"x" * 100_000)

    pools = Pools(UpstreamSettings(connections_per_target=1, stream_idle_s=5.0), clock=clock)
    async with serving(answer) as port:
        client = Clients(pools, tokens).as_service(replace(target(port), service=Service.IMAGE))
        for _ in range(3):
            with pytest.raises(ServiceUserError):
                await client.stream("GET", "/v2/images/x/file", deadline=Deadline.after(1.0))
        await pools.close()
    assert len(tokens.asked) == 3


async def test_users_see_what_they_see(pools: Pools) -> None:
    tokens = Doubted()
    async with serving(saying(404, NEUTRON)) as port:
        client = Clients(pools, tokens).as_user(caller(), target(port))
        with pytest.raises(UpstreamStatusError):
            await client.get("/v2.0/ports/1", deadline=soon())
        await client.confirm(soon())
    assert tokens.asked == []


async def test_a_refusal_is_a_lost_role_or_a_refusal(pools: Pools) -> None:
    tokens = Doubted()
    async with serving(saying(403, {"NeutronError": {"type": "PolicyNotAuthorized"}})) as port:
        client = Clients(pools, tokens).as_service(target(port))
        with pytest.raises(ServiceUserError):
            await client.post("/v2.0/networks", body={}, deadline=soon())
        tokens.is_admin = True
        with pytest.raises(UpstreamStatusError):
            await client.post("/v2.0/networks", body={}, deadline=soon())


async def test_whoever_concludes_from_a_list_may_ask(pools: Pools) -> None:
    tokens = Doubted()
    clients = Clients(pools, tokens)
    client = clients.as_service(target(1))
    for ask in (client.confirm, clients.check_own):
        tokens.is_admin = False
        with pytest.raises(ServiceUserError):
            await ask(soon())
        tokens.is_admin = True
        await ask(soon())
    assert len(tokens.asked) == 4
    await Clients(pools, Tokens()).check_own(soon())
