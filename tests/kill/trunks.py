# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing with trunks while a process dies? See ``operations.py``. That copies of trunks are as their
originals is asked of everything (``truth.py``).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.functional.region_world import Json
from tests.kill.operations import Props, Scene, Told, gone, set_port, tell

if TYPE_CHECKING:
    from tests.kill.truth import Truth


def set_trunk(props: Props, scene: Scene) -> None:
    """A trunk with one sub-port, of a port that no server has yet."""
    set_port(props, scene)
    scene.things["back"] = scene.tenant.network(cidr="10.33.0.0/24", name=f"{scene.name}-back")
    first = _sub_port(scene, 101)
    values = {"name": scene.name, "port_id": scene.things["port"]["id"], "sub_ports": [first]}
    scene.things["trunk"] = scene.tenant.here.make("network", "trunks", "trunk", **values)
    scene.things["first"] = first


def on_parent(scene: Scene) -> Mapping[str, object]:
    return {"networks": [{"port": scene.things["port"]["id"]}]}


def _sub_port(scene: Scene, number: int) -> Json:
    network_id = scene.things["back"]["id"]
    port = scene.tenant.here.make("network", "ports", "port", network_id=network_id, name=f"{scene.name}-{number}")
    scene.ports.append(str(port["id"]))
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": number}


def _tags(scene: Scene, truth: "Truth") -> set[int]:
    trunk_id = scene.things["trunk"]["id"]
    return {
        row["segmentation_id"] for one in truth.trunks["RegionOne"] if one["id"] == trunk_id for row in one["sub_ports"]
    }


class SubPortAdd:
    """One more sub-port of a running server."""

    name, shares_project = "sub-port add", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_trunk(props, scene)
        scene.things["second"] = _sub_port(scene, 102)
        props.plug(scene, scene.things["port"])

    def act(self, _props: Props, scene: Scene) -> Told:
        path, body = f"/trunks/{scene.things['trunk']['id']}/add_subports", {"sub_ports": [scene.things["second"]]}
        return tell(lambda: scene.tenant.here("PUT", "network", path, body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        is_there = 102 in _tags(scene, truth)
        return ["was added and is not there"] if scene.told.is_done and not is_there else []


class SubPortRemove:
    """One sub-port less."""

    name, shares_project = "sub-port remove", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_trunk(props, scene)
        props.plug(scene, scene.things["port"])

    def act(self, _props: Props, scene: Scene) -> Told:
        sub_ports = [{"port_id": scene.things["first"]["port_id"]}]
        path = f"/trunks/{scene.things['trunk']['id']}/remove_subports"
        return tell(lambda: scene.tenant.here("PUT", "network", path, {"sub_ports": sub_ports}))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        is_there = 101 in _tags(scene, truth)
        return ["was removed and is there"] if scene.told.is_done and is_there else []


class TrunkServerDelete:
    """A server with a trunk ends: the trunk stays at the centre and leaves the pod."""

    name, shares_project = "server delete, trunk", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_trunk(props, scene)
        scene.things["server"] = props.server(scene, **on_parent(scene))

    def act(self, _props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "compute", f"/servers/{scene.things['server']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        left = [place for place, _ in truth.copies("trunks", scene.things["trunk"]["id"])]
        problems = [f"{place} has the trunk without its server" for place in left if scene.told.is_done]
        return gone(scene, truth.servers, "server") + problems


class TrunkDelete:
    """A trunk whose parent has just left a server."""

    name, shares_project = "trunk delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_trunk(props, scene)
        props.plug(scene, scene.things["port"])
        props.unplug(scene, scene.things["port"])

    def act(self, _props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "network", f"/trunks/{scene.things['trunk']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        left = ["was deleted and has copies"] if truth.copies("trunks", scene.things["trunk"]["id"]) else []
        return gone(scene, truth.trunks["RegionOne"], "trunk") + (left if scene.told.is_done else [])
