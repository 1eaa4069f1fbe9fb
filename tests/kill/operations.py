# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing while a process dies, and what may be true afterwards?

Each operation prepares a *scene* of its own without any kill, acts once, and later judges what it finds: what was
answered with success is true, what was refused left nothing, and what nobody answered happened once or not at all.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

import requests

from tests.functional.region_world import Json, Region, at_once, eventually, ids, unique
from tests.functional.tenants import Tenant
from tests.kill.truth import MARK, Truth

ZONE = "az1"
#: Of two pods.
TWO = (ZONE, "az2")
#: What the network is called that every project has whose scenes share it.
SHARED_NETWORK = "shared-by-scenes"
#: So many ports are plugged into one server: Nova looks at all that it has whenever one comes.
_PORTS = 8
RULE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the client heard; status 0: the connection broke."""

    status: int
    body: Json = field(default_factory=dict)
    retry_after: str = ""

    @property
    def is_done(self) -> bool:
        """The client believes that it happened."""
        return 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        """The client believes that nothing happened."""
        return 400 <= self.status < 500 or self.status == 503


def tell(call: Callable[[], requests.Response]) -> Told:
    """What a client hears that does not try again."""
    try:
        answer = call()
    except requests.ConnectionError:
        return Told(0)
    retry_after = answer.headers.get("Retry-After", "")
    try:
        return Told(answer.status_code, answer.json() if answer.content else {}, retry_after)
    except requests.JSONDecodeError:
        return Told(answer.status_code, {}, retry_after)


@dataclass(kw_only=True)
class Scene:
    """What one act is played with.

    :ivar ports: central ports that the user made and may keep
    :ivar theirs: networks of operators, each with its pod: whatever tenants do, they stay
    """

    operation: "Operation"
    tenant: Tenant
    name: str
    things: dict[str, Json] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    theirs: list[tuple[str, str]] = field(default_factory=list)
    told: Told = field(default_factory=lambda: Told(0))
    point: str = ""

    def __str__(self) -> str:
        return f"{self.operation.name} [{self.name}; killed: {self.point or 'nobody'}; told {self.told.status}]"


@dataclass(frozen=True, kw_only=True)
class Props:
    """What all scenes share.

    :ivar shared: by project and zone, a server whose only use is to have ports, and how many it was given
    """

    region: Region
    image_id: str
    flavor_id: str
    key: str
    shared: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=lambda: {zone: threading.Lock() for zone in TWO})

    def boot(self, scene: Scene, **fields: object) -> requests.Response:
        """Ask for a server of the scene's name."""
        values = {"name": scene.name, "flavorRef": self.flavor_id, "imageRef": self.image_id, **fields}
        return scene.tenant.boot(ZONE, **values)

    def server(self, scene: Scene, **fields: object) -> Json:
        """A server that is ready."""
        answer = self.boot(scene, **fields)
        assert answer.status_code == 202, answer.text
        return scene.tenant.active(str(answer.json()["server"]["id"]))

    def plug(self, scene: Scene, port: Json, zone: str = ZONE) -> None:
        """Give the port to a server that scenes of the project share: cheaper than one more server."""
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        path = f"/servers/{self._server_in(scene.tenant, zone)}/os-interface"
        scene.tenant.here.good("POST", "compute", path, body)

    def _server_in(self, tenant: Tenant, zone: str) -> str:
        with self.locks[zone]:
            server_id, uses = self.shared.get((tenant.project_id, zone), ("", _PORTS))
            if uses >= _PORTS:
                fields = {"name": unique("shared"), "flavorRef": self.flavor_id, "imageRef": self.image_id}
                server_id, uses = tenant.booted(zone, **fields), 0
                tenant.active(server_id)
            self.shared[tenant.project_id, zone] = server_id, uses + 1
        return server_id

    def plugged(self, scene: Scene, zones: Sequence[str], **fields: object) -> list[Json]:
        """A new port of the user's in the shared server of each of these zones."""
        made = [scene.tenant.here.make("network", "ports", "port", name=scene.name, **fields) for _ in zones]
        scene.ports += ids(made)
        at_once([partial(self.plug, scene, port, zone) for port, zone in zip(made, zones, strict=True)])
        return made

    def check_copies(self, collection: str, thing: Json, zones: Sequence[str]) -> None:
        """That there are as many copies as zones: a scene with less would prove less than its name says."""
        filters = {"description": MARK + str(thing["id"])}
        places = [name for name, pod in self.region.pods.items() if pod.list("network", collection, **filters)]
        assert len(places) == len(zones), f"copies of {collection}/{thing['id']} are in {places}"

    @staticmethod
    def unplug(scene: Scene, port: Json) -> None:
        """Take it away again."""
        here, path = scene.tenant.here, f"/ports/{port['id']}"
        server_id = here.good("GET", "network", path)["port"]["device_id"]
        here.good("DELETE", "compute", f"/servers/{server_id}/os-interface/{port['id']}")
        eventually(lambda: here.good("GET", "network", path)["port"]["device_id"], lambda is_used: not is_used, path)


class Operation(Protocol):
    """Something that tenants do. ``shares_project``: scenes of it may live in one project."""

    name: str
    shares_project: bool

    def prepare(self, props: Props, scene: Scene) -> None:
        """Make what the act needs; nobody is killed."""

    def act(self, props: Props, scene: Scene) -> Told:
        """Do it, once."""

    def judge(self, scene: Scene, truth: Truth) -> list[str]:
        """What is wrong with what became of it, in sentences."""


@runtime_checkable
class Repeatable(Protocol):
    """What whoever was not answered may ask once more: once everything has come to rest, and before it is judged."""

    def repeat(self, props: Props, scene: Scene) -> None:
        """Ask again where that is due."""


def network_of(scene: Scene) -> Json:
    """The network that all scenes of a project use."""
    return scene.tenant.here.list("network", "networks", name=SHARED_NETWORK)[0]


def times(found: int, told: Told, wanted: int = 1) -> list[str]:
    """Whether something came to be as often as the client was told."""
    if told.is_done and found != wanted:
        return [f"was answered with success and is there {found} times, not {wanted}"]
    if told.is_refused and found:
        return [f"was refused and is there {found} times"]
    return [f"is there {found} times"] if found > wanted else []


def set_network(_props: Props, scene: Scene) -> None:
    scene.things["network"] = network_of(scene)


def set_port(_props: Props, scene: Scene) -> None:
    network = network_of(scene)
    port = scene.tenant.here.make("network", "ports", "port", network_id=network["id"], name=scene.name)
    scene.things["port"] = port
    scene.ports.append(str(port["id"]))


def set_everything(props: Props, scene: Scene) -> None:
    here = scene.tenant.here
    scene.things["network"] = scene.tenant.network(name=scene.name)
    scene.things["group"] = here.make("network", "security-groups", "security_group", name=scene.name)
    rule = {**RULE, "port_range_min": 80, "port_range_max": 80, "security_group_id": scene.things["group"]["id"]}
    here.make("network", "security-group-rules", "security_group_rule", **rule)
    key = {"name": scene.name, "public_key": props.key, "type": "ssh"}
    scene.things["keypair"] = here.make("compute", "os-keypairs", "keypair", **key)
    admin = props.region.admin
    scene.things["flavor"] = admin.make("compute", "flavors", "flavor", name=scene.name, ram=64, vcpus=1, disk=1)


def on_network(scene: Scene) -> Mapping[str, object]:
    return {"networks": [{"uuid": scene.things["network"]["id"]}]}


def on_everything(scene: Scene) -> Mapping[str, object]:
    return {
        **on_network(scene),
        "security_groups": [{"name": scene.name}],
        "key_name": scene.name,
        "flavorRef": scene.things["flavor"]["id"],
    }


def gone_with_copies(scene: Scene, truth: Truth, kind: str, thing: str) -> list[str]:
    """What is wrong with something of the network API that was deleted: it is there, or a copy of it is."""
    copies = truth.copies(kind, scene.things[thing]["id"])
    left = ["was deleted and has copies"] if copies and scene.told.is_done else []
    return gone(scene, getattr(truth, kind)["RegionOne"], thing) + left


def gone(scene: Scene, present: list[Json], thing: str) -> list[str]:
    is_there = scene.things[thing]["id"] in ids(present)
    return [f"{thing} {scene.things[thing]['id']} was deleted and is there"] if is_there and scene.told.is_done else []
