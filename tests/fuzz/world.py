# SPDX-License-Identifier: Apache-2.0
"""Which things do requests name? Each exists twice: made through the doors, and made past them in Pod1 or the centre.

Two of each, so that what one request changes does not decide what the other is told.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

from tests.functional.region_world import DOORS, Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant
from tests.fuzz.clearing import clear
from tests.fuzz.mutations import Case
from tests.fuzz.wire import Heard, Sent, headers, send

NOBODY = "0bad0bad-0bad-4bad-8bad-0bad0bad0bad"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBeAVq3mTPTJKyIiFFzsCTxO3bJCyUCT7hmGzU9dD1bp fuzz"
OURS, THEIRS = 0, 1
#: Services that are compared with the centre's: in this lab no pod has what tenants are to see of them.
_AT_CENTRE = ("image", "identity")
_MAKING = re.compile(
    r"/(servers|os-volumes_boot|volumes|snapshots|flavors|os-keypairs|os-server-groups|os-aggregates|os-security-groups|"
    r"types|qos-specs|images|networks|ports|subnets|security-groups|namespaces|application_credentials|trusts|groups|"
    r"backups|os-volume-transfer|volume-transfers|attachments|pods|bindings|rbac-policies|projects|trunks|"
    r"address-groups|subnetpools|address-scopes|policies)/?(\?|$)"
)
_LIMITS = {
    "compute": {"instances": -1, "cores": -1, "ram": -1, "key_pairs": -1, "server_groups": -1},
    "block-storage": {"volumes": -1, "snapshots": -1, "gigabytes": -1, "backups": -1, "groups": -1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where one of two equal requests goes. ``root``: what stands in front of a path, version included."""

    host: str
    port: int
    root: str
    prefix: str
    tokens: dict[str, str]


class World:
    """A tenant, a stranger, what both have, and both sides of every door."""

    def __init__(self, region: Region, tenant: Tenant, stranger: Tenant) -> None:
        self.region = region
        self.tenant = tenant
        self.stranger = stranger
        self._numbers = count()
        self._lock = threading.Lock()
        self._names: dict[str, tuple[str, str]] = {}
        self._lift()
        self._share()
        self._network()
        self._run()
        self._strangers()

    def sides(self, door: str) -> tuple[Side, Side | None]:
        """Our door, and the service behind or beside it; nobody but us has the Admin API."""
        tokens = {"member": self.tenant.here.token, "admin": self.region.admin.token}
        if door == "admin":
            return _side(self.region.admin_api, "", tokens), None
        ours = _side(self.region.doors[door], "/" + DOORS[door].split("/")[1], tokens)
        if door == "identity":
            return ours, _side(self.region.keystone, "", tokens)
        behind = self.region.centre if door in _AT_CENTRE else self.region.pods["Pod1"]
        return ours, _side(behind.roots[door], "", tokens)

    def spelled(self, text: str, place: int) -> str:
        """A text with the names that stand for things replaced, longest names first."""
        if "@" not in text:
            return text
        for name, spellings in self._names.items():
            if f"@{name}" in text:
                own = spellings[place]
                text = text.replace(f"@{name}!upper", own.upper()).replace(f"@{name}!plain", own.replace("-", ""))
                text = text.replace(f"@{name}", own)
        while "@unique" in text:
            with self._lock:
                text = text.replace("@unique", f"fuzz-{self.tenant.name[-6:]}-{next(self._numbers)}", 1)
        return text

    def request(self, case: Case, side: Side, place: int) -> Sent:
        """A case as bytes for one side."""
        extra = [("Content-Type", case.call.media)]
        if case.header is not None:
            extra.append(("OpenStack-API-Version", case.header))
        return Sent(
            method=case.call.method.encode(),
            target=(side.root + self.spelled(case.target(), place)).encode(),
            headers=headers(side.tokens[case.call.who], extra),
            body=self.spelled(case.data(), place).encode("utf-8", "surrogatepass"),
        )

    def take_back(self, side: Side, sent: Sent, heard: Heard) -> None:
        """Delete what a request made although it should be bad."""
        path = sent.target.partition(b"?")[0].decode("latin-1")
        if sent.method != b"POST" or not 200 <= heard.status < 300 or not _MAKING.search(path):
            return
        body = heard.json()
        if not isinstance(body, dict):
            return
        inner = next((value for value in body.values() if isinstance(value, (dict, list))), body)
        inner = body if "id" in body else inner
        things = inner if isinstance(inner, list) else [inner]
        for thing in things:
            if not isinstance(thing, dict):
                continue
            name = thing.get("name" if "os-keypairs" in path else "namespace" if "namespaces" in path else "id")
            if name is not None:
                where = f"{path.rstrip('/').replace('os-volumes_boot', 'servers')}/{name}"
                gone = Sent(method=b"DELETE", target=where.encode(), headers=sent.headers)
                send(side.host, side.port, gone)

    def replace(self, name: str, place: int, thing_id: str) -> None:
        """From now on another thing stands for a name on one side."""
        with self._lock:
            pair = list(self._names[name])
            pair[place] = thing_id
            self._know(name, *pair)

    def _know(self, name: str, ours: object, theirs: object | None = None) -> None:
        self._names[name] = (str(ours), str(ours if theirs is None else theirs))
        self._names = dict(sorted(self._names.items(), key=lambda pair: -len(pair[0])))

    def _lift(self) -> None:
        """The centre's limits are as wide as those of a pod for a project that it serves."""
        for caller in (self.region.centre, self.region.pods["Pod1"]):
            for service, limits in _LIMITS.items():
                path = f"/os-quota-sets/{self.tenant.project_id}"
                answer = caller("PUT", service, path, {"quota_set": limits})
                assert answer.status_code == 200, answer.text

    def _share(self) -> None:
        tenant, region = self.tenant, self.region
        self._know("zone", "az1", "nova")
        self._know("project", tenant.project_id)
        self._know("other-project", self.stranger.project_id)
        self._know("user", tenant.user_id)
        self._know("user-name", tenant.name)
        self._know("nobody", NOBODY)
        self._know("public-key", KEY)
        self._know("image", region.image_id())
        flavor = region.admin.make("compute", "flavors", "flavor", name=unique("fuzz"), ram=64, vcpus=1, disk=1)
        inside = region.pods["Pod1"].make("compute", "flavors", "flavor", name=unique("fuzz"), ram=64, vcpus=1, disk=1)
        self._know("flavor", flavor["id"], inside["id"])
        self._know("own-image", self.image(), self.image())

    def image(self) -> str:
        """A new image without data, by its id."""
        body = {"name": "fuzz", "disk_format": "raw", "container_format": "bare", "visibility": "shared"}
        return str(self.tenant.here.good("POST", "image", "/images", body)["id"])

    def _network(self) -> None:
        made: dict[str, list[str]] = {
            "network": [],
            "subnet": [],
            "port": [],
            "group-id": [],
            "group": [],
            "deleted-port": [],
        }
        for caller in (self.tenant.here, self.tenant.inside["Pod1"]):
            network = caller.make("network", "networks", "network", name=unique("fuzz"))
            subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.77.0.0/16"}
            made["network"].append(network["id"])
            made["subnet"].append(caller.make("network", "subnets", "subnet", **subnet)["id"])
            made["port"].append(caller.make("network", "ports", "port", network_id=network["id"])["id"])
            group = caller.make("network", "security-groups", "security_group", name=unique("fuzz"))
            made["group-id"].append(group["id"])
            made["group"].append(group["name"])
            gone = caller.make("network", "ports", "port", network_id=network["id"])["id"]
            assert caller.delete("network", f"/ports/{gone}") == 204
            made["deleted-port"].append(gone)
        for name, pair in made.items():
            self._know(name, *pair)
        self._know("inner-network", made["network"][1])

    def _run(self) -> None:
        """Servers, volumes and what else a pod has."""
        callers = (self.tenant.here, self.tenant.inside["Pod1"])
        made: dict[str, list[str]] = {}
        for place, caller in enumerate(callers):

            def spelled(name: str, place: int = place) -> str:
                return self._names[name][place]

            for name in ("server", "victim", "deleted-server"):
                body = {
                    "name": name,
                    "flavorRef": spelled("flavor"),
                    "imageRef": spelled("image"),
                    "networks": [{"uuid": spelled("network")}] if name == "server" else "none",
                    "availability_zone": spelled("zone"),
                }
                made.setdefault(name, []).append(caller.make("compute", "servers", "server", **body)["id"])
            for name in ("volume", "victim-volume", "deleted-volume"):
                volume = {"size": 1, "name": name, "availability_zone": spelled("zone")}
                made.setdefault(name, []).append(caller.make("block-storage", "volumes", "volume", **volume)["id"])
            key = caller.make("compute", "os-keypairs", "keypair", name=unique("fuzz"), public_key=KEY)
            made.setdefault("keypair", []).append(key["name"])
            group = {"name": unique("fuzz"), "policy": "anti-affinity"}
            made.setdefault("server-group", []).append(
                caller.make("compute", "os-server-groups", "server_group", **group)["id"]
            )
        for name, pair in made.items():
            self._know(name, *pair)
        for place, caller in enumerate(callers):
            self._settle(caller, made, place)

    def _settle(self, caller: Caller, made: dict[str, list[str]], place: int) -> None:
        for name in ("server", "victim", "deleted-server"):
            until(caller, "compute", f"/servers/{made[name][place]}", "server", "ACTIVE")
        for name in ("volume", "victim-volume", "deleted-volume"):
            until(caller, "block-storage", f"/volumes/{made[name][place]}", "volume", "available")
        for service, path in (
            ("compute", f"/servers/{made['deleted-server'][place]}"),
            ("block-storage", f"/volumes/{made['deleted-volume'][place]}"),
        ):
            assert caller.delete(service, path) in (202, 204)
            eventually(lambda s=service, p=path: caller("GET", s, p).status_code, lambda seen: seen == 404, path)  # type: ignore[misc]
        snapshot = caller.make("block-storage", "snapshots", "snapshot", volume_id=made["volume"][place])
        until(caller, "block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
        first = self._names.get("snapshot", ("", ""))[0]
        self._know("snapshot", first or snapshot["id"], snapshot["id"])

    def _strangers(self) -> None:
        """What another project has, through the doors: in the pod it is the same thing."""
        stranger = self.stranger
        flavor = self._names["flavor"][0]
        body = {"name": "f", "flavorRef": flavor, "imageRef": self._names["image"][0], "networks": "none"}
        server = stranger.here.make("compute", "servers", "server", **body, availability_zone="az1")["id"]
        volume = stranger.volume("az1")["id"]
        self._know("foreign-server", server)
        self._know("foreign-volume", volume)
        pair = [
            caller.make("network", "networks", "network", name=unique("fuzz"))["id"]
            for caller in (stranger.here, stranger.inside["Pod1"])
        ]
        self._know("foreign-network", *pair)
        body = {"name": "fuzz", "disk_format": "raw", "container_format": "bare", "visibility": "private"}
        self._know("foreign-image", stranger.here.good("POST", "image", "/images", body)["id"])


def until(caller: Caller, service: str, path: str, member: str, status: str) -> None:
    """Wait for a thing to be in this state."""

    def look() -> Json:
        found: Json = caller.good("GET", service, path)[member]
        return found

    seen = eventually(look, lambda one: str(one["status"]).lower() in (status.lower(), "error"), path, 180)
    assert str(seen["status"]).lower() == status.lower(), json.dumps(seen)


def _side(url: str, prefix: str, tokens: dict[str, str]) -> Side:
    parts = urlsplit(url)
    return Side(host=str(parts.hostname), port=int(parts.port or 80), root=parts.path, prefix=prefix, tokens=tokens)


@contextmanager
def world(region: Region) -> Iterator[World]:
    """The world; nothing is left of it."""
    tenant, stranger = Tenant(region), Tenant(region)
    made = World(region, tenant, stranger)
    try:
        yield made
    finally:
        clear(made.region, (tenant, stranger))
        for one in (tenant, stranger):
            one.sweep()
