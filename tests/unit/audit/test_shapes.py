# SPDX-License-Identifier: Apache-2.0
"""What is seen to differ of a copy, of the kinds that need more than a comparison of fields?"""

from tricircle.audit.shapes import GroupShape, SubnetShape
from tricircle.context import PodId, ProjectId
from tricircle.copies.addresses import Slice
from tricircle.copies.subnets import wanted_subnet
from tricircle.model.routing import Kind, Routing

GROUP = {"id": "g1", "name": "web", "project_id": "p1", "security_group_rules": [
    {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": "g2"},
]}  # fmt: skip


def test_a_rule_whose_remote_is_not_in_the_pod_is_missed() -> None:
    """Neutron takes the rules along when the address group that they name is deleted."""
    copy = Routing(
        id="r",
        kind=Kind.SECURITY_GROUP,
        central_id="g1",
        pod_id=PodId("pod1"),
        project_id=ProjectId("p1"),
        revision="1",
    )
    present = {"id": "there", "name": "web", "description": "tricircle:g1", "security_group_rules": []}
    assert "rules" in GroupShape(remotes={}).difference(GROUP, copy, present)


def test_a_slice_that_is_too_small_for_the_dhcp_agents_is_seen() -> None:
    copy = Routing(
        id="r",
        kind=Kind.SUBNET,
        central_id="s1",
        pod_id=PodId("pod1"),
        project_id=ProjectId("p1"),
        pod_resource_id="there",
        details={"gateway_ip": "10.0.0.2"},
    )
    subnet = {"id": "s1", "network_id": "n1", "cidr": "10.0.0.0/24", "ip_version": 4, "enable_dhcp": True}
    piece = Slice(port_id="p", addresses=("10.0.0.2", "10.0.0.3"))
    present = {**wanted_subnet(subnet, piece, "10.0.0.2"), "id": "there", "network_id": "copy"}

    def differs(served: dict[str, int], **fields: object) -> list[str]:
        shape = SubnetShape(owner="p", slices={"s1": piece}, served=served, networks={})
        return list(shape.difference({**subnet, **fields}, copy, {**present, **fields}))

    assert differs({}) == differs({"other": 3}) == differs({"copy": 3}, enable_dhcp=False) == []
    assert differs({"copy": 2}) == ["allocation_pools"]
