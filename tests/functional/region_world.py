# SPDX-License-Identifier: Apache-2.0
"""The one region and what is behind it, over plain HTTP: as tenants, as the region's and as the pods' operators see
it.
"""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from lab.topology import PASSWORD, load_lab
from tricircle.conf.load import load

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
#: Another gateway than the one of the lab in this tree.
CONF = Path(os.environ.get("TRICIRCLE_LAB_CONF", ROOT / ".lab" / "etc" / "tricircle.conf"))
ZONES = {"Pod1": "az1", "Pod2": "az2"}
DOORS = {
    "compute": "/compute/v2.1",
    "block-storage": "/volume/v3",
    "network": "/network/v2.0",
    "image": "/image/v2",
    "identity": "/identity/v3",
}
#: The same services where they really are: what a lab calls them, and their version.
SERVICES = {
    "compute": ("nova", "/v2.1"),
    "block-storage": ("cinder", "/v3"),
    "network": ("neutron", "/v2.0"),
    "image": ("glance", "/v2"),
}
#: Every function that tests use, and no later change of an answer's form.
VERSIONS = {"compute": "compute 2.90", "block-storage": "volume 3.59"}
#: Told every answer of a door: (verb, service, answer, body of the call).
WATCHES: list[Callable[[str, str, requests.Response, object], None]] = []
#: So many times longer than usual everything may take, on a machine that is busy with something else.
PATIENCE = float(os.environ.get("TRICIRCLE_PATIENCE", "1"))
_DOMAIN = {"id": "default"}
Json = dict[str, Any]


def unique(word: str = "fn") -> str:
    """A name that nobody has."""
    return f"{word}-{secrets.token_hex(4)}"


def eventually(look: Callable[[], T], is_good: Callable[[T], object], what: str, seconds: float = 180.0) -> T:
    """Look until it is as wanted, and return what was seen."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if is_good(seen):
            return seen
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s; last seen: {seen!r}"
        time.sleep(0.2 * PATIENCE)


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results of calls made at the same time, in order."""
    with ThreadPoolExecutor(max_workers=max(len(calls), 1)) as pool:
        return [task.result() for task in [pool.submit(call) for call in calls]]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody with a token at one set of services: ``caller("GET", "compute", "/servers")``."""

    roots: Mapping[str, str]
    token: str = field(repr=False)
    project_id: str
    user_id: str

    def __call__(
        self,
        method: str,
        service: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> requests.Response:
        """One call; bytes go out as they are. Nothing is followed, nothing is raised."""
        sent = {"X-Auth-Token": self.token, "Content-Type": "application/json", "Accept": "application/json"}
        if service in VERSIONS:
            sent["OpenStack-API-Version"] = VERSIONS[service]
        data = body if isinstance(body, bytes) else None
        answer = ask(
            method,
            path if path.startswith("http") else self.roots[service] + path,
            headers={**sent, **(headers or {})},
            params=params,
            data=data,
            json=body if data is None else None,
        )
        if service in DOORS and urlsplit(answer.url).path.startswith(DOORS[service]):
            for watch in WATCHES:
                watch(method, service, answer, body)
        return answer

    def good(self, method: str, service: str, path: str, body: object = None, **params: object) -> Any:
        """The JSON of a call that must succeed."""
        answer = self(method, service, path, body, params=params)
        assert answer.status_code < 300, f"{method} {answer.url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def make(self, service: str, collection: str, member: str, **values: object) -> Json:
        """A new thing."""
        made: Json = self.good("POST", service, f"/{collection}", {member: values})[member]
        return made

    def list(self, service: str, collection: str, **params: object) -> list[Json]:
        """All that a list holds."""
        key = collection.removeprefix("qos/").partition("/")[0].replace("-", "_").removeprefix("os_")
        found: list[Json] = self.good("GET", service, f"/{collection}", **params)[key]
        return found

    def delete(self, service: str, path: str) -> int:
        """The status of a deletion."""
        return self("DELETE", service, path).status_code


def ask(method: str, url: str, **details: Any) -> requests.Response:
    """One call past any proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, allow_redirects=False, timeout=90 * PATIENCE, **details)


def sign_in(url: str, user: str, password: str, project: Mapping[str, object], roots: Mapping[str, str]) -> Caller:
    """A caller with a new token. ``url``: the identity service with its version."""
    who = {"name": user, "domain": _DOMAIN, "password": password}
    identity = {"methods": ["password"], "password": {"user": who}}
    answer = ask("POST", f"{url}/auth/tokens", json={"auth": {"identity": identity, "scope": {"project": project}}})
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    return Caller(
        roots=roots,
        token=answer.headers["X-Subject-Token"],
        project_id=token["project"]["id"],
        user_id=token["user"]["id"],
    )


class Region:
    """The running lab and the gateway in front of it."""

    def __init__(self) -> None:
        settings = load(["--config-file", str(CONF)], prog="test")
        lab = load_lab(ROOT)
        self.front = settings.gateway.public_endpoint
        self.admin_api = f"{settings.gateway.admin_endpoint}/v1.0"
        self.identity = f"{self.front}{DOORS['identity']}"
        self.keystone = f"{settings.central.identity_url}/v3"
        self.doors = {service: self.front + path for service, path in DOORS.items()}
        central = {service: lab.url(name) + path for service, (name, path) in SERVICES.items()}
        behind = {
            pod.region: {service: pod.url(name) + path for service, (name, path) in SERVICES.items()}
            | {"image": lab.glance_of(pod) + SERVICES["image"][1]}
            for pod in lab.pods
        }
        self.page_limit = {pod.region: pod.page_limit or 1000 for pod in lab.pods}
        #: The administrator through the doors, past them at the centre, and in each pod.
        self.admin = sign_in(self.identity, "admin", PASSWORD, {"name": "admin", "domain": _DOMAIN}, self.doors)
        self.centre = self.elsewhere(self.admin, {**central, "identity": self.keystone})
        self.pods = {name: self.elsewhere(self.admin, roots) for name, roots in behind.items()}

    @staticmethod
    def elsewhere(caller: Caller, roots: Mapping[str, str]) -> Caller:
        """The same token at other services."""
        return Caller(roots=roots, token=caller.token, project_id=caller.project_id, user_id=caller.user_id)

    def operate(self, method: str, path: str, body: object = None) -> requests.Response:
        """One call to the Admin API."""
        return ask(method, self.admin_api + path, json=body, headers={"X-Auth-Token": self.admin.token})

    def registered(self) -> None:
        """Register the lab's pods that are not."""
        known = {pod["pod_name"] for pod in self.operate("GET", "/pods").json()["pods"]}
        for name, zone in {"RegionOne": "", **ZONES}.items():
            if name not in known:
                body = {"pod": {"pod_name": name, "az_name": zone}}
                assert self.operate("POST", "/pods", body).status_code == 200

    def image_id(self) -> str:
        """The image that the lab puts at the centre."""
        return str(self.centre.list("image", "images", name="cirros")[0]["id"])


def ids(things: Sequence[Mapping[str, object]]) -> list[str]:
    """Their ids, in order."""
    return [str(thing["id"]) for thing in things]
