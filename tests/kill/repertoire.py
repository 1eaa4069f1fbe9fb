# SPDX-License-Identifier: Apache-2.0
"""Which operations are there?"""

from collections.abc import Mapping, Sequence

from tests.kill.changes import Change, RuleDelete, SubnetDelete
from tests.kill.members import AddressGroupChange, MemberChange
from tests.kill.networks import NetworkDelete, PortDelete, RuleChange
from tests.kill.operations import (
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


EVERYTHING = Boot(name="boot, all new", shares_project=False, setting=set_everything, fields=on_everything)
ON_NETWORK = Boot(name="boot", setting=set_network, fields=on_network)
ON_PORT = Boot(name="boot, user's port", setting=set_port, fields=_on_port)
BARE = Boot(name="boot, no network", nics=0)

CHANGES: Sequence[Operation] = (
    Change(
        name="network change",
        thing="network",
        kind="networks",
        collection="networks",
        key="network",
        value={"name": "renamed"},
    ),
    Change(
        name="subnet change",
        thing="subnet",
        kind="subnets",
        collection="subnets",
        key="subnet",
        value={"dns_nameservers": ["192.0.2.53"]},
    ),
    Change(
        name="port change",
        thing="port",
        kind="ports",
        collection="ports",
        key="port",
        value={"allowed_address_pairs": [{"ip_address": "192.0.2.7"}]},
    ),
    Change(
        name="group change",
        thing="group",
        kind="groups",
        collection="security-groups",
        key="security_group",
        value={"name": "renamed"},
    ),
    RuleDelete(),
    SubnetDelete(),
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

OPERATIONS: Sequence[Operation] = (
    EVERYTHING,
    ON_NETWORK,
    Boot(name="boot of two", count=2, setting=set_network, fields=_several),
    ON_PORT,
    BARE,
    ServerDelete(),
    Attach(),
    Detach(),
    NetworkDelete(),
    PortDelete(),
    RuleChange(),
    VolumeCreate(),
    VolumeAttach(),
    VolumeDetach(),
    VolumeDelete(),
    SnapshotCreate(),
    SnapshotDelete(),
    *CHANGES,
    *WITH_PORTS,
)
