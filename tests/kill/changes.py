# SPDX-License-Identifier: Apache-2.0
"""What is a tenant changing in what running servers use while a process dies? See ``operations.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.functional.region_world import Json
from tests.kill.operations import RULE, ZONE, Props, Scene, Told, gone_with_copies, network_of, tell

if TYPE_CHECKING:
    from tests.kill.truth import Truth


def _set_used(props: Props, scene: Scene, zones: Sequence[str]) -> None:
    """A group and a port of the scene, and servers that use them."""
    group = scene.tenant.here.make("network", "security-groups", "security_group", name=scene.name)
    nic = {"network_id": network_of(scene)["id"], "security_groups": [group["id"]]}
    scene.things |= {"group": group, "port": props.plugged(scene, zones, **nic)[0]}


def _set_network(props: Props, scene: Scene, zones: Sequence[str]) -> None:
    """A network and a subnet of the scene, and servers on them."""
    network = scene.tenant.network(name=scene.name)
    (subnet_id,) = network["subnets"]
    scene.things |= {"network": network, "subnet": {"id": subnet_id}}
    props.plugged(scene, zones, network_id=network["id"], security_groups=[])


@dataclass(kw_only=True)
class Change:
    """One field of something that running servers of these zones use.

    :ivar thing: what it is called in a scene
    :ivar collection: its collection in the Network API; ``kind`` in a ``Truth``; ``key`` in bodies
    """

    name: str
    thing: str
    kind: str
    collection: str
    key: str
    value: Mapping[str, Any]
    zones: Sequence[str] = (ZONE,)
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        (_set_network if self.thing in ("network", "subnet") else _set_used)(props, scene, self.zones)
        props.check_copies(self.collection, scene.things[self.thing], self.zones)

    def act(self, _props: Props, scene: Scene) -> Told:
        path = f"/{self.collection}/{scene.things[self.thing]['id']}"
        return tell(lambda: scene.tenant.here("PUT", "network", path, {self.key: dict(self.value)}))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        thing_id = scene.things[self.thing]["id"]
        (original,) = [one for one in getattr(truth, self.kind)["RegionOne"] if one["id"] == thing_id]
        happened = _has(original, self.value)
        problems = ["was answered with success and did not happen"] if scene.told.is_done and not happened else []
        if scene.told.is_refused and happened:
            problems.append("was refused and happened")
        copies = truth.copies(self.kind, thing_id)
        if len(copies) != len(self.zones):
            problems.append(f"{self.thing} {thing_id} of running servers has {len(copies)} copies")
        return problems + [
            f"{place} has another {self.thing} than the centre"
            for place, copy in copies
            if _has(copy, self.value) != happened
        ]


def _has(thing: Json, value: Mapping[str, Any]) -> bool:
    """Whether the fields are there; of rows, those of their fields that are named."""
    return all(_is(thing[field], wanted) for field, wanted in value.items())


def _is(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        return any(all(row.get(name) == part for name, part in wanted[0].items()) for row in found)
    return bool(found == wanted)


@dataclass(frozen=True, kw_only=True)
class SubnetDelete:
    """A second subnet of a network that pods have a copy of, with the copies of both."""

    name: str
    zones: Sequence[str] = (ZONE,)
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        scene.things["network"] = scene.tenant.network(name=scene.name)
        values = {"network_id": scene.things["network"]["id"], "ip_version": 4, "cidr": "10.32.0.0/24"}
        scene.things["subnet"] = scene.tenant.here.make("network", "subnets", "subnet", **values)
        fixed = [{"subnet_id": scene.things["subnet"]["id"]}]
        nic = {"network_id": scene.things["network"]["id"], "fixed_ips": fixed, "security_groups": []}
        for port in props.plugged(scene, self.zones, **nic):
            props.unplug(scene, port)
            scene.tenant.gone("network", f"/ports/{port['id']}")
        props.check_copies("subnets", scene.things["subnet"], self.zones)

    def act(self, _props: Props, scene: Scene) -> Told:
        return tell(lambda: scene.tenant.here("DELETE", "network", f"/subnets/{scene.things['subnet']['id']}"))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone_with_copies(scene, truth, "subnets", "subnet")


@dataclass(frozen=True, kw_only=True)
class RuleDelete:
    """A rule less in a group that servers of these zones use."""

    name: str
    zones: Sequence[str] = (ZONE,)
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        here = scene.tenant.here
        group = scene.things["group"] = here.make("network", "security-groups", "security_group", name=scene.name)
        rule = {**RULE, "port_range_min": 22, "port_range_max": 22, "security_group_id": group["id"]}
        scene.things["rule"] = here.make("network", "security-group-rules", "security_group_rule", **rule)
        props.plugged(scene, self.zones, network_id=network_of(scene)["id"], security_groups=[group["id"]])
        props.check_copies("security-groups", group, self.zones)

    def act(self, _props: Props, scene: Scene) -> Told:
        path = f"/security-group-rules/{scene.things['rule']['id']}"
        return tell(lambda: scene.tenant.here("DELETE", "network", path))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        """That the copies have the rules of their originals is asked of everything."""
        rules = [rule["id"] for rule in truth.group(scene.things["group"]["id"])["security_group_rules"]]
        is_there = scene.things["rule"]["id"] in rules
        return ["was deleted and is there"] if scene.told.is_done and is_there else []
