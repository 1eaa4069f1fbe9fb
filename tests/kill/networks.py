# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing with networks, ports and groups while a process dies? See ``operations.py``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kill.operations import (
    RULE,
    TWO,
    ZONE,
    Props,
    Scene,
    Told,
    gone_with_copies,
    network_of,
    set_port,
    tell,
    times,
)

if TYPE_CHECKING:
    from tests.kill.truth import Truth


class NetworkDelete:
    """A network that two pods have copies of."""

    name, shares_project = "network delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        network = scene.things["network"] = scene.tenant.network(name=scene.name)
        for port in props.plugged(scene, TWO, network_id=network["id"], security_groups=[]):
            props.unplug(scene, port)
            scene.tenant.gone("network", f"/ports/{port['id']}")
        props.check_copies("networks", network, TWO)

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "network", f"/networks/{scene.things['network']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone_with_copies(scene, truth, "networks", "network")


class PortDelete:
    """A port that a server uses. Tenants may not delete one, administrators may."""

    name, shares_project = "port delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        set_port(props, scene)
        scene.things["server"] = props.server(scene, networks=[{"port": scene.things["port"]["id"]}])

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: props.region.admin("DELETE", "network", f"/ports/{scene.things['port']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone_with_copies(scene, truth, "ports", "port")


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """One more rule in a group that servers of these zones use."""

    name: str
    zones: Sequence[str] = (ZONE,)
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        group = scene.tenant.here.make("network", "security-groups", "security_group", name=scene.name)
        scene.things["group"] = group
        props.plugged(scene, self.zones, network_id=network_of(scene)["id"], security_groups=[group["id"]])
        props.check_copies("security-groups", group, self.zones)

    def act(self, props: Props, scene: Scene) -> Told:
        rule = {**RULE, "port_range_min": 22, "port_range_max": 22, "security_group_id": scene.things["group"]["id"]}
        body = {"security_group_rule": rule}
        return tell(lambda: scene.tenant.here("POST", "network", "/security-group-rules", body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        copies = truth.copies("groups", scene.things["group"]["id"])
        places = {"RegionOne": truth.group(scene.things["group"]["id"]), **dict(copies)}
        problems = [] if len(copies) == len(self.zones) else [f"has copies in {list(places)[1:]}"]
        for place, group in places.items():
            found = [rule for rule in group["security_group_rules"] if rule["port_range_min"] == 22]
            problems += [f"in {place} the rule {problem}" for problem in times(len(found), scene.told)]
        return problems
