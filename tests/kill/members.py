# SPDX-License-Identifier: Apache-2.0
"""Who comes and goes in groups that rules name while a process dies? See ``operations.py``. That pods know exactly the
members, and the addresses of tenants' address groups, is asked of everything (``truth.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.functional.region_world import Json
from tests.kill.operations import ZONE, Props, Scene, Told, network_of, tell

if TYPE_CHECKING:
    from tests.kill.truth import Truth


def _set_group(props: Props, scene: Scene, zones: Sequence[str] = (ZONE,), **remote: str) -> None:
    """A group with a rule, and in it a port of a running server in each zone; without ``remote`` the rule names the
    group itself.
    """
    here = scene.tenant.here
    group = scene.things["group"] = here.make("network", "security-groups", "security_group", name=scene.name)
    rule = {"direction": "ingress", "ethertype": "IPv4", "security_group_id": group["id"]}
    here.make("network", "security-group-rules", "security_group_rule",
              **rule, **(remote or {"remote_group_id": group["id"]}))  # fmt: skip
    props.plugged(scene, zones, network_id=network_of(scene)["id"], security_groups=[group["id"]])


def _member(scene: Scene, groups: list[str]) -> Json:
    nic = {"network_id": network_of(scene)["id"], "name": scene.name, "security_groups": groups}
    port: Json = scene.tenant.here.make("network", "ports", "port", **nic)
    scene.ports.append(str(port["id"]))
    return port


@dataclass(frozen=True, kw_only=True)
class MemberChange:
    """Another port, in no pod, comes into the group that servers of these zones use, or leaves it."""

    name: str
    joins: bool
    zones: Sequence[str] = (ZONE,)
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        _set_group(props, scene, self.zones)
        props.check_copies("address-groups", scene.things["group"], self.zones)
        scene.things["port"] = _member(scene, [] if self.joins else [scene.things["group"]["id"]])

    def act(self, _props: Props, scene: Scene) -> Told:
        groups = [scene.things["group"]["id"]] if self.joins else []
        path = f"/ports/{scene.things['port']['id']}"
        return tell(lambda: scene.tenant.here("PUT", "network", path, {"port": {"security_groups": groups}}))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        (port,) = [one for one in truth.ports["RegionOne"] if one["id"] == scene.things["port"]["id"]]
        happened = (scene.things["group"]["id"] in port["security_groups"]) == self.joins
        problems = ["was answered with success and did not happen"] if scene.told.is_done and not happened else []
        copies = truth.copies("members", scene.things["group"]["id"])
        if len(copies) != len(self.zones):
            problems.append(f"{len(copies)} pods know the group's members")
        return problems


class AddressGroupChange:
    """An address more in a tenant's address group that a rule of a running server names."""

    name, shares_project = "address group change", True
    _ADDRESS = "192.0.2.128/25"

    def prepare(self, props: Props, scene: Scene) -> None:
        values = {"name": scene.name, "addresses": ["198.51.100.0/24"]}
        made: Json = scene.tenant.here.make("network", "address-groups", "address_group", **values)
        scene.things["friends"] = made
        _set_group(props, scene, remote_address_group_id=made["id"])

    def act(self, _props: Props, scene: Scene) -> Told:
        path = f"/address-groups/{scene.things['friends']['id']}/add_addresses"
        return tell(lambda: scene.tenant.here("PUT", "network", path, {"addresses": [self._ADDRESS]}))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        friends_id = scene.things["friends"]["id"]
        (original,) = [one for one in truth.members["RegionOne"] if one["id"] == friends_id]
        problems = [] if truth.copies("members", friends_id) else ["has no copy"]
        is_there = self._ADDRESS in original["addresses"]
        return problems + (["was added and is not there"] if scene.told.is_done and not is_there else [])
