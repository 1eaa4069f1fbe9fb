# SPDX-License-Identifier: Apache-2.0
"""Is a secret ever written down or told? Canaries are put into every secret place, everything goes wrong that can, and
nothing of them is found in the log (which is at its most talkative here) or in what others can read.
"""

import base64
import http.client
import json
import re
import time
from pathlib import Path

import pytest

from benchmarks.stub_keystone import SERVICE_TOKEN, TOKEN
from tests.security.front import PATIENCE_S, SERVER, Front, head
from tests.security.recorder import Heard, Say, ok

USER_DATA = base64.b64encode(b"#!/bin/sh\necho canary-user-data-1f8a").decode()
KEY = "-----BEGIN RSA PRIVATE KEY-----canary-key-77aa-----END RSA PRIVATE KEY-----"
CANARIES = {
    "token": TOKEN,
    "service token": SERVICE_TOKEN,
    "a service token of a client": "canary-service-token-9c1d",
    "subject token": "canary-subject-token-02be",
    "refused token": "canary-refused-token-5e5e",
    "admin password": "canary-adminpass-4b2c",
    "user password": "canary-password-8812",
    "application credential": "canary-app-secret-3f3f",
    "transfer key": "canary-auth-key-6d6d",
    "user data": USER_DATA,
    "private key": "canary-key-77aa",
    "one-time code": "canary-passcode-1212",
    "totp": "canary-ec2-signature-0909",
    "cookie": "canary-cookie-abab",
    "query of a login": "canary-oauth-verifier-cdcd",
    "console token": "canary-console-token-9191",
    "token in a path": "canary-path-token-4545",
    "personality": base64.b64encode(b"canary-personality").decode(),
}
SERVER_BODY = {
    "server": {
        "name": "vm",
        "flavorRef": "1",
        "imageRef": "3fa2c1de-0000-4000-8000-000000000001",
        "adminPass": CANARIES["admin password"],
        "user_data": USER_DATA,
        "personality": [{"path": "/root/.ssh/id", "contents": CANARIES["personality"]}],
        "networks": "none",
    }
}
LOGIN = {
    "auth": {
        "identity": {
            "methods": ["password", "token", "application_credential", "totp"],
            "password": {"user": {"name": "demo", "password": CANARIES["user password"]}},
            "token": {"id": CANARIES["subject token"]},
            "application_credential": {"id": "a", "secret": CANARIES["application credential"]},
            "totp": {"user": {"id": "u", "passcode": CANARIES["one-time code"]}},
        }
    }
}
#: Verb, target, body.
CALLS: tuple[tuple[str, str, object], ...] = (
    ("POST", "/compute/v2.1/servers", SERVER_BODY),
    ("POST", f"/compute/v2.1/servers/{SERVER}/action", {"changePassword": {"adminPass": CANARIES["admin password"]}}),
    ("POST", f"/compute/v2.1/servers/{SERVER}/action", {"rebuild": {**SERVER_BODY["server"]}}),
    ("POST", f"/compute/v2.1/servers/{SERVER}/action", {"rescue": {"adminPass": CANARIES["admin password"]}}),
    ("POST", f"/compute/v2.1/servers/{SERVER}/os-interface", {"interfaceAttachment": {"net_id": "x"}}),
    ("POST", f"/compute/v2.1/servers/{SERVER}/os-volume_attachments", {"volumeAttachment": {"volumeId": "x"}}),
    ("GET", f"/compute/v2.1/servers/{SERVER}", None),
    ("GET", "/compute/v2.1/servers/detail", None),
    ("GET", f"/compute/v2.1/os-console-auth-tokens/{CANARIES['console token']}", None),
    ("POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": "a", "public_key": KEY}}),
    ("GET", "/compute/v2.1/limits", None),
    ("GET", "/compute/v2.1/os-availability-zone", None),
    ("POST", "/volume/v3/volumes", {"volume": {"size": 1, "name": KEY}}),
    ("GET", "/volume/v3/volumes/detail", None),
    ("POST", f"/volume/v3/os-volume-transfer/{SERVER}/accept", {"accept": {"auth_key": CANARIES["transfer key"]}}),
    ("POST", "/image/v2/images", {"name": KEY}),
    ("POST", "/network/v2.0/ports", {"port": {"name": KEY}}),
    ("DELETE", f"/network/v2.0/ports/{SERVER}", None),
    ("POST", "/identity/v3/auth/tokens", LOGIN),
    ("GET", "/identity/v3/auth/tokens", None),
    ("DELETE", "/identity/v3/auth/tokens", None),
    ("GET", f"/identity/v3/auth/OS-FEDERATION/websso/x?code={CANARIES['query of a login']}", None),
    ("GET", f"/identity/v2.0/tokens/{CANARIES['token in a path']}", None),
    ("POST", "/identity/v3/users/u/password", {"user": {"password": CANARIES["user password"]}}),
    ("POST", "/identity/v3/ec2tokens", {"credentials": {"signature": CANARIES["totp"]}}),
    ("GET", "/nowhere", None),
    ("PUT", "/image/v2/images/x/file", {"data": KEY}),
)


def echo(heard: Heard) -> bytes:
    """All that a service was told, as it might stand in a careless error."""
    return json.dumps([heard.line, heard.headers, heard.body.decode("latin-1")]).encode()


def fault(heard: Heard, status: str) -> bytes:
    message = {"message": echo(heard).decode(), "code": int(status[:3])}
    return ok(json.dumps({"badRequest": message, "NeutronError": message}).encode(), status=status)


MOODS: dict[str, Say] = {
    "refuses": lambda heard: fault(heard, "400 Bad Request"),
    "forbids": lambda heard: fault(heard, "403 Forbidden"),
    "forgets": lambda heard: fault(heard, "404 Not Found"),
    "unauthorised": lambda heard: fault(heard, "401 Unauthorized"),
    "broken": lambda heard: fault(heard, "500 Internal Server Error"),
    "away": lambda heard: fault(heard, "503 Service Unavailable"),
    "page": lambda heard: ok(echo(heard), status="502 Bad Gateway", kind="text/html"),
    "not its API": lambda heard: ok(echo(heard)),
    "not JSON": lambda heard: ok(b"<" + echo(heard)),
    "odd objects": lambda heard: ok(
        json.dumps({name: {"id": [echo(heard).decode()]} for name in ("server", "volume", "port", "limits")}).encode()
    ),
    "not HTTP": echo,
    "bad header": lambda heard: b"HTTP/1.1 200 OK\r\n" + echo(heard) + b"\r\n\r\n",
    "hangs up": lambda _heard: None,
}


def send(gateway: Front, method: str, target: str, body: object, token: str = TOKEN) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    more = [
        f"X-Service-Token: {CANARIES['a service token of a client']}",
        f"X-Subject-Token: {CANARIES['subject token']}",
        f"Cookie: {CANARIES['cookie']}",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        "Connection: close",
    ]
    return gateway.talk(head(f"{method} {target} HTTP/1.1", *more, token=token) + data, wait_s=10.0)


def forms(secret: str) -> set[str]:
    """How a secret may look in a text: as it is, and inside of an escaped one."""
    return {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    return [f"{name}: {line[:300]}" for name, secret in secrets.items() for line in text.splitlines()
            if any(form in line for form in forms(secret))]  # fmt: skip


@pytest.mark.parametrize("mood", MOODS)
def test_whatever_goes_wrong_the_log_holds_no_secret(gateway: Front, mood: str) -> None:
    before = gateway.log.stat().st_size
    gateway.pod.say = gateway.centre.say = MOODS[mood]
    for method, target, body in CALLS:
        answer = send(gateway, method, target, body)
        assert SERVICE_TOKEN.encode() not in answer, (method, target)
        assert gateway.password.encode() not in answer
    send(gateway, "GET", f"/compute/v2.1/servers/{SERVER}", None, token=CANARIES["refused token"])
    until = time.monotonic() + PATIENCE_S
    while (text := gateway.log.read_bytes()[before:].decode("utf-8", "replace")).count(" tricircle.access ") <= len(
        CALLS
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert found_in(text, {**CANARIES, "our password": gateway.password}) == []


def test_nothing_that_operators_read_holds_a_secret(gateway: Front) -> None:
    """Metrics and health are shown to operators, and to a Prometheus without a token."""
    send(gateway, "GET", f"/compute/v2.1/servers/{SERVER}", None)
    for path in ("/metrics", "/healthz?detail", "/healthz", "/v1.0/"):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=PATIENCE_S)
        connection.request("GET", path, headers={"X-Auth-Token": TOKEN})
        text = connection.getresponse().read().decode()
        connection.close()
        assert found_in(text, {**CANARIES, "our password": gateway.password}) == []


def test_the_log_of_this_storey_holds_no_traceback(gateway: Front) -> None:
    """Nothing that a client or a pod sends is a bug of ours."""
    text = Path(gateway.log).read_text(errors="replace")
    assert re.findall(r"(?m)^.*Traceback.*$", text) == []
