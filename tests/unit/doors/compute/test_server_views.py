# SPDX-License-Identifier: Apache-2.0
"""Does a server that comes from a pod look as if there were no pods?"""

from typing import Any

import pytest

from tests.unit.road.scripted import caller, pod
from tricircle.context import PodId, ProjectId
from tricircle.doors.compute.operators.operator_views import SERVICE
from tricircle.doors.compute.servers.server_views import FAULT, INSTANCE_ACTION, INTERFACE, PROXIED_VOLUME, SERVER
from tricircle.model.routing import Kind, Routing
from tricircle.road.rewrite import Facts, Shape

POD = pod("canary-region", "az1")
ONE, TWO = "0f2a9f2e-31a5-4a5f-9c0b-0d3f9bb0a001", "0f2a9f2e-31a5-4a5f-9c0b-0d3f9bb0a002"


def facts(*roles: str, **details: object) -> Facts:
    """Everything with the id ONE in the pod is TWO at the centre."""
    kinds = (Kind.PORT, Kind.NETWORK, Kind.SUBNET, Kind.SERVER_GROUP, Kind.SERVER)
    ids = {
        (kind, ONE): Routing(
            id=1, central_id=TWO, kind=kind, pod_id=PodId("p"), project_id=ProjectId("x"), pod_resource_id=ONE,
            details=details,
        )
        for kind in kinds
    }  # fmt: skip
    return Facts(pod=POD, context=caller("p1", *roles), ids=ids)


def shown(shape: Shape, item: dict[str, Any], *roles: str, **details: object) -> dict[str, Any]:
    """The item, made ours with exactly what it asked to be looked up."""
    known = facts(*roles, **details)
    asked = set(shape.collect(item)) if shape.collect else set()
    ids = {key: routing for key, routing in known.ids.items() if key in asked}
    return shape.apply(item, Facts(pod=POD, context=known.context, ids=ids))


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"OS-EXT-AZ:availability_zone": "canary-zone"}, {"OS-EXT-AZ:availability_zone": "az1"}),
        ({"OS-EXT-AZ:availability_zone": ""}, {"OS-EXT-AZ:availability_zone": ""}),
        ({"hostId": ""}, {"hostId": ""}),
        (
            {"security_groups": [{"name": f"tricircle-{ONE}"}, {"name": "web"}, {"name": "tricircle-x"}]},
            {"security_groups": [{"name": "default"}, {"name": "web"}, {"name": "tricircle-x"}]},
        ),
        ({"flavor": {"original_name": "tricircle.m1"}}, {"flavor": {"original_name": "m1"}}),
        (
            {"flavor": {"id": "tricircle.m1", "links": [{"rel": "b", "href": "http://x/flavors/tricircle.m1"}]}},
            {"flavor": {"id": "m1", "links": [{"rel": "b", "href": "http://x/flavors/m1"}]}},
        ),
        ({"server_groups": [ONE]}, {"server_groups": [TWO]}),
        ({"scheduler_hints": {"group": [ONE], "cidr": "q"}}, {"scheduler_hints": {"group": [TWO], "cidr": "q"}}),
        ({"scheduler_hints": {"group": ONE}}, {"scheduler_hints": {"group": TWO}}),
        (
            {"fault": {"code": 500, "message": f"Binding failed for port {ONE}"}},
            {"fault": {"code": 500, "message": f"Binding failed for port {TWO}"}},
        ),
        ({"image": "", "addresses": {}}, {"image": "", "addresses": {}}),
    ],
)
def test_fields_of_a_server(there: dict[str, Any], here: dict[str, Any]) -> None:
    assert shown(SERVER, there) == here


def test_hosts_of_one_name_are_told_apart() -> None:
    assert shown(SERVER, {"hostId": "h"})["hostId"] not in ("h", "")


def test_the_pinned_zone_is_what_the_user_asked_for() -> None:
    server = {"id": ONE, "pinned_availability_zone": None}
    assert shown(SERVER, dict(server), asked_az="az1")["pinned_availability_zone"] == "az1"
    assert shown(SERVER, dict(server))["pinned_availability_zone"] is None


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("role", "details", "shown_query"),
    [
        ("admin", {"asked_query": "asked", "shown_query": "shown"}, "asked"),
        ("member", {"asked_query": "asked", "shown_query": "shown"}, "shown"),
        # After a recovery nothing is remembered.
        ("admin", {}, '["=", "$host", "cmp1"]'),
        ("member", {}, '["=","$host","(hidden)"]'),
    ],
)
def test_a_query_of_hosts_is_shown_as_it_was_asked(
    role: str, details: dict[str, object], shown_query: str, wrapped: bool
) -> None:
    """As a scheduler hint; Nova shows lists of hints, whatever was given."""
    hint = '["=", "$host", "cmp1"]'
    server = {"id": ONE, "scheduler_hints": {"query": [hint] if wrapped else hint, "cidr": "c"}}
    seen = shown(SERVER, server, role, **details)["scheduler_hints"]
    assert seen == {"query": [shown_query] if wrapped else shown_query, "cidr": "c"}


def test_a_query_of_no_host_stays_as_it_is() -> None:
    for query in ('[">=","$free_ram_mb",64]', '{"a": 1}'):
        assert shown(SERVER, {"id": ONE, "scheduler_hints": {"query": query}})["scheduler_hints"]["query"] == query


def test_a_proxied_volume_has_its_types_own_name() -> None:
    there = {"volumeType": "tricircle.gold", "availabilityZone": "canary-zone"}
    assert shown(PROXIED_VOLUME, there) == {"volumeType": "gold", "availabilityZone": "az1"}
    assert shown(PROXIED_VOLUME, {"volumeType": None}) == {"volumeType": None}


def test_an_interface_has_central_ids() -> None:
    there = {"port_id": ONE, "net_id": ONE, "fixed_ips": [{"subnet_id": ONE, "ip_address": "10.0.0.5"}]}
    assert shown(INTERFACE, there) == {
        "port_id": TWO,
        "net_id": TWO,
        "fixed_ips": [{"subnet_id": TWO, "ip_address": "10.0.0.5"}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "Compute host canary-host could not be found.",
        "Compute service of canary-host is unavailable at this time.",
        "Failed to build on host canary-host.",
        "Host 'canary-host' is not mapped to any cell",
        "The region canary-region does not answer.",
    ],
)
def test_a_tenant_reads_no_host_and_no_region(text: str) -> None:
    assert "canary" not in shown(FAULT, {"code": 400, "message": text})["message"]
    assert shown(FAULT, {"code": 400, "message": text}, "admin")["message"] == text


def test_what_only_sounds_like_a_host_stays() -> None:
    text = "No valid host was found. There are not enough hosts available."
    assert shown(FAULT, {"message": text})["message"] == text


def test_instance_actions_and_services() -> None:
    event = {"event": "e", "hostId": "h", "details": f"port {ONE} on host canary-host"}
    action = shown(INSTANCE_ACTION, {"action": "create", "message": f"port {ONE}", "events": [event]})
    assert action["events"][0]["hostId"] != "h"
    assert action["events"][0]["details"] == f"port {TWO} on host (hidden)"
    assert action["message"] == f"port {TWO}"
    assert shown(PROXIED_VOLUME, {"availabilityZone": "canary-zone"}) == {"availabilityZone": "az1"}
    assert shown(SERVICE, {"zone": "canary-zone"})["zone"] == "az1"
    assert shown(SERVICE, {"zone": "internal"})["zone"] == "internal"
