# SPDX-License-Identifier: Apache-2.0
"""Does our own token stand beside the caller's where it must, and nowhere else?"""

import time
from dataclasses import replace

import pytest

from tests.unit.road.scripted import World, caller, json_reply, pod, request
from tricircle.context import RequestContext
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.vouching import is_harmless

ONE = pod("Pod1", "az1")
ID = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11"
SERVER = {"server": {"id": ID, "tenant_id": "p1", "created": "2026-01-02T03:04:05Z"}}
VOUCHED = (b"x-service-token", b"our-token")


def bound() -> RequestContext:
    """Whose credential has access rules."""
    return replace(caller(), has_access_rules=True)


def ended(seconds: float) -> RequestContext:
    """Whose token ends in so many seconds."""
    return replace(caller(), expires_at=time.time() + seconds)


async def sent(
    context: RequestContext, asked: tuple[str, str], then: tuple[str, str] | None = None, **more: str
) -> bool:
    """Whether a call to a pod was vouched for. ``then``: verb and path of the call, if they are not the client's."""
    storage = "storage" in more
    world = World((ONE,), service=Service.BLOCK_STORAGE if storage else Service.COMPUTE)
    root = "/v3" if storage else "/v2.1"
    method, path = then or asked
    world.upstreams.said["id-Pod1", root + path] = json_reply(200, {})
    here = request(*asked, root=root, context=context)
    await world.carrier.to_pod(here, ONE, method=method, path=path, query=b"a=b", body=b"{}")
    ((_, call),) = world.upstreams.calls
    assert (b"x-auth-token", b"users-token") in call.headers
    return VOUCHED in call.headers


async def test_what_a_client_asks_for_goes_alone() -> None:
    """The pod holds the same call against the same rules as we did."""
    for who in (caller(), bound(), ended(3600)):
        assert not await sent(who, ("POST", "/servers"))


async def test_a_look_on_the_way_is_held_against_no_rule() -> None:
    assert await sent(bound(), ("POST", "/servers"), ("GET", f"/servers/{ID}"))
    assert await sent(bound(), ("GET", f"/servers/{ID}"), ("DELETE", f"/servers/{ID}"))
    assert await sent(bound(), ("POST", "/backups"), ("GET", "/volumes/detail"), storage="")
    assert not await sent(caller(), ("POST", "/servers"), ("GET", f"/servers/{ID}"))


@pytest.mark.parametrize("left_s", [-30, 1])
async def test_a_token_that_ends_on_the_way_is_good_to_the_end(left_s: float) -> None:
    assert await sent(ended(left_s), ("POST", "/servers"))
    assert await sent(ended(left_s), ("POST", "/volumes"), storage="")


async def test_a_volume_in_use_is_never_detached_by_us() -> None:
    """Cinder takes whoever has a service token for Nova."""
    for who in (ended(-1), bound()):
        for method, path in (("DELETE", f"/attachments/{ID}"), ("POST", f"/volumes/{ID}/action")):
            assert not await sent(who, (method, path), storage="")
            assert not await sent(who, ("GET", "/volumes"), (method, path), storage="")


def test_nothing_of_networks_and_images_is_vouched_for() -> None:
    for service in (Service.NETWORK, Service.IMAGE, Service.IDENTITY):
        assert not any(is_harmless(service, method, "/v2.0/ports") for method in ("GET", "POST", "DELETE"))


async def test_a_search_is_held_against_no_rule() -> None:
    world = World((ONE,))
    world.upstreams.said["id-Pod1", f"/v2.1/servers/{ID}"] = json_reply(200, SERVER)
    await world.locator.locate(Kind.SERVER, ID, bound())
    assert VOUCHED in world.upstreams.calls[0][1].headers
