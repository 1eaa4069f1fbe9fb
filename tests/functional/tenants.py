# SPDX-License-Identifier: Apache-2.0
"""A project of a test module's own, so that the module can tell what it left behind, and lists hold what it made."""

from contextlib import suppress

import requests

from lab.topology import PASSWORD
from tests.functional.region_world import Caller, Json, Region, at_once, eventually, ids, sign_in, unique

#: In the order in which they can go: a trunk holds its ports.
_NETWORKING = ("trunks", "ports", "networks", "security-groups", "address-groups", "qos/policies")
_LIMITS = (("compute", "/os-quota-sets"), ("block-storage", "/os-quota-sets"), ("network", "/quotas"))


class Tenant:
    """A project with one user, made for one module of tests, and all that belongs to it anywhere.

    :ivar here: the user at the doors
    :ivar inside: the same token past the doors, by pod; ``RegionOne`` is the centre
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.name = unique("fn-project")
        admin = region.admin
        project = admin.make("identity", "projects", "project", name=self.name, domain_id="default")
        user = admin.make("identity", "users", "user", name=self.name, password=PASSWORD, domain_id="default")
        self.project_id, self.user_id = str(project["id"]), str(user["id"])
        for role in ("member", "reader"):
            (known,) = admin.list("identity", "roles", name=role)
            path = f"/projects/{self.project_id}/users/{self.user_id}/roles/{known['id']}"
            admin.good("PUT", "identity", path)
        self.here = self.sign_in()
        behind = {name: caller.roots for name, caller in region.pods.items()} | {"RegionOne": region.centre.roots}
        self.inside = {name: region.elsewhere(self.here, roots) for name, roots in behind.items()}

    def sign_in(self) -> Caller:
        """The user with one more token."""
        return sign_in(self.region.identity, self.name, PASSWORD, {"id": self.project_id}, self.region.doors)

    def boot(self, zone: str | None = None, **fields: object) -> requests.Response:
        """What is answered to a boot; without ``networks`` the server has none."""
        server = {"name": unique(), "networks": "none", **fields}
        if zone is not None:
            server["availability_zone"] = zone
        return self.here("POST", "compute", "/servers", {"server": server})

    def booted(self, zone: str | None = None, **fields: object) -> str:
        """The id of a server whose boot was accepted."""
        answer = self.boot(zone, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    def active(self, server_id: str) -> Json:
        """A server once it is ACTIVE."""
        return self.reached("compute", f"/servers/{server_id}", "server", "ACTIVE")

    def reached(self, service: str, path: str, member: str, status: str) -> Json:
        """A thing once it has a status."""

        def look() -> Json:
            found: Json = self.here.good("GET", service, path)[member]
            return found

        return eventually(look, lambda seen: str(seen["status"]) in (status, "ERROR", "error"), f"{path} {status}")

    def volume(self, zone: str | None = None, **fields: object) -> Json:
        """A volume that is ready."""
        wanted = {"size": 1, "name": unique(), **({"availability_zone": zone} if zone else {}), **fields}
        made = self.here.make("block-storage", "volumes", "volume", **wanted)
        return self.reached("block-storage", f"/volumes/{made['id']}", "volume", "available")

    def network(self, cidr: str = "10.31.0.0/24", **fields: object) -> Json:
        """A network with a subnet."""
        network = self.here.make("network", "networks", "network", **{"name": unique(), **fields})
        values = {"network_id": network["id"], "ip_version": 4, "cidr": cidr, "name": unique()}
        subnet = self.here.make("network", "subnets", "subnet", **values)
        return {**network, "subnets": [subnet["id"]]}

    def gone(self, service: str, path: str) -> None:
        """Delete a thing and wait until it is not there any more."""
        status = self.here.delete(service, path)
        assert status in (202, 204, 404), (path, status)
        eventually(lambda: self.here("GET", service, path).status_code, lambda seen: seen == 404, f"{path} gone")

    def traces(self) -> dict[str, list[str]]:
        """Ids of all that runs, and of all ports and networks, by place and collection; empty collections are left
        out."""
        places: dict[str, Caller] = {**self.region.pods, "RegionOne": self.region.centre}
        mine = {"project_id": self.project_id}
        found: dict[str, list[str]] = {}
        for place, operator in places.items():
            for collection in ("networks", "ports", "subnets"):
                found[f"{place} {collection}"] = ids(operator.list("network", collection, **mine))
            if place == "RegionOne":
                continue
            everywhere = {"all_tenants": "1", **mine}
            found[f"{place} servers"] = ids(operator.list("compute", "servers", **everywhere))
            for collection in ("volumes", "snapshots"):
                found[f"{place} {collection}"] = ids(operator.list("block-storage", collection, **everywhere))
        return {key: value for key, value in found.items() if value}

    def sweep(self) -> None:
        """Delete everything of the project, and the project."""
        here, admin = self.here, self.region.admin
        self._sweep_all("compute", "servers")
        for collection in ("snapshots", "volumes"):
            self._sweep_all("block-storage", collection)
        for pair in here.list("compute", "os-keypairs"):
            here.delete("compute", f"/os-keypairs/{pair['keypair']['name']}")
        for group in here.list("compute", "os-server-groups"):
            here.delete("compute", f"/os-server-groups/{group['id']}")
        self._sweep_networking()
        self._sweep_limits()
        for binding in self.region.operate("GET", "/bindings").json()["pod_bindings"]:
            if binding["tenant_id"] == self.project_id:
                self.region.operate("DELETE", f"/bindings/{binding['id']}")
        admin.delete("identity", f"/users/{self.user_id}")
        admin.delete("identity", f"/projects/{self.project_id}")

    def _sweep_all(self, service: str, collection: str) -> None:
        # What is busy refuses to go; a moment later it goes.
        for _ in range(3):
            paths = [f"/{collection}/{thing['id']}" for thing in self.here.list(service, collection)]
            at_once([lambda path=path: self.here.delete(service, path) for path in paths])  # type: ignore[misc]
            with suppress(AssertionError):
                eventually(lambda: self.here.list(service, collection), lambda left: not left, f"no {collection}", 60)
                return

    def _sweep_networking(self) -> None:
        def left() -> dict[str, list[str]]:
            # What something else holds still refuses to go, and a copy that is made meanwhile brings a default group
            # of the pod's with it; a moment later it goes.
            self._delete_networking()
            self._delete_default_groups()
            return self._networking()

        eventually(left, lambda seen: not seen, f"nothing of {self.name} is left")

    def _delete_default_groups(self) -> None:
        """Those that a pod made by itself for a call past the doors, or for a port."""
        for operator in self.region.pods.values():
            for group in operator.list("network", "security-groups", name="default"):
                if group["project_id"] == self.project_id:
                    operator.delete("network", f"/security-groups/{group['id']}")

    def _delete_networking(self) -> None:
        for collection in _NETWORKING:
            for thing_id in self._belonging(self.region.centre, collection):
                self.region.admin.delete("network", f"/{collection}/{thing_id}")

    def _sweep_limits(self) -> None:
        for operator in (self.region.centre, *self.region.pods.values()):
            for service, path in _LIMITS:
                operator.delete(service, f"{path}/{self.project_id}")

    def _networking(self) -> dict[str, list[str]]:
        places = {**self.region.pods, "RegionOne": self.region.centre}
        found = {
            f"{place} {collection}": self._belonging(operator, collection)
            for place, operator in places.items()
            for collection in _NETWORKING
        }
        return {key: value for key, value in found.items() if value}

    def _belonging(self, operator: Caller, collection: str) -> list[str]:
        # No filter by project: Neutron would make a default group for whoever is asked about.
        if operator("GET", "network", f"/{collection}").status_code == 404:
            return []  # a pod that does not know them
        things = operator.list("network", collection)
        return [str(thing["id"]) for thing in things if thing["project_id"] == self.project_id]
