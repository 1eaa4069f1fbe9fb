# SPDX-License-Identifier: Apache-2.0
"""When is a routing written, and when is it struck out?"""

import pytest

from tests.unit.road.scripted import caller, request
from tests.unit.road.two_pods import ID, ONE, SERVER_ROW, world
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.model.routing import Kind
from tricircle.upstream.reply import Reply


@pytest.mark.parametrize(
    ("method", "path", "project", "is_forgotten"),
    [
        ("GET", f"/servers/{ID}", "p1", True),
        ("DELETE", f"/servers/{ID}", "p1", True),
        ("GET", f"/servers/{ID}/metadata/x", "p1", False),
        ("POST", f"/servers/{ID}", "p1", False),
    ],
)
async def test_a_pods_404_forgets_the_routing_only_where_it_is_about_it(
    method: str, path: str, project: str, *, is_forgotten: bool
) -> None:
    """One about a key of the metadata says nothing about the server."""
    there = world()
    asked = request(method, path, params={"server_id": ID}, context=caller(project))
    answer = await there.carrier.route(asked, SERVER_ROW)
    assert answer.status == 404
    assert ((Kind.SERVER, ID) not in there.routings.rows) == is_forgotten


async def test_a_strangers_404_says_nothing_about_the_server() -> None:
    there = world()
    asked = request("GET", f"/servers/{ID}", params={"server_id": ID}, context=caller("p2"))
    with pytest.raises(NotFoundError):
        await there.carrier.route(asked, SERVER_ROW)
    assert (Kind.SERVER, ID) in there.routings.rows


async def test_a_proxys_404_is_not_believed() -> None:
    """Terraform would forget a server that is there."""
    there = world()
    page = Reply(status=404, headers=[(b"content-type", b"text/html")], body=b"<h1>404</h1>nginx at pod1-api-3")
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}"] = page
    with pytest.raises(UnavailableError):
        await there.carrier.route(request("GET", f"/servers/{ID}", params={"server_id": ID}), SERVER_ROW)
    assert (Kind.SERVER, ID) in there.routings.rows


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_404_of_a_path_with_a_slash_behind_the_id_is_handed_on(method: str) -> None:
    """It is no path of the service's: the service says so without naming the resource, which is still there."""
    there = world()
    there.upstreams.said["id-Pod2", f"/v2.1/servers/{ID}/"] = Reply(
        status=404, headers=[], body=b"404 Not Found\n\nNo.\n"
    )
    answer = await there.carrier.route(request(method, f"/servers/{ID}/", params={"server_id": ID}), SERVER_ROW)
    assert answer.status == 404
    assert (Kind.SERVER, ID) in there.routings.rows


async def test_what_a_pod_made_is_answered_although_it_cannot_be_written_down() -> None:
    """A client that is told to try again would make it twice."""
    there = world()
    there.routings.is_away = True
    await there.carrier.record(Kind.VOLUME, "v1", ONE, caller())
    await there.carrier.forget(Kind.SERVER, ID)
    there.routings.is_away = False
    assert list(there.routings.rows) == [(Kind.SERVER, ID)]
    await there.carrier.record(Kind.VOLUME, "v1", ONE, caller())
    await there.carrier.forget(Kind.SERVER, ID)
    assert list(there.routings.rows) == [(Kind.VOLUME, "v1")]
