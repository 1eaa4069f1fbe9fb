# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/pods``: fields and codes of the first release where they were right, and what is new."""

import asyncio
from typing import Any

import pytest

from tests.api.conftest import ENDPOINT, Api
from tests.asgi import Said
from tricircle.context import PodId, ProjectId
from tricircle.ledger.routings import Routings
from tricircle.model.routing import Kind


async def post(api: Api, **fields: object) -> Said:
    return await api.admin.ask("POST", "/v1.0/pods", {"pod": fields})


async def registered(api: Api, **fields: object) -> dict[str, Any]:
    said = await post(api, **fields)
    assert said.status == 200, said.body
    pod: dict[str, Any] = said.json()["pod"]
    return pod


async def pods(api: Api, query: str = "") -> list[str]:
    return [pod["pod_name"] for pod in (await api.admin.ask("GET", f"/v1.0/pods{query}")).json()["pods"]]


def aggregates(api: Api) -> dict[str, str]:
    return {item["name"]: item["availability_zone"] for item in api.centre.aggregates.values()}


async def test_the_walk_of_the_readme(api: Api) -> None:
    central = await registered(api, pod_name="RegionOne")
    assert (central["az_name"], central["pod_az_name"]) == ("", "")
    pod = await registered(api, pod_name=" Pod1 ", az_name="az1 ", pod_az_name="nova", dc_name="north")
    assert set(pod) == {
        "pod_id",
        "pod_name",
        "pod_az_name",
        "dc_name",
        "az_name",
        "state",
        "physical_networks",
        "endpoints",
        "versions",
        "created_at",
        "updated_at",
    }
    assert [pod[name] for name in ("pod_name", "pod_az_name", "dc_name", "az_name", "state")] == [
        "Pod1",
        "nova",
        "north",
        "az1",
        "enabled",
    ]
    assert pod["endpoints"]["compute"] == api.pod1.url("compute") + "/v2.1"
    assert pod["versions"]["compute"] == {"min": "2.1", "max": "2.96"}
    assert pod["created_at"].endswith("Z")
    assert aggregates(api) == {"ag_Pod1": "az1"}
    shown = await api.admin.ask("GET", f"/v1.0/pods/{pod['pod_id']}")
    assert (shown.status, shown.json()) == (200, {"pod": pod})
    assert await pods(api) == ["Pod1", "RegionOne"]
    gone = await api.admin.ask("DELETE", f"/v1.0/pods/{pod['pod_id']}")
    assert (gone.status, gone.json()) == (200, {})
    assert aggregates(api) == {}
    assert (await api.admin.ask("GET", f"/v1.0/pods/{pod['pod_id']}")).status == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Malformed request body"),
        (b"[]", "Malformed request body"),
        (b"\xff", "Malformed request body"),
        ({}, "The body has no object 'pod'."),
        ({"pod": []}, "The body has no object 'pod'."),
        ({"pod": {"pod_name": "Pod1", "colour": "red"}}, "Unknown field 'colour'."),
        ({"pod": {"pod_name": "Pod1"}, "more": 1}, "Unknown field 'more'."),
        ({"pod": {"pod_name": 7}}, "pod_name must be a string."),
        ({"pod": {"pod_name": None}}, "pod_name must be a string."),
        ({"pod": {"pod_name": "Pod1", "az_name": "a:b"}}, "az_name must not hold ':'."),
        ({"pod": {"pod_name": "P" * 256, "az_name": "az1"}}, "pod_name is longer than 255 characters."),
        ({"pod": {"pod_name": "Pod\x001", "az_name": "az1"}}, "pod_name holds characters that cannot be shown."),
        ({"pod": {"pod_name": "Pod1", "physical_networks": "a:b"}}, "physical_networks must be an object"),
        ({"pod": {"pod_name": "Pod1", "physical_networks": {"a": 1}}}, "physical_networks must be an object"),
        ({"pod": {"pod_name": "Pod1", "physical_networks": {"a": "b,c"}}}, "physical_networks must be an object"),
        ({"pod": {"pod_name": "Pod1", "physical_networks": {"a:b": "c"}}}, "physical_networks must be an object"),
        ({"pod": {"pod_name": "Pod1", "physical_networks": {"a": "b" * 254}}}, "has more than 255 characters."),
        ({"pod": {"pod_name": "RegionOne", "physical_networks": {"a": "b"}}}, "The central region has neither state"),
        ({"pod": {"pod_name": "Pod1"}}, "'Pod1' is not the central region, which is 'RegionOne'"),
    ],
)
async def test_400_for_what_is_malformed(api: Api, body: object, words: str) -> None:
    said = await api.admin.ask("POST", "/v1.0/pods", body)
    assert said.status == 400
    assert said.json()["badRequest"]["code"] == 400
    assert words in said.message
    assert await pods(api) == []


@pytest.mark.parametrize("fields", [{}, {"pod_name": ""}, {"pod_name": "  ", "az_name": "az1"}])
async def test_422_without_a_name(api: Api, fields: dict[str, object]) -> None:
    said = await post(api, **fields)
    assert said.status == 422
    assert said.message == "pod_name is empty."


async def test_413_for_a_body_over_the_limit(api: Api) -> None:
    said = await post(api, pod_name="Pod1", dc_name="x" * 30_000)
    assert said.status == 413
    assert said.json()["overLimit"]["code"] == 413


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pod_name": "Pod9"}, "The central region is registered already as 'RegionOne'"),
        ({"pod_name": "RegionOne"}, "Pod 'RegionOne' exists already."),
        ({"pod_name": "RegionOne", "az_name": "az1"}, "Pod 'RegionOne' exists already."),
        ({"pod_name": "Pod1", "az_name": "az2"}, "Pod 'Pod1' exists already."),
    ],
)
async def test_409_for_what_is_taken(api: Api, fields: dict[str, object], words: str) -> None:
    await registered(api, pod_name="RegionOne")
    await registered(api, pod_name="Pod1", az_name="az1")
    said = await post(api, **fields)
    assert said.status == 409
    assert said.json()["conflictingRequest"]["code"] == 409
    assert words in said.message


async def test_422_for_a_region_that_keystone_does_not_know(api: Api) -> None:
    said = await post(api, pod_name="Nowhere", az_name="az1")
    assert said.status == 422
    assert said.message == "Region 'Nowhere' does not exist in Keystone. Existing regions: Pod1, Pod2, RegionOne."


async def test_422_says_every_service_that_does_not_answer(api: Api) -> None:
    api.pod1.broken = {"network": 503, "compute": "garbage"}
    said = await post(api, pod_name="Pod1", az_name="az1")
    assert said.status == 422
    assert f"network at {api.pod1.url('network')} answers, but with 503" in said.message
    assert f"compute at {api.pod1.url('compute')} answers, but what it sends is not a version document" in said.message
    assert aggregates(api) == {}
    assert await pods(api) == []


async def test_502_when_the_central_nova_fails_and_nothing_is_left(api: Api) -> None:
    api.centre.refused["POST compute /v2.1/os-aggregates"] = 503
    said = await post(api, pod_name="Pod1", az_name="az1")
    assert said.status == 502
    assert "central/compute answered 503" in said.message
    assert await pods(api) == []


async def test_503_when_keystone_is_away(api: Api) -> None:
    assert (await api.admin.ask("GET", "/v1.0/pods")).status == 200
    api.keystone.is_down = True
    said = await post(api, pod_name="Pod1", az_name="az1")
    assert said.status == 503
    assert await pods(api) == []


async def test_two_at_once_register_one_pod_with_its_aggregate(api: Api) -> None:
    said = await asyncio.gather(*(post(api, pod_name="Pod1", az_name="az1") for _ in range(4)))
    assert sorted(one.status for one in said) == [200, 409, 409, 409]
    assert await pods(api) == ["Pod1"]
    assert aggregates(api) == {"ag_Pod1": "az1"}


async def test_drain_enable_disable_and_move(api: Api) -> None:
    pod = await registered(api, pod_name="Pod1", az_name="az1")
    path = f"/v1.0/pods/{pod['pod_id']}"
    for fields in ({"state": "draining"}, {"state": "disabled"}, {"state": "enabled"}, {"az_name": "az9"}):
        said = await api.admin.ask("PUT", path, {"pod": fields})
        assert said.status == 200
        assert said.json()["pod"].items() >= fields.items()
    assert aggregates(api) == {"ag_Pod1": "az9"}
    shown = (await api.admin.ask("GET", path)).json()["pod"]
    assert (shown["state"], shown["az_name"], shown["pod_name"]) == ("enabled", "az9", "Pod1")
    assert shown["updated_at"] is not None


async def test_a_pod_has_names_of_its_own_for_physical_networks(api: Api) -> None:
    names = {"wan": "physnet7", "far": "far"}
    pod = await registered(api, pod_name="Pod1", az_name="az1", physical_networks=names)
    assert pod["physical_networks"] == {"wan": "physnet7"}
    path = f"/v1.0/pods/{pod['pod_id']}"
    for change in ({"state": "enabled"}, {"dc_name": "north"}):
        assert (await api.admin.ask("PUT", path, {"pod": change})).json()["pod"]["physical_networks"] == {
            "wan": "physnet7"
        }
    (aggregate,) = api.centre.aggregates.values()
    assert aggregate["metadata"]["tricircle_physical_networks"] == "wan:physnet7"
    for wanted in ({"far": "fibre"}, {}):
        said = await api.admin.ask("PUT", path, {"pod": {"physical_networks": wanted}})
        assert (said.status, said.json()["pod"]["physical_networks"]) == (200, wanted)
    assert aggregate["metadata"]["tricircle_physical_networks"] == ""


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"physical_networks": []}, 400, "physical_networks must be an object"),
        ({"state": "asleep"}, 400, "state must be one of enabled, draining, disabled, not 'asleep'."),
        ({}, 400, "Nothing to change"),
        ({"pod_name": "Pod2"}, 400, "Unknown field 'pod_name'."),
        ({"az_name": " "}, 422, "az_name is empty"),
        ({"az_name": "internal"}, 422, "reserved zone"),
    ],
)
async def test_changes_that_cannot_be(api: Api, fields: dict[str, object], status: int, words: str) -> None:
    pod = await registered(api, pod_name="Pod1", az_name="az1")
    said = await api.admin.ask("PUT", f"/v1.0/pods/{pod['pod_id']}", {"pod": fields})
    assert said.status == status
    assert words in said.message
    assert aggregates(api) == {"ag_Pod1": "az1"}


async def test_a_lost_pod_is_removed_by_force_when_it_is_disabled(api: Api) -> None:
    pod = await registered(api, pod_name="Pod1", az_name="az1")
    path = f"/v1.0/pods/{pod['pod_id']}"
    for query, status, words in (
        ("?force=maybe", 400, "force must be true or false"),
        ("?now=true", 400, "Unknown query parameter 'now'"),
        ("?force=true", 409, "Disable it before forgetting what it holds."),
    ):
        said = await api.admin.ask("DELETE", path + query)
        assert said.status == status
        assert words in said.message
    assert (await api.admin.ask("PUT", path, {"pod": {"state": "disabled"}})).status == 200
    assert (await api.member.ask("DELETE", path + "?force=true")).status == 403
    assert (await api.admin.ask("DELETE", path + "?force=true")).status == 200
    assert await pods(api) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_404_for_a_pod_that_is_not(api: Api, method: str) -> None:
    said = await api.admin.ask(method, "/v1.0/pods/nobody", {"pod": {"dc_name": "x"}})
    assert said.status == 404
    assert said.message == "Pod nobody could not be found."


async def test_409_for_a_pod_that_holds_something(api: Api) -> None:
    pod = await registered(api, pod_name="Pod1", az_name="az1")
    routings = Routings(api.engine)
    for kind, name in ((Kind.SERVER, "s1"), (Kind.SERVER, "s2"), (Kind.PORT, "p1"), (Kind.FLAVOR, "f1")):
        await routings.record(kind, name, PodId(pod["pod_id"]), ProjectId("p1"))
    said = await api.admin.ask("DELETE", f"/v1.0/pods/{pod['pod_id']}")
    assert said.status == 409
    assert said.message == "Pod 'Pod1' still holds 2 servers, 1 port. Drain the pod and remove these first."
    assert aggregates(api) == {"ag_Pod1": "az1"}


async def test_lists_are_filtered_and_paged(api: Api) -> None:
    await registered(api, pod_name="RegionOne")
    for name, az_name in (("Pod1", "az1"), ("Pod2", "az2")):
        await registered(api, pod_name=name, az_name=az_name)
    assert await pods(api, "?az_name=az1") == ["Pod1"]
    assert await pods(api, "?az_name=az1&az_name=az2") == ["Pod1", "Pod2"]
    assert await pods(api, "?az_name=") == ["RegionOne"]
    assert await pods(api, "?pod_name=Pod2&state=enabled") == ["Pod2"]
    assert await pods(api, "?state=disabled") == []
    page = (await api.admin.ask("GET", "/v1.0/pods?limit=2&state=enabled")).json()
    assert [pod["pod_name"] for pod in page["pods"]] == ["Pod1", "Pod2"]
    (link,) = page["pods_links"]
    assert link["rel"] == "next"
    assert link["href"].startswith(f"{ENDPOINT}/v1.0/pods?")
    following = (await api.admin.ask("GET", link["href"].removeprefix(ENDPOINT))).json()
    assert [pod["pod_name"] for pod in following["pods"]] == ["RegionOne"]
    assert "pods_links" not in following


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=x", "limit must be a positive number, not 'x'."),
        ("limit=0", "limit must be a positive number, not '0'."),
        ("limit=-1", "limit must be a positive number, not '-1'."),
        ("marker=nobody", "marker 'nobody' was not found."),
        ("colour=red", "Unknown query parameter 'colour'."),
    ],
)
async def test_400_for_queries_that_cannot_be(api: Api, query: str, words: str) -> None:
    said = await api.admin.ask("GET", f"/v1.0/pods?{query}")
    assert said.status == 400
    assert words in said.message
