# SPDX-License-Identifier: Apache-2.0
"""What does a client find before it has a token, and what without a good one?"""

import pytest

from tests.api.conftest import ENDPOINT, Api


async def test_versions_are_open_to_everybody(api: Api) -> None:
    said = await api.anonymous.ask("GET", "/")
    assert said.status == 200
    (version,) = said.json()["versions"]
    assert (version["id"], version["status"], version["updated"]) == ("v1.0", "CURRENT", "2015-09-09T00:00:00Z")
    assert version["links"] == [{"rel": "self", "href": f"{ENDPOINT}/v1.0/"}]


@pytest.mark.parametrize("path", ["/v1.0", "/v1.0/"])
async def test_resources_of_the_version(api: Api, path: str) -> None:
    said = await api.anonymous.ask("GET", path)
    assert said.status == 200
    assert said.json()["version"] == "1.0"
    assert [link["rel"] for link in said.json()["links"]] == ["self", "bindings", "jobs", "pods", "routings"]


async def test_every_answer_has_a_request_id(api: Api) -> None:
    for client, path in ((api.anonymous, "/"), (api.anonymous, "/v1.0/pods"), (api.admin, "/v1.0/pods")):
        assert (await client.ask("GET", path)).headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.parametrize("token", [None, "nonsense"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1.0/pods"), ("POST", "/v1.0/pods"), ("GET", "/v1.0/nothing")])
async def test_401_without_a_good_token(api: Api, token: str | None, method: str, path: str) -> None:
    client = api.anonymous if token is None else api.anonymous.having(x_auth_token=token)
    said = await client.ask(method, path, {"pod": {"pod_name": "Pod1"}})
    assert said.status == 401
    assert said.headers["www-authenticate"] == 'Keystone uri="https://cloud.example.org/identity/v3"'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.0/pods"),
        ("POST", "/v1.0/pods"),
        ("GET", "/v1.0/pods/x"),
        ("PUT", "/v1.0/pods/x"),
        ("DELETE", "/v1.0/pods/x"),
        ("GET", "/v1.0/bindings"),
        ("POST", "/v1.0/bindings"),
        ("GET", "/v1.0/bindings/x"),
        ("DELETE", "/v1.0/bindings/x"),
    ],
)
async def test_403_for_who_is_no_admin(api: Api, method: str, path: str) -> None:
    said = await api.member.ask(method, path, {"pod": {"pod_name": "Pod1"}})
    assert said.status == 403
    assert said.json()["forbidden"]["code"] == 403


async def test_admin_among_several_roles_is_admin(api: Api) -> None:
    assert (await api.admin.ask("GET", "/v1.0/pods")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1.0/pods", "GET, POST"),
        ("PATCH", "/v1.0/pods/x", "DELETE, GET, PUT"),
        ("PUT", "/v1.0/bindings/x", "DELETE, GET"),
        ("POST", "/v1.0", "GET"),
        ("POST", "/", "GET"),
    ],
)
async def test_405_says_what_is_allowed(api: Api, method: str, path: str, allow: str) -> None:
    said = await api.admin.ask(method, path)
    assert said.status == 405
    assert said.headers["allow"] == allow
    assert said.json()["badMethod"]["code"] == 405


async def test_404_for_paths_that_are_not(api: Api) -> None:
    said = await api.admin.ask("GET", "/v1.0/nothing")
    assert said.status == 404
    assert said.json()["itemNotFound"]["code"] == 404
