# SPDX-License-Identifier: Apache-2.0
"""What does a server see from inside: its devices, what DHCP told it, and who answers its pings?"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.datapath.namespaces import inside, run
from lab.datapath.plan import DataPath, PodPath, data_path
from lab.topology import load_lab
from tests.functional.region_world import ROOT, ZONES, Json

T = TypeVar("T")
SECONDS = 90.0
#: So many pings in a row without an answer are silence.
SILENT_PINGS = 4
#: So long is waited for an answer that may not come yet: less than what is to be measured.
QUICK_S = 0.3
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

    def lease(self, mac: str, version: int = 4) -> dict[str, str]:
        """What DHCP told it in one version of IP, once it did."""
        file = self.pod.leases / (self.device(mac) + (".6" if version == 6 else ""))
        until(file.exists, f"lease of {self.name}")
        return dict(line.split("=", 1) for line in file.read_text().splitlines())

    def hears(self, address: str, seconds: float = 1.0) -> bool:
        """Whether an address answers one ping in time."""
        return self.pings(address, seconds)

    def hears_nothing(self, address: str) -> bool:
        """Whether an address answers none of several pings."""
        return not self.pings(address, 1.0, "-c", str(SILENT_PINGS), "-i", "0.2")

    @property
    def details(self) -> dict[str, str]:
        """What a row says of its pings beside the name."""
        return {}

    def pings(self, address: str, seconds: float, *more: str) -> bool:
        """Whether a ping with more options is answered in time."""
        command = inside(self.namespace, "ping", "-n", "-c", "1", "-W", str(seconds), *more, address)
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0


@dataclass(frozen=True, kw_only=True)
class Through(Guest):
    """A server that pings through one of its devices, whatever its routes say."""

    mac: str

    def pings(self, address: str, seconds: float, *more: str) -> bool:
        return super().pings(address, seconds, "-I", self.device(self.mac), *more)


def until(look: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """Look until it is so; what was seen then."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return seen


def heard(guest: Guest, address: str) -> float | None:
    """When an answer came; None: there was none."""
    return time.monotonic() if guest.hears(address, QUICK_S) else None


def unheard(guest: Guest, address: str) -> float | None:
    """When the first of several pings in a row went out that had no answer; None: there was one."""
    began = time.monotonic()
    return began if guest.hears_nothing(address) else None


class Report:
    """All pings of a run.

    :param file: where they are written after each ping, so that a run that is cut off leaves what it saw
    """

    def __init__(self, file: Path | None = None) -> None:
        self.rows: list[dict[str, str]] = []
        self._file = file

    def write(self) -> None:
        """Write down all pings until now."""
        if self._file is not None:
            lines = ",\n".join(f"  {json.dumps(row)}" for row in self.rows)
            self._file.write_text(f"[\n{lines}\n]\n")


class Cases:
    """The pings of one module, with what was expected and what was seen.

    :param module: names of servers are its own: another module may call others so
    """

    def __init__(self, report: Report, module: str) -> None:
        self._report = report
        self._module = module

    def passes(self, case: str, guest: Guest, to: str, address: str, *, since: float | None = None) -> None:
        """An answer comes within the time that a change may take.

        :param since: when the change was asked for, by the monotonic clock: the row says how long it took
        """
        self._expect(case, (guest, to, PASSES), lambda: heard(guest, address), since)

    def silent(self, case: str, guest: Guest, to: str, address: str, *, since: float | None = None) -> None:
        """No answer comes, several times in a row, within the time that a change may take."""
        self._expect(case, (guest, to, SILENT), lambda: unheard(guest, address), since)

    def _expect(
        self, case: str, what: tuple[Guest, str, str], look: Callable[[], float | None], since: float | None
    ) -> None:
        guest, to, expected = what
        other = {PASSES: SILENT, SILENT: PASSES}[expected]
        row = {"module": self._module, "case": case, "from": guest.name, "to": to, **guest.details}
        row |= {"expected": expected, "seen": other}
        self._report.rows.append(row)
        try:
            when = until(look, f"{case}: {guest.name} to {to} {expected}")
            row["seen"] = expected
            if since is not None:
                row["seconds"] = f"{when - since:.1f}"
        finally:
            self._report.write()
