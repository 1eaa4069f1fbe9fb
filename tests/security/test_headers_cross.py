# SPDX-License-Identifier: Apache-2.0
"""Which headers cross the gateway, in which direction? Every one that a client or a pod could do harm with is tried."""

import re

import pytest

from benchmarks.stub_keystone import TOKEN
from tests.security.front import PUBLIC, SERVER, Front, head, statuses
from tests.security.recorder import Heard, ok

SHOW = f"GET /compute/v2.1/servers/{SERVER} HTTP/1.1"
#: What arrives of any request that has no body.
ALWAYS = {"host", "via", "accept-encoding", "x-openstack-request-id", "x-auth-token"}
SPOOFS = (
    "X-Service-Token: stolen",
    "X-Identity-Status: Confirmed",
    "X-Service-Identity-Status: Confirmed",
    "X-Roles: admin",
    "X-Role: admin",
    "X-Project-Id: evil",
    "X-Tenant-Id: evil",
    "X-User-Id: evil",
    "X-Is-Admin-Project: True",
    "X-Auth-User: evil",
    "X-Auth-Key: evil",
    "X-Auth-Project-Id: evil",
    "X_Auth_Token: evil",
    "X_Service_Token: evil",
    "X-Service-Catalog: []",
    "X-Storage-Token: evil",
    "X-Subject-Token: evil",
    "Openstack-System-Scope: all",
    "OpenStack-Auth-Receipt: evil",
    "Authorization: Basic ZXZpbDpldmls",
    "Proxy-Authorization: Basic ZXZpbDpldmls",
    "Proxy: http://evil",
    "X-Instance-ID: evil",
    "X-Instance-ID-Signature: evil",
    "X-Metadata-Provider: evil",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /evil",
    "X-Real-IP: 127.0.0.1",
    "X-Original-URL: /evil",
    "X-Rewrite-URL: /evil",
    "X-HTTP-Method-Override: DELETE",
    "Forwarded: for=127.0.0.1;host=evil",
    "Via: 1.1 evil",
    "Cookie: a=b",
    "Max-Forwards: 0",
    "X-Image-Meta-Location: http://evil",
    "X-Glance-Registry-Purge-Props: true",
)


def test_a_pod_is_told_nothing_but_the_token(gateway: Front) -> None:
    assert statuses(gateway.talk(head(SHOW, *SPOOFS), wait_s=0.3)) == [200]
    (heard,) = gateway.pod.heard
    assert {name for name, _ in heard.headers} == ALWAYS | {"openstack-api-version"}
    assert heard.values("x-auth-token") == [TOKEN]
    assert heard.values("via") == ["1.1 tricircle-gateway"]
    assert heard.values("openstack-api-version") == ["compute 2.1"]


def test_the_first_of_several_tokens_counts_and_goes_alone(gateway: Front) -> None:
    """What was judged is what acts."""
    assert statuses(gateway.talk(head(SHOW, "X-Auth-Token: other"), wait_s=0.3)) == [401]
    assert statuses(gateway.talk(head(SHOW)[:-2] + b"X-Auth-Token: other\r\n\r\n", wait_s=0.3)) == [200]
    assert gateway.pod.heard[0].values("x-auth-token") == [TOKEN]


def test_hop_by_hop_headers_end_with_us(gateway: Front) -> None:
    """Nor can a client take one of ours away by naming it in ``Connection``."""
    more = ("Connection: X-Auth-Token, OpenStack-API-Version, close", "TE: trailers", "Keep-Alive: timeout=1")
    assert statuses(gateway.talk(head(SHOW, *more), wait_s=0.3)) == [200]
    names = {name for name, _ in gateway.pod.heard[0].headers}
    assert names == ALWAYS | {"openstack-api-version"}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("compute 2.5", 200),
        ("compute 2.5, volume 3.60", 200),
        ("compute 2.5; drop", 400),
        ("compute 2.5\t", 200),
        ("compute 99.1", 406),
        ("compute 2.5 x-service-token: a", 400),
        ("compute " + "9" * 5000, 400),
        ("\xff\xfe", 200),
        ("", 200),
    ],
)
def test_only_a_version_is_sent_as_a_version(gateway: Front, said: str, status: int) -> None:
    assert statuses(gateway.talk(head(SHOW, f"OpenStack-API-Version: {said}"), wait_s=0.3)) == [status]
    for heard in gateway.pod.heard:
        (sent,) = heard.values("openstack-api-version")
        assert re.fullmatch(r"compute 2\.\d+", sent)


@pytest.mark.parametrize(
    "said",
    ["req-" + "a" * 5000, "req-evil", "x\ty", "\xe4\xf6", "req-00000000-0000-4000-8000-00000000000%0a", ""],
)
def test_a_request_id_that_is_none_goes_nowhere(gateway: Front, said: str) -> None:
    """Neither to the pod, nor to the log, nor back."""
    answer = gateway.talk(head(SHOW, f"X-Openstack-Request-Id: {said}"), wait_s=0.3)
    assert statuses(answer) == [200]
    (sent,) = gateway.pod.heard[0].values("x-openstack-request-id")
    assert re.fullmatch(r"req-[0-9a-f-]{36}", sent)
    assert sent.encode() in answer
    assert not said or said.encode("latin-1") not in answer


HIDDEN = (
    "Server: Apache (pod1-api-3)",
    "Via: 1.1 pod1-api-3",
    "X-Powered-By: pod1-api-3",
    "X-Compute-Host: pod1-api-3",
    "X-Served-By: pod1-api-3",
    "X-Backend: pod1-api-3",
    "Set-Cookie: SERVERID=pod1-api-3",
    "Warning: 199 pod1-api-3 stale",
    'WWW-Authenticate: Keystone uri="http://pod1-api-3"',
    "Proxy-Authenticate: Basic realm=pod1-api-3",
    "Location: http://pod1-api-3:8774/v2.1/servers/x",
    "Location: http://pod1-api-3/#https://cloud.example/compute",
    "Location: //pod1-api-3/x",
    "Location: /\\pod1-api-3/x",
    "Link: <http://pod1-api-3/v2.1>; rel=next, <https://cloud.example/compute/x>; rel=self",
    "Content-Location: http://pod1-api-3/",
    "Refresh: 0; url=http://pod1-api-3",
    "Alt-Svc: h2=pod1-api-3:443",
    "Access-Control-Allow-Origin: http://pod1-api-3",
    "Strict-Transport-Security: max-age=1",
    "X-Openstack-Request-Id: req-pod1-api-3",
    "X-Subject-Token: pod1-api-3",
    "X-Auth-Token: pod1-api-3",
    "OpenStack-image-store-ids: pod1-api-3",
    "Server-Timing: pod1-api-3;dur=1",
    "X-Compute-Request-Id: pod1-api-3",
    "Date: pod1-api-3",
)


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "407 Proxy Authentication Required", "404 Not Found"])
def test_nothing_that_names_a_pod_comes_out(gateway: Front, status: str) -> None:
    gateway.pod.say = lambda _heard: ok(b'{"itemNotFound": {"code": 404, "message": "x"}}', *HIDDEN, status=status)
    answer = gateway.talk(head(SHOW), wait_s=0.3)
    assert statuses(answer) == [int(status[:3])]
    assert b"pod1-api-3" not in answer
    # Of what leads elsewhere, what is known to be the pod's own place is ours; all else stays behind.
    places = re.findall(rb"(?mi)^location: (.*)\r$", answer)
    assert places == [f"{PUBLIC}/compute/v2.1/servers/x".encode()]
    names = {line.partition(b":")[0].lower() for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    expected = {b"content-type", b"content-length", b"date", b"openstack-api-version", b"x-openstack-nova-api-version"}
    expected |= {b"location", b"vary", b"x-compute-request-id", b"x-openstack-request-id", b"server-timing"}
    if status.startswith("401"):
        expected.add(b"www-authenticate")
        assert f'Keystone uri="{PUBLIC}/identity/v3"'.encode() in answer
    assert names <= expected | {b"server"}
    assert b"server: granian" in answer or b"server" not in names


@pytest.mark.parametrize(
    "value",
    [
        b"a\r\nX-Evil: 1",
        b"a\nX-Evil: 1",
        b"a\rX-Evil: 1",
        b"a\r\n X-Evil: 1",
        b"a\0b",
        b"application/json\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_pod_cannot_split_an_answer(gateway: Front, value: bytes) -> None:
    """What looks like a header of ours, or like a second answer, never reaches the client as one."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: " + value + b"\r\nX-Hidden: 1\r\n\r\n{}"
    gateway.pod.say = lambda _heard: said
    answer = gateway.talk(head(SHOW), wait_s=0.5)
    assert len(statuses(answer)) == 1
    assert b"\r\nx-evil" not in answer.lower()
    assert b"\nx-evil" not in answer.lower()


def test_a_pod_that_says_too_much_at_once_is_heard_once(gateway: Front) -> None:
    """The second answer on a connection belongs to nobody: not to whoever asks next."""

    def say(heard: Heard) -> bytes:
        return ok(b'{"server": {"id": "mine"}}') + ok(b'{"server": {"id": "STOLEN"}}')

    gateway.pod.say = say
    for _ in range(5):
        answer = gateway.talk(head(SHOW), wait_s=0.2)
        assert statuses(answer) == [200]
        assert b"STOLEN" not in answer
    assert len({heard.connection for heard in gateway.pod.heard}) == 5
