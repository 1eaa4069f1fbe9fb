# SPDX-License-Identifier: Apache-2.0
"""Are machines of pods named fully to administrators, by their pods' own names to pods, and not at all to others?"""

import pytest

from tests.unit.road.scripted import caller, pod
from tricircle.doors.compute.operators.operator_views import HYPERVISOR, MIGRATION, RESOURCE, SERVICE, by_host
from tricircle.doors.compute.servers.server_views import SERVER
from tricircle.doors.compute.zones import zone_in, zone_of
from tricircle.model.host_names import full_name, name_in, pod_named
from tricircle.road.rewrite import Facts, Item, Shape

ONE, TWO, LONG = pod("Pod1", "az1"), pod("Pod2", "az2"), pod("Pod1.east", "az3")
ADMIN = Facts(pod=ONE, context=caller("p", "admin"))
USER = Facts(pod=ONE, context=caller("p"))


@pytest.mark.parametrize(
    ("shape", "item", "expected"),
    [
        (SERVICE, {"host": "c1", "zone": "nova"}, {"host": "Pod1.c1", "zone": "az1"}),
        (SERVICE, {"host": "c1", "zone": "internal"}, {"host": "Pod1.c1", "zone": "internal"}),
        (SERVICE, {"host_name": "c1", "zone": "tricircle.fast"}, {"host_name": "Pod1.c1", "zone": "fast"}),
        (
            HYPERVISOR,
            {"hypervisor_hostname": "n1", "service": {"host": "c1"}},
            {"hypervisor_hostname": "Pod1.n1", "service": {"host": "Pod1.c1"}},
        ),
        (
            MIGRATION,
            {"source_compute": "c1", "dest_compute": None, "dest_host": "10.0.0.1", "source_node": "n1"},
            {"source_compute": "Pod1.c1", "dest_compute": None, "dest_host": "10.0.0.1", "source_node": "Pod1.n1"},
        ),
        (RESOURCE, {"resource": {"host": "c1", "cpu": 1}}, {"resource": {"host": "Pod1.c1", "cpu": 1}}),
        (SERVER, {"OS-EXT-SRV-ATTR:host": None}, {"OS-EXT-SRV-ATTR:host": None}),
    ],
)
def test_administrators_read_full_names(shape: Shape, item: Item, expected: Item) -> None:
    assert shape.apply(item, ADMIN) == expected


def test_whoever_else_may_see_a_host_reads_no_name_of_a_pod() -> None:
    assert SERVER.apply({"OS-EXT-SRV-ATTR:host": "c1"}, USER) == {"OS-EXT-SRV-ATTR:host": "c1"}


def test_a_pod_is_asked_by_its_own_names() -> None:
    adapt = by_host("host")
    query = [("host", "Pod1.c1"), ("binary", "Pod1.c1")]
    assert adapt(query, ONE) == [("host", "c1"), ("binary", "Pod1.c1")]
    # A pod that is not meant has no host of such a name.
    assert adapt(query, TWO) == query


def test_of_two_pods_the_longer_name_is_meant() -> None:
    pods = (ONE, TWO, LONG)
    assert pod_named(pods, "Pod1.east.c1") == LONG
    assert pod_named(pods, "Pod1.c1") == ONE
    assert pod_named(pods, "c1") is None
    assert pod_named(pods, "Pod1.") is None


@pytest.mark.parametrize("name", ["c1", "c1.example.com", "Pod2.c1"])
def test_a_full_name_leads_back(name: str) -> None:
    assert name_in(ONE, str(full_name(ONE, name))) == name


@pytest.mark.parametrize("name", ["fast", "az2", "tricircle.fast"])
def test_zones_of_aggregates_lead_back(name: str) -> None:
    assert zone_of(ONE, zone_in(ONE, name)) == name


def test_a_pod_that_is_the_zone_gets_none() -> None:
    assert zone_in(ONE, "az1") == ""
    assert zone_of(ONE, "nova") == "az1"
