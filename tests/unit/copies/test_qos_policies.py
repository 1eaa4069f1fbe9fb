# SPDX-License-Identifier: Apache-2.0
"""How does a QoS policy come to be in a pod, follow its original, and where can it not be?"""

from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId
from tricircle.copies.port_content import difference, wanted_port
from tricircle.copies.qos_policies import EXTENSION, QosPolicies, rule_body, unknown_types, write_rules
from tricircle.copies.qos_policies import difference as policy_difference
from tricircle.copies.reach import may_offer
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
    assert may_offer(_pod("qos", "router"), EXTENSION)
    assert not may_offer(_pod("router"), EXTENSION)
    assert may_offer(_pod(), EXTENSION), "one of which nothing is known is asked"


async def test_a_pod_without_qos_is_refused_before_it_is_asked() -> None:
    async def copy_in(*_: object) -> None:
        return None

    async def qos_policy(*_: object, **__: object) -> dict[str, object]:
        return POLICY

    reach = SimpleNamespace(routings=SimpleNamespace(copy_in=copy_in), central=SimpleNamespace(qos_policy=qos_policy))
    with pytest.raises(ConflictError, match="az1 offers no QoS: policy q1"):
        await QosPolicies(reach).ensure(_pod("router"), "q1", deadline=Deadline.after(5))  # type: ignore[arg-type]


class _Neutron:
    """What Neutron does with rules: none may contradict another one of the moment."""

    def __init__(self) -> None:
        self.rules = {"bandwidth_limit": 1000, "minimum_bandwidth": 500}

    async def put(self, path: str, *, body: dict[str, dict[str, int]], **_: object) -> dict[str, object]:
        return self._write(path.split("/")[-2].removesuffix("_rules"), body)

    async def post(self, path: str, *, body: dict[str, dict[str, int]], **_: object) -> dict[str, object]:
        return self._write(path.rsplit("/", maxsplit=1)[-1].removesuffix("_rules"), body)

    async def delete(self, path: str, **_: object) -> dict[str, object]:
        del self.rules[path.split("/")[-2].removesuffix("_rules")]
        return {}

    def _write(self, kind: str, body: dict[str, dict[str, int]]) -> dict[str, object]:
        rule = body[f"{kind}_rule"]
        then = {**self.rules, kind: rule.get("max_kbps") or rule["min_kbps"]}
        if then.get("minimum_bandwidth", 0) > then.get("bandwidth_limit", 10**9):
            return {"NeutronError": {"type": "QoSRuleParameterConflict"}}
        self.rules = then
        return {f"{kind}_rule": rule}

    def policy(self) -> dict[str, object]:
        return _policy(self.rules["minimum_bandwidth"], self.rules["bandwidth_limit"])


def _policy(lower: int, upper: int) -> dict[str, object]:
    limit = {"id": "r1", "type": "bandwidth_limit", "max_kbps": upper, "direction": "egress"}
    least = {"id": "r2", "type": "minimum_bandwidth", "min_kbps": lower, "direction": "egress"}
    return {"id": "q1", "rules": [limit, least]}


@pytest.mark.parametrize(("lower", "upper"), [(50, 100), (5000, 9000), (500, 2000)])
async def test_rules_that_contradict_each_other_on_the_way(lower: int, upper: int) -> None:
    for turn in (1, -1):
        neutron = _Neutron()
        present, wanted = neutron.policy(), _policy(lower, upper)
        for policy in (present, wanted):
            policy["rules"] = list(policy["rules"])[::turn]  # type: ignore[call-overload]
        await write_rules(neutron, present, wanted, Deadline.after(5))  # type: ignore[arg-type]
        assert neutron.rules == {"bandwidth_limit": upper, "minimum_bandwidth": lower}


def test_a_port_loses_its_policy_and_gets_one() -> None:
    port = {"id": "p1", "name": "p", "fixed_ips": [], "security_groups": []}
    bare = wanted_port(port, {}, {})
    present = {**bare, "qos_policy_id": "copy"}
    assert difference(bare, present) == {"qos_policy_id": None}
    without = {name: value for name, value in bare.items() if name != "qos_policy_id"}
    assert difference(bare, without) == {}, "a pod that does not know the word"
