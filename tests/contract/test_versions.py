# SPDX-License-Identifier: Apache-2.0
"""What do services say about their versions, and about microversions they do not have?"""

import pytest

from tests.contract.cloud import Cloud

NOVA = ("compute", "/v2.1/servers", "compute", "2.999")
CINDER = ("block-storage", "/v3/volumes", "volume", "3.999")


@pytest.mark.parametrize(
    ("service", "status", "version_id"),
    [("compute", 200, "v2.1"), ("block-storage", 300, "v3.0"), ("network", 200, "v2.0"), ("placement", 200, "v1.0")],
)
def test_the_root_lists_versions_without_a_token(cloud: Cloud, service: str, status: int, version_id: str) -> None:
    answer = cloud.admin("GET", service, "/", headers={"X-Auth-Token": ""})
    assert answer.status_code == status
    versions = {version["id"]: version for version in answer.json()["versions"]}
    assert versions[version_id]["status"] == "CURRENT"


def test_glance_answers_its_root_with_300(cloud: Cloud) -> None:
    answer = cloud.admin("GET", "image", "/")
    assert answer.status_code == 300
    assert all(version["links"][0]["href"].endswith("/v2/") for version in answer.json()["versions"])


def test_only_nova_shows_its_version_document_without_a_token(cloud: Cloud) -> None:
    assert cloud.admin("GET", "compute", "/v2.1", headers={"X-Auth-Token": ""}).json()["version"]["id"] == "v2.1"
    assert cloud.admin("GET", "block-storage", "/v3/", headers={"X-Auth-Token": ""}).status_code == 401
    assert cloud.admin("GET", "block-storage", "/v3/").json()["versions"][0]["id"] == "v3.0"


@pytest.mark.parametrize(("service", "path", "word", "_bad"), [NOVA, CINDER])
def test_a_good_answer_names_the_version_in_effect(cloud: Cloud, service: str, path: str, word: str, _bad: str) -> None:
    number = "2.96" if word == "compute" else "3.70"
    answer = cloud.tenant("GET", service, path, headers={"OpenStack-API-Version": f"{word} {number}"})
    assert answer.headers["OpenStack-API-Version"] == f"{word} {number}"
    assert "OpenStack-API-Version" in answer.headers["Vary"]


@pytest.mark.parametrize(("service", "path", "word", "_bad"), [NOVA, CINDER])
def test_latest_is_answered_with_the_number(cloud: Cloud, service: str, path: str, word: str, _bad: str) -> None:
    answer = cloud.tenant("GET", service, path, headers={"OpenStack-API-Version": f"{word} latest"})
    versions = cloud.tenant("GET", service, "/").json()["versions"]
    maximum = max((version["version"] for version in versions), key=lambda text: [int(n) for n in text.split(".") if n])
    assert answer.headers["OpenStack-API-Version"] == f"{word} {maximum}"


@pytest.mark.parametrize(("service", "path", "word", "bad"), [NOVA, CINDER])
def test_a_version_out_of_range_is_406_with_the_range(
    cloud: Cloud, service: str, path: str, word: str, bad: str
) -> None:
    answer = cloud.tenant("GET", service, path, headers={"OpenStack-API-Version": f"{word} {bad}"})
    assert answer.status_code == 406
    message = answer.json()["computeFault"]["message"]
    assert message.startswith(f"Version {bad} is not supported by the API. Minimum is ")
    assert " and maximum is " in message
    assert answer.headers["OpenStack-API-Version"] == f"{word} {bad}"


@pytest.mark.parametrize(("service", "path", "word", "_bad"), [NOVA, CINDER])
def test_a_malformed_version_is_400_without_version_headers(
    cloud: Cloud, service: str, path: str, word: str, _bad: str
) -> None:
    answer = cloud.tenant("GET", service, path, headers={"OpenStack-API-Version": f"{word} 2.latest"})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == (
        "API Version String 2.latest is of invalid format. Must be of format MajorNum.MinorNum."
    )
    assert "OpenStack-API-Version" not in answer.headers


def test_nova_takes_its_legacy_header(cloud: Cloud) -> None:
    answer = cloud.tenant("GET", "compute", "/v2.1/servers", headers={"X-OpenStack-Nova-API-Version": "2.50"})
    assert answer.headers["OpenStack-API-Version"] == "compute 2.50"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.50"


@pytest.mark.parametrize("service", ["network", "image"])
def test_neutron_and_glance_have_no_version_headers(cloud: Cloud, service: str) -> None:
    path = {"network": "/v2.0/networks", "image": "/v2/images"}[service]
    assert "OpenStack-API-Version" not in cloud.tenant("GET", service, path).headers
