# SPDX-License-Identifier: Apache-2.0
"""Does `make demo` end with a matrix in which everybody is heard, does it see when somebody is not, and again?"""

from collections.abc import Iterator

import pytest

from lab.datapath.matrix import matrix, unanswered
from lab.demo import ends, pings
from lab.stock_client import StockClient
from lab.topology import load_lab
from lab.walkthrough import ADMIN, TENANT, Names, Narrator, Walkthrough
from tests.functional.region_world import ROOT, Region, eventually
from tests.packets.guests import path

pytestmark = pytest.mark.timeout(1200)


class Seeing(Narrator):
    """Keeps what was drawn."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def table(self, lines: object, seconds: float) -> None:
        assert isinstance(lines, list)
        self.lines = lines


@pytest.fixture
def walk(region: Region) -> Iterator[Walkthrough]:
    """The demo's own walk-through, under its own names: what the last demo left goes, and what this one leaves."""
    lab = load_lab(ROOT)
    with StockClient(lab.venv / "bin" / "python", lab.state / "clouds.yaml") as client:
        client.warm(TENANT, ADMIN)
        made = Walkthrough(client, region.admin_api, Names(), Seeing())
        made.sweep_leftovers()
        yield made
        made.sweep_leftovers()


def _left(region: Region) -> list[str]:
    """What pods hold of the demo's network."""
    found = [pod.list("network", "networks", name=Names().network) for pod in region.pods.values()]
    return [str(one["id"]) for networks in found for one in networks]


def test_the_demo_ends_with_pings_between_pods(region: Region, walk: Walkthrough) -> None:
    assert isinstance(walk.narrator, Seeing)
    walk.declare()
    walk.boot("az1", with_own_port=True)
    walk.boot("az2")
    rows = pings(walk, path())
    assert unanswered(rows) == []
    assert [row["from"] for row in rows] == ["vm1 (az1)", "vm2 (az2)"]
    assert [len(row) for row in rows] == [4, 4]  # both addresses of the first server, and that of the second
    assert len(walk.narrator.lines) == 6

    # With a server that is stopped, the same matrix says whom it misses.
    walk.client.run(TENANT, "server", "stop", "vm2")
    walk.until(lambda: walk.client.json(TENANT, "server", "show", "vm2")["status"], "SHUTOFF".__eq__, "vm2 SHUTOFF")
    inner, addresses = ends(walk, path())
    (address,) = addresses["vm2 (az2)"]
    assert f"vm1 (az1) to vm2 (az2) {address}" in unanswered(matrix(inner, addresses, seconds=0))

    walk.sweep_leftovers()
    eventually(lambda: _left(region), lambda seen: not seen, "nothing is left in the pods")
    # The next demo may use the same names.
    walk.declare()
