# SPDX-License-Identifier: Apache-2.0
"""Is everything of the image API the centre's, and is image data only passed on?"""

import re

import pytest

from tests.unit.road.asgi import ask
from tests.unit.road.scripted import PUBLIC, World, caller, json_reply
from tests.unit.road.test_pipeline import Enforcer
from tricircle.doors.image.images import Images
from tricircle.doors.image.rows import door
from tricircle.model.pod import Pod, Service
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.pipeline import Road
from tricircle.upstream.reply import Reply


class House:
    """The image door in front of a scripted Glance."""

    def __init__(self) -> None:
        self.world = World((), service=Service.IMAGE, prefix="/image")
        self.world.validator.known = {"users-token": caller(), "admins-token": caller("p9", "admin")}
        self.said = self.world.upstreams.said
        self.road = Road(
            [Entrance(door(Images(carrier=self.world.carrier, glances=self)), self.world.carrier)],
            validator=self.world.validator,
            enforcer=Enforcer(),
            pods=self.world.registry,
            settings=RoadSettings(
                body_limit=10, request_deadline_s=30, boot_deadline_s=60, identity_url=f"{PUBLIC}/identity"
            ),
        )

    @staticmethod
    def has_own(pod: Pod) -> bool:
        """Every second pod has a Glance of its own."""
        return pod.name == "Pod2"


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("path", ["/v2/images/i/file", "/v2/images/i/stage"])
async def test_uploads_know_no_limit_and_are_not_held(house: House, path: str) -> None:
    """The limit of bodies is for what we hold."""
    house.said["central", path] = Reply(status=204, headers=[])
    got = await ask(house.road, "PUT", f"/image{path}", body=b"x" * 100, headers=[(b"content-length", b"100")])
    assert (got.status, got.header(b"content-length")) == (204, None)
    assert house.world.upstreams.bodies == [b"x" * 100]
    assert house.world.upstreams.calls[0][1].is_streamed


async def test_other_bodies_have_a_limit(house: House) -> None:
    """In the service's own form."""
    got = await ask(house.road, "PATCH", "/image/v2/images/i", body=b"x" * 11)
    assert got.status == 413
    assert house.world.upstreams.calls == []


async def test_links_are_paths_and_location_is_ours(house: House) -> None:
    """Clients join the paths with the endpoint by themselves."""
    house.said["central", "/v2/images"] = json_reply(
        201, {"self": "/v2/images/i"}, (b"location", b"http://upstream.invalid/v2/images/i")
    )
    got = await ask(house.road, "POST", "/image/v2/images", body=b"{}")
    assert got.json() == {"self": "/v2/images/i"}
    assert got.header(b"location") == b"https://cloud.example/image/v2/images/i"


@pytest.mark.parametrize(("path", "status"), [("/", 300), ("/versions", 200)])
async def test_version_documents(house: House, path: str, status: int) -> None:
    """Without a token, with our links."""
    house.said["central", path] = json_reply(status, {"versions": [{"href": "http://central.internal/image/v2/"}]})
    got = await ask(house.road, "GET", f"/image{path}", token=None)
    assert got.status == status
    assert got.json() == {"versions": [{"href": "https://cloud.example/image/v2/"}]}


async def test_a_minor_version_in_the_path(house: House) -> None:
    """Glance takes it for version 2."""
    house.said["central", "/v2.9/images"] = json_reply(200, {"images": []})
    assert (await ask(house.road, "GET", "/image/v2.9/images?limit=1")).json() == {"images": []}


async def test_without_a_token_a_page(house: House) -> None:
    """Glance's errors are pages."""
    got = await ask(house.road, "GET", "/image/v2/images", token=None)
    assert (got.status, got.header(b"content-type")) == (401, b"text/html; charset=UTF-8")


async def test_a_version_in_accept_changes_nothing(house: House) -> None:
    """Glance chooses the API by it: ``/images`` is then ``/v2/images``."""
    image = {"id": "i", "locations": [{"url": "file:///canary"}], "direct_url": "rbd://canary"}
    house.said["central", "/images/i"] = json_reply(200, image)
    house.said["central", "/images"] = json_reply(200, {"images": [image]})
    house.said["central", "/images/i/file"] = Reply(status=204, headers=[])
    versioned = [(b"accept", b"application/vnd.openstack.images-v2.9")]
    assert (await ask(house.road, "GET", "/image/images/i", headers=versioned)).json() == {"id": "i"}
    assert (await ask(house.road, "GET", "/image/images", headers=versioned)).json() == {"images": [{"id": "i"}]}
    assert (await ask(house.road, "GET", "/image/images/i", token="admins-token")).json() == image
    assert (await ask(house.road, "PUT", "/image/images/i/file", body=b"x" * 100)).status == 204


async def test_where_the_data_lies_is_shown_to_administrators_only(house: House) -> None:
    """Paths on hosts; the store's id is for users, who name it in imports."""
    image = {"id": "i", "locations": [{"url": "file:///canary"}], "direct_url": "rbd://canary", "stores": "fast"}
    house.said["central", "/v2/images/i"] = json_reply(200, image)
    house.said["central", "/v2/images"] = json_reply(200, {"images": [image], "next": "/v2/images?marker=i"})
    assert (await ask(house.road, "GET", "/image/v2/images/i")).json() == {"id": "i", "stores": "fast"}
    listed = await ask(house.road, "GET", "/image/v2/images")
    assert listed.json() == {"images": [{"id": "i", "stores": "fast"}], "next": "/v2/images?marker=i"}
    assert (await ask(house.road, "GET", "/image/v2/images/i", token="admins-token")).json() == image


async def test_changes_file_jobs_only_where_copies_can_be(house: House) -> None:
    """No pod has a Glance of its own here."""
    for verb, path in CHANGES:
        house.said["central", f"/v2{path}"] = Reply(status=204, headers=[])
        assert (await ask(house.road, verb, f"/image/v2{path}", body=b"{}")).status == 204
    assert house.world.jobs.filed == []


CHANGES = (
    ("PATCH", "/images/i"),
    ("DELETE", "/images/i"),
    ("POST", "/images/i/members"),
    ("PUT", "/images/i/members/p"),
    ("DELETE", "/images/i/members/p"),
    ("POST", "/images/i/actions/deactivate"),
    ("POST", "/images/i/actions/reactivate"),
)
#: Every path of Glance 33's router, with its verbs.
GLANCE = {
    "/schemas/{kind}": "GET",
    "/schemas/metadefs/{kind}": "GET",
    "/metadefs/resource_types": "GET",
    "/metadefs/namespaces": "GET POST",
    "/metadefs/namespaces/{namespace}": "GET PUT DELETE",
    "/metadefs/namespaces/{namespace}/resource_types": "GET POST",
    "/metadefs/namespaces/{namespace}/resource_types/{name}": "DELETE",
    "/metadefs/namespaces/{namespace}/properties": "GET POST DELETE",
    "/metadefs/namespaces/{namespace}/properties/{name}": "GET PUT DELETE",
    "/metadefs/namespaces/{namespace}/objects": "GET POST DELETE",
    "/metadefs/namespaces/{namespace}/objects/{name}": "GET PUT DELETE",
    "/metadefs/namespaces/{namespace}/tags": "GET POST DELETE",
    "/metadefs/namespaces/{namespace}/tags/{name}": "GET POST PUT DELETE",
    "/images": "GET POST",
    "/images/{id}": "GET PATCH DELETE",
    "/images/{id}/tasks": "GET",
    "/images/{id}/import": "POST",
    "/stores/{store}/{id}": "DELETE",
    "/images/{id}/actions/deactivate": "POST",
    "/images/{id}/actions/reactivate": "POST",
    "/images/{id}/file": "GET PUT",
    "/images/{id}/stage": "PUT",
    "/images/{id}/locations": "GET POST",
    "/images/{id}/tags/{tag}": "PUT DELETE",
    "/images/{id}/members": "GET POST",
    "/images/{id}/members/{member}": "GET PUT DELETE",
    "/tasks": "GET POST",
    "/tasks/{id}": "GET",
    "/info/import": "GET",
    "/info/stores": "GET",
    "/info/stores/detail": "GET",
    "/info/usage": "GET",
    "/cache": "GET DELETE",
    "/cache/{id}": "PUT DELETE",
    "/cache/nodes/{id}": "GET",
    "/cache/clean": "POST",
    "/cache/prune": "POST",
}


@pytest.mark.parametrize("path", GLANCE)
async def test_every_call_of_glance_reaches_the_centre(house: House, path: str) -> None:
    """With its verb, path and query, and what Glance answers."""
    asked = re.sub(r"{(\w+)}", r"\1", path)
    for verb in GLANCE[path].split():
        house.said["central", f"/v2{asked}"] = Reply(status=206, headers=[(b"content-range", b"bytes 0-0/1")])
        got = await ask(house.road, verb, f"/image/v2{asked}", headers=[(b"x-openstack-append", b"1")])
        assert (got.status, got.header(b"content-range")) == (206, b"bytes 0-0/1"), verb
        call = house.world.upstreams.calls[-1][1]
        assert (call.method, call.path) == (verb, f"/v2{asked}")
        assert (b"x-openstack-append", b"1") in call.headers
