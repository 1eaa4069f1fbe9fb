# SPDX-License-Identifier: Apache-2.0
"""Which identifiers does a port set free when it goes or changes?"""

from hypothesis import given
from hypothesis import strategies as st

from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind
from tricircle_neutron import leaving

PORT = {
    "id": "p1",
    "network_id": "n1",
    "mac_address": "fa:16:3e:00:00:01",
    "device_owner": "compute:az1",
    "device_id": "server",
    "fixed_ips": [{"subnet_id": "s4", "ip_address": "10.0.0.5"}, {"subnet_id": "s6", "ip_address": "2001:db8::5"}],
}
SLICE = {**PORT, "device_owner": "network:dhcp", "device_id": "tricircle-4f"}


def _of_port(what: What, value: str) -> Left:
    return Left(what=what, scope="n1", value=value, kind=Kind.PORT, central_id="p1")


def test_a_port_that_goes_leaves_addresses_and_mac() -> None:
    assert leaving.by_deletion(PORT) == [
        _of_port(What.ADDRESS, "10.0.0.5"),
        _of_port(What.ADDRESS, "2001:db8::5"),
        _of_port(What.MAC, "fa:16:3e:00:00:01"),
    ]
    assert leaving.by_deletion({**PORT, "fixed_ips": []}) == [_of_port(What.MAC, "fa:16:3e:00:00:01")]


def test_a_slice_leaves_addresses_that_its_pods_subnet_has() -> None:
    left = leaving.by_deletion(SLICE)
    assert [(one.what, one.value, one.kind, one.central_id) for one in left] == [
        (What.ADDRESS, "10.0.0.5", Kind.SUBNET, "s4"),
        (What.ADDRESS, "2001:db8::5", Kind.SUBNET, "s6"),
    ]


def test_a_change_leaves_what_is_no_longer_there() -> None:
    assert leaving.by_change(PORT, {**PORT, "name": "x", "status": "DOWN"}) == []
    moved = {**PORT, "fixed_ips": [PORT["fixed_ips"][1], {"subnet_id": "s4", "ip_address": "10.0.0.6"}]}
    assert leaving.by_change(PORT, moved) == [_of_port(What.ADDRESS, "10.0.0.5")]
    renamed = {**PORT, "mac_address": "fa:16:3e:00:00:02"}
    assert leaving.by_change(PORT, renamed) == [_of_port(What.MAC, "fa:16:3e:00:00:01")]
    assert leaving.by_change(PORT, {**PORT, "mac_address": "FA-16-3E-00-00-01"}) == []


addresses = st.lists(
    st.sampled_from(["10.0.0.5", "10.0.0.6", "10.0.0.7"]).map(lambda ip: {"subnet_id": "s", "ip_address": ip}),
    unique_by=lambda fixed_ip: fixed_ip["ip_address"],
)


@given(addresses, addresses)
def test_what_is_left_and_what_is_kept_is_what_was(before: list[dict[str, str]], after: list[dict[str, str]]) -> None:
    left = {one.value for one in leaving.by_change({**PORT, "fixed_ips": before}, {**PORT, "fixed_ips": after})}
    had, has = ({fixed_ip["ip_address"] for fixed_ip in fixed_ips} for fixed_ips in (before, after))
    assert left == had - has
