# SPDX-License-Identifier: Apache-2.0
"""What is a tenant doing with networks, ports and groups while a process dies? See ``operations.py``."""

from typing import TYPE_CHECKING

from tests.kill.operations import RULE, Props, Scene, Told, gone_with_copies, network_of, set_port, tell, times

if TYPE_CHECKING:
    from tests.kill.truth import Truth


class NetworkDelete:
    """A network that two pods have copies of."""

    name, shares_project = "network delete", False

    def prepare(self, props: Props, scene: Scene) -> None:
        scene.things["network"] = scene.tenant.network(name=scene.name)
        nics = [{"uuid": scene.things["network"]["id"]}]
        made = [props.boot(scene, networks=nics, availability_zone=zone) for zone in ("az1", "az2")]
        for answer in made:
            assert answer.status_code == 202, answer.text
            server_id = str(answer.json()["server"]["id"])
            scene.tenant.active(server_id)
            scene.tenant.gone("compute", f"/servers/{server_id}")

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


class RuleChange:
    """One more rule in a group of a running server."""

    name, shares_project = "rule change", True

    def prepare(self, props: Props, scene: Scene) -> None:
        here = scene.tenant.here
        group = here.make("network", "security-groups", "security_group", name=scene.name)
        scene.things["group"] = group
        nics = [{"uuid": network_of(scene)["id"]}]
        scene.things["server"] = props.server(scene, networks=nics, security_groups=[{"name": scene.name}])

    def act(self, props: Props, scene: Scene) -> Told:
        rule = {**RULE, "port_range_min": 22, "port_range_max": 22, "security_group_id": scene.things["group"]["id"]}
        body = {"security_group_rule": rule}
        return tell(lambda: scene.tenant.here("POST", "network", "/security-group-rules", body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        places = {"RegionOne": truth.group(scene.things["group"]["id"])}
        places |= dict(truth.copies("groups", scene.things["group"]["id"]))
        problems: list[str] = []
        for place, group in places.items():
            found = [rule for rule in group["security_group_rules"] if rule["port_range_min"] == 22]
            problems += [f"in {place} the rule {problem}" for problem in times(len(found), scene.told)]
        return problems
