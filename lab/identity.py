# SPDX-License-Identifier: Apache-2.0
"""Who may use the lab, and what stands in its catalog: regions, projects, users, roles, endpoints.

Every step looks first, so that it can be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from lab.rest import Json, Rest, sign_in
from lab.topology import CENTRAL_REGION, PASSWORD, Lab, Pod

Item = TypeVar("Item")

AT_ONCE = 4
INTERFACES = ("public", "internal", "admin")
SERVICE_USERS = ("nova", "neutron", "cinder", "glance", "placement", "tricircle")
PROJECTS = ("service", "demo", "alt")
ROLES = ("manager", "member", "reader", "service")

# Type and name of every service of a pod.
_POD_TYPES = {
    "compute": "nova",
    "network": "neutron",
    "block-storage": "cinder",
    "volumev3": "cinderv3",
    "image": "glance",
    "placement": "placement",
    "identity": "keystone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role of one user on one project."""

    user: str
    project: str
    role: str


def grants() -> list[Grant]:
    """All role assignments of the lab."""
    made = [Grant(user="admin", project=project, role="admin") for project in ("admin", "demo", "alt")]
    for user in ("demo", "alt"):
        made += [Grant(user=user, project=user, role=role) for role in ("member", "reader")]
    for user in SERVICE_USERS:
        made += [Grant(user=user, project="service", role=role) for role in ("admin", "service")]
    return made


def pod_endpoints(lab: Lab, pod: Pod) -> dict[str, str]:
    """Service type -> address in the pod's region.

    Keystone is there too: a client that is told to use a region looks for it in that region.
    """
    volume = f"{pod.url('cinder')}/v3/%(project_id)s"
    return {
        "compute": f"{pod.url('nova')}/v2.1",
        "network": pod.url("neutron"),
        "block-storage": volume,
        "volumev3": volume,
        "image": lab.glance_of(pod),
        "placement": pod.url("placement"),
        "identity": lab.keystone,
    }


def direct_endpoints(lab: Lab) -> dict[str, str]:
    """Service type -> address in the central region while nothing of tricircle stands before it."""
    volume = f"{lab.url('cinder')}/v3/%(project_id)s"
    return {
        "compute": f"{lab.url('nova')}/v2.1",
        "network": lab.url("neutron"),
        "block-storage": volume,
        "volumev3": volume,
        "image": lab.url("glance"),
    }


def all_endpoints(lab: Lab) -> dict[str, dict[str, str]]:
    """Region -> service type -> address of everything that the lab itself registers."""
    regions = {pod.region: pod_endpoints(lab, pod) for pod in lab.pods}
    return regions if lab.tricircle else {**regions, CENTRAL_REGION: direct_endpoints(lab)}


def digest(lab: Lab) -> str:
    """Changes when Keystone shall hold something else."""
    wanted = {
        "keystone": lab.keystone,
        "endpoints": all_endpoints(lab),
        "services": _POD_TYPES,
        "grants": [(grant.user, grant.project, grant.role) for grant in grants()],
    }
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:12]


def populate(lab: Lab) -> None:
    """Make everything that is missing. Keystone must be bootstrapped and answer."""
    keystone = Keystone(lab)
    keystone.ensure_regions(lab.pods)
    keystone.ensure_users()
    keystone.ensure_services(_POD_TYPES)
    for region, addresses in all_endpoints(lab).items():
        keystone.ensure_endpoints(region, addresses)


@dataclass(slots=True)
class Keystone:
    """The identity API as an administrator sees it."""

    lab: Lab
    _rest: Rest = field(init=False)
    _url: str = field(init=False)

    def __post_init__(self) -> None:
        self._url = self.lab.keystone
        self._rest = sign_in(self._url, "admin", "admin")

    def ensure_regions(self, pods: Iterable[Pod]) -> None:
        present = {region["id"] for region in self._list("regions")}
        for pod in pods:
            if pod.region not in present:
                body = {"id": pod.region, "parent_region_id": CENTRAL_REGION}
                self._rest.post(f"{self._url}/regions", {"region": body})

    def ensure_users(self) -> None:
        """Projects, users, roles and the assignments between them."""
        projects = self._ensure_named("projects", PROJECTS, domain_id="default")
        users = ("demo", "alt", *SERVICE_USERS)
        ids = self._ensure_named("users", users, domain_id="default", password=PASSWORD)
        roles = self._ensure_named("roles", ROLES)
        present = {
            (row["user"]["id"], row["scope"]["project"]["id"], row["role"]["id"])
            for row in self._list("role_assignments")
            if "user" in row and "project" in row["scope"]
        }
        missing = [
            key
            for grant in grants()
            if (key := (ids[grant.user], projects[grant.project], roles[grant.role])) not in present
        ]
        _in_parallel(self._grant, missing)

    def ensure_services(self, names: dict[str, str]) -> None:
        """One service of every type."""
        present = {service["type"] for service in self._list("services")}
        missing = [{"type": kind, "name": name} for kind, name in names.items() if kind not in present]
        _in_parallel(lambda body: self._rest.post(f"{self._url}/services", {"service": body}), missing)

    def ensure_endpoints(self, region: str, addresses: dict[str, str]) -> None:
        """All interfaces of every service type in one region; a changed address is replaced."""
        services = {service["type"]: service["id"] for service in self._list("services")}
        present = {
            (endpoint["service_id"], endpoint["interface"]): endpoint
            for endpoint in self._list(f"endpoints?region_id={region}")
        }
        missing = []
        for kind, url in addresses.items():
            for interface in INTERFACES:
                endpoint = present.get((services[kind], interface))
                if endpoint is not None and endpoint["url"] == url:
                    continue
                if endpoint is not None:
                    self._rest.delete(f"{self._url}/endpoints/{endpoint['id']}")
                body = {"service_id": services[kind], "interface": interface, "url": url}
                missing.append({**body, "region_id": region})
        _in_parallel(lambda body: self._rest.post(f"{self._url}/endpoints", {"endpoint": body}), missing)

    def _grant(self, key: tuple[str, str, str]) -> None:
        user, project, role = key
        self._rest.put(f"{self._url}/projects/{project}/users/{user}/roles/{role}")

    def _list(self, path: str) -> list[Json]:
        kind = path.split("?", maxsplit=1)[0]
        rows: list[Json] = self._rest.get(f"{self._url}/{path}")[kind]
        return rows

    def _ensure_named(self, kind: str, names: Iterable[str], **facts: str) -> dict[str, str]:
        """Ids by name of everything of a kind, those missing made with these facts."""
        ids = {str(row["name"]): str(row["id"]) for row in self._list(kind)}

        def make(name: str) -> None:
            single = kind.removesuffix("s")
            made = self._rest.post(f"{self._url}/{kind}", {single: {"name": name, **facts}})
            ids[name] = made[single]["id"]

        _in_parallel(make, [name for name in names if name not in ids])
        return ids


def _in_parallel(work: Callable[[Item], object], items: Iterable[Item]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, items))
