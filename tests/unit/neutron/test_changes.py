# SPDX-License-Identifier: Apache-2.0
"""Which changes at the centre concern a pod? And do driver and worker mean the same ports when they speak of slices?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.copies import addresses, origins
from tricircle.model.routing import Kind
from tricircle_neutron import changes

HOST = "binding:host_id"
fields = st.dictionaries(
    st.sampled_from(["name", "status", "revision_number", "binding:vif_type", "updated_at", "fixed_ips"]),
    st.integers(0, 2),
)


def test_driver_and_worker_agree_on_slices() -> None:
    assert (changes.SLICE_OWNER, changes.SLICE_PREFIX) == (origins.SLICE_OWNER, origins.SLICE_PREFIX)
    port = {"device_owner": origins.SLICE_OWNER, "device_id": addresses.device_id("pod", "subnet")}
    assert changes.is_slice(port)
    assert not changes.is_slice({**port, "device_id": "dhcp-agent"})
    assert not changes.is_slice({**port, "device_owner": "compute:az1"})


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (Kind.NETWORK, "mtu"),
        (Kind.SUBNET, "gateway_ip"),
        (Kind.PORT, "security_groups"),
        (Kind.SECURITY_GROUP, "stateful"),
    ],
)
def test_fields_that_copies_carry_concern_pods(kind: Kind, field: str) -> None:
    assert changes.concerns_pods(kind, {field: 1}, {field: 2})
    assert not changes.concerns_pods(kind, {field: 1, "status": "DOWN"}, {field: 1, "status": "ACTIVE"})


@given(original=fields, current=fields)
def test_a_port_without_a_pod_concerns_nobody(original: dict[str, object], current: dict[str, object]) -> None:
    assert not changes.port_concerns_pods({**original, HOST: ""}, {**current, HOST: "Pod1"})


def test_a_port_that_leaves_its_pod_concerns_it() -> None:
    assert changes.port_concerns_pods({HOST: "Pod1"}, {HOST: ""})
    assert changes.port_concerns_pods({HOST: "Pod1"}, {HOST: "Pod2"})
    assert not changes.port_concerns_pods({HOST: "Pod1"}, {HOST: "Pod1", "status": "ACTIVE"})


def test_a_port_that_becomes_the_network_services_keeps_its_copy_until_it_is_told() -> None:
    original = {HOST: "Pod1", "device_owner": "", "name": "a"}
    assert changes.port_concerns_pods(original, {**original, "device_owner": "network:mine", "name": "b"})
    assert not changes.port_concerns_pods(original, {**original, "device_owner": "network:mine"})


def test_ports_of_the_network_service_have_no_copies() -> None:
    router = {HOST: "Pod1", "device_owner": "network:router_interface"}
    assert not changes.port_concerns_pods({**router, "name": "a"}, {**router, "name": "b"})
