# SPDX-License-Identifier: Apache-2.0
"""What does a newcomer do first? The classic walk-through, with stock clients against the central region only.

``make demo`` shows it, the end-to-end test asserts on every answer. Each method is one chapter; it runs the commands
a person would
type and returns what they answered. Nothing here knows a pod except by registering it.
"""

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.stock_client import CommandError, StockClient

TENANT, OTHER_TENANT, ADMIN = "tricircle", "tricircle-alt", "tricircle-admin"
POLL_S = 0.4


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the walk-through calls its things."""

    flavor: str = "m1.walk"
    flavor_id: str = "1"  # the id that one pod of the lab already has with another shape
    image: str = "walk-image"
    key: str = "walk-key"
    network: str = "net1"
    subnet: str = "subnet1"
    cidr: str = "10.0.1.0/24"
    group: str = "web"
    servers: Mapping[str, str] = field(default_factory=lambda: {"az1": "vm1", "az2": "vm2"})
    own_port: str = "my-port"
    volume: str = "vol1"
    snapshot: str = "snap1"
    user_data: str = "#!/bin/sh\necho walked > /tmp/walked\n"
    properties: Mapping[str, str] = field(default_factory=lambda: {"purpose": "walk", "size": "Größe klein"})


class Narrator:
    """Hears what is done. This one is silent; ``lab.demo`` has one that talks."""

    def chapter(self, title: str) -> None:
        """A new chapter begins."""

    def command(self, line: str) -> None:
        """This line is about to be run."""

    def answer(self, value: object, seconds: float) -> None:
        """This came back."""

    def table(self, lines: Sequence[str], seconds: float) -> None:
        """This was drawn."""


class Walkthrough:
    """The chapters, in order. ``client`` is a running stock client, ``admin_url`` the Admin API's v1.0 root."""

    def __init__(self, client: StockClient, admin_url: str, names: Names, narrator: Narrator) -> None:
        self.client = client
        self.admin_url = admin_url
        self.names = names
        self.narrator = narrator

    # --- how commands are run ---------------------------------------------------------------------

    def ask(self, cloud: str, *argv: str) -> Any:
        """Run a command and parse its JSON."""
        self.narrator.command(f"openstack --os-cloud {cloud} {' '.join(argv)}")
        started = time.monotonic()
        value = self.client.json(cloud, *argv)
        self.narrator.answer(value, time.monotonic() - started)
        return value

    def do(self, cloud: str, *argv: str) -> str:
        """Run a command that prints nothing worth parsing."""
        self.narrator.command(f"openstack --os-cloud {cloud} {' '.join(argv)}")
        started = time.monotonic()
        out = self.client.run(cloud, *argv).out
        self.narrator.answer(out.strip() or "done", time.monotonic() - started)
        return out

    def curl(self, method: str, path: str, body: object | None = None) -> tuple[int, Any]:
        """Call the Admin API with curl, as the administrator. Returns the status and the decoded body."""
        token = self.client.run(ADMIN, "token", "issue", "-f", "value", "-c", "id").out.strip()
        shown = f"curl -X {method} {self.admin_url}{path} -H 'X-Auth-Token: ...'"
        argv = [
            "curl",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "60",
            "-X",
            method,
            "--write-out",
            "\n%{http_code}",
            "-H",
            f"X-Auth-Token: {token}",
            "-H",
            "Content-Type: application/json",
        ]
        if body is not None:
            argv += ["-d", json.dumps(body)]
            shown += f" -d '{json.dumps(body)}'"
        self.narrator.command(shown)
        started = time.monotonic()
        out = subprocess.run([*argv, self.admin_url + path], check=True, capture_output=True, text=True).stdout
        text, _, status = out.rpartition("\n")
        value = json.loads(text) if text.strip() else None
        self.narrator.answer(value, time.monotonic() - started)
        return int(status), value

    def until(self, look: Callable[[], Any], good: Callable[[Any], bool], what: str, limit_s: float = 120) -> Any:
        """Look again and again until ``good``. :raises TimeoutError: after ``limit_s`` seconds, with the last sight."""
        end = time.monotonic() + limit_s
        while True:
            value = look()
            if good(value):
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {limit_s:.0f} s; last seen: {value}")
            time.sleep(POLL_S)

    def _silently(self, cloud: str, *argv: str) -> Any:
        return self.client.json(cloud, *argv)

    def _show_or_none(self, *argv: str) -> Any:
        try:
            return self._silently(TENANT, *argv)
        except CommandError as error:
            if _says_gone(error.output):
                return None
            raise

    def _wait_status(self, noun: str, name: str, wanted: str) -> Any:
        def bad_or_good(value: Any) -> bool:
            status = str(value["status"]).upper()
            if status == "ERROR" and wanted.upper() != "ERROR":
                raise AssertionError(f"{noun} {name} went to ERROR: {value.get('fault')}")
            return status == wanted.upper()

        return self.until(lambda: self._silently(TENANT, *noun.split(), "show", name), bad_or_good, f"{noun} {name}")

    def _wait_gone(self, noun: str, name: str) -> None:
        def look() -> Any:
            return self._show_or_none(*noun.split(), "show", name)

        self.until(look, lambda value: value is None, f"{noun} {name} gone")

    # --- the chapters -----------------------------------------------------------------------------

    def catalog(self) -> dict[str, Any]:
        """One region for the tenant; the administrator sees the pods' regions as well."""
        self.narrator.chapter("One region: what tenants and administrators see")
        return {
            "catalog": self.ask(TENANT, "catalog", "list"),
            "endpoints": self.ask(ADMIN, "endpoint", "list"),
        }

    def pods(self) -> dict[str, Any]:
        """Register the central region and two pods (those that are not registered yet)."""
        self.narrator.chapter("Register the pods")
        _, known = self.curl("GET", "/pods")
        have = {pod["pod_name"] for pod in known["pods"]}
        wanted = [
            {"pod_name": "RegionOne"},
            {"pod_name": "Pod1", "az_name": "az1"},
            {"pod_name": "Pod2", "az_name": "az2"},
        ]
        answers = {
            pod["pod_name"]: self.curl("POST", "/pods", {"pod": pod}) for pod in wanted if pod["pod_name"] not in have
        }
        return {
            "answers": answers,
            "pods": self.curl("GET", "/pods")[1]["pods"],
            "aggregates": self.ask(ADMIN, "aggregate", "list"),
            "zones": {
                kind: self.ask(TENANT, "availability", "zone", "list", f"--{kind}")
                for kind in ("compute", "volume", "network")
            },
        }

    def declare(self) -> dict[str, Any]:
        """Flavor, image, key, network, subnet, security group: written down at the centre, no pod is touched."""
        self.narrator.chapter("Declare what a boot needs")
        n = self.names
        facts: dict[str, Any] = {}
        facts["flavor"] = self.ask(
            ADMIN, "flavor", "create", "--id", n.flavor_id, "--ram", "128", "--disk", "1", "--vcpus", "1", n.flavor
        )
        with tempfile.TemporaryDirectory() as folder:
            content = Path(folder, "walk.img")
            content.write_bytes(bytes(64 * 1024))
            facts["image"] = self.ask(
                TENANT,
                "image",
                "create",
                "--disk-format",
                "raw",
                "--container-format",
                "bare",
                "--file",
                str(content),
                n.image,
            )
            facts["images"] = self.ask(TENANT, "image", "list")
            facts["private_key"] = self.do(TENANT, "keypair", "create", n.key)
        facts["network"] = self.ask(TENANT, "network", "create", n.network)
        facts["subnet"] = self.ask(
            TENANT,
            "subnet",
            "create",
            "--network",
            n.network,
            "--subnet-range",
            n.cidr,
            "--dns-nameserver",
            "9.9.9.9",
            n.subnet,
        )
        facts["group"] = self.ask(TENANT, "security", "group", "create", n.group)
        facts["rule"] = self.ask(
            TENANT,
            "security",
            "group",
            "rule",
            "create",
            "--protocol",
            "tcp",
            "--dst-port",
            "80",
            "--remote-ip",
            "0.0.0.0/0",
            n.group,
        )
        facts["own_port"] = self.ask(TENANT, "port", "create", "--network", n.network, n.own_port)
        return facts

    def boot(self, zone: str, *, with_own_port: bool = False) -> dict[str, Any]:
        """Boot a server in an AZ and wait until it is ACTIVE."""
        n = self.names
        self.narrator.chapter(f"Boot {n.servers[zone]} in {zone}")
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "user-data")
            script.write_text(n.user_data)
            argv = [
                "server",
                "create",
                "--flavor",
                n.flavor,
                "--image",
                n.image,
                "--network",
                n.network,
                "--security-group",
                n.group,
                "--security-group",
                "default",
                "--key-name",
                n.key,
                "--user-data",
                str(script),
                "--availability-zone",
                zone,
            ]
            argv += ["--port", n.own_port] if with_own_port else []
            for key, value in n.properties.items():
                argv += ["--property", f"{key}={value}"]
            created = self.ask(TENANT, *argv, n.servers[zone])
        self._wait_status("server", n.servers[zone], "ACTIVE")
        return {
            "created": created,
            "shown": self.ask(TENANT, "server", "show", n.servers[zone]),
            "ports": self.ask(TENANT, "port", "list", "--server", n.servers[zone], "--long"),
            "user_data": base64.b64encode(n.user_data.encode()).decode(),
        }

    def lists(self) -> dict[str, Any]:
        """One list over all pods, for the tenant and for the administrator."""
        self.narrator.chapter("One list over all pods")
        return {
            "tenant": self.ask(TENANT, "server", "list", "--long"),
            "admin": self.ask(ADMIN, "server", "list", "--all-projects"),
            "other": self.ask(OTHER_TENANT, "server", "list"),
        }

    def volume(self, zone: str) -> dict[str, Any]:
        """Create, list, show, attach, snapshot, detach, delete."""
        n = self.names
        self.narrator.chapter(f"A volume in {zone}")
        server = n.servers[zone]
        facts: dict[str, Any] = {}
        facts["created"] = self.ask(TENANT, "volume", "create", "--availability-zone", zone, "--size", "1", n.volume)
        self._wait_status("volume", n.volume, "available")
        facts["listed"] = self.ask(TENANT, "volume", "list", "--long")
        facts["shown"] = self.ask(TENANT, "volume", "show", n.volume)
        facts["attached"] = self.ask(TENANT, "server", "add", "volume", server, n.volume)
        facts["in_use"] = self._wait_status("volume", n.volume, "in-use")
        facts["snapshot"] = self.ask(TENANT, "volume", "snapshot", "create", "--volume", n.volume, n.snapshot)
        self._wait_status("volume snapshot", n.snapshot, "available")
        facts["snapshots"] = self.ask(TENANT, "volume", "snapshot", "list")
        self.do(TENANT, "server", "remove", "volume", server, n.volume)
        self._wait_status("volume", n.volume, "available")
        self.do(TENANT, "volume", "snapshot", "delete", n.snapshot)
        self._wait_gone("volume snapshot", n.snapshot)
        self.do(TENANT, "volume", "delete", n.volume)
        self._wait_gone("volume", n.volume)
        return facts

    def actions(self, zone: str) -> dict[str, Any]:
        """Stop, start, reboot."""
        server = self.names.servers[zone]
        self.narrator.chapter(f"Stop, start and reboot {server}")
        self.do(TENANT, "server", "stop", server)
        stopped = self._wait_status("server", server, "SHUTOFF")
        self.do(TENANT, "server", "start", server)
        started = self._wait_status("server", server, "ACTIVE")
        self.do(TENANT, "server", "reboot", server)
        rebooted = self._wait_status("server", server, "ACTIVE")
        return {"stopped": stopped, "started": started, "rebooted": rebooted}

    def delete_servers(self) -> dict[str, Any]:
        """Delete the servers; the ports that were made for them go, the user's own stays."""
        n = self.names
        self.narrator.chapter("Delete the servers; the user's own port stays")
        for server in n.servers.values():
            self.do(TENANT, "server", "delete", server)
        for server in n.servers.values():
            self._wait_gone("server", server)
        for zone in n.servers:
            owner = ("--device-owner", f"compute:{zone}")
            self.until(
                lambda owner=owner: self._silently(TENANT, "port", "list", "--network", n.network, *owner),  # type: ignore[misc]
                lambda ports: not ports,
                "ports of deleted servers gone",
            )
        return {"own_port": self.ask(TENANT, "port", "show", n.own_port)}

    def clean(self) -> None:
        """Delete everything that was declared; afterwards no pod holds anything of it."""
        n = self.names
        self.narrator.chapter("Clean up")
        self.do(TENANT, "port", "delete", n.own_port)
        self.do(TENANT, "network", "delete", n.network)
        self.do(TENANT, "security", "group", "delete", n.group)
        self.do(TENANT, "keypair", "delete", n.key)
        self.do(TENANT, "image", "delete", n.image)
        self.do(ADMIN, "flavor", "delete", n.flavor)

    def sweep_leftovers(self) -> None:
        """Remove what a walk-through left, so that the next one starts clean. Silent."""
        n = self.names
        if len(self._silently(ADMIN, "multiregion", "networking", "pod", "list")) < 2:
            return  # without a pod beside the centre there was none, and clients find no service that they could ask
        for name in n.servers.values():  # at once: each is waited for below
            self._deleted(TENANT, "server", name)
        for cloud, noun, name in (
            *((TENANT, "server", name) for name in n.servers.values()),
            (TENANT, "volume snapshot", n.snapshot),
            (TENANT, "volume", n.volume),
            (TENANT, "port", n.own_port),
            (TENANT, "network", n.network),
            (TENANT, "security group", n.group),
            (TENANT, "keypair", n.key),
            (TENANT, "image", n.image),
            (ADMIN, "flavor", n.flavor),
        ):
            # What something holds that is just going refuses to go; a moment later it goes.
            self.until(lambda what=(cloud, noun, name): self._deleted(*what), bool, f"{noun} {name} gone")  # type: ignore[misc]

    def _deleted(self, cloud: str, noun: str, name: str) -> bool:
        """Ask for the end of a thing; whether it is there no more."""
        said = self.client.run(cloud, *noun.split(), "delete", name, check=False)
        if said.code == 0:
            return False
        # Of an image that is not there the client complains in other words.
        return _says_gone(said.err or said.out) or self._show_or_none(*noun.split(), "show", name) is None


def _says_gone(output: str) -> bool:
    """Whether a client's complaint is that there is no such thing."""
    return "No " in output or "could not be found" in output or "not found" in output.lower()
