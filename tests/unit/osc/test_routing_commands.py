# SPDX-License-Identifier: Apache-2.0
"""Does each command about routings and topologies make the call that its options mean, and show what came back?"""

from types import SimpleNamespace

import pytest
from osc_lib import exceptions

from tests.unit.osc.test_commands import POD1, Session, pods_named, run
from tricircle_osc.v1 import routing, topology

NET = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a001"
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
    "network": {"id": NET, "name": "net"},
    "pods": [
        {
            "pod_id": POD1["pod_id"],
            "pod_name": "Pod1",
            "az_name": "az1",
            "state": "draining",
            "pieces": [
                {
                    "resource_type": "port",
                    "id": "t1",
                    "pod_resource_id": "b2",
                    "name": "",
                    "status": "ACTIVE",
                    "state": "bound",
                    "is_adopted": True,
                    "routing_id": 8,
                    "jobs": [17],
                    "server_id": "s1",
                    "ip_addresses": ["10.0.0.5"],
                }
            ],
        }
    ],
    "in_no_pod": [{"resource_type": "port", "id": "t2", "name": "spare", "status": "DOWN", "jobs": [18]}],
    "jobs": [
        {"id": 17, "type": "port", "resource": {"port_id": "t1"}, "pod_id": POD1["pod_id"], "pod_name": "Pod1"},
        {"id": 18, "type": "port", "resource": {"port_id": "t2"}, "pod_id": None, "pod_name": None},
        {"id": 19, "type": "network", "resource": {"network_id": NET}, "pod_id": "p2", "pod_name": "Pod2"},
    ],
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


class Networks:
    """What the commands use of openstackclient's client of the Network API."""

    def __init__(self, **by_name: list[str]) -> None:
        self.by_name = by_name

    def networks(self, name: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=one) for one in self.by_name.get(name, [])]


def test_topology_is_one_table_of_all_pieces_and_jobs() -> None:
    session = Session({("GET", f"/topologies/{NET}"): {"topology": TOPOLOGY}})
    columns, rows = run(topology.ShowTopology, [NET], session)
    first, spare, rest = (dict(zip(columns, row, strict=True)) for row in rows)
    assert (first["pod_name"], first["in_pod"], first["state"]) == ("Pod1", "b2", "bound")
    assert (first["status"], first["pod_state"], first["is_adopted"]) == ("ACTIVE", "draining", True)
    assert first["addresses"].machine_readable() == ["10.0.0.5"]
    assert first["jobs"].machine_readable() == [17]
    assert (spare["pod_name"], spare["id"], spare["state"]) == ("-", "t2", "at the centre only")
    assert (spare["status"], spare["jobs"].machine_readable()) == ("DOWN", [18])
    assert (rest["pod_name"], rest["resource_type"], rest["id"], rest["state"]) == (
        "Pod2",
        "network",
        NET,
        "to be done",
    )
    assert rest["jobs"].machine_readable() == [19]


def test_topology_knows_networks_by_their_names() -> None:
    session = Session({("GET", f"/topologies/{NET}"): {"topology": TOPOLOGY}})
    run(topology.ShowTopology, ["net"], session, network=Networks(net=[NET]))
    assert session.asked[-1][1] == f"/topologies/{NET}"


def test_topology_says_which_networks_have_the_name() -> None:
    session = Session({})
    with pytest.raises(exceptions.CommandError, match=r"2 networks have the name 'net'.*: a, b"):
        run(topology.ShowTopology, ["net"], session, network=Networks(net=["b", "a"]))
    with pytest.raises(exceptions.CommandError, match="No network with the name or id 'other'"):
        run(topology.ShowTopology, ["other"], session, network=Networks(net=[NET]))
    assert session.asked == []
