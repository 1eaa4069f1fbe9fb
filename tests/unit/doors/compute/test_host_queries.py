# SPDX-License-Identifier: Apache-2.0
"""What do names of hosts in the hint ``query`` say of pods?"""

import doctest
import json
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud
from tricircle.context import PodId
from tricircle.doors.compute.boots import host_queries
from tricircle.doors.compute.boots.host_queries import (
    ASKED_QUERY,
    SHOWN_QUERY,
    possible,
    query_of,
    seen_query,
    without_hosts,
)
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind

PODS = [Pod(id=PodId(name.lower()), name=name, az_name="az") for name in ("Pod1", "Pod2", "Pod3")]
A, B, ROOM = ["=", "$host", "Pod1.a"], ["=", "Pod2.b", "$hypervisor_hostname"], [">=", "$free_ram_mb", 64]


def test_examples() -> None:
    result = doctest.testmod(host_queries)
    assert (result.attempted > 0, result.failed) == (True, 0)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (A, {"pod1"}),
        (B, {"pod2"}),
        (["in", "$host", "Pod1.a", "Pod2.b"], {"pod1", "pod2"}),
        (["in", "$host", "Pod1.a", "plain"], None),
        (["and", ROOM, A], {"pod1"}),
        (["and", ["or", A, B], B], {"pod2"}),
        (["or", A, B], {"pod1", "pod2"}),
        (["or", A, ROOM], None),
        (["and", A, B], None),
        (["not", A], None),
        (ROOM, None),
        (["=", "$host", "plain"], None),
        (["in", "$host"], None),
        (["or"], None),
        ([], None),
    ],
)
def test_where_a_query_can_be_true(query: list[object], where: set[str] | None) -> None:
    assert possible(query, PODS) == where


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (A, ["=", "$host", "(hidden)"]),
        (B, ["=", "(hidden)", "$hypervisor_hostname"]),
        (["or", A, ["not", ROOM]], ["or", ["=", "$host", "(hidden)"], ["not", ROOM]]),
        (["=", "$free_ram_mb", "Pod1.a"], ["=", "$free_ram_mb", "(hidden)"]),
        (["in", "$service.host", "plain", "x"], ["in", "$service.host", "(hidden)", "(hidden)"]),
        (["=", "$hypervisor_type", "QEMU"], ["=", "$hypervisor_type", "QEMU"]),
        ([], []),
    ],
)
def test_what_others_than_administrators_are_shown(query: list[object], shown: list[object]) -> None:
    assert without_hosts(query, PODS) == shown


def nested(levels: int, inner: str = '["=","$free_ram_mb",1]') -> str:
    return '["and",' * (levels - 1) + inner + "]" * (levels - 1)


def test_how_deep_a_query_is_read() -> None:
    query = query_of({"query": nested(50)})
    assert query is not None
    assert (possible(query, PODS), without_hosts(query, PODS)) == (None, query)
    assert query_of({"query": nested(51)}) is None


@pytest.mark.parametrize("text", [nested(400), nested(5_000), '["and", ' + '{"a":' * 400 + "1" + "}" * 400 + "]"])
async def test_a_query_that_is_too_deep_to_be_read_is_the_pods_to_judge(sky: Cloud, text: str) -> None:
    """Nova's API takes any text."""
    server = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"query": text}}
    answer = await sky.ask("POST", "/servers", body, context=sky.context("admin", "admin"))
    assert answer.status == 202, answer.body
    (server_id,) = [one for name in ("pod1", "pod2") for one in sky.apps[name].nova.servers]
    routing = await sky.routings.owned(Kind.SERVER, server_id)
    assert routing is not None
    assert (routing.details[ASKED_QUERY], routing.details[SHOWN_QUERY]) == (text, "(hidden)")


@pytest.mark.parametrize("text", ["[", "no query", '["=","$host","cmp1",NaN]', nested(400, '["=","$host","cmp1"]')])
def test_what_cannot_be_read_is_hidden_where_nothing_is_remembered(text: str) -> None:
    assert seen_query(text, PODS[0], {}, is_admin=False) == "(hidden)"
    assert seen_query(text, PODS[0], {}, is_admin=True) == text
    assert seen_query(text, PODS[0], {SHOWN_QUERY: text}, is_admin=False) == text


@pytest.mark.parametrize("hint", [None, 3, {"a": "b"}, "", "[", '{"a": 1}', '"text"', "\ud800"])
def test_what_is_no_query(hint: object) -> None:
    assert query_of({"query": hint}) is None


@pytest.mark.parametrize(("user", "pod", "host"), [("admin", "pod2", "b"), ("demo", None, "Pod2.b")])
async def test_the_pod_of_the_host_is_asked_by_its_own_name(sky: Cloud, user: str, pod: str | None, host: str) -> None:
    """Names with pods are for administrators; what others write is passed on as it is."""
    server = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none"}
    hints = {"query": json.dumps(["=", "$host", "Pod2.b"])}
    answer = await sky.ask(
        "POST", "/servers", {"server": server, "os:scheduler_hints": hints}, context=sky.context(user, user)
    )
    assert answer.status == 202, answer.body
    sent: list[tuple[str, Any]] = [
        (name, body) for name in ("pod1", "pod2") for body in sky.wires.sent(name, "POST", "/v2.1/servers")
    ]
    ((asked, body),) = sent
    assert asked == (pod or asked)
    assert json.loads(body["os:scheduler_hints"]["query"]) == ["=", "$host", host]
    (server_id,) = [one for pod_name in ("pod1", "pod2") for one in sky.apps[pod_name].nova.servers]
    routing = await sky.routings.owned(Kind.SERVER, server_id)
    assert routing is not None
    assert routing.details[ASKED_QUERY] == hints["query"]
    assert routing.details[SHOWN_QUERY] == ('["=","$host","(hidden)"]' if user == "admin" else hints["query"])
