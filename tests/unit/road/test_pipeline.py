# SPDX-License-Identifier: Apache-2.0
"""Does a request go its road, and is everything that stops it said in the door's words?"""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.unit.road.asgi import ask
from tests.unit.road.scripted import PUBLIC, World, caller, json_reply, pod
from tricircle.context import Deadline, RequestContext
from tricircle.errors import ConflictError, ForbiddenError, OutcomeUnknownError, UnavailableError
from tricircle.http.dialects import Dialect
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.front_page import front_page
from tricircle.road.pipeline import Road
from tricircle.road.row import Behaviour, Row
from tricircle.upstream.reply import Reply

ID = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11"
ONE, TWO = pod("Pod1", "az1", compute="2.90", block_storage="3.60"), pod("Pod2", "az2", compute="2.96")


class Enforcer:
    """Only administrators may."""

    def authorize(self, context: RequestContext, rule: str, target: Mapping[str, object] | None = None) -> None:
        if not context.is_admin:
            raise ForbiddenError(f"Policy doesn't allow {rule} to be performed.")


async def echo(request: Request) -> Answer:
    """What the road knows of a request."""
    body = await request.body()
    value = {
        "path": request.path,
        "root": request.root,
        "params": request.params,
        "version": request.microversion,
        "project": request.context.project_id,
        "body": len(body),
    }
    return Answer.json(200, value)


async def conflict(request: Request) -> Answer:
    raise ConflictError("It is in use.")


async def several(request: Request) -> Answer:
    raise ExceptionGroup("both", [ConflictError("first"), ExceptionGroup("in", [UnavailableError("second")])])


async def broken(request: Request) -> Answer:
    raise ExceptionGroup("both", [ConflictError("first"), KeyError("a bug")])


async def patience(request: Request) -> Answer:
    """How long one may wait."""
    return Answer.json(200, {"s": request.context.deadline.remaining_s()})


def ours(methods: str, path: str, handler: object = echo, **more: object) -> Row:
    return Row(tuple(methods.split()), path, Behaviour.OURS, handler=handler, **more)  # type: ignore[arg-type]


COMPUTE_ROWS = (
    ours("GET", "/echo/{name}"),
    ours("POST PUT", "/echo"),
    Row(("POST",), "/made", Behaviour.PLACE, handler=patience),
    ours("POST", "/patience", patience),
    ours("GET", "/admin", policy="rule:x"),
    ours("GET", "/", is_public=True),
    ours("GET", "/old", max_version="2.35"),
    ours("GET", "/new", min_version="2.36"),
    ours("GET", "/conflict", conflict),
    ours("GET", "/several", several),
    ours("GET", "/broken", broken),
    Row(("GET",), "/flavors", Behaviour.CENTRAL),
    ours("GET", "/servers/detail"),
    Row(("GET", "DELETE"), "/servers/{server_id}", Behaviour.ROUTE, kind=Kind.SERVER, id_param="server_id"),
)


class House:
    """Two doors on scripted surroundings."""

    def __init__(self) -> None:
        self.compute = World((ONE, TWO))
        self.volume = World((ONE, TWO), service=Service.BLOCK_STORAGE, prefix="/volume")
        self.compute.validator.known = {"users-token": caller(), "admins-token": caller("p9", "admin")}
        doors = [
            Door(
                name="compute",
                prefix="/compute",
                service=Service.COMPUTE,
                dialect=Dialect.COMPUTE,
                versions=frozenset(("v2.1", "v2")),
                unversioned=frozenset(("v2",)),
                rows=COMPUTE_ROWS,
                root_rows=(ours("GET", "/", is_public=True),),
                project_in_path=ProjectInPath.OPTIONAL,
                has_microversions=True,
                has_project_document=True,
            ),
            Door(
                name="block_storage",
                prefix="/volume",
                service=Service.BLOCK_STORAGE,
                dialect=Dialect.BLOCK_STORAGE,
                versions=frozenset(("v3",)),
                rows=(ours("GET", "/echo/{name}"),),
                project_in_path=ProjectInPath.OPTIONAL,
                has_microversions=True,
            ),
        ]
        self.road = Road(
            [Entrance(doors[0], self.compute.carrier), Entrance(doors[1], self.volume.carrier)],
            validator=self.compute.validator,
            enforcer=Enforcer(),
            pods=self.compute.registry,
            settings=RoadSettings(
                body_limit=10, request_deadline_s=30, boot_deadline_s=600, identity_url=f"{PUBLIC}/identity"
            ),
            root=front_page(PUBLIC, doors),
        )


@pytest.fixture
def house() -> House:
    return House()


async def test_the_road(house: House) -> None:
    """Identified, matched, negotiated; the answer says how long each stage took."""
    got = await ask(house.road, "GET", "/compute/v2.1/echo/a%20b?x=1")
    assert got.json() == {
        "path": "/v2.1/echo/a%20b",
        "root": "/v2.1",
        "params": {"name": "a b"},
        "version": [2, 1],
        "project": "p1",
        "body": 0,
    }
    assert got.header(b"openstack-api-version") == b"compute 2.1"
    assert got.header(b"x-openstack-nova-api-version") == b"2.1"
    assert (
        got.header(
            b"server-timing",
        )
        is not None
    )
    assert got.header(b"content-length") == str(len(got.body)).encode()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("compute 2.79", [2, 79]),
        ("compute latest", [2, 90]),
        ("volume 3.50", [2, 1]),
        ("compute 2.90, volume 3.1", [2, 90]),
    ],
)
async def test_microversions(house: House, header: str, version: list[int]) -> None:
    """``latest`` is the lowest maximum of all pods."""
    headers = [(b"openstack-api-version", header.encode())]
    got = await ask(house.road, "GET", "/compute/v2.1/echo/x", headers=headers)
    assert got.json()["version"] == version
    assert got.header(b"openstack-api-version") == f"compute {version[0]}.{version[1]}".encode()


async def test_a_version_out_of_range_is_refused_with_our_range(house: House) -> None:
    """Never with a pod's, and before anything is asked."""
    headers = [(b"openstack-api-version", b"compute 2.95")]
    got = await ask(house.road, "GET", f"/compute/v2.1/servers/{ID}", headers=headers)
    assert got.status == 406
    assert got.json()["computeFault"]["message"] == (
        "Version 2.95 is not supported by the API. Minimum is 2.1 and maximum is 2.90."
    )
    assert got.header(b"openstack-api-version") == b"compute 2.95"
    assert house.compute.upstreams.calls == []


async def test_a_malformed_version_is_400_without_version_headers(house: House) -> None:
    """As the service does."""
    headers = [(b"openstack-api-version", b"compute 2.latest")]
    got = await ask(house.road, "GET", "/compute/v2.1/echo/x", headers=headers)
    assert got.status == 400
    assert got.header(b"openstack-api-version") is None


async def test_the_old_prefix_knows_no_microversions(house: House) -> None:
    """Compute's /v2 ignores the header."""
    headers = [(b"openstack-api-version", b"compute 2.99")]
    got = await ask(house.road, "GET", "/compute/v2/echo/x", headers=headers)
    assert (got.status, got.json()["version"]) == (200, None)


async def test_the_old_prefix_has_what_the_lowest_version_has(house: House) -> None:
    """Rows that ended with a later microversion are there."""
    assert (await ask(house.road, "GET", "/compute/v2/old")).status == 200
    assert (await ask(house.road, "GET", "/compute/v2/new")).status == 404


@pytest.mark.parametrize("version", [b"compute 9.9", b"compute nonsense", b"compute 2.90"])
async def test_a_path_that_nobody_knows_has_no_version(house: House, version: bytes) -> None:
    """Services find the path before they read the version."""
    got = await ask(house.road, "GET", "/compute/v2.1/nothing", headers=[(b"openstack-api-version", version)])
    assert got.status == 404
    assert got.header(b"openstack-api-version") is None
    assert got.header(b"vary") is None


async def test_a_version_is_refused_before_a_strangers_project_is(house: House) -> None:
    """In the order of Nova's own checks."""
    for version, status in ((b"compute 9.9", 406), (b"compute nonsense", 400), (b"compute 2.90", 400)):
        got = await ask(house.road, "GET", "/compute/v2.1/00ff/echo/x", headers=[(b"openstack-api-version", version)])
        assert got.status == status
        assert (b"Malformed request URL" in got.body) == (version == b"compute 2.90")


async def test_a_version_document_is_in_a_version_too(house: House) -> None:
    """Under a version the header is read, without a token; at the root it is not."""
    bad = [(b"openstack-api-version", b"compute 9.9")]
    assert (await ask(house.road, "GET", "/compute/v2.1/", token=None, headers=bad)).status == 406
    assert (await ask(house.road, "GET", "/compute/", token=None, headers=bad)).status == 200
    got = await ask(house.road, "GET", "/compute/v2.1/", token=None)
    assert got.header(b"openstack-api-version") == b"compute 2.1"


async def test_a_version_document_below_a_project_needs_its_token(house: House) -> None:
    """Nova keeps it behind the authentication there."""
    house.compute.validator.known["users-token"] = caller("0f0f")
    assert (await ask(house.road, "GET", "/compute/v2.1/0f0f/", token=None)).status == 401
    assert (await ask(house.road, "GET", "/compute/v2.1/0f0f/")).json()["project"] == "0f0f"
    assert (await ask(house.road, "GET", "/compute/v2.1/0f0f")).status == 404


async def test_a_path_without_a_version_is_answered_to_anybody(house: House) -> None:
    """Nova and Cinder know before they ask who it is."""
    assert (await ask(house.road, "GET", "/compute/v9/echo/x", token=None)).status == 404


async def test_without_a_token(house: House) -> None:
    """401 in the middleware's form, before anything else is said."""
    got = await ask(house.road, "GET", "/compute/v2.1/echo/x", token=None)
    assert got.status == 401
    assert got.header(b"www-authenticate") == b'Keystone uri="https://cloud.example/identity"'
    got = await ask(house.road, "GET", "/compute/v2.1/nothing", token="unknown")
    assert got.status == 401


async def test_public_rows_need_no_token(house: House) -> None:
    """Version documents."""
    got = await ask(house.road, "GET", "/compute/", token=None)
    assert (got.status, got.json()["project"]) == (200, "")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/compute/v2.1/p1/echo/x", 400, "doesn't match Context's project_id"),
        ("/compute/v2.1/00ff/echo/x", 400, "URL's project_id '00ff' doesn't match Context's project_id 'p1'"),
        ("/volume/v3/00ff/echo/x", 400, "Malformed request url"),
        ("/compute/v2.1/../v2.1/echo/x", 400, "'..'"),
        ("/compute/v2.1/%2e%2e/%2e%2e/volume/v3/echo/x", 400, "'..'"),
    ],
)
async def test_bad_paths(house: House, path: str, status: int, message: str) -> None:
    """A foreign project id, and what could climb into another service."""
    if "/p1/" in path:
        house.compute.validator.known["users-token"] = caller("abc")
        path = path.replace("/p1/", "/abcd/")
    got = await ask(house.road, "GET", path)
    assert got.status == status
    assert message in got.json()["badRequest"]["message"]


async def test_own_project_id_in_the_path(house: House) -> None:
    """Both forms work; the client's is kept."""
    house.compute.validator.known["users-token"] = caller("0f0f")
    got = await ask(house.road, "GET", "/volume/v3/0f0f/echo/x")
    assert (got.json()["root"], got.json()["path"]) == ("/v3/0f0f", "/v3/0f0f/echo/x")


async def test_an_encoded_slash_is_a_slash(house: House) -> None:
    """The service decodes it too: what would reach it decides which row is meant."""
    got = await ask(house.road, "GET", "/compute/v2.1/echo%2Fx")
    assert got.json()["params"] == {"name": "x"}


async def test_policy(house: House) -> None:
    """Asked when the row names a rule."""
    got = await ask(house.road, "GET", "/compute/v2.1/admin")
    assert (got.status, got.json()["forbidden"]["code"]) == (403, 403)
    got = await ask(house.road, "GET", "/compute/v2.1/admin", token="admins-token")
    assert got.status == 200


async def test_a_row_outside_of_its_versions(house: House) -> None:
    """As if it were not there, with the version headers."""
    headers = [(b"openstack-api-version", b"compute 2.36")]
    got = await ask(house.road, "GET", "/compute/v2.1/old", headers=headers)
    assert (got.status, got.json()["itemNotFound"]["code"]) == (404, 404)
    assert got.header(b"openstack-api-version") == b"compute 2.36"


async def test_what_makes_something_in_a_pod_may_take_longer(house: House) -> None:
    """Other calls have the ordinary deadline."""
    house.compute.validator.known["users-token"] = replace(caller(), deadline=Deadline.after(30))
    made = (await ask(house.road, "POST", "/compute/v2.1/made")).json()["s"]
    other = (await ask(house.road, "POST", "/compute/v2.1/patience")).json()["s"]
    assert 500 < made <= 600
    assert other <= 30


async def test_body_limit(house: House) -> None:
    """413, in whatever pieces the body comes."""
    assert (await ask(house.road, "POST", "/compute/v2.1/echo", body=b"x" * 10)).json()["body"] == 10
    assert (await ask(house.road, "POST", "/compute/v2.1/echo", body=b"x" * 11)).status == 413


@pytest.mark.parametrize(
    ("said", "status", "retry"),
    [(UnavailableError("busy", retry_after_s=7), 503, b"7"), (OutcomeUnknownError("who knows"), 504, None)],
)
async def test_failing_upstreams(house: House, said: Exception, status: int, retry: bytes | None) -> None:
    """Not sent: 503 with Retry-After. Sent without an answer: 504 without."""
    house.compute.routings.add(Kind.SERVER, ID, TWO)
    house.compute.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = said
    got = await ask(house.road, "DELETE", f"/compute/v2.1/servers/{ID}")
    assert (got.status, got.header(b"retry-after")) == (status, retry)


async def test_errors_of_handlers(house: House) -> None:
    """Also when several things were done at once; a bug is not ours to hide."""
    got = await ask(house.road, "GET", "/compute/v2.1/conflict")
    assert (got.status, got.json()["conflictingRequest"]["message"]) == (409, "It is in use.")
    assert (await ask(house.road, "GET", "/compute/v2.1/several")).status == 409
    with pytest.raises(ExceptionGroup):
        await ask(house.road, "GET", "/compute/v2.1/broken")


async def test_an_unknown_id_is_404_and_an_unreachable_one_503(house: House) -> None:
    """Told apart."""
    assert (await ask(house.road, "GET", f"/compute/v2.1/servers/{ID}")).status == 404
    house.compute.now += 60
    house.compute.upstreams.said["id-Pod1", f"/v2.1/servers/{ID}"] = UnavailableError("down")
    got = await ask(house.road, "GET", f"/compute/v2.1/servers/{ID}")
    assert (got.status, got.header(b"retry-after") is not None) == (503, True)


async def test_what_nobody_has_the_centre_refuses_in_its_own_order(house: House) -> None:
    """Form before existence, as a stock service; a pod that does not answer leaves it open whether it exists."""
    path = f"/v2.1/servers/{ID}"
    refusal = {"badRequest": {"code": 400, "message": "no such form"}}
    house.compute.upstreams.said["central", path] = json_reply(400, refusal)
    got = await ask(house.road, "DELETE", f"/compute{path}")
    assert (got.status, got.json()) == (400, refusal)
    # The centre is away, or says something that is no refusal: what all pods said stands.
    for said in (UnavailableError("away"), json_reply(200, {})):
        house.compute.upstreams.said["central", path] = said
        got = await ask(house.road, "DELETE", f"/compute{path}")
        assert (got.status, got.json()["itemNotFound"]["message"]) == (404, f"Instance {ID} could not be found.")
    other = f"/v2.1/servers/{ID[:-1]}2"
    house.compute.upstreams.said["id-Pod1", other] = UnavailableError("away")
    house.compute.upstreams.said["central", other] = json_reply(400, refusal)
    assert (await ask(house.road, "DELETE", f"/compute{other}")).status == 503


async def test_what_no_row_names_goes_where_its_id_lives(house: House) -> None:
    """A newer pod may serve it; the tables need not know it."""
    house.compute.routings.add(Kind.SERVER, ID, TWO)
    path = f"/v2.1/servers/{ID}/brand-new"
    house.compute.upstreams.said["id-Pod2", path] = json_reply(200, {"new": True})
    assert (await ask(house.road, "PUT", f"/compute{path}?a=1")).json() == {"new": True}
    path = f"/v2.1/os-new/{ID}"
    house.compute.upstreams.said["id-Pod2", path] = json_reply(200, {"new": 2})
    assert (await ask(house.road, "GET", f"/compute{path}")).json() == {"new": 2}


async def test_what_no_row_names_tells_nothing_of_its_pod(house: House) -> None:
    """What is no JSON object is no answer of a service."""
    house.compute.routings.add(Kind.SERVER, ID, TWO)
    path = f"/v2.1/servers/{ID}/brand-new"
    there = {"server": {"hostId": "h", "OS-EXT-AZ:availability_zone": "canary-zone"}}
    house.compute.upstreams.said["id-Pod2", path] = json_reply(200, there)
    got = await ask(house.road, "GET", f"/compute{path}")
    assert got.json()["server"]["OS-EXT-AZ:availability_zone"] == "az2"
    assert got.json()["server"]["hostId"] not in ("h", "")
    for status, body, seen in ((200, b"plain text", 504), (202, b"", 202)):
        house.compute.upstreams.said["id-Pod2", path] = Reply(status=status, headers=[], body=body)
        got = await ask(house.road, "POST", f"/compute{path}")
        assert got.status == seen
        assert b"plain" not in got.body


async def test_what_nobody_can_place_is_said_clearly(house: House) -> None:
    """501 when an id stands there that nobody knows: 404 would say that it is gone. Else the service's own 404, also
    when no pod knows such a path.
    """
    path, no_path = (
        f"/v2.1/os-new/{ID}",
        json_reply(404, {"message": "The resource could not be found.", "code": "404 Not Found"}),
    )
    house.compute.upstreams.said["id-Pod1", path] = no_path
    for of_second in (json_reply(404, {"itemNotFound": {"code": 404, "message": "no"}}), UnavailableError("down")):
        house.compute.upstreams.said["id-Pod2", path] = of_second
        got = await ask(house.road, "POST", f"/compute{path}")
        assert got.status == 501
        assert "is not available in this cloud" in got.json()["notImplemented"]["message"]
    house.compute.upstreams.said["id-Pod2", path] = no_path
    assert (await ask(house.road, "GET", f"/compute{path}")).status == 404
    got = await ask(house.road, "GET", "/compute/v2.1/nothing")
    assert (got.status, got.header(b"content-type")) == (404, b"text/html; charset=UTF-8")
    assert (await ask(house.road, "PATCH", "/compute/v2.1/echo")).status == 404


async def test_the_path_of_a_list_is_no_id(house: House) -> None:
    """Whether a pod answers does not matter for a verb that the list does not have."""
    house.compute.upstreams.said["id-Pod1", "/v2.1/servers/detail"] = UnavailableError("down")
    assert (await ask(house.road, "POST", "/compute/v2.1/servers/detail")).status == 404


async def test_central_rows(house: House) -> None:
    """Forwarded as they are; a token that the centre refuses is not believed any more."""
    house.compute.upstreams.said["central", "/v2.1/flavors"] = json_reply(200, {"flavors": []})
    assert (await ask(house.road, "GET", "/compute/v2.1/flavors?limit=2")).json() == {"flavors": []}
    assert house.compute.upstreams.asked() == [("central", "GET", "/v2.1/flavors?limit=2")]
    house.compute.upstreams.said["central", "/v2.1/flavors"] = json_reply(401, {})
    assert (await ask(house.road, "GET", "/compute/v2.1/flavors")).status == 401
    assert house.compute.validator.forgotten == ["users-token"]


async def test_head_has_no_body(house: House) -> None:
    """Whatever a handler made."""
    got = await ask(house.road, "HEAD", "/compute/v2.1/nothing")
    assert (got.status, got.body) == (404, b"")


async def test_front_page_and_unknown_doors(house: House) -> None:
    """The root says where the doors are; no other path is a door."""
    got = await ask(house.road, "GET", "/", token=None)
    assert got.json()["services"][0] == {
        "type": "compute",
        "links": [{"rel": "self", "href": "https://cloud.example/compute/"}],
    }
    for path in ("/nothing", "/compute%2Fv2.1/echo/x", "/computer/v2.1"):
        assert (await ask(house.road, "GET", path)).status == 404


async def test_a_collection_with_a_last_slash_is_not_there(house: House) -> None:
    """As in Nova and Cinder, for whom the path names a member without an id; nothing is made."""
    got = await ask(house.road, "POST", "/compute/v2.1/made/")
    assert got.status == 404
    assert (await ask(house.road, "POST", "/compute/v2.1/made")).status == 200


async def test_the_compute_request_id_is_that_of_who_carried_it_out(house: House) -> None:
    """Instance actions are looked up by it."""
    carried = json_reply(200, {"server": {"id": ID}})
    carried.headers.append((b"x-openstack-request-id", b"req-0f0f0f0f-1111-2222-3333-444455556666"))
    house.compute.upstreams.said["id-Pod1", f"/v2.1/servers/{ID}"] = carried
    await house.compute.routings.record(Kind.SERVER, ID, ONE.id, caller().project_id)
    got = await ask(house.road, "GET", f"/compute/v2.1/servers/{ID}")
    assert got.status == 200, got.body
    assert got.header(b"x-compute-request-id") == b"req-0f0f0f0f-1111-2222-3333-444455556666"
    ours_alone = await ask(house.road, "GET", "/compute/v2.1/echo/x")
    assert ours_alone.header(b"x-compute-request-id") != b"req-0f0f0f0f-1111-2222-3333-444455556666"
