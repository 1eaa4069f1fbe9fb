# SPDX-License-Identifier: Apache-2.0
"""What has an operator of the cloud done with a pod's own network while a process dies? See ``operations.py``.

No boot finds half of an adoption. One that died half way is completed by the operator who asks again, which is what
those called ``again`` do once everything has come to rest; of the others, what is left goes with the tenant's network.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.functional.region_world import Json, eventually
from tests.kill.operations import Props, Scene, Told, tell

if TYPE_CHECKING:
    from tests.kill.truth import Truth

_POD = "Pod1"
_CIDR = "10.34.0.0/24"
#: Of the operator's server and of the pod's own gateway: nobody at the centre may be given them.
_SERVER, _GATEWAY = "10.34.0.50", "10.34.0.254"


def _set_own(props: Props, scene: Scene) -> None:
    """A tenant's network, and one of the pod's operator on the same wire, with a server on it."""
    scene.things["network"] = scene.tenant.network(_CIDR, name=scene.name)
    region, operator = props.region, props.region.pods[_POD]
    whole = region.centre.good("GET", "network", f"/networks/{scene.things['network']['id']}")["network"]
    wire = {name: whole[name] for name in whole if name.startswith("provider:")} | {"mtu": whole["mtu"]}
    theirs = scene.things["theirs"] = operator.make("network", "networks", "network", name=scene.name, **wire)
    scene.theirs.append((_POD, str(theirs["id"])))
    values = {"network_id": theirs["id"], "cidr": _CIDR, "ip_version": 4, "gateway_ip": _GATEWAY}
    subnet = operator.make("network", "subnets", "subnet", **values)
    fixed = [{"subnet_id": subnet["id"], "ip_address": _SERVER}]
    operator.make("network", "ports", "port", network_id=theirs["id"], fixed_ips=fixed)


def _adopt(props: Props, scene: Scene) -> Told:
    names = {
        "network_id": scene.things["network"]["id"],
        "pod_name": _POD,
        "pod_network_id": scene.things["theirs"]["id"],
    }
    return tell(lambda: props.region.operate("POST", "/adoptions", {"adoption": names}))


def _patiently(ask: Callable[[], Told]) -> Told:
    """What is told in the end: 503 for as long as the lease of the one that died has to run."""
    return eventually(ask, lambda told: told.status != 503, "the adoption's lease ran out")


def _parts(scene: Scene, truth: "Truth") -> dict[str, bool]:
    """Which parts of the adoption there are: the rows that were bound to the operator's, and the addresses held."""
    network_id = scene.things["network"]["id"]
    rows = [row for row in truth.routings if row["pod_resource_id"] and json.loads(row["details"]).get("is_adopted")]
    held = _held(truth, network_id)
    return {
        "network": any(row["kind"] == "network" and row["central_id"] == network_id for row in rows),
        "subnet": any(row["kind"] == "subnet" and row["central_id"] == _subnet(scene) for row in rows),
        "addresses": {_SERVER, _GATEWAY} <= held,
    }


def _held(truth: "Truth", network_id: str) -> set[str]:
    ports: list[Json] = truth.ports["RegionOne"]
    held = [port for port in ports if port["network_id"] == network_id and port["device_owner"] == "network:dhcp"]
    return {fixed["ip_address"] for port in held for fixed in port["fixed_ips"]}


def _subnet(scene: Scene) -> str:
    (subnet_id,) = scene.things["network"]["subnets"]
    return str(subnet_id)


def _lacks(parts: dict[str, bool], part: str, *others: str) -> list[str]:
    """What is wrong when one part is there and not all of the others."""
    is_wrong = parts[part] and not all(parts[other] for other in others)
    return [f"the adoption has its {part}, and not {others}: {parts}"] if is_wrong else []


@dataclass(frozen=True, kw_only=True)
class AdoptionCreate:
    """A pod's own network becomes the pod's piece of a network of the centre."""

    name: str
    repeats: bool
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        _set_own(props, scene)

    def act(self, props: Props, scene: Scene) -> Told:
        return _adopt(props, scene)

    def repeat(self, props: Props, scene: Scene) -> None:
        if self.repeats and not scene.told.is_done:
            scene.told = _patiently(partial(_adopt, props, scene))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        parts = _parts(scene, truth)
        problems = [f"was answered with success: {parts}"] if scene.told.is_done and not all(parts.values()) else []
        problems += [f"was not completed: {scene.told}"] if self.repeats and not scene.told.is_done else []
        return problems + _lacks(parts, "network", "subnet") + _lacks(parts, "subnet", "addresses")


@dataclass(frozen=True, kw_only=True)
class AdoptionDelete:
    """A network is given back to the operator of its pod."""

    name: str
    repeats: bool
    shares_project: bool = True

    def prepare(self, props: Props, scene: Scene) -> None:
        _set_own(props, scene)
        told = _adopt(props, scene)
        assert told.is_done, told
        scene.things["adoption"] = told.body["adoption"]

    def act(self, props: Props, scene: Scene) -> Told:
        return tell(lambda: props.region.operate("DELETE", f"/adoptions/{scene.things['adoption']['id']}"))

    def repeat(self, props: Props, scene: Scene) -> None:
        """The first call may have come to its end unheard: then there is nothing to give back any more."""
        if self.repeats and not scene.told.is_done:
            told = _patiently(partial(self.act, props, scene))
            scene.told = Told(200) if told.status == 404 else told

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        parts = _parts(scene, truth)
        problems = [f"was answered with success: {parts}"] if scene.told.is_done and any(parts.values()) else []
        problems += [f"was not completed: {scene.told}"] if self.repeats and not scene.told.is_done else []
        return problems + _lacks(parts, "subnet", "network", "addresses")
