# SPDX-License-Identifier: Apache-2.0
"""Is everything of the network API the centre's, and the copy of a port gone before its removal is answered?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.unit.road.asgi import ask
from tests.unit.road.scripted import PUBLIC, World, caller, json_reply, pod
from tests.unit.road.test_pipeline import Enforcer
from tricircle.context import Deadline, ProjectId
from tricircle.doors.network.port_status import PortStatus
from tricircle.doors.network.ports import PortRemoval
from tricircle.doors.network.rows import door
from tricircle.errors import UnavailableError
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind, Routing
from tricircle.road.entrance import Entrance, RoadSettings
from tricircle.road.pipeline import Road

ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")


class House:
    """The network door in front of a scripted Neutron; the port ``port`` has a copy in Pod2."""

    def __init__(self, two: Pod = TWO) -> None:
        self.world = World((ONE, two), service=Service.NETWORK, prefix="/network")
        self.world.validator.known = {"users-token": caller()}
        self.removed: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.learnt: list[tuple[str, str]] = []
        removal = PortRemoval(carrier=self.world.carrier, copies=self, pods=self.world.registry, ports=self)
        status = PortStatus(carrier=self.world.carrier, copies=self, pods=self.world.registry, statuses=self)
        self.road = Road(
            [Entrance(door(removal, status), self.world.carrier)],
            validator=self.world.validator,
            enforcer=Enforcer(),
            pods=self.world.registry,
            settings=RoadSettings(
                body_limit=1000, request_deadline_s=30, boot_deadline_s=60, identity_url=f"{PUBLIC}/identity"
            ),
        )

    async def copies_of(self, kind: Kind, central_id: str) -> list[Routing]:
        assert kind is Kind.PORT
        if central_id != "port":
            return []
        row = Routing(
            id=1, central_id="port", kind=kind, pod_id=TWO.id, project_id=ProjectId("p1"), pod_resource_id="there"
        )
        return [row]

    async def learn(self, pod: Pod, ports: Sequence[Mapping[str, object]], deadline: Deadline) -> Mapping[str, str]:
        if self.failure is not None:
            raise self.failure
        self.learnt += [(pod.name, str(port["id"])) for port in ports]
        return {"port": "ACTIVE"}

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        if self.failure is not None:
            raise self.failure
        self.removed.append((pod.name, port_id))


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2.0/"),
        ("GET", "/v2.0/networks?fields=id&fields=name"),
        ("POST", "/v2.0/networks"),
        ("PUT", "/v2.0/routers/r/add_router_interface"),
        ("DELETE", "/v2.0/networks/n"),
        ("GET", "/v2.0/extensions/Availability%20Zone"),
    ],
)
async def test_everything_is_the_centres(house: House, method: str, path: str) -> None:
    """Unchanged."""
    house.world.upstreams.said["central", path.partition("?")[0]] = json_reply(200, {"ok": 1})
    got = await ask(house.road, method, f"/network{path}", body=b"{}" if method == "POST" else b"")
    assert got.json() == {"ok": 1}
    assert house.world.upstreams.asked() == [("central", method, path)]


async def test_version_document_needs_no_token(house: House) -> None:
    """Its links are ours."""
    house.world.upstreams.said["central", "/"] = json_reply(
        200, {"versions": [{"href": "http://central.internal/network/v2.0/"}]}
    )
    got = await ask(house.road, "GET", "/network/", token=None)
    assert got.json() == {"versions": [{"href": "https://cloud.example/network/v2.0/"}]}
    assert (await ask(house.road, "GET", "/network/v2.0/", token=None)).status == 401


async def test_the_copy_goes_before_the_answer(house: House) -> None:
    """Only after the centre said yes."""
    got = await ask(house.road, "DELETE", "/network/v2.0/ports/port")
    assert (got.status, house.removed) == (404, [])
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(204, {})
    got = await ask(house.road, "DELETE", "/network/v2.0/ports/port")
    assert (got.status, house.removed) == (204, [("Pod2", "port")])


async def test_a_port_without_copy(house: House) -> None:
    """Nothing more is done."""
    house.world.upstreams.said["central", "/v2.0/ports/other"] = json_reply(204, {})
    assert (await ask(house.road, "DELETE", "/network/v2.0/ports/other")).status == 204
    assert house.removed == []


async def test_a_dead_pod_does_not_undo_the_answer(house: House) -> None:
    """The driver's job does the rest."""
    house.failure = UnavailableError("down")
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(204, {})
    assert (await ask(house.road, "DELETE", "/network/v2.0/ports/port")).status == 204


DOWN = {"id": "port", "status": "DOWN", "admin_state_up": True, "name": "p"}


async def test_who_waits_for_a_port_hears_of_it_at_once(house: House) -> None:
    """Its pod is asked; all other fields are the centre's."""
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(200, {"port": DOWN})
    got = await ask(house.road, "GET", "/network/v2.0/ports/port")
    assert got.json() == {"port": {**DOWN, "status": "ACTIVE"}}
    assert house.learnt == [("Pod2", "port")]


@pytest.mark.parametrize(
    ("port_id", "port"),
    [
        ("port", {**DOWN, "status": "ACTIVE"}),
        ("port", {**DOWN, "admin_state_up": False}),
        ("port", {"status": "DOWN"}),
        ("port", {"admin_state_up": True}),
        ("other", DOWN),
    ],
)
async def test_nobody_is_asked_about_other_ports(house: House, port_id: str, port: dict[str, object]) -> None:
    """Plugged in, switched off, in no pod, or only some fields wanted."""
    house.world.upstreams.said["central", f"/v2.0/ports/{port_id}"] = json_reply(200, {"port": port})
    assert (await ask(house.road, "GET", f"/network/v2.0/ports/{port_id}")).json() == {"port": port}
    assert house.learnt == []


async def test_a_pod_that_does_not_answer_leaves_the_centres_word(house: House) -> None:
    """A port is shown all the same."""
    house.failure = UnavailableError("down")
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(200, {"port": DOWN})
    got = await ask(house.road, "GET", "/network/v2.0/ports/port")
    assert (got.status, got.json()) == (200, {"port": DOWN})
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(404, {"NeutronError": {}})
    assert (await ask(house.road, "GET", "/network/v2.0/ports/port")).status == 404


async def test_a_pod_that_is_switched_off_is_not_asked() -> None:
    """The centre's word is all there is."""
    house = House(replace(TWO, state=PodState.DISABLED))
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(200, {"port": DOWN})
    assert (await ask(house.road, "GET", "/network/v2.0/ports/port")).json() == {"port": DOWN}
    assert house.learnt == []


SLICE = {"device_owner": "network:dhcp", "device_id": "tricircle-0f2a", "binding:host_id": "Pod1"}


async def test_a_slice_is_deleted_as_a_dhcp_port_is(house: House) -> None:
    """It is there again at once: the driver has refused, after Neutron's policy."""
    refusal = {"NeutronError": {"type": "SlicePortProtectedError", "message": "It cannot be changed.", "detail": ""}}
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(409, refusal)
    got = await ask(house.road, "DELETE", "/network/v2.0/ports/port")
    assert (got.status, got.body, house.removed) == (204, b"", [])


async def test_other_conflicts_are_neutrons(house: House) -> None:
    """Word for word."""
    refusal = {"NeutronError": {"type": "PortInUseAsTrunkParent", "message": "In use.", "detail": ""}}
    house.world.upstreams.said["central", "/v2.0/ports/port"] = json_reply(409, refusal)
    got = await ask(house.road, "DELETE", "/network/v2.0/ports/port")
    assert (got.status, got.json(), house.removed) == (409, refusal, [])


@pytest.mark.parametrize(
    ("port", "methods"),
    [
        (SLICE, ["GET"]),
        ({**SLICE, "device_id": "dhcp-1"}, ["GET", "DELETE"]),
        ({**SLICE, "binding:host_id": "Pod9"}, ["GET", "DELETE"]),
    ],
)
async def test_no_administrator_takes_a_slice_from_a_pod(
    house: House, port: dict[str, object], methods: list[str]
) -> None:
    """Neutron would obey; of a pod that is not there any more, anybody may clear up."""
    house.world.validator.known = {"users-token": caller("p1", "admin")}
    house.world.upstreams.said["central", "/v2.0/ports/other"] = json_reply(200, {"port": port})
    await ask(house.road, "DELETE", "/network/v2.0/ports/other")
    assert [method for _, method, _ in house.world.upstreams.asked()] == methods
