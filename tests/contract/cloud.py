# SPDX-License-Identifier: Apache-2.0
"""How does the contract suite reach one pod, fake or real, as its operator and as two tenants?"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import yaml

from lab.topology import load_lab

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
TYPES = {"nova": "compute", "cinder": "block-storage"}
SERVICES = ("compute", "block-storage", "network", "image", "placement")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody with a token. Call it as ``caller("GET", "compute", "/v2.1/servers")``."""

    roots: Mapping[str, str]
    token: str = field(repr=False)
    user_id: str
    project_id: str
    session: requests.Session = field(repr=False)

    def __call__(
        self, method: str, service: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """One call; nothing is followed, nothing is raised."""
        sent = {"X-Auth-Token": self.token, **(headers or {})}
        data = body if isinstance(body, bytes) else None
        return self.session.request(
            method,
            self.roots[service] + path,
            headers=sent,
            data=data,
            json=body if data is None else None,
            allow_redirects=False,
            timeout=60,
        )

    def good(self, method: str, service: str, path: str, body: object = None, **headers: str) -> Any:
        """The JSON of a call that must succeed; ``headers`` with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self(method, service, path, body, named)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One pod. ``page_limit``: most items in a page of servers or volumes; ``zone``: its one availability zone."""

    name: str
    admin: Caller
    tenant: Caller
    other: Caller
    page_limit: int
    zone: str
    image_id: str
    flavor_id: str

    @property
    def roots(self) -> Mapping[str, str]:
        """Service type -> root without version."""
        return self.admin.roots

    @property
    def names(self) -> Mapping[str, str]:
        """Service type -> root by which it calls itself, where that is not what it is called by."""
        pods = load_lab(ROOT).pods if self.name.startswith("pod") else ()
        own = next((pod.own_names for pod in pods if pod.name == self.name), {})
        return {TYPES[service]: url for service, url in own.items()}

    def link_root(self, service: str) -> str:
        """What links of a service begin with."""
        return self.names.get(service, self.roots[service])


def unique(word: str) -> str:
    """A name that nobody has."""
    return f"{word}-{uuid.uuid4().hex[:10]}"


def eventually(ask: Callable[[], T], is_reached: Callable[[T], bool], seconds: float = 60.0) -> T:
    """Ask until the answer is as wanted; the last answer is in the error otherwise."""
    until = time.monotonic() + seconds
    while True:
        value = ask()
        if is_reached(value):
            return value
        assert time.monotonic() < until, f"not reached within {seconds} s; the last answer was {value!r}"
        time.sleep(0.1)


def open_lab(pod: str) -> Cloud:
    """The pod ``pod1`` or ``pod2`` of the running lab, from ``.lab/clouds.yaml`` and Keystone's catalog."""
    clouds = yaml.safe_load((ROOT / ".lab" / "clouds.yaml").read_text())["clouds"]
    keystone = clouds[pod]["auth"]["auth_url"]  # not the identity door: its catalog hides the pods
    region = clouds[pod]["region_name"]
    session = requests.Session()
    session.trust_env = False
    admin = _sign_in(session, keystone, clouds[pod]["auth"], region)
    tenant = _sign_in(session, keystone, clouds["tricircle"]["auth"], region)
    other = _sign_in(session, keystone, clouds["tricircle-alt"]["auth"], region)
    zones = admin.good("GET", "block-storage", "/v3/os-availability-zone")["availabilityZoneInfo"]
    images = other.good("GET", "compute", "/v2.1/images?status=ACTIVE")["images"]  # what every tenant may boot
    return Cloud(
        name=pod,
        admin=admin,
        tenant=tenant,
        other=other,
        page_limit=next(known.page_limit for known in load_lab(ROOT).pods if known.name == pod) or 1000,
        zone=zones[0]["zoneName"],
        image_id=images[0]["id"],
        flavor_id=make_flavor(admin),
    )


def make_flavor(admin: Caller) -> str:
    """A small public flavor of the suite's own."""
    name = unique("contract")
    body = {"flavor": {"name": name, "id": name, "ram": 64, "vcpus": 1, "disk": 1}}
    return str(admin.good("POST", "compute", "/v2.1/flavors", body)["flavor"]["id"])


def _sign_in(session: requests.Session, keystone: str, auth: Mapping[str, str], region: str) -> Caller:
    domain = {"id": "default"}
    user = {"name": auth["username"], "password": auth["password"], "domain": domain}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": auth["project_name"], "domain": domain}},
        }
    }
    answer = session.post(f"{keystone}/auth/tokens", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    roots = {
        service["type"]: "{0.scheme}://{0.netloc}".format(urlsplit(endpoint["url"]))
        for service in token["catalog"]
        for endpoint in service["endpoints"]
        if endpoint["region"] == region and endpoint["interface"] == "public"
    }
    return Caller(
        roots={name: roots[name] for name in SERVICES},
        token=answer.headers["X-Subject-Token"],
        user_id=token["user"]["id"],
        project_id=token["project"]["id"],
        session=session,
    )
