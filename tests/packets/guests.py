# SPDX-License-Identifier: Apache-2.0
"""What does a server see from inside: its devices, what DHCP told it, and who answers its pings?"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.datapath.namespaces import inside, run
from lab.datapath.plan import DataPath, PodPath, data_path
from lab.topology import load_lab
from tests.functional.region_world import ROOT, ZONES, Json

SECONDS = 40.0
#: So many pings in a row without an answer are silence.
SILENT_PINGS = 4
PASSES, SILENT = "passes", "silent"
REPORT = ROOT / "docs" / "packets.json"


def path() -> DataPath:
    """The data path of the running lab."""
    return data_path(load_lab(ROOT))


def path_of(zone: str) -> PodPath:
    """The part of the pod behind an AZ."""
    return path().pods[list(ZONES.values()).index(zone)]


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A server, and the namespace that is its inside."""

    name: str
    zone: str
    server_id: str

    @property
    def pod(self) -> PodPath:
        return path_of(self.zone)

    @property
    def namespace(self) -> str:
        return self.pod.guest(self.server_id)

    def run(self, *command: str) -> str:
        """What a command inside prints. Raises PathError."""
        return run(*inside(self.namespace, *command))

    def device(self, mac: str) -> str:
        """The device with an address."""
        links: list[Json] = json.loads(run("ip", "-n", self.namespace, "-j", "link", "show"))
        return str(next(link["ifname"] for link in links if link.get("address") == mac))

    def lease(self, mac: str) -> dict[str, str]:
        """What DHCP told it, once it did."""
        file = self.pod.leases / self.device(mac)
        until(file.exists, f"lease of {self.name}")
        return dict(line.split("=", 1) for line in file.read_text().splitlines())

    def hears(self, address: str) -> bool:
        """Whether an address answers one ping within a second."""
        command = inside(self.namespace, "ping", "-n", "-c", "1", "-W", "1", address)
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0


def until(look: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


class Cases:
    """All pings of a run, with what was expected and what was seen."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def passes(self, case: str, guest: Guest, to: str, address: str) -> None:
        """An answer comes within the time that a change may take."""
        self._expect(case, guest, to, PASSES, lambda: guest.hears(address))

    def silent(self, case: str, guest: Guest, to: str, address: str) -> None:
        """No answer comes, several times in a row, within the time that a change may take."""
        self._expect(case, guest, to, SILENT, lambda: not any(guest.hears(address) for _ in range(SILENT_PINGS)))

    def _expect(self, case: str, guest: Guest, to: str, expected: str, is_so: Callable[[], bool]) -> None:
        other = {PASSES: SILENT, SILENT: PASSES}[expected]
        row = {"case": case, "from": guest.name, "to": to, "expected": expected, "seen": other}
        self.rows.append(row)
        until(is_so, f"{case}: {guest.name} to {to} {expected}")
        row["seen"] = expected

    def write(self, file: Path = REPORT) -> None:
        """Write all rows: a list of objects with case, from, to, expected and seen."""
        lines = ",\n".join(f"  {json.dumps(row)}" for row in self.rows)
        file.write_text(f"[\n{lines}\n]\n")
