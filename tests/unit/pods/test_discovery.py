# SPDX-License-Identifier: Apache-2.0
"""Are catalog URLs and version documents of every form read right? Documents are cut from real services' answers."""

import pytest

from tricircle.model.pod import Service
from tricircle.pods.discovery import Location, Versions, locate, versions


@pytest.mark.parametrize(
    ("url", "root", "prefix"),
    [
        ("http://10.0.0.5:8774/v2.1", "http://10.0.0.5:8774", "/v2.1"),
        ("http://10.0.0.5:8774/v2.1/%(project_id)s", "http://10.0.0.5:8774", "/v2.1"),
        ("http://10.0.0.5:8776/v3/$(tenant_id)s/", "http://10.0.0.5:8776", "/v3"),
        ("http://10.0.0.5:9696", "http://10.0.0.5:9696", ""),
        ("http://10.0.0.5:9696/", "http://10.0.0.5:9696", ""),
        ("https://cloud.example/compute/v2.1", "https://cloud.example/compute", "/v2.1"),
        ("https://cloud.example/placement", "https://cloud.example/placement", ""),
        ("https://cloud.example:8776/v3/AUTH_%(tenant_id)s", "https://cloud.example:8776", "/v3"),
        ("https://[fd00::1]:9292/v2", "https://[fd00::1]:9292", "/v2"),
        ("http://v2.example/v2.1", "http://v2.example", "/v2.1"),
    ],
)
def test_a_catalog_url_has_a_root_and_a_prefix(url: str, root: str, prefix: str) -> None:
    assert locate(url) == Location(root=root, prefix=prefix)


@pytest.mark.parametrize("url", ["", "ftp://host/v3", "/v2.1", "http:///v3", "not a url"])
def test_what_is_no_http_url_is_none(url: str) -> None:
    assert locate(url) is None


NOVA = {
    "versions": [
        {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": ""},
        {"id": "v2.1", "status": "CURRENT", "version": "2.104", "min_version": "2.1"},
    ]
}
CINDER = {"versions": [{"id": "v3.0", "status": "CURRENT", "version": "3.71", "min_version": "3.0"}]}
NEUTRON = {"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}]}
GLANCE = {
    "versions": [{"id": f"v2.{n}", "status": "CURRENT" if n == 16 else "SUPPORTED"} for n in (16, 15, 13, 9, 2, 1, 0)]
}
PLACEMENT = {
    "versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0", "status": "CURRENT", "links": []}]
}
KEYSTONE = {"versions": {"values": [{"id": "v3.14", "status": "stable"}]}}


@pytest.mark.parametrize(
    ("service", "document", "found"),
    [
        (Service.COMPUTE, NOVA, Versions(minimum="2.1", maximum="2.104")),
        (Service.BLOCK_STORAGE, CINDER, Versions(minimum="3.0", maximum="3.71")),
        (Service.NETWORK, NEUTRON, Versions()),
        (Service.IMAGE, GLANCE, Versions(minimum="2.0", maximum="2.16")),
        (Service.PLACEMENT, PLACEMENT, Versions(minimum="1.0", maximum="1.39")),
        (Service.IDENTITY, KEYSTONE, Versions()),
        (Service.COMPUTE, {"version": NOVA["versions"][1]}, Versions(minimum="2.1", maximum="2.104")),
    ],
)
def test_each_service_s_document(service: Service, document: dict[str, object], found: Versions) -> None:
    assert versions(service, document) == found


@pytest.mark.parametrize(
    "document",
    [{}, {"versions": []}, {"versions": "v2.1"}, {"versions": [{"id": "v2.0"}]}, {"error": {"code": 404}}, CINDER],
)
def test_a_document_of_something_else_is_none(document: dict[str, object]) -> None:
    assert versions(Service.COMPUTE, document) is None
