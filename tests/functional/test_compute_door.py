# SPDX-License-Identifier: Apache-2.0
"""Does the compute door on a real centre answer what one real Nova would answer, and leave nothing behind?

Needs the lab with its pods registered. What is made here is named ``door-...`` and removed again.
"""

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.lab

GATEWAY = os.environ.get("TRICIRCLE_LAB_GATEWAY", "http://127.0.0.1:20080")
POD1 = "http://127.0.0.1:21774/v2.1"
KEYSTONE = "http://127.0.0.1:20500/v3"
NOBODY = "99999999-0000-0000-0000-000000000000"
Json = dict[str, Any]


def token(user: str, project: str) -> str:
    domain = {"id": "default"}
    password = {"user": {"name": user, "password": "labpw", "domain": domain}}
    scope = {"project": {"name": project, "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}}
    answer = requests.post(f"{KEYSTONE}/auth/tokens", json=body, timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


class Caller:
    """One user at one service root."""

    def __init__(self, root: str, user: str, project: str) -> None:
        self.root = root
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-Auth-Token"] = token(user, project)

    def __call__(self, method: str, path: str, body: object = None, version: str = "2.90") -> requests.Response:
        headers = {"OpenStack-API-Version": f"compute {version}"}
        deadline = time.monotonic() + 60
        while True:
            answer = self.session.request(method, self.root + path, json=body, headers=headers, timeout=120)
            # Other tests of this storey make pods sick on purpose, and then nobody knows what does not exist.
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(1)


@pytest.fixture(scope="module")
def compute() -> Caller:
    return Caller(f"{GATEWAY}/compute/v2.1", "alt", "alt")


@pytest.fixture(scope="module")
def network() -> Caller:
    return Caller(f"{GATEWAY}/network/v2.0", "alt", "alt")


@pytest.fixture(scope="module")
def pod() -> Caller:
    return Caller(POD1, "alt", "alt")


@pytest.fixture(scope="module")
def image() -> str:
    images = Caller(f"{GATEWAY}/image/v2", "alt", "alt")("GET", "/images?name=cirros").json()["images"]
    return str(images[0]["id"])


@pytest.fixture(scope="module")
def flavor() -> Iterator[str]:
    """The same flavor at the centre and in Pod1, so that a boot in the pod itself is like one through the door."""
    admins = [Caller(root, "admin", "admin") for root in (f"{GATEWAY}/compute/v2.1", POD1)]
    flavor_id = f"door-{uuid.uuid4().hex[:8]}"
    for admin in admins:
        made = admin(
            "POST", "/flavors", {"flavor": {"id": flavor_id, "name": flavor_id, "ram": 64, "vcpus": 1, "disk": 1}}
        )
        assert made.status_code == 200, made.text
    yield flavor_id
    for admin in admins:
        admin("DELETE", f"/flavors/{flavor_id}")


@pytest.fixture
def net(network: Caller) -> Iterator[str]:
    """A network with a subnet; it can only be deleted when nothing is left on it."""
    made = network("POST", "/networks", {"network": {"name": f"door-{uuid.uuid4().hex[:6]}"}}).json()["network"]["id"]
    subnet = {"network_id": made, "cidr": "10.66.0.0/24", "ip_version": 4}
    assert network("POST", "/subnets", {"subnet": subnet}).status_code == 201
    yield str(made)
    for port in network("GET", f"/ports?network_id={made}").json()["ports"]:
        if not port["device_id"]:
            network("DELETE", f"/ports/{port['id']}")
    deadline = time.monotonic() + 60
    while (gone := network("DELETE", f"/networks/{made}")).status_code == 409 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert gone.status_code == 204, gone.text


def settled(compute: Caller, server_id: str, status: str | None) -> Json:
    """The server when it has a status; None: when it is gone."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = compute("GET", f"/servers/{server_id}")
        if answer.status_code == 404 and status is None:
            return {}
        server: Json = answer.json().get("server", {})
        assert server.get("status") != "ERROR", server.get("fault")
        if server.get("status") == status and not server["OS-EXT-STS:task_state"]:
            return server
        time.sleep(0.3)
    raise AssertionError(f"server {server_id} did not become {status}")


BAD: dict[str, Json] = {
    "no name": {"name": None},
    "unknown field": {"bogus": 1},
    "unknown flavor": {"flavorRef": "nope"},
    "unknown image": {"imageRef": NOBODY},
    "no image": {"imageRef": ""},
    "unknown key": {"key_name": "nope"},
    "unknown zone": {"availability_zone": "nope"},
    "forced host": {"availability_zone": "az1:h"},
    "unknown network": {"networks": [{"uuid": NOBODY}]},
    "malformed network": {"networks": [{"uuid": "x"}]},
    "unknown port": {"networks": [{"port": NOBODY}]},
    "a port twice": {"networks": [{"port": NOBODY}, {"port": NOBODY}]},
    "unknown group": {"security_groups": [{"name": "nope"}]},
    "counts the wrong way round": {"min_count": 3, "max_count": 2},
    "several servers with one port": {"networks": [{"port": NOBODY}], "min_count": 2},
    "unknown volume": {
        "imageRef": "",
        "block_device_mapping_v2": [
            {"uuid": NOBODY, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        ],
    },
    "unknown image of a device": {
        "imageRef": "",
        "block_device_mapping_v2": [
            {
                "uuid": NOBODY,
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 1,
            }
        ],
    },
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("version", ["2.37", "2.60", "2.90"])
def test_a_bad_boot_is_refused_as_a_pod_refuses_it(
    compute: Caller, pod: Caller, flavor: str, image: str, fields: Json, version: str
) -> None:
    server: Json = {"name": "door", "flavorRef": flavor, "imageRef": image, "networks": "none", **fields}
    body = {"server": {key: value for key, value in server.items() if value is not None}}
    ours, theirs = compute("POST", "/servers", body, version), pod("POST", "/servers", body, version)
    assert theirs.status_code >= 400, "the pod took it"
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


def test_other_refusals_are_those_of_a_pod(compute: Caller, pod: Caller) -> None:
    for method, path, body in (
        ("POST", "/servers", {}),
        ("GET", f"/servers/{NOBODY}", None),
        ("GET", f"/servers/{NOBODY}/os-interface", None),
        ("GET", "/servers?all_tenants=1", None),
        ("GET", "/servers?sort_key=nope", None),
        ("GET", "/servers?marker=nope", None),
        ("GET", "/os-hypervisors", None),
        ("GET", "/os-agents", None),
        ("GET", "/flavors/nope", None),
        ("GET", "/os-keypairs/nope", None),
    ):
        ours, theirs = compute(method, path, body), pod(method, path, body)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json()), path


def test_ports_of_a_server(compute: Caller, network: Caller, flavor: str, image: str, net: str) -> None:
    """The user's port stays, ours goes; attached and detached, with ids and names as the user knows them."""
    users = network("POST", "/ports", {"port": {"network_id": net, "name": "users"}}).json()["port"]
    body = {
        "name": "door-ports",
        "flavorRef": flavor,
        "imageRef": image,
        "networks": [{"port": users["id"]}],
        "availability_zone": "az1",
        "security_groups": [{"name": "default"}],
    }
    booted = compute("POST", "/servers", {"server": body})
    assert booted.status_code == 202, booted.text
    server_id = booted.json()["server"]["id"]
    server = settled(compute, server_id, "ACTIVE")
    (addresses,) = server["addresses"].values()
    assert addresses[0]["addr"] == users["fixed_ips"][0]["ip_address"]
    assert server["OS-EXT-AZ:availability_zone"] == "az1"
    assert server["security_groups"] == [{"name": "default"}]
    again = compute("POST", "/servers", {"server": body})
    assert (again.status_code, again.json()["conflictingRequest"]["message"]) == (
        409,
        f"Port {users['id']} is still in use.",
    )
    attached = compute("POST", f"/servers/{server_id}/os-interface", {"interfaceAttachment": {"net_id": net}})
    assert attached.status_code == 200, attached.text
    ours = attached.json()["interfaceAttachment"]["port_id"]
    assert network("GET", f"/ports/{ours}").json()["port"]["device_id"] == server_id
    shown = compute("GET", f"/servers/{server_id}/os-interface").json()["interfaceAttachments"]
    assert {one["port_id"] for one in shown} == {users["id"], ours}
    assert {one["net_id"] for one in shown} == {net}
    assert compute("DELETE", f"/servers/{server_id}").status_code == 204
    settled(compute, server_id, None)
    deadline = time.monotonic() + 60
    while network("GET", f"/ports/{ours}").status_code != 404:
        assert time.monotonic() < deadline, "our port outlived the server"
        time.sleep(0.3)
    while network("GET", f"/ports/{users['id']}").json()["port"]["device_id"]:
        assert time.monotonic() < deadline, "the user's port was not freed"
        time.sleep(0.3)
