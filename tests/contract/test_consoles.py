# SPDX-License-Identifier: Apache-2.0
"""What does Nova answer who asks for a console, or sends an event?"""

import uuid
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.cloud import Cloud

Boot = Callable[..., str]
NEWEST, OLDEST = {"OpenStack-API-Version": "compute 2.99"}, {"OpenStack-API-Version": "compute 2.1"}
NOBODY = "99999999-0000-4000-8000-000000000000"
REMOTE = [
    ("vnc", "novnc"), ("spice", "spice-html5"), ("spice", "spice-direct"), ("serial", "serial"), ("mks", "webmks"),
]  # fmt: skip


@pytest.fixture
def server(boot: Boot) -> str:
    return boot()


def test_every_type_has_a_url_with_a_token(cloud: Cloud, server: str) -> None:
    for protocol, type_ in REMOTE:
        body = {"remote_console": {"protocol": protocol, "type": type_}}
        answer = cloud.tenant("POST", "compute", f"/v2.1/servers/{server}/remote-consoles", body, NEWEST)
        assert answer.status_code == 200, answer.text
        said = answer.json()["remote_console"]
        assert set(said) == {"protocol", "type", "url"}
        query = parse_qs(urlsplit(said["url"]).query)
        assert ("path" in query) == (type_ == "novnc")
        assert len((query.get("token") or parse_qs(urlsplit(query["path"][0]).query)["token"])[0]) == 36
        assert urlsplit(said["url"]).scheme == ("ws" if type_ == "serial" else "http")


@pytest.mark.parametrize(
    ("action", "type_"),
    [("os-getVNCConsole", "novnc"), ("os-getSPICEConsole", "spice-html5"), ("os-getSerialConsole", "serial")],
)
def test_actions_end_with_2_5(cloud: Cloud, server: str, action: str, type_: str) -> None:
    path, body = f"/v2.1/servers/{server}/action", {action: {"type": type_}}
    answer = cloud.tenant("POST", "compute", path, body, OLDEST)
    assert answer.status_code == 200
    assert set(answer.json()["console"]) == {"type", "url"}
    newer = {"OpenStack-API-Version": "compute 2.6"}
    assert cloud.tenant("POST", "compute", path, body, newer).status_code in (400, 404)
    # The schema of VNC still takes the console of XenServer, and Nova does not expect what its computes then say.
    xvpvnc = 500 if action == "os-getVNCConsole" else 400
    for wrong, status in (("x", 400), ("xvpvnc", xvpvnc)):
        assert cloud.tenant("POST", "compute", path, {action: {"type": wrong}}, OLDEST).status_code == status


def test_what_a_token_stands_for_is_for_administrators(cloud: Cloud, server: str) -> None:
    body = {"remote_console": {"protocol": "spice", "type": "spice-direct"}}
    answer = cloud.tenant("POST", "compute", f"/v2.1/servers/{server}/remote-consoles", body, NEWEST)
    token = parse_qs(urlsplit(answer.json()["remote_console"]["url"]).query)["token"][0]
    path = f"/v2.1/os-console-auth-tokens/{token}"
    console = cloud.admin("GET", "compute", path, headers=NEWEST).json()["console"]
    assert set(console) == {"instance_uuid", "host", "port", "internal_access_path", "tls_port"}
    assert console["instance_uuid"] == server
    assert cloud.tenant("GET", "compute", path, headers=NEWEST).status_code == 403
    assert cloud.admin("GET", "compute", path, headers=OLDEST).status_code == 400
    nothing = cloud.admin("GET", "compute", "/v2.1/os-console-auth-tokens/nothing", headers=NEWEST)
    assert nothing.status_code == 404
    assert nothing.json()["itemNotFound"]["message"] == "Token not found"


def test_events_of_servers_that_are_known_or_not(cloud: Cloud, server: str) -> None:
    version = {"OpenStack-API-Version": "compute 2.93"}
    known = {"name": "network-changed", "server_uuid": server}
    strange = {"name": "network-changed", "server_uuid": NOBODY}
    untagged = {"name": "volume-extended", "server_uuid": server}
    tagged = {**untagged, "tag": str(uuid.uuid4())}
    for events, status, codes in (
        ([known, tagged], 200, [200, 200]),
        ([strange, known, untagged], 207, [404, 200, 400]),
    ):
        answer = cloud.admin("POST", "compute", "/v2.1/os-server-external-events", {"events": events}, version)
        assert answer.status_code == status
        said = answer.json()["events"]
        assert [event["code"] for event in said] == codes
        assert all(event["status"] == ("completed" if event["code"] == 200 else "failed") for event in said)
    for events in ([], [{**known, "name": "x"}]):
        answer = cloud.admin("POST", "compute", "/v2.1/os-server-external-events", {"events": events}, version)
        assert answer.status_code == 400
    answer = cloud.tenant("POST", "compute", "/v2.1/os-server-external-events", {"events": [known]}, version)
    assert answer.status_code == 403
