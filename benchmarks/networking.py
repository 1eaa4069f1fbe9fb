# SPDX-License-Identifier: Apache-2.0
"""How long after a request does a packet pass between servers, and how much of that time is ours?

Against the running lab with real switches: ``python -m benchmarks.networking``. Each round does everything at the
region, over two pods, and then the same directly in one pod by stock calls; the ratio is between these two. Seconds
count from the first request until one server hears the other, or hears it no more. Calls are those of the gateway and
of the lab's worker to pods, by their own metrics, until both are quiet; where a sweep came between they are left out,
and what a sweep costs is said by itself.
"""

import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.topology import load_lab
from tests.functional.region_world import ROOT, Caller, Json, Region, ask, at_once, eventually, unique
from tests.functional.sweeping import Sweeper
from tests.functional.tenants import Tenant
from tests.packets.guests import Guest, heard, unheard, until

_ROUNDS = 3
_PATIENCE_S = 180.0
_QUIET_S = 1.2  # numbers of the gateway appear within a second
_ANSWERS = re.compile(
    r'^tricircle_upstream_requests_total\{.*target="(?!central/)[^"]+".*\} ([0-9.e+]+)$', re.MULTILINE
)
_SWEEPS = re.compile(r'^tricircle_jobs_total\{.*type="sweep".*\} ([0-9.e+]+)$', re.MULTILINE)
_MTU = 1400

FIRST = "two servers at once on a new network, until one hears the other"
MORE = "one more server in that pod, until the first hears it"
FAR = "one more in a pod where the network is new, until the first hears it"
CLOSED, OPENED = "a rule goes, until silence", "a rule comes, until an answer"
LEFT, BACK = "a member leaves the group, until silence", "a member comes into the group, until an answer"


class Numbers:
    """What the region's own metrics say."""

    def __init__(self, region: Region) -> None:
        self._headers = {"X-Auth-Token": region.admin.token}
        self._pages = (region.admin_api.removesuffix("/v1.0"), load_lab(ROOT).url("worker-metrics"))

    def _sum(self, pattern: re.Pattern[str]) -> int:
        texts = [ask("GET", f"{page}/metrics", headers=self._headers).text for page in self._pages]
        return sum(int(float(number)) for text in texts for number in pattern.findall(text))

    def sweeps(self) -> int:
        """How many sweeps of pods ended until now."""
        return self._sum(_SWEEPS)

    def quiet(self) -> int:
        """How many answers pods gave until now, once they are no longer asked."""
        seen = self._sum(_ANSWERS)
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            time.sleep(_QUIET_S)
            now = self._sum(_ANSWERS)
            if now == seen:
                return now
            seen = now
        raise TimeoutError("pods are asked without end")


@dataclass(kw_only=True)
class Side:
    """Where things are asked for: at the region, or directly in a pod.

    :ivar here: the tenant
    :ivar operator: who may look up ports there, and delete what the tenant made; asks past the doors
    :ivar numbers: None: nobody counts calls
    """

    here: Caller
    operator: Caller
    image_id: str
    flavor_id: str
    numbers: Numbers | None = None
    groups: list[Json] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    calls: dict[str, list[int]] = field(default_factory=dict)
    swept: int = 0

    def begin(self) -> None:
        """Two groups, of which the first lets its own members in."""
        kind = ("network", "security-groups", "security_group")
        self.groups = [self.here.make(*kind, name=unique()) for _ in range(2)]
        self.allow()

    def allow(self) -> None:
        """The rule by which members of the group hear each other."""
        group_id = self.groups[0]["id"]
        values = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": group_id}
        kind = ("network", "security-group-rules", "security_group_rule")
        self.groups[0]["rule"] = self.here.make(*kind, security_group_id=group_id, **values)

    def forbid(self) -> None:
        """Without that rule."""
        assert self.here.delete("network", f"/security-group-rules/{self.groups[0]['rule']['id']}") == 204

    def move(self, guest: Guest, group: Json) -> None:
        """Let a server be in this group only."""
        (port,) = self.operator.list("network", "ports", device_id=guest.server_id)
        self.here.good("PUT", "network", f"/ports/{port['id']}", {"port": {"security_groups": [group["id"]]}})

    def network(self) -> Json:
        """A network with a subnet."""
        made = self.here.make("network", "networks", "network", name=unique(), mtu=_MTU)
        self.here.make("network", "subnets", "subnet", network_id=made["id"], ip_version=4, cidr="10.31.0.0/24")
        return made

    def boot(self, network: Json, zone: str) -> Guest:
        """A server; not waited for."""
        where = {"availability_zone": zone} if self.numbers else {}
        wanted = {
            "name": unique(),
            "networks": [{"uuid": network["id"]}],
            "security_groups": [{"name": self.groups[0]["name"]}],
            "imageRef": self.image_id,
            "flavorRef": self.flavor_id,
        }
        made = self.here.make("compute", "servers", "server", **wanted, **where)
        return Guest(name="server", zone=zone, server_id=str(made["id"]))

    def address(self, guest: Guest) -> str | None:
        """Its address, once it has a port."""
        ports = self.operator.list("network", "ports", device_id=guest.server_id)
        return str(ports[0]["fixed_ips"][0]["ip_address"]) if ports else None

    def measure(self, name: str, change: Callable[[], object], look: Callable[[], float | None]) -> None:
        """One change, timed until it is seen."""
        before, sweeps = self._counted()
        began = time.monotonic()
        change()
        self.seconds.setdefault(name, []).append(until(look, name, _PATIENCE_S) - began)
        after, more = self._counted()
        if more != sweeps:
            self.swept += 1
        elif self.numbers:
            self.calls.setdefault(name, []).append(after - before)

    def _counted(self) -> tuple[int, int]:
        return (self.numbers.quiet(), self.numbers.sweeps()) if self.numbers else (0, 0)

    def clean(self, servers: Sequence[Guest], network: Json) -> None:
        """Nothing is left of a round."""
        at_once([lambda one=one: self.here.delete("compute", f"/servers/{one.server_id}") for one in servers])  # type: ignore[misc]
        path = f"/networks/{network['id']}"
        eventually(lambda: self.operator.delete("network", path), lambda seen: seen in (204, 404), "no network")

    def end(self) -> None:
        """Nothing is left of the groups."""
        for group in self.groups:
            path = f"/security-groups/{group['id']}"
            eventually(
                lambda path=path: self.operator.delete("network", path),  # type: ignore[misc]
                lambda seen: seen in (204, 404),
                "no group",
            )


def _round(side: Side, zones: Sequence[str]) -> None:
    """Everything once: in the AZ, and where there is a second one between both."""
    networks: list[Json] = []
    servers: list[Guest] = []
    addresses: dict[str, str] = {}

    def first() -> None:
        networks.append(side.network())
        servers.extend(at_once([lambda: side.boot(networks[0], zones[0])] * 2))

    def hears_last() -> float | None:
        last = servers[-1]
        if last.server_id not in addresses and (found := side.address(last)):
            addresses[last.server_id] = found
        return heard(servers[0], addresses[last.server_id]) if last.server_id in addresses else None

    def more(zone: str) -> Callable[[], None]:
        return lambda: servers.append(side.boot(networks[0], zone))

    try:
        side.measure(FIRST, first, hears_last)
        side.measure(MORE, more(zones[0]), hears_last)
        if len(zones) > 1:
            side.measure(FAR, more(zones[1]), hears_last)
        address = addresses[servers[-1].server_id]
        answer, silence = (lambda: heard(servers[0], address)), (lambda: unheard(servers[0], address))
        side.measure(CLOSED, side.forbid, silence)
        side.measure(OPENED, side.allow, answer)
        side.measure(LEFT, lambda: side.move(servers[0], side.groups[1]), silence)
        side.measure(BACK, lambda: side.move(servers[0], side.groups[0]), answer)
    finally:
        for network in networks:
            side.clean(servers, network)


def _calls_of_sweeps(numbers: Numbers) -> int:
    """How many calls to pods the lab's worker makes when each of the two pods is swept now."""
    before, ended = numbers.quiet(), numbers.sweeps()
    code, said = Sweeper().command("sweep")
    assert code == 0, said
    eventually(numbers.sweeps, lambda seen: seen >= ended + 2, "both pods swept", 600)
    return numbers.quiet() - before


def _said(region: Mapping[str, list[float]], direct: Mapping[str, list[float]], calls: Mapping[str, list[int]]) -> None:
    sys.stdout.write("| | region, median (longest) | directly in one pod | ratio | calls to pods (least-most) |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for name, seconds in region.items():
        # Nothing in one cloud is like a second pod: another server there is nearest.
        beside = direct[MORE if name == FAR else name]
        ours, theirs = statistics.median(seconds), statistics.median(beside)
        counted = calls.get(name, [])
        asked = f"{statistics.median(counted):.0f} ({min(counted)}-{max(counted)})" if counted else "-"
        times = f"{ours:.1f} s ({max(seconds):.1f}) | {theirs:.1f} s ({max(beside):.1f}) | {ours / theirs:.1f}"
        sys.stdout.write(f"| {name} | {times} | {asked} |\n")


def _main() -> None:
    region = Region()
    region.registered()
    pod = region.pods["Pod1"]
    flavor_id = unique("bench")
    for operator in (region.admin, pod):
        name = flavor_id if operator is region.admin else f"{flavor_id}-direct"
        operator.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    tenant, numbers, image_id = Tenant(region), Numbers(region), region.image_id()
    ours = Side(here=tenant.here, operator=region.centre, image_id=image_id, flavor_id=flavor_id, numbers=numbers)
    direct = Side(here=tenant.inside["Pod1"], operator=pod, image_id=image_id, flavor_id=f"{flavor_id}-direct")
    try:
        for side in (ours, direct):
            side.begin()
        for _ in range(_ROUNDS):
            _round(ours, ("az1", "az2"))
            _round(direct, ("az1",))
        sweeps = _calls_of_sweeps(numbers)
    finally:
        for side in (ours, direct):
            side.end()
        tenant.sweep()
        region.admin.delete("compute", f"/flavors/{flavor_id}")
        pod.delete("compute", f"/flavors/{flavor_id}-direct")
    _said(ours.seconds, direct.seconds, ours.calls)
    load = ", ".join(f"{number:.0f}" for number in os.getloadavg())
    sys.stdout.write(f"{ours.swept} of the changes had a sweep between; a sweep of both pods: {sweeps} calls. ")
    sys.stdout.write(f"{_ROUNDS} rounds; load average {load}.\n")


if __name__ == "__main__":
    _main()
