# SPDX-License-Identifier: Apache-2.0
"""Is bad input refused as the service itself refuses it, and is nothing made anywhere by it?

Most requests are sent twice: to a door and, with the same token, past it to a real service (a pod's, or the centre's
where the centre decides). Statuses and texts must be the same.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.functional.region_world import DOORS, Caller, Json, Region, ask, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

#: Nobody has it.
NOBODYS = str(uuid.UUID(int=0x0BAD))
#: What each door lists, for callers without a good token.
LISTS = {
    "compute": "/servers",
    "block-storage": "/volumes",
    "network": "/networks",
    "image": "/images",
    "identity": "/auth/projects",
}
#: What each door makes, and the key of the body.
MAKES = {
    "compute": ("/servers", "server"),
    "block-storage": ("/volumes", "volume"),
    "network": ("/networks", "network"),
    "image": ("/images", ""),
    "identity": ("/auth/tokens", "auth"),
}
BODY_LIMIT = 114688
BROKEN = [b'{"%s": ', b"\xff\xfe", b'{"%s": {}} and more']


class Pair:
    """The same call to a door and past it."""

    def __init__(self, region: Region, tenant: Tenant, names: dict[str, tuple[str, str]]) -> None:
        self.tenant = tenant
        self._names = names
        identity = region.elsewhere(tenant.here, {"identity": region.keystone})
        self._past: dict[str, Caller] = {
            "compute": tenant.inside["Pod1"],
            "block-storage": tenant.inside["Pod1"],
            "network": tenant.inside["RegionOne"],
            "image": tenant.inside["RegionOne"],
            "identity": identity,
        }

    def __call__(
        self, method: str, service: str, path: str, body: object = None, **headers: str
    ) -> tuple[requests.Response, requests.Response]:
        """What the door says, and what the service says. Names in braces differ between the two."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            self.tenant.here(method, service, path, self._spelled(body, 0), headers=more),
            self._past[service](method, service, path, self._spelled(body, 1), headers=more),
        )

    def agree(self, method: str, service: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """The door's answer, which must be the service's."""
        ours, theirs = self(method, service, path, body, **headers)
        assert (ours.status_code, self._read(ours)) == (theirs.status_code, self._read(theirs))
        return ours

    def _spelled(self, body: object, place: int) -> object:
        if body is None or isinstance(body, bytes):
            return body
        text = json.dumps(body)
        for name, spellings in self._names.items():
            text = text.replace(f"@{name}", spellings[place])
        return json.loads(text)

    def _read(self, answer: requests.Response) -> Any:
        text = answer.text
        for name, spellings in self._names.items():
            for spelling in spellings:
                text = text.replace(spelling, name)
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text


@pytest.fixture(scope="module")
def pair(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> Iterator[Pair]:
    """Good names for everything that a request does not get wrong; whatever was asked, nothing came of it."""
    pod = region.pods["Pod1"]
    theirs = pod.list("compute", "flavors", is_public="None")[0]["id"]
    shared = next(network["id"] for network in pod.list("network", "networks", shared=True))
    network = tenant.network()
    before = tenant.traces()
    yield Pair(
        region,
        tenant,
        {"flavor": (flavor["id"], theirs), "network": (network["id"], shared), "image": (image_id, image_id)},
    )
    # The default groups that callers have past the doors are the pods' own business; all else is ours.
    assert tenant.traces() == before


def server(**fields: object) -> Json:
    """A body that is good but for ``fields``; None leaves one out."""
    whole = {"name": "bad", "flavorRef": "@flavor", "imageRef": "@image", "networks": "none", **fields}
    return {"server": {key: value for key, value in whole.items() if value is not None}}


def volume_device(source: str) -> Json:
    """A boot from something that is not there."""
    device = {"uuid": NOBODYS, "source_type": source, "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    return server(imageRef=None, block_device_mapping_v2=[device])


@pytest.mark.parametrize(
    "body",
    [
        server(flavorRef="nobodys"),
        server(imageRef=NOBODYS),
        server(imageRef="nobodys"),
        server(imageRef=""),
        server(networks=[{"uuid": NOBODYS}]),
        server(networks=[{"uuid": "nobodys"}]),
        server(networks=[{"port": NOBODYS}]),
        server(networks=[{"uuid": "@network", "fixed_ip": "nobodys"}]),
        server(networks=[{"uuid": "@network"}], security_groups=[{"name": "nobodys"}]),
        server(key_name="nobodys"),
        server(availability_zone="nobodys"),
        server(availability_zone="nobodys:host"),
        server(availability_zone="a:b:c:d"),
        server(availability_zone=3),
        {**server(), "os:scheduler_hints": {"group": NOBODYS}},
        volume_device("volume"),
        volume_device("snapshot"),
        volume_device("image"),
        server(name=None),
        server(flavorRef=None),
        server(networks=None),
        server(colour="red"),
        server(name="x" * 256),
        server(metadata={"a": 1}),
        server(min_count=3, max_count=2),
        {},
        {"server": []},
    ],
    ids=lambda body: json.dumps(body).replace("@", "")[:60],
)
def test_boots(pair: Pair, body: Json) -> None:
    assert 400 <= pair.agree("POST", "compute", "/servers", body).status_code < 404


def volume(**fields: object) -> Json:
    """A body that is good but for ``fields``."""
    return {"volume": {"size": 1, **fields}}


@pytest.mark.parametrize(
    "body",
    [
        volume(availability_zone="nobodys"),
        volume(volume_type="nobodys"),
        volume(volume_type=3),
        volume(snapshot_id=NOBODYS),
        volume(source_volid=NOBODYS),
        volume(backup_id=NOBODYS),
        volume(imageRef=NOBODYS),
        volume(size=0),
        volume(size=-1),
        volume(size="big"),
        volume(size=None),
        volume(name="x" * 256),
        volume(metadata={"a": 1}),
        {"volume": {}},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_volumes(pair: Pair, body: Json) -> None:
    assert pair.agree("POST", "block-storage", "/volumes", body).status_code in (400, 404)


@pytest.mark.parametrize("body", [{}, {"volume": []}, volume(colour="red"), volume(snapshot_id="nobodys")])
def test_volumes_that_no_schema_takes(pair: Pair, body: Json) -> None:
    """Refused, though perhaps not in the pod's words: what is looked at first differs."""
    ours, theirs = pair("POST", "block-storage", "/volumes", body)
    assert theirs.status_code == 400
    assert ours.status_code in (400, 404)
    assert set(ours.json()) <= {"badRequest", "itemNotFound"}


@pytest.mark.parametrize(
    ("method", "service", "path", "body"),
    [
        ("POST", "block-storage", "/snapshots", {"snapshot": {"volume_id": NOBODYS}}),
        ("GET", "block-storage", f"/volumes/{NOBODYS}", None),
        ("GET", "block-storage", f"/snapshots/{NOBODYS}", None),
        ("GET", "compute", f"/servers/{NOBODYS}", None),
        ("DELETE", "compute", f"/servers/{NOBODYS}", None),
        ("POST", "compute", f"/servers/{NOBODYS}/os-volume_attachments", {"volumeAttachment": {"volumeId": NOBODYS}}),
        ("POST", "compute", f"/servers/{NOBODYS}/os-interface", {"interfaceAttachment": {"net_id": NOBODYS}}),
        ("GET", "compute", f"/flavors/{NOBODYS}", None),
        ("GET", "network", f"/networks/{NOBODYS}", None),
        ("PUT", "network", f"/ports/{NOBODYS}", {"port": {"name": "x"}}),
        ("GET", "image", f"/images/{NOBODYS}", None),
        ("GET", "identity", f"/users/{NOBODYS}", None),
    ],
)
def test_unknown_ids(pair: Pair, method: str, service: str, path: str, body: object) -> None:
    assert pair.agree(method, service, path, body).status_code in (403, 404)


def test_actions_on_nothing(pair: Pair) -> None:
    assert pair.agree("POST", "compute", f"/servers/{NOBODYS}/action", {"os-stop": None}).status_code == 404


@pytest.mark.parametrize("service", MAKES)
@pytest.mark.parametrize("form", BROKEN)
def test_malformed_json(pair: Pair, service: str, form: bytes) -> None:
    path, key = MAKES[service]
    body = form % key.encode() if b"%s" in form else form
    ours, theirs = pair("POST", service, path, body)
    assert ours.status_code == 400, ours.text
    if theirs.status_code == 400:
        assert list(ours.json()) == list(theirs.json())
        assert ours.json() == theirs.json()


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("compute", f"/servers/{NOBODYS}/action"),
        ("compute", f"/servers/{NOBODYS}/os-interface"),
        ("compute", f"/servers/{NOBODYS}/os-volume_attachments"),
        ("compute", "/os-keypairs"),
        ("block-storage", "/snapshots"),
        ("block-storage", f"/volumes/{NOBODYS}/action"),
        ("network", "/ports"),
    ],
)
@pytest.mark.parametrize("body", [b'{"server": ', b"[]", b'"x"', b"null"])
def test_bodies_that_are_no_objects(tenant: Tenant, service: str, path: str, body: bytes) -> None:
    answer = tenant.here("POST", service, path, body)
    # What the path names may be looked for first.
    assert answer.status_code in (400, 404), answer.text
    (fault,) = answer.json().values()
    assert fault["message"]


@pytest.mark.parametrize("service", MAKES)
def test_a_body_over_the_limit(tenant: Tenant, service: str) -> None:
    path, key = MAKES[service]
    body = json.dumps({key or "name": "x" * BODY_LIMIT}).encode()
    answer = tenant.here("POST", service, path, body)
    assert answer.status_code == 413
    assert answer.json()["code"] == "413 Request Entity Too Large"
    assert str(BODY_LIMIT) in answer.json()["message"]


@pytest.mark.parametrize(
    ("service", "version", "status"),
    [
        ("compute", "compute 2.999", 406),
        ("compute", "compute 9.1", 406),
        ("compute", "compute abc", 400),
        ("compute", "compute 2", 400),
        ("compute", "compute 2.x", 400),
        ("block-storage", "volume 3.999", 406),
        ("block-storage", "volume 4.0", 406),
        ("block-storage", "volume abc", 400),
    ],
)
def test_microversions(pair: Pair, service: str, version: str, status: int) -> None:
    answer = pair.agree("GET", service, LISTS[service], OpenStack_API_Version=version)
    assert answer.status_code == status


@pytest.mark.parametrize(("version", "status"), [("2.999", 406), ("abc", 400)])
def test_microversions_as_nova_once_called_them(pair: Pair, version: str, status: int) -> None:
    headers = {"OpenStack_API_Version": "", "X_OpenStack_Nova_API_Version": version}
    assert pair.agree("GET", "compute", "/servers", **headers).status_code == status


@pytest.mark.parametrize(("service", "path"), [("compute", "/servers"), ("block-storage", "/volumes")])
def test_a_foreign_project_in_the_path(region: Region, tenant: Tenant, service: str, path: str) -> None:
    foreign = f"/{region.admin.project_id}{path}"
    ours, theirs = (caller("GET", service, foreign) for caller in (tenant.here, tenant.inside["Pod1"]))
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json()) == (400, theirs.json())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("service", MAKES)
def test_unknown_paths(pair: Pair, service: str, method: str) -> None:
    answer = pair.agree(method, service, "/nothing", None if method == "GET" else {})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "service", "path"),
    [
        ("PUT", "compute", "/servers"),
        ("DELETE", "compute", "/servers"),
        ("POST", "compute", "/servers/detail"),
        ("DELETE", "compute", "/limits"),
        ("PUT", "block-storage", "/volumes"),
        ("DELETE", "block-storage", "/volumes"),
        ("POST", "block-storage", "/volumes/detail"),
        ("DELETE", "block-storage", "/limits"),
        ("PUT", "network", "/networks"),
        ("DELETE", "network", "/networks"),
        ("PUT", "image", "/images"),
        ("DELETE", "image", "/images"),
        ("PUT", "identity", "/projects"),
        ("DELETE", "identity", "/projects"),
    ],
)
def test_wrong_verbs(pair: Pair, method: str, service: str, path: str) -> None:
    """405 where the service says so; Nova, Cinder and Neutron know a path only together with its verbs."""
    body: Json | None = None if method == "DELETE" else {}
    assert pair.agree(method, service, path, body).status_code in (404, 405)


def is_sent_away(answer: requests.Response, door: str, region: Region) -> None:
    """401 in the form of the door's service, with the way to our identity door."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{region.identity}"'
    body = answer.json()
    assert (body["code"] if door == "image" else str(body["error"]["code"])).startswith("401")


@pytest.mark.parametrize("service", LISTS)
@pytest.mark.parametrize("token", [None, "", "nonsense", "x" * 300])
def test_no_good_token(region: Region, service: str, token: str | None) -> None:
    headers = {"Accept": "application/json", **({} if token is None else {"X-Auth-Token": token})}
    is_sent_away(ask("GET", region.doors[service] + LISTS[service], headers=headers), service, region)


@pytest.mark.parametrize("service", sorted(MAKES.keys() - {"identity"}))
def test_nothing_is_read_without_a_token(region: Region, service: str) -> None:
    """Neither the form of a body nor the path is told to strangers (who sign in at the identity door)."""
    headers = {"Accept": "application/json", "X-Auth-Token": "nonsense", "Content-Type": "application/json"}
    for path in (MAKES[service][0], "/nothing"):
        is_sent_away(ask("POST", region.doors[service] + path, headers=headers, data=b'{"'), service, region)


def test_a_revoked_token(region: Region, tenant: Tenant) -> None:
    leaving = tenant.sign_in()
    for service, path in LISTS.items():
        assert leaving("GET", service, path).status_code == 200, service
    revoked = tenant.here("DELETE", "identity", "/auth/tokens", headers={"X-Subject-Token": leaving.token})
    assert revoked.status_code == 204
    for service, path in LISTS.items():
        # A gateway may believe a token for a minute after the last look.
        answer = eventually(
            lambda service=service, path=path: leaving("GET", service, path),  # type: ignore[misc]
            lambda answer: answer.status_code == 401,
            f"refused at {service}",
            70,
        )
        is_sent_away(answer, service, region)


def test_a_token_without_a_project(region: Region, tenant: Tenant) -> None:
    """An unscoped token is good for the identity service alone."""
    who = {"name": tenant.name, "domain": {"id": "default"}, "password": "labpw"}
    identity = {"methods": ["password"], "password": {"user": who}}
    signed = ask("POST", f"{region.identity}/auth/tokens", json={"auth": {"identity": identity, "scope": "unscoped"}})
    assert signed.status_code == 201
    headers = {"X-Auth-Token": signed.headers["X-Subject-Token"], "Accept": "application/json"}
    assert ask("GET", f"{region.identity}/auth/projects", headers=headers).status_code == 200
    for service in ("compute", "block-storage"):
        body = {"server": {"name": unique()}} if service == "compute" else {"volume": {"size": 1}}
        answer = ask("POST", region.doors[service] + MAKES[service][0], headers=headers, json=body)
        assert answer.status_code in (400, 403), answer.text


def test_the_root_of_the_doors(region: Region) -> None:
    assert ask("GET", f"{region.front}/nothing").status_code == 404
    root = ask("GET", region.front)
    assert root.status_code == 200
    assert {service["type"] for service in root.json()["services"]} >= set(DOORS)
