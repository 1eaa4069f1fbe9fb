# SPDX-License-Identifier: Apache-2.0
"""How does a QoS policy come to be in a pod, follow its original, and where can it not be?"""

from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId
from tricircle.copies.ports import difference, wanted_port
from tricircle.copies.qos_policies import QosPolicies, is_offered, rule_body, unknown_types
from tricircle.copies.qos_policies import difference as policy_difference
from tricircle.errors import ConflictError
from tricircle.model.pod import Pod

LIMIT = {"id": "r1", "type": "bandwidth_limit", "max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"}
MARK = {"id": "r2", "type": "dscp_marking", "dscp_mark": 14, "qos_policy_id": "q1"}
POLICY = {"id": "q1", "name": "gold", "is_default": True, "shared": True, "rules": [LIMIT, MARK]}
COPY = {**POLICY, "id": "copy", "description": "tricircle:q1", "is_default": False, "shared": False}


def _pod(*extensions: str) -> Pod:
    facts = {"network_extensions": list(extensions)} if extensions else {}
    return Pod(id=PodId("p1"), name="Pod1", az_name="az1", facts=facts)


def test_a_copy_is_nobodys_default() -> None:
    assert policy_difference(POLICY, COPY) == []
    assert policy_difference(POLICY, {**COPY, "is_default": True}) == ["is_default"]


def test_rules_agree_whatever_their_ids() -> None:
    assert policy_difference(POLICY, {**COPY, "rules": [{**MARK, "id": "x"}, {**LIMIT, "id": "y"}]}) == []
    for rules in ([LIMIT], [LIMIT, MARK, {**LIMIT, "direction": "ingress"}], [{**LIMIT, "max_kbps": 5}, MARK]):
        assert policy_difference(POLICY, {**COPY, "rules": rules}) == ["rules"]


def test_rules_say_only_what_their_type_has() -> None:
    assert rule_body(MARK) == {"dscp_mark": 14}
    assert rule_body({**LIMIT, "project_id": "p"}) == {"max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"}


def test_what_a_pod_does_not_offer_is_known_before() -> None:
    assert unknown_types(POLICY, ["bandwidth_limit"]) == ["dscp_marking"]
    assert is_offered(_pod("qos", "router"))
    assert not is_offered(_pod("router"))
    assert is_offered(_pod()), "one of which nothing is known is asked"


async def test_a_pod_without_qos_is_refused_before_it_is_asked() -> None:
    async def copy_in(*_: object) -> None:
        return None

    async def qos_policy(*_: object, **__: object) -> dict[str, object]:
        return POLICY

    reach = SimpleNamespace(routings=SimpleNamespace(copy_in=copy_in), central=SimpleNamespace(qos_policy=qos_policy))
    with pytest.raises(ConflictError, match="az1 offers no QoS: policy q1"):
        await QosPolicies(reach).ensure(_pod("router"), "q1", deadline=Deadline.after(5))  # type: ignore[arg-type]


def test_a_port_loses_its_policy_and_gets_one() -> None:
    port = {"id": "p1", "name": "p", "fixed_ips": [], "security_groups": []}
    bare = wanted_port(port, {}, {})
    present = {**bare, "qos_policy_id": "copy"}
    assert difference(bare, present) == {"qos_policy_id": None}
    without = {name: value for name, value in bare.items() if name != "qos_policy_id"}
    assert difference(bare, without) == {}, "a pod that does not know the word"
