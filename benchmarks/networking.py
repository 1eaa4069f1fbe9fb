# SPDX-License-Identifier: Apache-2.0
"""How long after a request at the centre does a packet pass between servers, and how many calls to pods did it take?

Against the running lab with real switches: ``python -m benchmarks.networking``. Seconds count from the request until a
server has its address from DHCP, until another one hears it, or until none is heard any more. Calls are those of the
gateway and of the lab's worker, by their own metrics, until both are quiet.
"""

import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.topology import load_lab
from tests.functional.region_world import ROOT, Json, Region, ask, unique
from tests.functional.tenants import Tenant
from tests.packets.guests import Guest, heard, unheard, until

_ROUNDS = 3
_PATIENCE_S = 90.0
_QUIET_S = 1.2  # numbers of the gateway appear within a second
_ANSWERS = re.compile(
    r'^tricircle_upstream_requests_total\{.*target="(?!central/)[^"]+".*\} ([0-9.e+]+)$', re.MULTILINE
)


@dataclass(kw_only=True)
class Stand:
    """A tenant whose servers are in one group that lets its own members in."""

    region: Region
    tenant: Tenant
    flavor_id: str
    group: Json
    outside: Json
    rule: Json = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    calls: dict[str, list[int]] = field(default_factory=dict)

    def allow(self) -> None:
        values = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": self.group["id"]}
        self.rule = self.tenant.here.make(
            "network", "security-group-rules", "security_group_rule", security_group_id=self.group["id"], **values
        )

    def forbid(self) -> None:
        assert self.tenant.here.delete("network", f"/security-group-rules/{self.rule['id']}") == 204

    def move(self, port: Json, group: Json) -> None:
        body = {"port": {"security_groups": [group["id"]]}}
        self.tenant.here.good("PUT", "network", f"/ports/{port['id']}", body)

    def measure(self, name: str, change: Callable[[], object], look: Callable[[], float | None]) -> None:
        """One change, timed until it is seen."""
        before, began = self._quiet(), time.monotonic()
        change()
        self.seconds.setdefault(name, []).append(until(look, name, _PATIENCE_S) - began)
        self.calls.setdefault(name, []).append(self._quiet() - before)

    def boot(self, network: Json, zone: str) -> Guest:
        """A server; not waited for."""
        wanted = {"networks": [{"uuid": network["id"]}], "security_groups": [{"name": self.group["name"]}]}
        image_id = self.region.image_id()
        server_id = self.tenant.booted(zone, imageRef=image_id, flavorRef=self.flavor_id, **wanted)
        return Guest(name="server", zone=zone, server_id=server_id)

    def port(self, guest: Guest) -> Json:
        """Asked for past the doors: it is no call of ours."""
        (found,) = self.region.centre.list("network", "ports", device_id=guest.server_id)
        return found

    def _quiet(self) -> int:
        """How many answers pods gave until now, once they are no longer asked."""
        seen = self._answers()
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            time.sleep(_QUIET_S)
            now = self._answers()
            if now == seen:
                return now
            seen = now
        raise TimeoutError("pods are asked without end")

    def _answers(self) -> int:
        headers = {"X-Auth-Token": self.region.admin.token}
        pages = (self.region.admin_api.removesuffix("/v1.0"), load_lab(ROOT).url("worker-metrics"))
        texts = [ask("GET", f"{page}/metrics", headers=headers).text for page in pages]
        return sum(int(float(number)) for text in texts for number in _ANSWERS.findall(text))


def _round(stand: Stand) -> None:
    network = stand.tenant.network(mtu=1400)
    servers: list[Guest] = []

    def booted(zone: str) -> Callable[[], object]:
        return lambda: servers.append(stand.boot(network, zone))

    def has_lease() -> float | None:
        # The pod's port has another id: a lease is known by its address.
        told = f"ip={last()}\n"
        files = [file for file in servers[0].pod.leases.glob("tap*") if not file.suffix]
        return time.monotonic() if any(told in file.read_text() for file in files) else None

    def last() -> str:
        return str(stand.port(servers[-1])["fixed_ips"][0]["ip_address"])

    def hears_last() -> float | None:
        return heard(servers[0], last())

    stand.measure("first server on a new network, until it has its address", booted("az1"), has_lease)
    stand.measure("second server in the same pod, until the first hears it", booted("az1"), hears_last)
    stand.measure("server in another pod, until the first hears it", booted("az2"), hears_last)
    address, port = last(), stand.port(servers[0])
    stand.measure("a rule goes in 2 pods, until silence", stand.forbid, lambda: unheard(servers[0], address))
    stand.measure("a rule comes in 2 pods, until an answer", stand.allow, lambda: heard(servers[0], address))
    left, back = (lambda: stand.move(port, stand.outside)), (lambda: stand.move(port, stand.group))
    stand.measure("a member leaves, until silence in the other pod", left, lambda: unheard(servers[0], address))
    stand.measure("a member comes, until an answer of the other pod", back, lambda: heard(servers[0], address))
    for server in servers:
        stand.tenant.gone("compute", f"/servers/{server.server_id}")


def _main() -> None:
    region = Region()
    region.registered()
    flavor_id = unique("bench")
    region.admin.make("compute", "flavors", "flavor", name=flavor_id, id=flavor_id, ram=64, vcpus=1, disk=1)
    tenant = Tenant(region)
    groups = [tenant.here.make("network", "security-groups", "security_group", name=unique()) for _ in range(2)]
    stand = Stand(region=region, tenant=tenant, flavor_id=flavor_id, group=groups[0], outside=groups[1])
    try:
        stand.allow()
        for _ in range(_ROUNDS):
            _round(stand)
    finally:
        tenant.sweep()
        region.admin.delete("compute", f"/flavors/{flavor_id}")
    for name, seconds in stand.seconds.items():
        calls = stand.calls[name]
        said = f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"
        sys.stdout.write(f"{name}: {said}, calls to pods {statistics.median(calls):.0f} ({min(calls)}-{max(calls)})\n")


if __name__ == "__main__":
    _main()
