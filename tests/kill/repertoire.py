# SPDX-License-Identifier: Apache-2.0
"""Which operations are there?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.kill.adoptions import AdoptionCreate, AdoptionDelete
from tests.kill.changes import Change, RuleDelete, SubnetDelete
from tests.kill.members import AddressGroupChange, MemberChange
from tests.kill.networks import NetworkDelete, PortDelete, RuleChange
from tests.kill.operations import (
    TWO,
    ZONE,
    Operation,
    Scene,
    on_everything,
    on_network,
    set_everything,
    set_network,
    set_port,
)
from tests.kill.policies import PolicyChange, PolicyDelete
from tests.kill.servers import Attach, Boot, Detach, ServerDelete
from tests.kill.storage import SnapshotCreate, SnapshotDelete, VolumeAttach, VolumeCreate, VolumeDelete, VolumeDetach
from tests.kill.trunks import SubPortAdd, SubPortRemove, TrunkDelete, TrunkServerDelete, on_parent, set_trunk


def _several(scene: Scene) -> Mapping[str, object]:
    return {**on_network(scene), "min_count": 2, "max_count": 2}


def _on_port(scene: Scene) -> Mapping[str, object]:
    return {"networks": [{"port": scene.things["port"]["id"]}]}


#: What is changed of a thing: its kind in a ``Truth``, its collection, and the new value.
_FIELDS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "network": ("networks", "networks", {"name": "renamed"}),
    "subnet": ("subnets", "subnets", {"dns_nameservers": ["192.0.2.53"]}),
    "port": ("ports", "ports", {"allowed_address_pairs": [{"ip_address": "192.0.2.7"}]}),
    "group": ("groups", "security-groups", {"name": "renamed"}),
}

EVERYTHING = Boot(name="boot, all new", shares_project=False, setting=set_everything, fields=on_everything)
ON_NETWORK = Boot(name="boot", setting=set_network, fields=on_network)
ON_PORT = Boot(name="boot, user's port", setting=set_port, fields=_on_port)
BARE = Boot(name="boot, no network", nics=0)


def _changes(name: str, zones: Sequence[str], *things: str) -> Iterator[Operation]:
    """A field of each of these things says something else."""
    for thing in things:
        kind, collection, value = _FIELDS[thing]
        key = collection.removesuffix("s").replace("-", "_")
        yield Change(name=name.format(thing), thing=thing, kind=kind, collection=collection, key=key, value=value,
                     zones=zones)  # fmt: skip


CHANGES: Sequence[Operation] = (
    *_changes("{} change", (ZONE,), "network", "subnet", "port", "group"),
    RuleDelete(name="rule delete"),
    SubnetDelete(name="subnet delete"),
)

WITH_PORTS: Sequence[Operation] = (
    Boot(name="boot, trunk", setting=set_trunk, fields=on_parent),
    SubPortAdd(),
    SubPortRemove(),
    TrunkServerDelete(),
    TrunkDelete(),
    PolicyChange(),
    PolicyDelete(),
    MemberChange(name="member joins", joins=True),
    MemberChange(name="member leaves", joins=False),
    AddressGroupChange(),
)

IN_TWO_PODS: Sequence[Operation] = (
    NetworkDelete(),
    RuleChange(name="rule change in two pods", zones=TWO),
    RuleDelete(name="rule delete in two pods", zones=TWO),
    *_changes("{} change in two pods", TWO, "network", "subnet", "group"),
    SubnetDelete(name="subnet delete in two pods", zones=TWO),
    MemberChange(name="member joins in two pods", joins=True, zones=TWO),
    MemberChange(name="member leaves in two pods", joins=False, zones=TWO),
)

ADOPTIONS: Sequence[Operation] = (
    AdoptionCreate(name="adoption create", repeats=False),
    AdoptionCreate(name="adoption create again", repeats=True),
    AdoptionDelete(name="adoption delete", repeats=False),
    AdoptionDelete(name="adoption delete again", repeats=True),
)

OPERATIONS: Sequence[Operation] = (
    EVERYTHING,
    ON_NETWORK,
    Boot(name="boot of two", count=2, setting=set_network, fields=_several),
    ON_PORT,
    BARE,
    ServerDelete(),
    Attach(),
    Detach(),
    PortDelete(),
    RuleChange(name="rule change"),
    VolumeCreate(),
    VolumeAttach(),
    VolumeDetach(),
    VolumeDelete(),
    SnapshotCreate(),
    SnapshotDelete(),
    *CHANGES,
    *WITH_PORTS,
    *IN_TWO_PODS,
    *ADOPTIONS,
)
