# SPDX-License-Identifier: Apache-2.0
"""Do tenants see one region, ours, whatever they ask Keystone?"""

from typing import Any

import pytest

from tests.unit.road.asgi import ask
from tests.unit.road.scripted import PUBLIC, World, caller, json_reply
from tests.unit.road.test_pipeline import Enforcer
from tricircle.doors.identity.catalogs import narrowed_catalog
from tricircle.doors.identity.passage import Passage
from tricircle.doors.identity.rows import door
from tricircle.model.pod import Service
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.pipeline import Road

CATALOG = [
    {
        "type": "compute",
        "endpoints": [
            {"region": "RegionOne", "region_id": "RegionOne", "url": f"{PUBLIC}/compute/v2.1"},
            {"region": "CanaryPod1", "region_id": "CanaryPod1", "url": "http://canary"},
        ],
    },
    {"type": "placement", "endpoints": [{"region_id": "CanaryPod1", "url": "http://canary"}]},
]
NARROW = [{"type": "compute", "endpoints": [CATALOG[0]["endpoints"][0]]}]  # type: ignore[index]
REGIONS = [{"id": "RegionOne"}, {"id": "CanaryPod1", "parent_region_id": "RegionOne"}]


class House:
    """The identity door in front of a scripted Keystone."""

    def __init__(self) -> None:
        self.world = World((), service=Service.IDENTITY, prefix="/identity")
        self.world.validator.known = {"users-token": caller(), "admins-token": caller("p9", "admin")}
        self.said = self.world.upstreams.said
        self.say("/v3", 200, {"version": {"links": [{"rel": "self", "href": "https://keys.example:5000/v3/"}]}})
        passage = Passage(carrier=self.world.carrier, validator=self.world.validator, region="RegionOne")
        self.road = Road(
            [Entrance(door(passage), self.world.carrier)],
            validator=self.world.validator,
            enforcer=Enforcer(),
            pods=self.world.registry,
            settings=RoadSettings(
                body_limit=1000, request_deadline_s=30, boot_deadline_s=60, identity_url=f"{PUBLIC}/identity"
            ),
        )

    def say(self, path: str, status: int, body: Any, *headers: tuple[bytes, bytes]) -> None:
        self.said["central", path] = json_reply(status, body, *headers)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_tokens_carry_the_narrowed_catalog(house: House, method: str) -> None:
    """The token itself passes in its header, untouched."""
    token = {"token": {"user": {"id": "u"}, "catalog": CATALOG}}
    house.say("/v3/auth/tokens", 201, token, (b"x-subject-token", b"new-token"))
    got = await ask(house.road, method, "/identity/v3/auth/tokens?x", token=None, body=b'{"auth": {}}')
    assert (got.status, got.header(b"x-subject-token")) == (201, b"new-token")
    assert got.json() == {"token": {"user": {"id": "u"}, "catalog": NARROW}}
    assert b"anary" not in got.body
    sent = house.world.upstreams.calls[-1][1]
    assert sent.path == "/v3/auth/tokens?x"
    assert sent.body == (b'{"auth": {}}' if method == "POST" else None) or method == "GET"


async def test_a_token_without_catalog_stays_without(house: House) -> None:
    """``?nocatalog`` is passed on."""
    house.say("/v3/auth/tokens", 200, {"token": {"user": {}}})
    assert (await ask(house.road, "GET", "/identity/v3/auth/tokens?nocatalog")).json() == {"token": {"user": {}}}


async def test_catalog(house: House) -> None:
    """Administrators see the same one region: their own clients take the first endpoint that fits."""
    house.say("/v3/auth/catalog", 200, {"catalog": CATALOG, "links": {"self": "https://keys.example:5000/v3/auth"}})
    got = await ask(house.road, "GET", "/identity/v3/auth/catalog", token="admins-token")
    assert got.json() == {"catalog": NARROW, "links": {"self": "https://cloud.example/identity/v3/auth"}}


async def test_regions(house: House) -> None:
    """A tenant sees one, an administrator all; who has no valid token sees what a tenant sees."""
    house.say("/v3/regions", 200, {"regions": REGIONS})
    path = "/identity/v3/regions"
    assert (await ask(house.road, "GET", path)).json() == {"regions": REGIONS[:1]}
    assert (await ask(house.road, "GET", path, token="unknown")).json() == {"regions": REGIONS[:1]}
    assert (await ask(house.road, "GET", path, token="admins-token")).json() == {"regions": REGIONS}


async def test_a_region_that_tenants_do_not_know(house: House) -> None:
    """In Keystone's words."""
    house.say("/v3/regions/CanaryPod1", 200, {"region": REGIONS[1]})
    house.say("/v3/regions/RegionOne", 200, {"region": REGIONS[0]})
    got = await ask(house.road, "GET", "/identity/v3/regions/CanaryPod1")
    assert (got.status, got.json()["error"]["message"]) == (404, "Could not find region: CanaryPod1.")
    assert (await ask(house.road, "GET", "/identity/v3/regions/RegionOne")).status == 200
    admins = await ask(house.road, "GET", "/identity/v3/regions/CanaryPod1", token="admins-token")
    assert admins.status == 200


async def test_head_tells_no_more_than_get(house: House) -> None:
    """A status alone would tell that a region is there."""
    house.say("/v3/regions/CanaryPod1", 200, {"region": REGIONS[1]})
    house.say("/v3/regions/RegionOne", 200, {"region": REGIONS[0]})
    for path, status in (("/v3/regions/CanaryPod1", 404), ("/v3/regions/RegionOne", 200)):
        got = await ask(house.road, "HEAD", f"/identity{path}")
        assert (got.status, got.body) == (status, b"")
    assert (await ask(house.road, "HEAD", "/identity/v3/regions/CanaryPod1", token="admins-token")).status == 200


@pytest.mark.parametrize(("one", "many"), [("limit", "limits"), ("registered_limit", "registered_limits")])
async def test_limits_of_other_regions(house: House, one: str, many: str) -> None:
    """Limits name the regions in which they hold; one without a region holds in all of them."""
    limits = [{"id": "a", "region_id": None}, {"id": "b", "region_id": "RegionOne"}, {"id": "c", "region_id": "Pod1"}]
    house.say(f"/v3/{many}", 200, {many: limits})
    house.say(f"/v3/{many}/b", 200, {one: limits[1]})
    house.say(f"/v3/{many}/c", 200, {one: limits[2]})
    path = f"/identity/v3/{many}"
    assert (await ask(house.road, "GET", path)).json() == {many: limits[:2]}
    assert (await ask(house.road, "GET", path, token="admins-token")).json() == {many: limits}
    assert (await ask(house.road, "GET", f"{path}/b")).json() == {one: limits[1]}
    for method in ("GET", "HEAD"):
        assert (await ask(house.road, method, f"{path}/c")).status == 404


async def test_endpoints(house: House) -> None:
    """Where a deployment's policy shows them to tenants."""
    endpoints = [{"region_id": "RegionOne"}, {"region_id": "CanaryPod1"}]
    house.say("/v3/endpoints", 200, {"endpoints": endpoints})
    assert (await ask(house.road, "GET", "/identity/v3/endpoints")).json() == {"endpoints": endpoints[:1]}
    house.say("/v3/endpoints", 403, {"error": {"code": 403}})
    assert (await ask(house.road, "GET", "/identity/v3/endpoints")).status == 403


async def test_links_are_ours_also_where_keystone_has_a_name_of_its_own(house: House) -> None:
    """Learnt once from its version document."""
    link = "https://keys.example:5000/v3/users/u"
    house.say("/v3/users/u", 200, {"user": {"links": {"self": link}}})
    for _ in range(2):
        got = await ask(house.road, "GET", "/identity/v3/users/u")
        assert got.json() == {"user": {"links": {"self": "https://cloud.example/identity/v3/users/u"}}}
    assert [call.path for _, call in house.world.upstreams.calls].count("/v3") == 1


async def test_version_documents(house: House) -> None:
    """300 is an answer like others; no token is needed, and none is asked for."""
    house.said["central", "/"] = json_reply(
        300, {"versions": {"values": [{"href": "http://central.internal/identity/v3/"}]}}
    )
    got = await ask(house.road, "GET", "/identity/", token=None)
    assert got.status == 300
    assert got.json() == {"versions": {"values": [{"href": "https://cloud.example/identity/v3/"}]}}
    assert (await ask(house.road, "GET", "/identity/v3", token=None)).status == 200


async def test_keystone_is_sent_credentials_and_subject(house: House) -> None:
    """And nothing that claims an identity."""
    house.said["central", "/v3/auth/tokens"] = json_reply(204, {})
    headers = [(b"x-subject-token", b"old"), (b"x-service-token", b"s"), (b"x-user-id", b"root")]
    got = await ask(house.road, "DELETE", "/identity/v3/auth/tokens", headers=headers)
    assert got.status == 204
    sent = dict(house.world.upstreams.calls[-1][1].headers)
    assert (sent[b"x-auth-token"], sent[b"x-subject-token"]) == (b"users-token", b"old")
    assert b"x-service-token" not in sent
    assert b"x-user-id" not in sent
    assert house.world.validator.forgotten == ["old"]


async def test_refused_logins_are_keystones_words(house: House) -> None:
    """With our address to go to."""
    house.say("/v3/auth/tokens", 401, {"error": {"code": 401, "title": "Unauthorized"}})
    got = await ask(house.road, "POST", "/identity/v3/auth/tokens", token=None, body=b"{}")
    assert (got.status, got.json()["error"]["title"]) == (401, "Unauthorized")
    assert got.header(b"www-authenticate") == b'Keystone uri="https://cloud.example/identity"'


def test_odd_catalogs_do_not_break() -> None:
    """What is no list stays; what is no service goes."""
    assert narrowed_catalog(None, "R") is None
    assert narrowed_catalog([1, {"type": "x"}, {"endpoints": "odd"}], "R") == [{"endpoints": "odd"}]


async def test_keystones_own_name_is_asked_for_until_it_answers(house: House) -> None:
    """Else its links would be shown for as long as the process lives."""
    link = "https://keys.example:5000/v3/users/u"
    house.say("/v3/users/u", 200, {"user": {"links": {"self": link}}})
    document = house.said["central", "/v3"]
    house.say("/v3", 503, {})
    await ask(house.road, "GET", "/identity/v3/users/u")
    house.said["central", "/v3"] = document
    got = await ask(house.road, "GET", "/identity/v3/users/u")
    assert got.json() == {"user": {"links": {"self": "https://cloud.example/identity/v3/users/u"}}}
