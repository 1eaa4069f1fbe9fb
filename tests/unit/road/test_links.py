# SPDX-License-Identifier: Apache-2.0
"""Does no link lead past us, whatever a service calls itself and whatever calls it?"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.model.pod import Service
from tricircle.road.links import Links, link_pattern, own_path, relink

BASE = "https://cloud.example/compute"
POD = "http://10.0.0.5:8774"
ID = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11"
PROJECT = "0123456789abcdef0123456789abcdef"
LINKS = Links(Service.COMPUTE, POD, BASE.encode())


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        ("http://10.0.0.5:8774", b'"http://10.0.0.5:8774/v2.1/"', b'"B/v2.1/"'),
        ("http://10.0.0.5:8774", b'"https://10.0.0.5:8774/servers/7"', b'"B/servers/7"'),
        ("http://10.0.0.5:8774", b'"http://10.0.0.5:8774"', b'"B"'),
        ("http://10.0.0.5:8774", b'"http://10.0.0.5:87741/"', b'"http://10.0.0.5:87741/"'),
        ("http://10.0.0.5", b'"http://10.0.0.5:9292/images/1"', b'"http://10.0.0.5:9292/images/1"'),
        ("http://10.0.0.5/volume", b'"http://10.0.0.5/volume/v3/volumes"', b'"B/v3/volumes"'),
        ("http://10.0.0.5/volume", b'"http://10.0.0.5/v3/volumes"', b'"B/v3/volumes"'),
        ("http://10.0.0.5/volume", b'"http://10.0.0.5/volumes/7"', b'"B/volumes/7"'),
        ("http://pod.example", b'"http://pod.example.org/"', b'"http://pod.example.org/"'),
        ("http://who@pod.example", b'"http://pod.example/v2.1/"', b'"B/v2.1/"'),
        ("http://Pod.Example", b'"http://pod.example/v2.1/"', b'"B/v2.1/"'),
        ("http://[2001:db8::5]:8774", b'"http://[2001:db8::5]:8774/v2.1/"', b'"B/v2.1/"'),
    ],
)
def test_what_begins_with_its_own_url(target: str, text: bytes, expected: bytes) -> None:
    """Wherever it stands, and only that."""
    assert relink(text, link_pattern(target), b"B") == expected


def test_aliases() -> None:
    """A service that names itself by a setting of its own."""
    pattern = link_pattern("http://10.0.0.5:5000", ["https://keys.example/identity"])
    assert relink(b"https://keys.example/identity/v3", pattern, b"B") == b"B/v3"


def test_a_base_with_a_backslash_is_taken_literally() -> None:
    """Patterns have words of their own."""
    assert relink(b"http://h/x", link_pattern("http://h"), b"B\\1") == b"B\\1/x"


def rewritten(document: dict[str, Any]) -> Any:
    return json.loads(LINKS.in_text(json.dumps(document).encode()))


def server(root: str, bookmark_root: str, project: str = "") -> dict[str, Any]:
    """As Nova shows one, with its links at two places: ``compute_link_prefix`` stands before the version, too."""
    links = [
        {"rel": "self", "href": f"{root}{project}/servers/{ID}"},
        {"rel": "bookmark", "href": f"{bookmark_root}{project}/servers/{ID}"},
    ]
    flavor = {"id": "v2", "links": [{"rel": "bookmark", "href": f"{bookmark_root}{project}/flavors/v2"}]}
    return {"server": {"id": ID, "links": links, "flavor": flavor, "image": ""}}


NAMES = st.sampled_from(["pod1.example.org", "pod1.example.org:8774", "[2001:db8::5]:8774", "10.1.1.1", "canary"])
PATHS = st.lists(st.sampled_from(["compute", "api", "volume", "os-compute", "a.b"]), max_size=3)


@given(name=NAMES, path=PATHS, version=st.sampled_from(["/v2.1", "/v2"]), is_in_project=st.booleans())
def test_links_of_a_service_that_names_itself_otherwise(
    name: str, path: list[str], version: str, is_in_project: bool
) -> None:
    """The same as if it had named itself by the URL that we call it by."""
    project = f"/{PROJECT}" if is_in_project else ""
    there = "/".join([f"https://{name}", *path])
    assert rewritten(server(there + version, there, project)) == server(BASE + version, BASE, project)


@given(name=NAMES, path=PATHS)
def test_pages_of_a_service_that_names_itself_otherwise(name: str, path: list[str]) -> None:
    there = "/".join([f"http://{name}", *path])
    query = "?limit=1&marker=a%2Fb&name=http%3A%2F%2Fx"
    page = {"volume_type_links": [{"rel": "next", "href": f"{there}/v3/types{query}"}], "volume_types": []}
    assert rewritten(page)["volume_type_links"] == [{"rel": "next", "href": f"{BASE}/v3/types{query}"}]


@pytest.mark.parametrize("href", ["https://canary.example/what/is/this/all", "https://canary.example", "http://[bad/x"])
@pytest.mark.parametrize("rel", ["self", "bookmark", "alternate", None])
def test_what_is_not_understood_names_nobody_either(href: str, rel: str | None) -> None:
    (link,) = rewritten({"links": [{"rel": rel, "href": href}]})["links"]
    assert link["href"].startswith(BASE)
    assert "canary" not in link["href"]


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"metadata": {"href": "https://elsewhere.example/v2.1/x", "links": "https://elsewhere.example"}}},
        {"server": {"name": '"links": [{"href": "https://elsewhere.example/v2.1/x"}]', "links": []}},
        {"versions": [{"links": [{"rel": "describedby", "href": "https://docs.openstack.org/"}]}]},
        {"links": {"next": None, "self": "https://elsewhere.example/v3/users"}},
        {"server": {"links": [{"rel": "self", "href": f"{BASE}/v2.1/servers/{ID}"}, {"rel": "x"}, "https://text"]}},
    ],
)
def test_what_users_wrote_stays_as_it_is(document: dict[str, Any]) -> None:
    """Byte for byte: nothing is read that need not be."""
    text = json.dumps(document).encode()
    assert LINKS.in_text(text) == text


def test_what_is_no_document_stays() -> None:
    for text in (b'"href": "https://elsewhere.example/v2.1', b'\xff"href": "https://x.example/"', b"<html>"):
        assert LINKS.in_text(text) == text
    deep = b'{"a":' * 100_000 + b'{"href": "https://x.example/"}'
    assert LINKS.in_text(deep) == deep


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{POD}/v2.1/servers/1", f"{BASE}/v2.1/servers/1"),
        ("https://pod1.example.org/compute/v2.1/servers/1?x=1", f"{BASE}/v2.1/servers/1?x=1"),
        ("https://cloud.example/image/v2/images/1", "https://cloud.example/image/v2/images/1"),
        # What stays is dropped by who answers: it leads past us.
        ("https://elsewhere.example/object", "https://elsewhere.example/object"),
        ("http://glance.example/v2/images/1", "http://glance.example/v2/images/1"),
        ("http://pod1.example.org/v2/servers/1", f"{BASE}/v2/servers/1"),
        ("/v2/images/1", "/v2/images/1"),
    ],
)
def test_headers_that_lead_somewhere(value: str, expected: str) -> None:
    assert LINKS.in_header(value.encode()) == expected.encode()


def test_logins_lead_elsewhere() -> None:
    links = Links(Service.IDENTITY, "http://10.0.0.5:5000", b"https://cloud.example/identity")
    assert links.in_header(b"https://idp.example/v3/login") == b"https://idp.example/v3/login"
    assert own_path("https://pod.example/identity/v3/") == "/v3/"
