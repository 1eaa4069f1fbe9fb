# SPDX-License-Identifier: Apache-2.0
"""What goes to an upstream, what comes back, and what is written down on the way?"""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.unit.road.scripted import LINK_HOST, World, json_reply, pod, request
from tests.unit.road.two_pods import ID, ONE, SERVER_ROW, TWO, world
from tricircle.errors import InvalidRequestError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import PodState, Service
from tricircle.model.routing import Kind
from tricircle.road.rewrite import Facts, Item, Shape
from tricircle.road.row import Behaviour, Row
from tricircle.upstream.reply import Call, Reply


async def test_a_routed_call_reaches_its_pod_as_the_client_sent_it() -> None:
    """Path, query, body and the negotiated version; the user's token; nothing that claims an identity."""
    there = world()
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}/action"] = json_reply(202, {})
    row = Row(("POST",), "/servers/{server_id}/action", Behaviour.ROUTE, kind=Kind.SERVER, id_param="server_id")
    asked = request(
        "POST",
        f"/servers/{ID}/action",
        query="a=%2F&b",
        body=b'{"os-start": null}',
        params={"server_id": ID},
        microversion=(2, 79),
        headers=[
            (b"x-auth-token", b"users-token"),
            (b"content-type", b"application/json"),
            (b"openstack-api-version", b"compute latest"),
            (b"x-openstack-nova-api-version", b"latest"),
            (b"x-service-token", b"stolen"),
            (b"x-roles", b"admin"),
            (b"x-forwarded-host", b"evil"),
            (b"cookie", b"c"),
        ],
    )
    answer = await there.carrier.route(asked, row)
    assert answer.status == 202
    target, call = there.upstreams.calls[0]
    assert (target.pod, call.method, call.path) == ("id-Pod2", "POST", f"/v2.1/servers/{ID}/action?a=%2F&b")
    assert call.body == b'{"os-start": null}'
    headers = dict(call.headers)
    assert headers[b"x-auth-token"] == b"users-token"
    assert headers[b"openstack-api-version"] == b"compute 2.79"
    assert headers[b"accept-encoding"] == b"identity"
    assert headers[b"x-openstack-request-id"] == b"req-ours"
    assert not {b"x-service-token", b"x-roles", b"x-forwarded-host", b"cookie"} & set(headers)
    assert [value for name, value in call.headers if name == b"openstack-api-version"] == [b"compute 2.79"]


async def test_an_answer_holds_nothing_of_the_pod() -> None:
    """Links, Location and request ids are ours or named apart; unknown headers stay behind."""
    there = world()
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = json_reply(
        200,
        {"server": {"id": ID, "links": [{"href": f"http://{LINK_HOST}/compute/v2.1/servers/{ID}"}]}},
        (b"location", f"http://{LINK_HOST}/compute/v2.1/servers/{ID}".encode()),
        (b"server", b"pod2-api"),
        (b"x-openstack-request-id", b"req-7e1"),
        (b"openstack-api-version", b"compute 2.1"),
    )
    answer = await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)
    ours = f"https://cloud.example/compute/v2.1/servers/{ID}"
    assert isinstance(answer.body, bytes)
    assert msgspec.json.decode(answer.body) == {"server": {"id": ID, "links": [{"href": ours}]}}
    assert dict(answer.headers) == {
        b"content-type": b"application/json",
        b"location": ours.encode(),
        b"x-openstack-upstream-request-id": b"req-7e1",
        b"openstack-api-version": b"compute 2.1",
    }


async def test_a_header_that_leads_to_the_pod_stays_behind() -> None:
    """Whatever a pod names there that is not ours, nobody shall know."""
    there = world()
    headers = [(b"location", b"http://pod2-glance:9292/v2/images/x"), (b"location", b"/v2.1/servers")]
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = json_reply(200, {}, *headers)
    answer = await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)
    assert [value for name, value in answer.headers if name == b"location"] == [b"/v2.1/servers"]


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [("DELETE", 504, OutcomeUnknownError), ("GET", 504, UnavailableError), ("DELETE", 503, UnavailableError)],
)
async def test_the_page_of_a_server_before_the_pod_is_not_shown(
    method: str, status: int, error: type[Exception]
) -> None:
    """It names itself."""
    there = World((TWO,), fault_shape=Shape(apply=lambda item, _facts: item))
    there.routings.add(Kind.SERVER, ID, TWO)
    page = Reply(status=status, headers=[], body=b"<address>Apache at pod2-api-3 Port 8774</address>")
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = page
    with pytest.raises(error):
        await there.carrier.route(request(method, f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)


async def test_a_401_sends_the_client_to_our_identity_door() -> None:
    """The pod would name the address of its own setting."""
    there = world()
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = json_reply(
        401, {"error": {}}, (b"www-authenticate", b'Keystone uri="http://pod2.internal:5000"')
    )
    answer = await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)
    assert answer.header(b"www-authenticate") == b'Keystone uri="https://cloud.example/identity"'


def upper(item: Item, facts: Facts) -> Item:
    return {**item, "zone": facts.pod.az_name, "known": facts.known}


async def test_items_are_shaped_and_errors_are_not() -> None:
    """A shape is about items; what is prepared for it is prepared once per answer."""
    prepared: list[int] = []

    async def prepare(pod: object, context: object, items: object) -> str:
        prepared.append(1)
        return "ready"

    there = world()
    path = f"/v2.1/servers/{ID}"
    row = Row(
        ("GET",),
        "/servers/{server_id}",
        Behaviour.ROUTE,
        kind=Kind.SERVER,
        id_param="server_id",
        singular="server",
        shape=Shape(apply=upper, prepare=prepare),
    )
    there.upstreams.said["id-Pod2", path] = json_reply(200, {"server": {"id": ID}})
    answer = await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), row)
    assert isinstance(answer.body, bytes)
    assert msgspec.json.decode(answer.body) == {"server": {"id": ID, "zone": "az2", "known": "ready"}}
    there.upstreams.said["id-Pod2", path] = json_reply(409, {"server": {"id": ID, "message": "no"}})
    answer = await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), row)
    assert answer.body == b'{"server":{"id":"' + ID.encode() + b'","message":"no"}}'
    assert prepared == [1]


async def test_failures_to_send_go_up() -> None:
    """The road's faults say which of the two it was."""
    there = world()
    for error in (UnavailableError("x"), OutcomeUnknownError("x")):
        there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = error
        with pytest.raises(type(error)):
            await there.carrier.route(request("DELETE", f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)


async def test_fan_out_asks_pods_in_use_and_names_those_that_are_missing() -> None:
    """Each within the list's deadline; an error of 5xx is no answer."""
    off = pod("Pod3", "az3", state=PodState.DISABLED)
    there = World((ONE, TWO, off, pod("Pod4", "az4"), pod("Pod5", "az5")))
    there.upstreams.said["id-Pod1", "/v2.1/limits"] = json_reply(200, {"limits": 1})
    there.upstreams.said["id-Pod2", "/v2.1/limits"] = json_reply(503, {})
    there.upstreams.said["id-Pod4", "/v2.1/limits"] = UnavailableError("down")
    there.upstreams.said["id-Pod5", "/v2.1/limits"] = Reply(status=200, headers=[], body=b"<html>")
    found = await there.carrier.fan_out(request("GET", "/limits"), query=b"x=1")
    assert [(member.name, reply.json()) for member, reply in found.replies] == [("Pod1", {"limits": 1})]
    assert [(gap.pod.name, gap.reason) for gap in found.gaps] == [
        ("Pod2", "no answer"), ("Pod4", "no answer"), ("Pod5", "no answer"), ("Pod3", "disabled"),
    ]  # fmt: skip
    assert {asked[2] for asked in there.upstreams.asked()} == {"/v2.1/limits?x=1"}


async def test_paths_and_bodies_may_be_given() -> None:
    """Under the version that the client used; a body of ours goes as JSON, and a GET of ours without one."""
    there = world()
    asked = request("POST", "/servers", root="/v2.1/0f0f", body=b'{"theirs": 1}')
    await there.carrier.to_pod(asked, ONE, path="/flavors", body={"ours": 1})
    await there.carrier.to_pod(asked, ONE, path="/servers")
    await there.carrier.to_pod(asked, ONE, method="GET", path="/servers/x", query=b"")
    assert [(call.method, call.path, call.body) for _, call in there.upstreams.calls] == [
        ("POST", "/v2.1/0f0f/flavors", b'{"ours":1}'),
        ("POST", "/v2.1/0f0f/servers", b'{"theirs": 1}'),
        ("GET", "/v2.1/0f0f/servers/x", None),
    ]


async def test_streams_stay_streams() -> None:
    """Neither direction is held in memory, and the length is told."""
    there = World((ONE,), service=Service.IMAGE, prefix="/image")
    closed: list[int] = []

    async def data() -> AsyncIterator[bytes]:
        yield b"http://upstream.invalid/"
        yield b"not a link"

    async def close() -> None:
        closed.append(1)

    def say(call: Call) -> Reply:
        assert call.is_streamed
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"34")]
        return Reply(status=200, headers=headers, body=data(), close=close)

    there.upstreams.said["central", "/v2/images/i/file"] = say
    asked = request("PUT", "/images/i/file", root="/v2", body=b"image data", headers=[(b"content-length", b"10")])
    answer = await there.carrier.central(asked, is_streamed=True)
    assert there.upstreams.bodies == [b"image data"]
    assert (b"content-length", b"10") in there.upstreams.calls[0][1].headers
    assert not isinstance(answer.body, bytes)
    assert [chunk async for chunk in answer.body] == [b"http://upstream.invalid/", b"not a link"]
    assert answer.header(b"content-length") == b"34"
    assert answer.close is not None
    await answer.close()
    assert closed == [1]


async def test_errors_of_streamed_calls_are_rewritten() -> None:
    """They are short texts, and may hold links."""
    there = World((ONE,), service=Service.IMAGE, prefix="/image")
    closed: list[int] = []

    async def data() -> AsyncIterator[bytes]:
        yield b"<a href='http://central.int"
        yield b"ernal/image/v2'>"

    async def close() -> None:
        closed.append(1)

    there.upstreams.said["central", "/v2/images/i/file"] = lambda _: Reply(
        status=404, headers=[(b"content-type", b"text/html"), (b"content-length", b"99")], body=data(), close=close
    )
    answer = await there.carrier.central(request("GET", "/images/i/file", root="/v2"), is_streamed=True)
    assert answer.body == b"<a href='https://cloud.example/image/v2'>"
    assert answer.header(b"content-length") is None
    assert closed == [1]


@pytest.mark.parametrize("marker", ["detail", "detail%2F", "summary", "..", f"{ID}%2Faction"])
async def test_a_marker_that_is_no_id_is_unknown(marker: str) -> None:
    """In the service's words, and no pod is asked for what stands there instead."""
    from tricircle.road.listing import Listing, Paging

    there = World((ONE, TWO))
    for one in (ONE, TWO):
        there.upstreams.said[one.id, "/v2.1/servers"] = json_reply(200, {"servers": []})
    listing = Listing(paging=Paging.NOVA, links="servers_links", fields={"created_at": "created"})
    row = Row(("GET",), "/servers", Behaviour.GATHER, kind=Kind.SERVER, collection="servers", listing=listing)
    with pytest.raises(InvalidRequestError, match=r"marker \[.*\] not found"):
        await there.carrier.gather(request("GET", "/servers", query=f"marker={marker}"), row)
    assert {path for _, _, path in there.upstreams.asked()} == {"/v2.1/servers?limit=1"}


async def test_what_a_service_refuses_anyway_it_refuses_before_it_looks_for_a_marker() -> None:
    """Who may not see the list, or asks for it in a wrong form."""
    from tricircle.road.listing import Listing, Paging

    there = World((ONE, TWO))
    for one in (ONE, TWO):
        there.upstreams.said[one.id, "/v2.1/servers"] = json_reply(403, {"forbidden": {"code": 403, "message": "no"}})
    listing = Listing(paging=Paging.NOVA)
    row = Row(("GET",), "/servers", Behaviour.GATHER, kind=Kind.SERVER, collection="servers", listing=listing)
    asked = request("GET", "/servers", query="marker=nobodys&limit=5&a=b")
    assert (await there.carrier.gather(asked, row)).status == 403
    assert {path for _, _, path in there.upstreams.asked()} == {"/v2.1/servers?limit=5&a=b"}


@pytest.mark.parametrize(("status", "seen"), [(400, 400), (200, 200), (404, 200)])
async def test_what_cinder_says_to_a_limit_that_is_there_twice(status: int, seen: int) -> None:
    """It takes one for a filter; whether it knows filters of any name, the centre says. Of what is there it knows
    nothing.
    """
    from tricircle.road.listing import Listing, Paging

    there = World((ONE, TWO), service=Service.BLOCK_STORAGE)
    there.upstreams.said["central", "/v2.1/volumes"] = json_reply(status, {"said": "by the centre"})
    for one in (ONE, TWO):
        there.upstreams.said[one.id, "/v2.1/volumes"] = json_reply(200, {"volumes": []})
    row = Row(("GET",), "/volumes", Behaviour.GATHER, collection="volumes", listing=Listing(paging=Paging.CINDER))
    answer = await there.carrier.gather(request("GET", "/volumes", query="limit=1&limit=1"), row)
    assert answer.status == seen
    assert (b"by the centre" in (answer.body if isinstance(answer.body, bytes) else b"")) is (seen == 400)


async def test_a_gathered_list_of_two_pods() -> None:
    """Through the carrier: links are ours, the marks name AZs, an unknown marker is looked for."""
    from tricircle.road.listing import Listing, Paging

    there = World((ONE, TWO))
    listing = Listing(
        paging=Paging.NOVA, links="servers_links", fields={"created_at": "created"}, brief=("id", "links")
    )
    row = Row(
        ("GET",),
        "/servers",
        Behaviour.GATHER,
        kind=Kind.SERVER,
        collection="servers",
        detail_path="/servers/detail",
        listing=listing,
    )
    link = f"http://{LINK_HOST}/compute/v2.1/servers/a"
    there.upstreams.said["id-Pod1", "/v2.1/servers/detail"] = json_reply(
        200, {"servers": [{"id": "a", "created": "2026-01-01T00:00:00Z", "name": "n", "links": [{"href": link}]}]}
    )
    there.upstreams.said["id-Pod2", "/v2.1/servers/detail"] = UnavailableError("down")
    answer = await there.carrier.gather(request("GET", "/servers", query="limit=1"), row)
    assert isinstance(answer.body, bytes)
    assert msgspec.json.decode(answer.body) == {
        "servers": [{"id": "a", "links": [{"href": "https://cloud.example/compute/v2.1/servers/a"}]}],
        "servers_links": [{"rel": "next", "href": "https://cloud.example/compute/v2.1/servers?limit=1&marker=a"}],
    }
    assert answer.header(b"openstack-incomplete-azs") == b"az2"
    assert there.upstreams.asked()[0][2] == "/v2.1/servers/detail?limit=1"
    there.upstreams.said["id-Pod2", "/v2.1/servers/detail"] = json_reply(200, {"servers": []})
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = json_reply(
        200, {"server": {"id": ID, "tenant_id": "p1", "created": "2026-02-01T00:00:00Z"}}
    )
    await there.carrier.gather(request("GET", "/servers", query=f"limit=1&marker={ID}"), row)
    queries = {asked[0]: asked[2] for asked in there.upstreams.asked() if "detail" in asked[2]}
    assert queries["id-Pod2"].endswith(f"limit=1&marker={ID}")
    assert queries["id-Pod1"].endswith("?limit=1")
