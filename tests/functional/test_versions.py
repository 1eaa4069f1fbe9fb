# SPDX-License-Identifier: Apache-2.0
"""Do the doors say of versions what a real Nova and a real Cinder say, on every kind of path?

Each call goes to the first pod directly and through the door; what may differ is the addresses and the range.
"""

import re
from typing import Any

import pytest
import requests

from tests.functional.region_world import Region, ask
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

PREFIX = {"compute": "/compute", "block-storage": "/volume"}
WORD = {"compute": "compute", "block-storage": "volume"}
#: Version header of the request: none, the lowest, one that all have, above all, malformed, of another service.
ASKED = {
    "compute": (None, "compute 2.1", "compute 2.90", "compute 2.999", "compute nonsense", "compute 2.01", "compute"),
    "block-storage": (None, "volume 3.0", "volume 3.60", "volume 3.999", "volume nonsense", "volume 1.0"),
}
DISCOVERY = {
    "compute": ("/", "", "/v2", "/v2/", "/v2.1", "/v2.1/", "/versions", "/v9/servers", "/v2.1/versions/v2.1",
                "/v2.1/versions/v2.0", "/v2.1/versions/v7", "/v2/versions/v2.1", "/v2.1/{project}/", "/v2/{project}/",
                "/v2.1/{project}", "/v2/{project}"),
    "block-storage": ("/", "", "/v3", "/v3/", "/v3/{project}/", "/v3/{project}", "/v2/", "/versions"),
}  # fmt: skip
CALLS = {
    "compute": (
        ("GET", "/servers"), ("GET", "/servers/detail?limit=1"), ("GET", "/flavors"), ("GET", "/limits"),
        ("GET", "/servers/00000000-0000-4000-8000-000000000000"), ("GET", "/os-availability-zone"),
        ("GET", "/no-such-path"), ("GET", "/os-cells"), ("POST", "/servers"), ("GET", "/os-networks"),
        ("GET", "/00ff00ff/servers"), ("GET", "/{project}/servers"), ("GET", "/{project}/no-such-path"),
    ),
    "block-storage": (
        ("GET", "/volumes"), ("GET", "/volumes/detail?limit=1"), ("GET", "/types"), ("GET", "/limits"),
        ("GET", "/volumes/00000000-0000-4000-8000-000000000000"), ("GET", "/no-such-path"), ("POST", "/volumes"),
        ("GET", "/groups"), ("GET", "/00ff00ff/volumes"), ("GET", "/{project}/volumes"),
    ),
}  # fmt: skip


class Pair:
    """The same call to a pod and to the door."""

    def __init__(self, region: Region, tenant: Tenant) -> None:
        self._front = region.front
        self._pod = {service: root.rpartition("/v")[0] for service, root in region.pods["Pod1"].roots.items()}
        self._token = tenant.here.token
        self._project = tenant.project_id

    def both(
        self, method: str, service: str, path: str, version: str | None, *, has_token: bool = True
    ) -> tuple[requests.Response, requests.Response]:
        headers = {"Accept": "application/json", "X-Auth-Token": self._token if has_token else ""}
        if version is not None:
            headers["OpenStack-API-Version"] = version
        where = path.replace("{project}", self._project)
        body = {"data": b"{}"} if method == "POST" else {}
        if body:
            headers["Content-Type"] = "application/json"
        pod = ask(method, self._pod[service] + where, headers=headers, **body)
        door = ask(method, self._front + PREFIX[service] + where, headers=headers, **body)
        return pod, door


@pytest.fixture(scope="module")
def pair(region: Region, tenant: Tenant) -> Pair:
    return Pair(region, tenant)


def vary(answer: requests.Response) -> list[str]:
    return sorted(part.strip() for part in answer.headers.get("Vary", "").split(",") if part.strip())


def versions_of(answer: requests.Response) -> dict[str, Any]:
    names = ("OpenStack-API-Version", "X-OpenStack-Nova-API-Version")
    return {name: answer.headers.get(name) for name in names} | {"Vary": vary(answer), "Status": answer.status_code}


def alike(pod: requests.Response, door: requests.Response) -> None:
    assert versions_of(door) == versions_of(pod), (door.text, pod.text)


@pytest.mark.parametrize(
    ("service", "path"), [(service, path) for service, paths in DISCOVERY.items() for path in paths]
)
@pytest.mark.parametrize("has_token", [True, False])
def test_documents_are_those_of_the_service_with_our_addresses(
    pair: Pair, region: Region, service: str, path: str, has_token: bool
) -> None:
    for version in ASKED[service]:
        pod, door = pair.both("GET", service, path, version, has_token=has_token)
        if pod.status_code == 302 and door.status_code in (400, 406):
            # Cinder redirects before it reads a version, and refuses it there.
            continue
        alike(pod, door)
        assert ("Location" in door.headers) == ("Location" in pod.headers)
        if pod.status_code < 400 and pod.content:
            assert plain(door) == plain(pod)
            links = re.findall(r'"href": ?"([^"]*)"', door.text)
            assert all(link.startswith((region.front, "http://docs.", "https://docs.")) for link in links)


def plain(answer: requests.Response) -> Any:
    """A document without addresses and highest versions."""
    text = re.sub(r"http://127\.0\.0\.1:\d+(/compute|/volume)?", "", answer.text)
    document = requests.models.complexjson.loads(text)
    listed = document.get("versions") or document.get("choices") or [document["version"]]
    for version in listed:
        if version.get("version"):
            version["version"] = "the highest"
    return document


@pytest.mark.parametrize(
    ("service", "method", "path"), [(service, *call) for service, calls in CALLS.items() for call in calls]
)
def test_versions_are_read_and_told_as_by_the_service(pair: Pair, service: str, method: str, path: str) -> None:
    root = {"compute": "/v2.1", "block-storage": "/v3"}[service]
    for version in ASKED[service]:
        alike(*pair.both(method, service, root + path, version))


@pytest.mark.parametrize(("method", "path"), CALLS["compute"])
def test_the_legacy_endpoint_knows_no_versions(pair: Pair, method: str, path: str) -> None:
    for version in ASKED["compute"]:
        pod, door = pair.both(method, "compute", "/v2" + path, version)
        alike(pod, door)
        assert "OpenStack-API-Version" not in door.headers


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        *(("/image", path) for path in ("/", "/versions", "/v2/images")),
        *(("/network", path) for path in ("/", "/v2.0/")),
        *(("/identity", path) for path in ("/", "/v3", "/v3/")),
        *(("/compute", path) for path in ("/", "/v2", "/v2.1/", "/anything")),
        *(("/volume", path) for path in ("/", "/v3/")),
        ("", "/"),
    ],
)
def test_discovery_leads_to_our_doors_only(region: Region, tenant: Tenant, prefix: str, path: str) -> None:
    answer = ask("GET", f"{region.front}{prefix}{path}", headers={"X-Auth-Token": tenant.here.token})
    assert answer.status_code in (200, 300), answer.text
    links = re.findall(r'"href": ?"(http[^"]*)"', answer.text)
    inside = [link for link in links if not re.match(r"https?://(docs|specs|developer)\.openstack\.org/", link)]
    assert all(link.startswith(f"{region.front}{prefix}/") for link in inside), inside
    ports = set(re.findall(r"127\.0\.0\.1:(\d+)", answer.text))
    assert ports <= {region.front.rpartition(":")[2]}


def test_clients_work_at_the_legacy_endpoint(region: Region, tenant: Tenant) -> None:
    """As a catalog may list it: with and without the project's id; what v2.1 refuses there, v2 overlooks."""
    for root in ("/compute/v2", f"/compute/v2/{tenant.project_id}"):
        legacy = region.elsewhere(tenant.here, {"compute": region.front + root})
        flavors = legacy("GET", "compute", "/flavors/detail")
        assert flavors.status_code == 200
        assert all(f"{region.front}/compute/v2/" in link["href"] or link["rel"] == "bookmark"
                   for flavor in flavors.json()["flavors"] for link in flavor["links"])  # fmt: skip
        assert legacy("GET", "compute", "/servers/detail").json() == {"servers": []}
        pair = {"keypair": {"name": f"legacy-{len(root)}", "unknown": "field"}}
        assert legacy("POST", "compute", "/os-keypairs", pair).status_code == 200
        assert tenant.here("POST", "compute", "/os-keypairs", pair).status_code == 400
