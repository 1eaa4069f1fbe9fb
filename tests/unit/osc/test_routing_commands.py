# SPDX-License-Identifier: Apache-2.0
"""Does each command about routings and topologies make the call that its options mean, and show what came back?"""

from tests.unit.osc.test_commands import POD1, Session, pods_named, run
from tricircle_osc.v1 import routing, topology

ROUTING = {
    "id": 7,
    "resource_type": "network",
    "top_id": "n1",
    "bottom_id": "b1",
    "pod_id": POD1["pod_id"],
    "pod_name": "Pod1",
    "project_id": "p1",
    "state": "bound",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": None,
}
WHOLE = {**ROUTING, "revision": "3", "details": {"gateway_ip": "10.0.0.9"}, "owner": None, "lease_until": None}
TOPOLOGY = {
    "network": {"id": "n1", "name": "net"},
    "pods": [
        {
            "pod_id": POD1["pod_id"],
            "pod_name": "Pod1",
            "az_name": "az1",
            "state": "enabled",
            "pieces": [
                {
                    "resource_type": "port",
                    "id": "t1",
                    "pod_resource_id": "b2",
                    "name": "",
                    "status": "ACTIVE",
                    "state": "bound",
                    "routing_id": 8,
                    "jobs": [17],
                    "server_id": "s1",
                    "ip_addresses": ["10.0.0.5"],
                }
            ],
        }
    ],
    "in_no_pod": [{"resource_type": "port", "id": "t2", "name": "spare", "status": "DOWN"}],
    "jobs": [],
}


def test_list_asks_for_what_its_options_mean() -> None:
    session = Session({("GET", "/routings"): {"routings": [ROUTING]}, ("GET", "/pods"): pods_named})
    columns, rows = run(routing.ListRouting, [], session)
    assert session.asked[-1] == ("GET", "/routings", {})
    assert dict(zip(columns, rows[0], strict=True))["bottom_id"] == "b1"
    words = ["--top-id", "n1", "--bottom-id", "b1", "--resource-type", "network", "--pod", "Pod1", "--project", "p1"]
    columns, _ = run(routing.ListRouting, [*words, "--limit", "5", "--marker", "9", "--long"], session)
    wanted = {"top_id": "n1", "bottom_id": "b1", "resource_type": "network", "pod_id": POD1["pod_id"]}
    assert session.asked[-1][2] == {**wanted, "project_id": "p1", "limit": 5, "marker": "9"}
    assert {"project_id", "created_at"} <= set(columns)


def test_show_has_the_details() -> None:
    session = Session({("GET", "/routings/7"): {"routing": WHOLE}})
    columns, values = run(routing.ShowRouting, ["7"], session)
    shown = dict(zip(columns, values, strict=True))
    assert shown["details"].machine_readable() == {"gateway_ip": "10.0.0.9"}
    assert shown["owner"] == ""


def test_topology_is_one_table_of_all_pieces() -> None:
    session = Session({("GET", "/topologies/n1"): {"topology": TOPOLOGY}})
    columns, rows = run(topology.ShowTopology, ["n1"], session)
    first, last = (dict(zip(columns, row, strict=True)) for row in rows)
    assert (first["pod_name"], first["in_pod"], first["state"]) == ("Pod1", "b2", "bound")
    assert first["addresses"].machine_readable() == ["10.0.0.5"]
    assert first["jobs"].machine_readable() == [17]
    assert (last["pod_name"], last["id"], last["state"]) == ("-", "t2", "at the centre only")
