# SPDX-License-Identifier: Apache-2.0
"""Does each command about adoptions make the call that its options mean, and show what came back?"""

from tests.unit.osc.test_commands import Session, pods_named, run
from tricircle_osc.v1 import adoption

SEEN = {
    "network_id": "n1",
    "pod_name": "Pod1",
    "pod_network_id": "p1",
    "agrees": False,
    "differences": [{"what": "network: mtu", "centre": 1500, "pod": 1400, "is_obstacle": True, "advice": "lower it"}],
    "addresses": [{"ip_address": "10.0.0.5", "held_by": "nobody", "device_owner": "", "pod_port_id": "x"}],
    "to_reserve": 1,
}
NAMED = ["n1", "--pod", "Pod1", "--pod-network", "p1"]


def test_observe_lists_differences_and_addresses() -> None:
    session = Session({("POST", "/adoptions/observe"): {"adoption": SEEN}, ("GET", "/pods"): pods_named})
    columns, rows = run(adoption.ObserveAdoption, NAMED, session)
    asked = {"network_id": "n1", "pod_name": "Pod1", "pod_network_id": "p1"}
    assert session.asked[-1] == ("POST", "/adoptions/observe", {"adoption": asked})
    first, last = (dict(zip(columns, row, strict=True)) for row in rows)
    assert (first["what"], first["is_obstacle"], first["advice"]) == ("network: mtu", True, "lower it")
    assert (last["what"], last["centre"], last["pod"]) == ("address 10.0.0.5", "nobody", "x")


def test_create_says_how_to_end_it() -> None:
    session = Session({("POST", "/adoptions"): (201, {"adoption": {"id": 7, **SEEN}}), ("GET", "/pods"): pods_named})
    columns, values = run(adoption.CreateAdoption, NAMED, session)
    shown = dict(zip(columns, values, strict=True))
    assert (shown["id"], shown["addresses"].machine_readable()) == (7, ["10.0.0.5"])


def test_delete_ends_each() -> None:
    session = Session({("DELETE", "/adoptions/7"): {}, ("DELETE", "/adoptions/8"): {}})
    run(adoption.DeleteAdoption, ["7", "8"], session)
    assert [path for _, path, _ in session.asked] == ["/adoptions/7", "/adoptions/8"]
