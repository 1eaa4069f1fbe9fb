# SPDX-License-Identifier: Apache-2.0
"""What is seen to differ of a copy, of the kinds that need more than a comparison of fields?"""

from tricircle.audit.shapes import GroupShape
from tricircle.context import PodId, ProjectId
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
