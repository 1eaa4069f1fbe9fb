# SPDX-License-Identifier: Apache-2.0
"""What is said when the centre refuses what servers in pods use?"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.pods.conftest import Bench
from tests.unit.recovery.test_recoverable import (
    OWNER,
    SET,
    TENANT,
    contents,
    declared,
    group,
    held,
    network,
    policy,
    port,
    subnet,
)
from tricircle.audit.findings import Holding, Part
from tricircle.errors import UpstreamStatusError
from tricircle.jobs.queue import Queue
from tricircle.model.routing import Kind
from tricircle.recovery.declared import Centre, Declared
from tricircle.recovery.importing import Importer
from tricircle.recovery.record_keeper import RecordKeeper
from tricircle.recovery.report import Did, Report

_NOTHING = Declared(owner_id=OWNER)


def importer(bench: Bench, *, is_rehearsal: bool) -> tuple[Importer, Report]:
    report = Report()
    since = datetime.now(UTC)
    keeper = RecordKeeper(bench.engine, Queue(bench.engine), report, since=since, is_rehearsal=is_rehearsal)
    return Importer(Centre(bench.clients, bench.registry), keeper, report), report


async def test_what_cannot_be_made_is_named_with_all_that_stands_on_it(bench: Bench) -> None:
    """The centre of these tests has no networks: it refuses every one."""
    making, report = importer(bench, is_rehearsal=False)
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()])
    after = await making.run([found], _NOTHING)
    assert after == _NOTHING
    texts = [problem.text for problem in report.problems]
    assert [text.split()[2] for text in texts] == ["network", "subnet", "security_group", "port"]
    assert "front; vlan 101" in texts[0]
    assert "its network is unknown there too" in texts[1]
    assert "10.0.0.9; fa:1; server server" in texts[3]
    assert not any(did is Did.IMPORTED for _pod, _noun, did in report.counts)
    assert found.lists[Kind.PORT][0].central_id == "P"


async def test_a_rehearsal_only_names(bench: Bench) -> None:
    making, report = importer(bench, is_rehearsal=True)
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()])
    assert await making.run([found], _NOTHING) == _NOTHING
    assert report.problems == []
    assert len(report.notes) == 4
    assert bench.centre.calls == []


async def test_what_an_earlier_attempt_made_is_found_by_its_natural_key(bench: Bench) -> None:
    """Other ids at the centre, the same VLAN id, CIDR, name and MAC."""
    known = declared()
    renamed = {
        "networks": {"N2": {**known.networks["N"], "id": "N2"}},
        "subnets": {"S2": {**known.subnets["S"], "id": "S2", "network_id": "N2"}},
        "groups": {"G2": {**known.groups["G"], "id": "G2"}},
        "ports": {"P2": {**known.ports["P"], "id": "P2", "network_id": "N2"}},
    }
    after = declared(**renamed)
    making, report = importer(bench, is_rehearsal=False)
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()])
    assert (await making.run([found], after)).ports.keys() == {"P2"}
    assert (report.problems, report.notes) == ([], [])
    names = {kind: found.lists[kind][0].central_id for kind in (Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP)}
    assert names == {Kind.NETWORK: "N2", Kind.SUBNET: "S2", Kind.SECURITY_GROUP: "G2"}
    assert found.lists[Kind.PORT][0].central_id == "P2"
    assert [call for call in bench.centre.calls if not call.startswith("GET")] == []


_SSH = {"id": "r1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22}
_WEB = {**_SSH, "id": "r2", "port_range_min": 80}
_MUTUAL = {"id": "r3", "direction": "ingress", "ethertype": "IPv4", "remote_group_id": "g1"}
_MAKE = "POST network /v2.0/security-groups"


def copy_of(central_id: str, pod_id: str, *rules: object) -> Holding:
    """The copy of a group that is called "web", as others are."""
    return held(Kind.SECURITY_GROUP, pod_id, central_id, TENANT, name="web", security_group_rules=list(rules))


@pytest.mark.parametrize(
    ("rules", "is_in_pod", "is_reused"),
    [
        ([_SSH, {**_MUTUAL, "remote_group_id": "old"}], False, True),
        ([_SSH], False, True),  # the remote group was unknown
        ([_SSH, {**_MUTUAL, "remote_group_id": "old"}], True, False),
        ([_SSH, _WEB], False, False),
        ([_WEB], False, False),
    ],
)
async def test_a_group_of_the_same_name_may_be_another(
    bench: Bench, rules: list[dict[str, object]], is_in_pod: bool, is_reused: bool
) -> None:
    """A project has as many groups of one name as it likes. Servers must not come under the rules of another one."""
    old = {"id": "old", "project_id": TENANT, "name": "web", "security_group_rules": rules}
    found = contents(
        networks=[network()],
        subnets=[subnet()],
        groups=[copy_of("new", "g1", _SSH, _MUTUAL), *([copy_of("old", "g2", *rules)] if is_in_pod else [])],
        ports=[port()],
    )
    making, report = importer(bench, is_rehearsal=False)
    await making.run([found], declared(groups={"old": old}, ports={}))
    # The centre of these tests refuses to make one: the copy keeps its mark.
    assert (_MAKE in bench.centre.calls) is not is_reused
    assert found.lists[Kind.SECURITY_GROUP][0].central_id == ("old" if is_reused else "new")
    assert any("security_group" in problem.text for problem in report.problems) is not is_reused


async def test_one_group_of_the_centre_is_the_original_of_one_only(bench: Bench) -> None:
    """An interrupted run had made the first of two groups with one name, and no more."""
    made = {"id": "made", "project_id": TENANT, "name": "web", "security_group_rules": []}
    found = contents(
        networks=[network()],
        subnets=[subnet()],
        groups=[copy_of("first", "g1", _SSH), copy_of("second", "g2", _SSH)],
        ports=[port(security_groups=["g1", "g2"])],
    )
    making, _report = importer(bench, is_rehearsal=False)
    await making.run([found], declared(groups={"made": made}, ports={}))
    assert bench.centre.calls.count(_MAKE) == 1
    assert [one.central_id for one in found.lists[Kind.SECURITY_GROUP]] == ["made", "second"]


class Neutron:
    """A centre that takes what it is given, and shows it."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.policies: dict[str, dict[str, Any]] = {}
        self.shares_refused_as = ""

    async def post(self, path: str, *, body: dict[str, dict[str, Any]], **_: object) -> dict[str, Any]:
        ((singular, given),) = body.items()
        if singular == "rbac_policy" and self.shares_refused_as:
            said = {"type": self.shares_refused_as, "message": "No."}
            raise UpstreamStatusError(409, json.dumps({"NeutronError": said}), "centre")
        self.made.append((path, given))
        thing = {"id": f"new-{len(self.made)}", **given}
        if path == "/v2.0/qos/policies":
            self.policies[thing["id"]] = {**thing, "rules": []}
        elif path.startswith("/v2.0/qos/policies/"):
            rule_type = path.rsplit("/", 1)[1].removesuffix("_rules")
            self.policies[path.split("/")[4]]["rules"].append({"type": rule_type, **thing})
        return {singular: thing}

    async def get(self, path: str, **_: object) -> dict[str, Any]:
        if path.startswith("/v2.0/security-groups"):
            # As Neutron makes it for a project about whose groups it is asked.
            rule = {"id": "egress", "direction": "egress", "ethertype": "IPv4"}
            group = {"id": "its", "project_id": TENANT, "name": "default", "security_group_rules": [rule]}
            return {"security_groups": [group]}
        if path.startswith("/v2.0/rbac-policies"):
            made = [given for at, given in self.made if at == "/v2.0/rbac-policies"]
            return {"rbac_policies": [one for one in made if f"object_id={one['object_id']}&" in path]}
        return {"policy": self.policies[path.rsplit("/", 1)[1]]}

    async def delete(self, _path: str, **_: object) -> dict[str, Any]:
        return {}


def with_neutron(bench: Bench) -> tuple[Importer, Report, Neutron]:
    making, report = importer(bench, is_rehearsal=False)
    neutron = Neutron()
    making._centre.client = lambda _service: neutron  # type: ignore[method-assign, assignment, return-value]
    return making, report, neutron


async def test_a_default_group_is_the_one_that_the_centre_has_made_meanwhile(bench: Bench) -> None:
    """Neutron lets nobody make one, and made one when the project's network was made anew."""
    making, report, neutron = with_neutron(bench)
    copy = held(Kind.SECURITY_GROUP, "g1", "G", TENANT, name="tricircle-G", security_group_rules=[_SSH])
    found = contents(networks=[network()], subnets=[subnet()], groups=[copy], ports=[port(security_groups=["g1"])])
    after = await making.run([found], _NOTHING)
    assert report.problems == []
    assert [path for path, _ in neutron.made if path == "/v2.0/security-groups"] == []
    assert found.lists[Kind.SECURITY_GROUP][0].central_id == "its"
    made = dict(neutron.made)
    assert made["/v2.0/ports"]["security_groups"] == ["its"]
    rules = [body for path, body in neutron.made if path == "/v2.0/security-group-rules"]
    assert [(rule["security_group_id"], rule["port_range_min"]) for rule in rules] == [("its", 22)]
    assert list(after.groups) == ["its"]


async def test_a_policy_is_made_with_its_rules_before_what_has_it(bench: Bench) -> None:
    making, report, neutron = with_neutron(bench)
    found = contents(
        policies=[policy()], networks=[network(qos_policy_id="q1")], subnets=[subnet()], groups=[group()],
        ports=[port(qos_policy_id="q1", **SET)],
    )  # fmt: skip
    found.host_names = {"server": "vm1"}
    after = await making.run([found], _NOTHING)
    assert report.problems == []
    made = {path: body for path, body in neutron.made if "rules" not in path}
    assert made["/v2.0/qos/policies"] == {"name": "slow", "project_id": TENANT}
    ((policy_id, whole),) = after.policies.items()
    assert [(rule["type"], rule["max_kbps"]) for rule in whole["rules"]] == [("bandwidth_limit", 1000)]  # type: ignore[attr-defined]
    assert made["/v2.0/networks"]["qos_policy_id"] == policy_id
    said = {name: value for name, value in SET.items() if name not in ("trusted", "hints")}
    assert {name: made["/v2.0/ports"][name] for name in said} == said
    assert made["/v2.0/ports"]["qos_policy_id"] == policy_id
    assert found.lists[Kind.QOS_POLICY][0].central_id == policy_id


async def test_one_policy_of_the_centre_is_the_original_of_one_only(bench: Bench) -> None:
    """An interrupted run had made the first of two policies with one name, and no more."""
    making, report, neutron = with_neutron(bench)
    begun = {"id": "begun", "name": "slow", "project_id": TENANT, "rules": []}
    neutron.policies["begun"] = {**begun, "rules": []}
    marking = [{"id": "r", "type": "dscp_marking", "dscp_mark": 8}]
    second = held(Kind.QOS_POLICY, "q2", "Q2", OWNER, name="slow", rules=marking)
    with_second = port("c2", "P2", mac_address="fa:2", qos_policy_id="q2")
    found = contents(
        policies=[policy(), second],
        networks=[network()],
        subnets=[subnet()],
        ports=[port(qos_policy_id="q1"), with_second],
    )
    after = await making.run([found], declared(ports={}, policies={"begun": begun}))
    assert report.problems == []
    first_id, second_id = [one.central_id for one in found.lists[Kind.QOS_POLICY]]
    assert first_id == "begun"
    rules = {policy_id: [rule["type"] for rule in one["rules"]] for policy_id, one in after.policies.items()}  # type: ignore[attr-defined]
    assert rules == {"begun": ["bandwidth_limit"], second_id: ["dscp_marking"]}
    made = {body["mac_address"]: body["qos_policy_id"] for path, body in neutron.made if path == "/v2.0/ports"}
    assert made == {"fa:1": "begun", "fa:2": second_id}


async def test_a_policy_that_an_interrupted_run_had_made_gets_its_rules(bench: Bench) -> None:
    making, _report, neutron = with_neutron(bench)
    begun = {"id": "begun", "name": "slow", "project_id": TENANT, "rules": []}
    other = {**begun, "id": "other", "rules": [{"type": "dscp_marking", "dscp_mark": 8}]}
    neutron.policies["begun"] = {**begun, "rules": []}
    found = contents(policies=[policy()], networks=[network()], subnets=[subnet()], ports=[port(qos_policy_id="q1")])
    after = await making.run([found], declared(ports={}, policies={"other": other, "begun": begun}))
    assert after.policies.keys() == {"other", "begun"}
    assert [path for path, _ in neutron.made if "qos" in path] == ["/v2.0/qos/policies/begun/bandwidth_limit_rules"]
    (made,) = (body for path, body in neutron.made if path == "/v2.0/ports")
    assert made["qos_policy_id"] == "begun"


def shared(target: str = "other") -> Holding:
    """What the network's copy is shared with in its pod."""
    body = {"object_type": "network", "object_id": "n1", "action": "access_as_shared", "target_tenant": target}
    return held(Part.RBAC_POLICY, "r1", None, OWNER, **body)


async def test_a_share_that_is_refused_is_said_and_keeps_no_address_from_being_known(bench: Bench) -> None:
    """Neutron answers 409 to a limit as well; nothing of the sort is there then."""
    making, report, neutron = with_neutron(bench)
    neutron.shares_refused_as = "OverQuota"
    found = contents(
        networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()],
    )  # fmt: skip
    found.lists[Part.RBAC_POLICY] = [shared()]
    after = await making.run([found], _NOTHING)
    ((network_id, made),) = after.networks.items()
    assert made["project_id"] == TENANT
    assert [(network_id in one.text, "OverQuota" in one.text) for one in report.problems] == [(True, True)]
    assert {ip for _subnet, ip in after.addresses} == {"10.0.0.9"}


async def test_the_next_attempt_shares_what_an_earlier_one_made(bench: Bench) -> None:
    making, report, neutron = with_neutron(bench)
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()])
    found.lists[Part.RBAC_POLICY] = [shared()]
    known = {"N2": {**declared().networks["N"], "id": "N2"}}
    await making.run([found], declared(networks=known, subnets={}, ports={}))
    assert report.problems == []
    shares = [given for path, given in neutron.made if path == "/v2.0/rbac-policies"]
    assert [(one["object_id"], one["target_tenant"]) for one in shares] == [("N2", "other")]
