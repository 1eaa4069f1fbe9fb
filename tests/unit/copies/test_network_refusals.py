# SPDX-License-Identifier: Apache-2.0
"""What does a tenant hear when a network cannot be in a pod, and what does the operator?"""

import pytest

from tricircle.context import PodId
from tricircle.copies.network_refusals import check_zone, largest_mtu, no_wire, refusal
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.pod import Pod

POD = Pod(id=PodId("p1"), name="canary-pod", az_name="az1")
NETWORK = {
    "id": "n1",
    "mtu": 1500,
    "provider:physical_network": "stretch",
    "provider:segmentation_id": 1001,
}


def _said(status: int, body: str) -> ConflictError | None:
    return refusal(POD, NETWORK, UpstreamStatusError(status, body, "canary-pod/network"))


def test_a_vlan_in_use_is_named_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    found = _said(409, '{"NeutronError": {"type": "VlanIdInUse", "message": "The VLAN 1001 on ..."}}')
    assert found is not None
    assert "az1" in found.message
    assert not [word for word in ("1001", "stretch", "canary") if word in found.message]
    assert "canary-pod: VLAN 1001 of physical network stretch" in caplog.text


def test_an_mtu_that_is_too_big_tells_the_largest() -> None:
    words = "Invalid input for operation: Requested MTU is too big, maximum is 1450."
    assert largest_mtu(UpstreamStatusError(400, words, "canary-pod/network")) == 1450
    assert largest_mtu(UpstreamStatusError(400, "Invalid input", "canary-pod/network")) is None
    assert _said(400, words) is None


@pytest.mark.parametrize("kind", ["VLAN provider network", "flat provider network"])
def test_a_physical_network_that_the_pod_lacks_is_named_in_the_log_only(
    caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    words = f"Invalid input for operation: physical_network 'stretch' unknown for {kind}."
    found = _said(400, f'{{"NeutronError": {{"type": "InvalidInput", "message": "{words}", "detail": ""}}}}')
    assert found is not None
    assert found.message == "Network n1 cannot be in availability zone az1. Use another network."
    assert "pod canary-pod: it has no physical network stretch" in caplog.text
    assert "pod set --physical-network stretch=<name> canary-pod" in caplog.text
    assert no_wire(POD, NETWORK, {"az3", "az1", "az2"}).message.endswith("It can be in: az2, az3.")


@pytest.mark.parametrize(("status", "body"), [(409, "OverQuota"), (400, "Invalid input"), (503, "VlanIdInUse")])
def test_other_refusals_stay_what_they_are(status: int, body: str) -> None:
    assert _said(status, body) is None


def test_hints_and_segments() -> None:
    check_zone(POD, NETWORK)
    check_zone(POD, {**NETWORK, "availability_zone_hints": ["az2", "az1"]})
    with pytest.raises(ConflictError, match="limited to availability zones: az2, az3"):
        check_zone(POD, {**NETWORK, "availability_zone_hints": ["az3", "az2"]})
    with pytest.raises(ConflictError, match="several segments"):
        check_zone(POD, {"id": "n1", "segments": [{"provider:network_type": "vlan"}, {}]})
