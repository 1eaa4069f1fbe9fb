# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing with servers and their interfaces while a process dies? See ``operations.py``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kill.operations import Props, Scene, Told, gone, network_of, set_network, set_port, tell, times

if TYPE_CHECKING:
    from tests.kill.truth import Truth


@dataclass(frozen=True, kw_only=True)
class Boot:
    """A boot; ``fields`` are added to the body, made from the scene."""

    name: str
    shares_project: bool = True
    count: int = 1
    setting: Callable[[Props, Scene], None] = lambda _props, _scene: None
    fields: Callable[[Scene], Mapping[str, object]] = lambda _scene: {"networks": "none"}
    nics: int = 1

    def prepare(self, props: Props, scene: Scene) -> None:
        self.setting(props, scene)

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: props.boot(scene, **self.fields(scene)))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        names = {scene.name, *(f"{scene.name}-{number + 1}" for number in range(self.count))}
        made = [server for server in truth.servers if server["name"] in names]
        problems = times(len(made), scene.told, self.count)
        for server in made:
            found = len(truth.ports_in_pods(device_id=server["id"]))
            if server["status"] != "ACTIVE":
                problems.append(f"server {server['id']} is {server['status']}")
            if found != self.nics:
                problems.append(f"server {server['id']} has {found} ports in its pod, not {self.nics}")
        if scene.told.is_done and not made and scene.told.body:
            problems.append(f"answered {scene.told.body}")
        return problems


class ServerDelete:
    """``DELETE`` of a server with a port of ours and one of the user's."""

    name, shares_project = "server delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_port(props, scene)
        nics = [{"uuid": network_of(scene)["id"]}, {"port": scene.things["port"]["id"]}]
        scene.things["server"] = props.server(scene, networks=nics)

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "compute", f"/servers/{scene.things['server']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone(scene, truth.servers, "server")


class Attach:
    """An interface more."""

    name, shares_project = "interface attach", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_network(props, scene)
        scene.things["server"] = props.server(scene)

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/servers/{scene.things['server']['id']}/os-interface"
        body = {"interfaceAttachment": {"net_id": scene.things["network"]["id"]}}
        return tell(lambda: scene.tenant.here("POST", "compute", path, body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return times(len(truth.ports_in_pods(device_id=scene.things["server"]["id"])), scene.told)


class Detach:
    """An interface less; the port is the user's and stays."""

    name, shares_project = "interface detach", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_port(props, scene)
        scene.things["server"] = props.server(scene, networks=[{"port": scene.things["port"]["id"]}])

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/servers/{scene.things['server']['id']}/os-interface/{scene.things['port']['id']}"
        return tell(lambda: scene.tenant.here("DELETE", "compute", path))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        left = truth.ports_in_pods(device_id=scene.things["server"]["id"])
        return ["was detached and is there"] if left and scene.told.is_done else []
