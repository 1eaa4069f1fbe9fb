# SPDX-License-Identifier: Apache-2.0
"""Which path does an upstream see? Nothing that a client writes leaves the API that it asked, and what was decided
about is what is asked.
"""

import time
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.security.front import SERVER, Front, head, statuses
from tricircle.errors import InvalidRequestError
from tricircle.road.path import ascii_target, canonical
from tricircle.road.row import Behaviour, Row
from tricircle.road.table import DoorTable

TABLE = DoorTable(
    [
        Row(("GET", "DELETE"), "/servers/{server_id}", Behaviour.CENTRAL),
        Row(("GET",), "/servers/detail", Behaviour.CENTRAL),
        Row(("POST",), "/servers/{server_id}/action", Behaviour.CENTRAL),
        Row(("GET",), "/servers/{server_id}/{rest...}", Behaviour.CENTRAL),
        Row(("GET",), "/v3", Behaviour.CENTRAL),
    ],
    versions=("v2",),
    is_project_optional=True,
)
BELOW = f"/compute/v2.1/servers/{SERVER}"
SNEAKY = (
    f"{BELOW}/../../../volume/v3/volumes",
    f"{BELOW}/%2e%2e/%2e%2e/os-services",
    f"{BELOW}/%2E%2E%2F%2e%2e%2Fos-services",
    f"{BELOW}/..%2f..%2fos-services",
    f"{BELOW}/%252e%252e/%252e%252e/os-services",
    f"{BELOW}/%25252e%25252e%25252fos-services",
    f"{BELOW}/..;/..;/os-services",
    f"{BELOW}/..;a=b/os-services",
    f"{BELOW}/..\\..\\os-services",
    f"{BELOW}/..%5c..%5cos-services",
    f"{BELOW}/%c0%ae%c0%ae/%c0%ae%c0%ae/os-services",
    f"{BELOW}/%e0%80%ae%e0%80%ae/os-services",
    f"{BELOW}/%ff",
    f"{BELOW}/%00",
    f"{BELOW}%00.json",
    f"{BELOW}/%0d%0aX-Service-Token:%20evil",
    f"{BELOW}/./.././os-services",
    "/compute/../volume/v3/volumes",
    "/compute/v2.1/../../volume/v3",
    "/compute/%2e%2e/admin",
    "/compute/v2.1/..",
    "/compute/..",
    "/../compute/v2.1/servers",
    "/image/v2/images/%2e%2e/%2e%2e/v1/images",
    "/image/v2/images/x%2f..%2f..%2f..%2fpod-compute",
)


@pytest.mark.parametrize("target", SNEAKY)
def test_what_could_climb_is_refused(gateway: Front, target: str) -> None:
    assert statuses(gateway.talk(head(f"GET {target} HTTP/1.1"), wait_s=0.3)) in ([400], [404])
    assert gateway.heard() == 0


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (f"//compute//v2.1///servers/{SERVER}", f"/pod-compute/v2.1/servers/{SERVER}"),
        (f"/compute/v2.1/servers%2f{SERVER}", f"/pod-compute/v2.1/servers/{SERVER}"),
        (f"/compute/v2.1/%73ervers/{SERVER}", f"/pod-compute/v2.1/servers/{SERVER}"),
        ("/image/v2/images/a%3Fb%23c", "/central-image/v2/images/a%3Fb%23c"),
        ("/image/v2/images/%E2%80%AE", "/central-image/v2/images/%E2%80%AE"),
        ("/image/v2/images/%252541", "/central-image/v2/images/%252541"),
        ("/image/v2/images/" + "a" * 20_000, "/central-image/v2/images/" + "a" * 20_000),
        ("/image/v2/images?name=%2e%2e/%00", "/central-image/v2/images?name=%2e%2e/%00"),
    ],
)
def test_what_is_meant_is_sent(gateway: Front, target: str, sent: str) -> None:
    assert statuses(gateway.talk(head(f"GET {target} HTTP/1.1"), wait_s=0.3)) == [200]
    (heard,) = gateway.pod.heard + gateway.centre.heard
    assert heard.target == sent


def test_bytes_that_nobody_encoded_keep_their_meaning(gateway: Front) -> None:
    line = "GET /image/v2/images/é?name=é HTTP/1.1".encode().decode("latin-1")
    assert statuses(gateway.talk(head(line), wait_s=0.3)) == [200]
    assert gateway.centre.heard[0].target == "/central-image/v2/images/%C3%A9?name=%C3%A9"


def test_a_path_that_is_encoded_again_and_again_costs_nothing() -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequestError):
        canonical("/a%" + "25" * 60_000)
    assert time.process_time() - began < 1.0


_PIECES = st.sampled_from(
    ["/", "//", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", ";", "%3b", "%25", "%00", "%", "?", "é", "%c3%a9",
     "%c0%ae", "a", "v2.1", "v3", "servers", "detail", "action", SERVER, "x" * 300, " ", "%20", "%0a", ":",
     "@", "~", "*"]
)  # fmt: skip
_TARGETS = st.lists(_PIECES, max_size=10).map("".join)
_DOORS = st.sampled_from(["/compute/v2.1/", "/compute/", "/compute", "/volume/v3/", "/image/v2/", "/", "//compute"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_DOORS, _TARGETS)
@example("/compute/v2.1/", "servers/..")
def test_no_target_leaves_the_api_that_was_asked(gateway: Front, door: str, target: str) -> None:
    """Whatever the target: what is sent is below the root of the service, or nothing is sent."""
    gateway.pod.clear()
    gateway.centre.clear()
    raw = (door + target).replace(" ", "+")
    line = f"GET {raw} HTTP/1.1".encode().decode("latin-1")
    answer = gateway.talk(head(line, "Connection: close"), wait_s=5.0)
    assert len(statuses(answer)) <= 1
    asked = door.strip("/").split("/")[0]
    for heard in gateway.pod.heard + gateway.centre.heard:
        path = heard.target.partition("?")[0]
        again = unquote(unquote(unquote(unquote(path, "latin-1"), "latin-1"), "latin-1"), "latin-1")
        assert not {"..", "."} & {part.partition(";")[0] for part in again.replace("\\", "/").split("/")}
        # Below the service that the door is of (at its root stands the list of versions).
        assert path.startswith((f"/pod-{asked}/", f"/central-{asked}/")), (raw, path)


@settings(max_examples=500, deadline=None)
@given(_TARGETS, st.sampled_from(["GET", "POST", "DELETE"]))
def test_the_row_that_was_found_is_the_row_of_what_is_sent(target: str, method: str) -> None:
    """What a service reads in the path that is sent leads to the row that was decided about."""
    try:
        path = canonical(ascii_target(b"/v2/" + target.replace("?", "").encode()))
    except InvalidRequestError:
        return
    read = canonical(path.text)
    assert read == path
    assert TABLE.match(method, TABLE.split(read)) == TABLE.match(method, TABLE.split(path))
    decoded = unquote_to_bytes(path.text).decode()
    assert tuple(part for part in decoded.split("/") if part) == path.segments
