# SPDX-License-Identifier: Apache-2.0
"""In which form does each service say no?"""

import pytest

from tests.contract.cloud import Cloud

LISTS = {
    "compute": "/v2.1/servers",
    "block-storage": "/v3/volumes",
    "network": "/v2.0/networks",
    "image": "/v2/images",
}


@pytest.mark.parametrize("service", ["compute", "block-storage", "network"])
@pytest.mark.parametrize("token", ["", "nonsense"])
def test_401_is_the_middlewares_json(cloud: Cloud, service: str, token: str) -> None:
    answer = cloud.tenant("GET", service, LISTS[service], headers={"X-Auth-Token": token})
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }
    assert answer.headers["WWW-Authenticate"].startswith('Keystone uri="http')
    assert "OpenStack-API-Version" not in answer.headers


def test_glance_says_401_in_html(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "image", "/v2/images", headers={"X-Auth-Token": "nonsense"})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["WWW-Authenticate"].startswith('Keystone uri="http')


@pytest.mark.parametrize(
    ("service", "path", "message"),
    [
        ("compute", "/v2.1/servers/x", "Instance x could not be found."),
        ("compute", "/v2.1/flavors/x", "Flavor x could not be found."),
        ("block-storage", "/v3/volumes/x", "Volume x could not be found."),
        ("block-storage", "/v3/snapshots/x", "Snapshot x could not be found."),
        ("block-storage", "/v3/types/x", "Volume type x could not be found."),
    ],
)
def test_not_found_of_nova_and_cinder(cloud: Cloud, service: str, path: str, message: str) -> None:
    answer = cloud.tenant("GET", service, path)
    assert answer.status_code == 404
    assert answer.json() == {"itemNotFound": {"code": 404, "message": message}}


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/v2.0/networks/x", "NetworkNotFound", "Network x could not be found."),
        ("/v2.0/subnets/x", "SubnetNotFound", "Subnet x could not be found."),
        ("/v2.0/ports/x", "PortNotFound", "Port x could not be found."),
        ("/v2.0/security-groups/x", "SecurityGroupNotFound", "Security group x does not exist"),
    ],
)
def test_not_found_of_neutron(cloud: Cloud, path: str, kind: str, message: str) -> None:
    answer = cloud.tenant("GET", "network", path)
    assert answer.status_code == 404
    assert answer.json() == {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def test_not_found_of_glance_is_html(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "image", "/v2/images/x")
    assert answer.status_code == 404
    assert "No image found with ID x" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")


UNKNOWN = [("compute", "/v2.1/nope"), ("block-storage", "/v3/nope"), ("image", "/v2/nope")]


@pytest.mark.parametrize(("service", "path"), UNKNOWN)
def test_an_unknown_path_is_html_without_version_headers(cloud: Cloud, service: str, path: str) -> None:
    answer = cloud.tenant("GET", service, path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "The resource could not be found." in answer.text
    assert "OpenStack-API-Version" not in answer.headers


@pytest.mark.parametrize(("service", "path"), UNKNOWN)
def test_an_unknown_path_is_json_of_webobs_own_for_who_wants_json(cloud: Cloud, service: str, path: str) -> None:
    answer = cloud.tenant("GET", service, path, headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert (answer.json()["code"], answer.json()["title"]) == ("404 Not Found", "Not Found")
    assert answer.json()["message"].startswith("The resource could not be found.")


def test_glance_says_no_in_json_to_who_wants_json(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "image", "/v2/images/x", headers={"Accept": "application/json"})
    assert answer.json()["message"].startswith("No image found with ID x")
    assert answer.json()["code"] == "404 Not Found"


def test_a_verb_that_a_collection_has_not(cloud: Cloud) -> None:
    assert cloud.tenant("PATCH", "compute", "/v2.1/servers").status_code == 404
    assert cloud.tenant("PATCH", "block-storage", "/v3/volumes").status_code == 404
    refused = cloud.tenant("PATCH", "network", "/v2.0/networks")
    assert refused.status_code == 405
    assert refused.json()["NeutronError"]["type"] == "HTTPMethodNotAllowed"


def test_cinder_refuses_a_foreign_project_in_the_path(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "block-storage", f"/v3/{cloud.other.project_id}/volumes")
    assert answer.status_code == 400
    assert answer.json() == {"badRequest": {"code": 400, "message": "Malformed request url"}}


@pytest.mark.parametrize("service", ["compute", "block-storage"])
def test_a_body_that_is_no_json_is_400(cloud: Cloud, service: str) -> None:
    answer = cloud.tenant("POST", service, LISTS[service], b"{", {"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "badRequest" in answer.json()


@pytest.mark.parametrize("service", ["compute", "block-storage", "network"])
def test_every_answer_has_a_request_id_of_its_own(cloud: Cloud, service: str) -> None:
    mine = "req-00000000-0000-4000-8000-000000000000"
    answer = cloud.tenant("GET", service, LISTS[service], headers={"X-OpenStack-Request-ID": mine})
    assert answer.headers["X-OpenStack-Request-ID"].startswith("req-")
    assert answer.headers["X-OpenStack-Request-ID"] != mine


def test_glance_takes_the_callers_request_id_for_its_own(cloud: Cloud) -> None:
    mine = "req-00000000-0000-4000-8000-000000000000"
    answer = cloud.tenant("GET", "image", "/v2/images", headers={"X-OpenStack-Request-ID": mine})
    assert answer.headers["X-OpenStack-Request-ID"] == mine
