# SPDX-License-Identifier: Apache-2.0
"""Can a tenant learn whether something of another project exists? Not more than from the services themselves."""

import json
import re
import uuid
from urllib.parse import unquote

import pytest

from tests.security.front import FOREIGN, POD_NAME, SERVER, Front, head, statuses
from tests.security.recorder import Heard, ok

STRANGERS = iter(FOREIGN)


def absent(heard: Heard) -> bytes:
    """A pod that shows the caller nothing but the caller's own server."""
    if f"/servers/{SERVER}" in heard.target:
        return ok(b'{"server": {"id": "%b"}}' % SERVER.encode())
    identifier = heard.target.partition("?")[0].rstrip("/").split("/")[-1]
    fault = {"itemNotFound": {"code": 404, "message": f"Instance {identifier} could not be found."}}
    return ok(json.dumps(fault).encode(), status="404 Not Found")


def likeness(answer: bytes, identifier: str) -> str:
    """An answer without what differs between any two requests."""
    text = answer.decode("latin-1").replace(identifier, "ID")
    text = re.sub(r"req-[0-9a-f-]{36}", "REQ", text)
    text = re.sub(r"(?m)^date: .*$", "", text)
    return re.sub(r"dur=[0-9.]+", "dur=", text)


def asked(gateway: Front, line: str, identifier: str, *more: str, body: bytes = b"") -> tuple[str, list[str]]:
    """The answer to a call, and what the pod was asked for it."""
    gateway.pod.clear()
    gateway.pod.say = absent
    extra = (*more, f"Content-Length: {len(body)}", "Content-Type: application/json") if body else more
    answer = gateway.talk(head(line.format(id=identifier), *extra) + body, wait_s=0.5)
    return likeness(answer, identifier), [heard.line.replace(identifier, "ID") for heard in gateway.pod.heard]


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("GET /compute/v2.1/servers/{id} HTTP/1.1", b""),
        ("DELETE /compute/v2.1/servers/{id} HTTP/1.1", b""),
        ("GET /compute/v2.1/servers/{id}/os-interface HTTP/1.1", b""),
        ("GET /compute/v2.1/servers/{id}/metadata HTTP/1.1", b""),
        ("POST /compute/v2.1/servers/{id}/action HTTP/1.1", b'{"os-stop": null}'),
        ("PUT /compute/v2.1/servers/{id} HTTP/1.1", b'{"server": {"name": "a"}}'),
        ("GET /compute/v2.1/servers?limit=1&marker={id} HTTP/1.1", b""),
    ],
)
def test_a_strangers_server_is_as_absent_as_none(gateway: Front, line: str, body: bytes) -> None:
    """The same answer, and the same questions to pods: nothing takes longer that could be measured."""
    nobodys, foreign = str(uuid.uuid4()), next(STRANGERS)
    expected, questions = asked(gateway, line, nobodys, body=body)
    found, same_questions = asked(gateway, line, foreign, body=body)
    assert found == expected
    assert same_questions == questions
    assert re.search(r" (400|404) ", expected.splitlines()[0])
    assert POD_NAME not in expected


def test_a_stranger_does_not_learn_which_pod_is_away(gateway: Front) -> None:
    """While a pod is away nobody can say that an id does not exist, of whomever it is."""
    for identifier in (str(uuid.uuid4()), next(STRANGERS)):
        gateway.pod.say = lambda _heard: None
        answer = gateway.talk(head(f"GET /compute/v2.1/servers/{identifier} HTTP/1.1"), wait_s=1.0)
        assert statuses(answer) == [503]
        assert b"It cannot be known now" in answer


def test_a_project_in_the_path_must_be_the_callers(gateway: Front) -> None:
    line = f"GET /compute/v2.1/{'f' * 32}/servers/{SERVER} HTTP/1.1"
    assert statuses(gateway.talk(head(line), wait_s=0.3)) == [400]
    assert gateway.heard() == 0


@pytest.mark.parametrize("identifier", [f"{SERVER}%3Fa=b", f"{SERVER}%23", "..%3B", "a%20b", f"{SERVER}%26", "a" * 300])
def test_an_id_that_could_mean_something_else_is_no_id(gateway: Front, identifier: str) -> None:
    """No pod is asked. The centre, which holds none, may be asked to refuse it, and with no query added."""
    gateway.pod.say = absent
    answer = gateway.talk(head(f"GET /compute/v2.1/servers/{identifier} HTTP/1.1"), wait_s=0.3)
    assert statuses(answer) in ([404], [400])
    assert not gateway.pod.heard
    targets = [heard.target for heard in gateway.centre.heard]
    assert [unquote(target) for target in targets] in ([], [unquote(f"/central-compute/v2.1/servers/{identifier}")])
    assert not [target for target in targets if "?" in target or "#" in target]


@pytest.mark.parametrize("path", ["/metrics", "/healthz?detail", "/v1.0/pods", "/v1.0/bindings"])
def test_the_admin_api_is_for_operators(gateway: Front, path: str) -> None:
    """A tenant's token opens nothing of it; without one nothing is said either."""
    import http.client

    for headers, status in (({}, 401), ({"X-Auth-Token": "b" * 180}, 403), ({"X-Roles": "admin"}, 401)):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == status
        assert POD_NAME.encode() not in answer.read()
        connection.close()
