# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/routings`` and ``/v1.0/topologies``: what is where, as operators see it."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.asgi import Said
from tricircle.context import PodId, ProjectId
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.routing import Kind, Routing
from tricircle.store.engine import transaction
from tricircle.store.routing_leases import RoutingLeases
from tricircle.store.routings import RoutingRows

NET = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a001"
SUBNET = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a002"
PORT = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a003"
SPARE = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a004"
SERVER = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a005"


@pytest.fixture
async def pods(api: Api) -> dict[str, str]:
    """Pod1 and Pod2 by name."""
    found = {}
    for name in ("Pod1", "Pod2"):
        said = await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": name, "az_name": "az1"}})
        found[name] = str(said.json()["pod"]["pod_id"])
    return found


async def bound(api: Api, kind: Kind, central_id: str, pod_id: str, **details: object) -> int:
    async with transaction(api.engine) as connection:
        made = await RoutingRows.record(
            connection,
            Routing(
                id=0,
                central_id=central_id,
                kind=kind,
                pod_id=PodId(pod_id),
                project_id=ProjectId("p1"),
                pod_resource_id=f"in-pod-{central_id[-4:]}",
                details=details,
            ),
        )
    return made.id


async def leased(api: Api, central_id: str, pod_id: str, ttl_s: float) -> int:
    routing = Routing(
        id=0,
        central_id=central_id,
        kind=Kind.PORT,
        pod_id=PodId(pod_id),
        project_id=ProjectId("p2"),
        owner="gateway-1",
    )
    async with transaction(api.engine) as connection:
        return await RoutingLeases.insert_leased(connection, routing, ttl_s=ttl_s)


async def listed(api: Api, query: str = "") -> list[Mapping[str, Any]]:
    said = await api.admin.ask("GET", f"/v1.0/routings{query}")
    assert said.status == 200, said.body
    found: list[Mapping[str, Any]] = said.json()["routings"]
    return found


async def topology(api: Api, network_id: str = NET) -> Said:
    return await api.admin.ask("GET", f"/v1.0/topologies/{network_id}")


def draw(api: Api) -> None:
    """The network at the centre: one subnet, a port of a server, and a port of nobody."""
    api.centre.networking["networks"] = [{"id": NET, "name": "net", "mtu": 1450, "provider:segmentation_id": 1001}]
    api.centre.networking["subnets"] = [{"id": SUBNET, "network_id": NET, "cidr": "10.0.0.0/24", "name": "sub"}]
    api.centre.networking["ports"] = [
        {"id": PORT, "network_id": NET, "name": "", "status": "ACTIVE", "fixed_ips": [{"ip_address": "10.0.0.5"}]},
        {"id": SPARE, "network_id": NET, "name": "spare", "status": "DOWN", "fixed_ips": []},
        {"id": SERVER, "network_id": "another", "name": "", "status": "DOWN", "fixed_ips": []},
    ]


async def test_routings_are_listed_newest_first_and_paged(api: Api, pods: dict[str, str]) -> None:
    ids = [await bound(api, Kind.NETWORK, f"{NET[:-4]}{number:04}", pods["Pod1"]) for number in range(5)]
    said = await api.admin.ask("GET", "/v1.0/routings?limit=2")
    assert [one["id"] for one in said.json()["routings"]] == [ids[4], ids[3]]
    link = said.json()["routings_links"][0]["href"]
    assert f"marker={ids[3]}" in link
    assert [one["id"] for one in await listed(api, f"?limit=3&marker={ids[3]}")] == ids[2::-1]
    last = await api.admin.ask("GET", f"/v1.0/routings?marker={ids[3]}")
    assert "routings_links" not in last.json()


async def test_every_field_filters(api: Api, pods: dict[str, str]) -> None:
    network = await bound(api, Kind.NETWORK, NET, pods["Pod1"])
    subnet = await bound(api, Kind.SUBNET, SUBNET, pods["Pod2"])
    port = await leased(api, PORT, pods["Pod2"], 60)
    for query, wanted in (
        (f"?top_id={NET}", {network}),
        ("?bottom_id=in-pod-a002", {subnet}),
        ("?resource_type=network&resource_type=subnet", {network, subnet}),
        ("?pod_name=Pod2", {subnet, port}),
        (f"?pod_id={pods['Pod1']}", {network}),
        (f"?pod_id={pods['Pod1']}&pod_name=Pod2", set()),
        ("?project_id=p2", {port}),
    ):
        assert {one["id"] for one in await listed(api, query)} == wanted, query


async def test_a_routing_says_who_works_on_it(api: Api, pods: dict[str, str]) -> None:
    done = await bound(api, Kind.SUBNET, SUBNET, pods["Pod1"], gateway_ip="10.0.0.9")
    working = await leased(api, PORT, pods["Pod1"], 60)
    left = await leased(api, SPARE, pods["Pod1"], -60)
    shown = {number: (await api.admin.ask("GET", f"/v1.0/routings/{number}")).json()["routing"] for number in (done,)}
    assert shown[done]["details"] == {"gateway_ip": "10.0.0.9"}
    assert (shown[done]["state"], shown[done]["owner"], shown[done]["pod_name"]) == ("bound", None, "Pod1")
    held = (await api.admin.ask("GET", f"/v1.0/routings/{working}")).json()["routing"]
    assert (held["state"], held["owner"], held["bottom_id"]) == ("working", "gateway-1", None)
    assert held["lease_until"] is not None
    gone = (await api.admin.ask("GET", f"/v1.0/routings/{left}")).json()["routing"]
    assert (gone["state"], gone["owner"], gone["lease_until"]) == ("claimed", None, None)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?limit=0", "limit"),
        ("?marker=x", "marker"),
        ("?marker=99999999", "marker"),
        ("?marker=99999999999999999999", "marker"),
        ("?resource_type=house", "house"),
        ("?pod_name=Pod9", "Pod9"),
        ("?color=red", "color"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(api: Api, query: str, word: str) -> None:
    said = await api.admin.ask("GET", f"/v1.0/routings{query}")
    assert said.status == 400
    assert word in said.json()["badRequest"]["message"]


@pytest.mark.parametrize("word", ["0", "x", "9223372036854775808", "99999999999999999999999", "12345"])
async def test_a_routing_that_is_not_there_is_not_found(api: Api, word: str) -> None:
    said = await api.admin.ask("GET", f"/v1.0/routings/{word}")
    assert (said.status, "could not be found" in said.json()["itemNotFound"]["message"]) == (404, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nobody_writes_routings_by_hand(api: Api, method: str) -> None:
    path = "/v1.0/routings" if method == "POST" else "/v1.0/routings/1"
    assert (await api.admin.ask(method, path, {"routing": {}})).status == 405


@pytest.mark.parametrize("path", ["/v1.0/routings", "/v1.0/routings/1", f"/v1.0/topologies/{NET}"])
async def test_only_administrators_look(api: Api, path: str) -> None:
    assert (await api.member.ask("GET", path)).status == 403
    assert (await api.anonymous.ask("GET", path)).status == 401


async def test_a_topology_shows_every_piece_where_it_is(api: Api, pods: dict[str, str]) -> None:
    draw(api)
    await bound(api, Kind.NETWORK, NET, pods["Pod1"])
    await bound(api, Kind.SUBNET, SUBNET, pods["Pod1"], gateway_ip="10.0.0.1")
    await bound(api, Kind.NETWORK, NET, pods["Pod2"])
    await bound(api, Kind.PORT, PORT, pods["Pod1"], server_id=SERVER)
    queue = Queue(api.engine)
    unplaced = await queue.append(JobType.PORT, SPARE, ProjectId("p1"))
    everywhere = await queue.append(JobType.NETWORK, NET, ProjectId("p1"))
    here = await queue.append(JobType.PORT, PORT, ProjectId("p1"), pod_id=PodId(pods["Pod1"]))
    found = (await topology(api)).json()["topology"]
    assert found["network"]["provider:segmentation_id"] == 1001
    by_pod = {pod["pod_name"]: pod["pieces"] for pod in found["pods"]}
    assert [piece["resource_type"] for piece in by_pod["Pod1"]] == ["network", "subnet", "port"]
    assert [piece["resource_type"] for piece in by_pod["Pod2"]] == ["network"]
    port = by_pod["Pod1"][2]
    assert (port["ip_addresses"], port["server_id"], port["status"]) == (["10.0.0.5"], SERVER, "ACTIVE")
    assert (port["jobs"], by_pod["Pod2"][0]["jobs"]) == ([here], [everywhere])
    assert by_pod["Pod1"][1]["gateway_ip"] == "10.0.0.1"
    assert [(piece["id"], piece["jobs"]) for piece in found["in_no_pod"]] == [(SPARE, [unplaced])]
    assert {job["id"] for job in found["jobs"]} >= {everywhere, here}


async def test_a_deleted_network_is_shown_until_its_pods_let_go(api: Api, pods: dict[str, str]) -> None:
    await bound(api, Kind.NETWORK, NET, pods["Pod2"])
    (pod,) = (await topology(api)).json()["topology"]["pods"]
    assert (pod["pod_name"], pod["pieces"][0]["state"]) == ("Pod2", "leaving")


async def test_pieces_that_the_centre_has_deleted_are_shown_until_they_left(api: Api, pods: dict[str, str]) -> None:
    """Of a network that is there, of one that is deleted, and when only they are left of it."""
    draw(api)
    network = await bound(api, Kind.NETWORK, NET, pods["Pod1"])
    await bound(api, Kind.SUBNET, SUBNET, pods["Pod1"], network_id=NET)
    await bound(api, Kind.PORT, PORT, pods["Pod1"], network_id=NET, server_id=SERVER)
    await bound(api, Kind.PORT, SERVER, pods["Pod1"], network_id="another")
    job = await Queue(api.engine).append(JobType.PORT, PORT, ProjectId("p1"), pod_id=PodId(pods["Pod1"]))

    async def states() -> dict[str, str]:
        (pod,) = (await topology(api)).json()["topology"]["pods"]
        return {piece["id"]: piece["state"] for piece in pod["pieces"]}

    assert await states() == {NET: "bound", SUBNET: "bound", PORT: "bound"}
    api.centre.networking["ports"] = []
    assert await states() == {NET: "bound", SUBNET: "bound", PORT: "leaving"}
    api.centre.networking |= {"networks": [], "subnets": []}
    assert await states() == {NET: "leaving", SUBNET: "leaving", PORT: "leaving"}
    async with transaction(api.engine) as connection:
        assert await RoutingRows.delete(connection, network)
    assert await states() == {SUBNET: "leaving", PORT: "leaving"}
    (pod,) = (await topology(api)).json()["topology"]["pods"]
    assert [piece["jobs"] for piece in pod["pieces"]] == [[], [job]]


@pytest.mark.parametrize("word", [NET, "x", "ports", NET + "0"])
async def test_no_topology_of_what_is_not_there(api: Api, word: str) -> None:
    assert (await topology(api, word)).status == 404


async def test_a_centre_that_does_not_answer_is_said(api: Api) -> None:
    api.centre.broken["network"] = 503
    assert (await topology(api)).status in (502, 503)
