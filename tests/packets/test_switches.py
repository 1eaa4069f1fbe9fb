# SPDX-License-Identifier: Apache-2.0
"""Do the switches remember connections as it is safe for them?"""

from collections.abc import Callable

from lab.datapath.namespaces import run
from lab.datapath.plan import INTEGRATION_BRIDGE, PodPath
from tests.functional.region_world import eventually
from tests.packets.conftest import Place


def _remembering(pod: PodPath) -> list[str]:
    """The flows that make the switch of a pod remember connections."""
    flows = run("ovs-ofctl", "dump-flows", f"unix:{pod.directory}/{INTEGRATION_BRIDGE}.mgmt").splitlines()
    return [flow for flow in flows if "ct(commit" in flow]


def test_connections_are_remembered_without_a_translation(place: Callable[..., Place]) -> None:
    """Else a packet of one that is over ends the switch (lab/datapath/switches.py); nat(src) is nat(src=0.0.0.0)."""
    here = place()
    here.ready(*here.boots(("one", "az1"), ("far", "az2")))
    for guest in here.guests:
        flows = eventually(lambda pod=guest.pod: _remembering(pod), bool, f"flows for {guest.name}")  # type: ignore[misc]
        assert not [flow for flow in flows if "nat(src" in flow]
