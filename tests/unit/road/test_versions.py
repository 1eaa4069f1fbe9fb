# SPDX-License-Identifier: Apache-2.0
"""Which microversions are offered when pods are of different releases, and what becomes of calls that an older pod does
not have?"""

import msgspec
import pytest

from tests.unit.road.scripted import World, json_reply, pod, request
from tricircle.context import PodId
from tricircle.errors import NotAcceptableError
from tricircle.http.message import Answer
from tricircle.http.microversions import Version
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.model.routing import Kind
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.listing import Listing, Paging
from tricircle.road.row import Behaviour, Row
from tricircle.road.versions import OlderPods, Range, Ranges, nearest, served_range, serves
from tricircle.upstream.reply import Call, Reply

OLD, NEW = pod("Pod1", "az1", compute="2.95", block_storage="3.70"), pod("Pod2", "az2", compute="2.104")
ID, OTHER = "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a11", "7d9c0d31-0b5c-4c3c-9a58-6a0c2b1f0a12"
LIST = Row(
    ("GET",),
    "/servers/detail",
    Behaviour.GATHER,
    kind=Kind.SERVER,
    collection="servers",
    listing=Listing(
        paging=Paging.NOVA, order=(("created_at", True),), fields={"created_at": "created"}, links="servers_links"
    ),
)


def centre(version: str) -> Pod:
    """The central region's row."""
    endpoint = Endpoint(service=Service.COMPUTE, url="http://c", min_version="2.1", max_version=version)
    return Pod(id=PodId("c"), name="RegionOne", az_name="", endpoints={Service.COMPUTE: endpoint})


def test_an_older_pod_lowers_the_maximum() -> None:
    served = served_range(Service.COMPUTE, (centre("2.104"), OLD, NEW))
    assert served == Range(Version(2, 1), Version(2, 95), Version(2, 95))


def test_or_it_is_skipped_by_those_who_name_more_while_latest_reaches_all() -> None:
    served = served_range(Service.COMPUTE, (centre("2.104"), OLD, NEW), OlderPods.SKIP)
    assert served == Range(Version(2, 1), Version(2, 104), Version(2, 95))


def test_nothing_is_offered_that_the_centre_does_not_have() -> None:
    served = served_range(Service.COMPUTE, (centre("2.100"), OLD, NEW), OlderPods.SKIP)
    assert (served.highest, served.common) == (Version(2, 100), Version(2, 95))
    assert served_range(Service.COMPUTE, (centre("2.90"), OLD, NEW), OlderPods.SKIP).highest == Version(2, 90)


def test_a_pod_that_is_switched_off_holds_nobody_back() -> None:
    off = pod("Pod1", "az1", state=PodState.DISABLED, compute="2.95")
    assert served_range(Service.COMPUTE, (off, NEW)).highest == Version(2, 104)
    draining = pod("Pod1", "az1", state=PodState.DRAINING, compute="2.95")
    assert served_range(Service.COMPUTE, (draining, NEW)).highest == Version(2, 95)


def test_without_a_pod_only_the_default_is_served() -> None:
    nobody = served_range(Service.BLOCK_STORAGE, (), OlderPods.SKIP)
    assert nobody == Range(Version(3, 0), Version(3, 0), Version(3, 0))


def test_the_range_is_that_of_the_pods_as_they_are_now() -> None:
    ranges = Ranges(OlderPods.SKIP)
    assert ranges.of(Service.COMPUTE, (OLD,)).highest == Version(2, 95)
    assert ranges.of(Service.COMPUTE, (OLD, NEW)).highest == Version(2, 104)


@pytest.mark.parametrize(
    ("version", "expected", "asked_in"),
    [(None, True, None), ((2, 95), True, (2, 95)), ((2, 96), False, (2, 95)), ((2, 9), True, (2, 9))],
)
def test_what_a_pod_serves(version: tuple[int, int] | None, expected: bool, asked_in: tuple[int, int] | None) -> None:
    assert serves(OLD, Service.COMPUTE, version) is expected
    assert nearest(OLD, Service.COMPUTE, version) == asked_in


def world() -> World:
    there = World((OLD, NEW))
    there.routings.add(Kind.SERVER, ID, OLD)
    for one, server_id in ((OLD, ID), (NEW, OTHER)):
        server = {"id": server_id, "created": "2026-01-01T00:00:00Z", "tenant_id": "p1"}
        there.upstreams.said[one.id, f"/v2.1/servers/{server_id}"] = json_reply(200, {"server": server})
        there.upstreams.said[one.id, "/v2.1/servers/detail"] = _Once({"servers": [server]})
    return there


class _Once:
    """A list that has one page, whatever marker is given."""

    def __init__(self, body: dict[str, object]) -> None:
        self._body = body

    def __call__(self, call: Call) -> Reply:
        return json_reply(200, {"servers": []} if "marker=" in call.path else self._body)


def servers(answer: Answer) -> list[str]:
    assert isinstance(answer.body, bytes)
    return [server["id"] for server in msgspec.json.decode(answer.body)["servers"]]


async def test_a_resource_in_an_older_pod_says_what_it_has_and_is_not_touched() -> None:
    there = world()
    row = Row(("DELETE",), "/servers/{server_id}", Behaviour.ROUTE, kind=Kind.SERVER, id_param="server_id")
    asked = request("DELETE", f"/servers/{ID}", params={"server_id": ID}, microversion=(2, 100))
    with pytest.raises(NotAcceptableError) as caught:
        await there.carrier.route(asked, row)
    assert caught.value.message.startswith(
        "Version 2.100 is not supported by the API. Minimum is 2.1 and maximum is 2.95."
    )
    assert there.upstreams.calls == []


async def test_a_list_in_a_version_that_an_older_pod_lacks_says_what_it_lacks() -> None:
    there = world()
    answer = await there.carrier.gather(request("GET", "/servers/detail", microversion=(2, 100)), LIST)
    assert servers(answer) == [OTHER]
    assert answer.header(INCOMPLETE_HEADER) == b"az1"
    assert {asked for asked, _, _ in there.upstreams.asked()} == {NEW.id}
    whole = await there.carrier.gather(request("GET", "/servers/detail", microversion=(2, 95)), LIST)
    assert sorted(servers(whole)) == [ID, OTHER]
    assert whole.header(INCOMPLETE_HEADER) is None


async def test_a_marker_in_an_older_pod_works() -> None:
    there = world()
    asked = request("GET", "/servers/detail", query=f"marker={ID}", microversion=(2, 100))
    answer = await there.carrier.gather(asked, LIST)
    assert answer.status == 200
    found = next(call for target, call in there.upstreams.calls if target.pod == OLD.id)
    assert dict(found.headers)[b"openstack-api-version"] == b"compute 2.95"


async def test_a_list_of_older_pods_alone_is_refused() -> None:
    there = World((OLD,))
    with pytest.raises(NotAcceptableError):
        await there.carrier.gather(request("GET", "/servers/detail", microversion=(2, 100)), LIST)


async def test_a_sum_lacks_the_part_of_an_older_pod() -> None:
    there = world()
    there.upstreams.said[NEW.id, "/v2.1/limits"] = json_reply(200, {})
    fan = await there.carrier.fan_out(request("GET", "/limits", microversion=(2, 100)))
    assert [(gap.pod.name, gap.reason) for gap in fan.gaps] == [("Pod1", "version")]
    assert [one.name for one, _ in fan.replies] == ["Pod2"]
