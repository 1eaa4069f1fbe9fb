# SPDX-License-Identifier: Apache-2.0
"""What does the fake Placement do? One host with a fixed size; what servers take comes from the fake Nova."""

import re
from collections.abc import Sequence

from tricircle.testing.compute.nova import Nova
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route

_TOTALS = {"VCPU": 1000, "MEMORY_MB": 800_000, "DISK_GB": 600_000}
_FIELDS = {"VCPU": "vcpus", "MEMORY_MB": "ram", "DISK_GB": "disk"}


class Placement:
    """The fake placement service of one pod."""

    name = "placement"
    public = re.compile(r"/?")

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.totals = dict(_TOTALS)
        self.host_id = new_id()

    def routes(self) -> Sequence[Route]:
        """Placement's paths."""
        provider = "/resource_providers/{provider_id}"
        return [
            route("GET", "/", self._versions),
            route("GET", "/resource_providers", self._providers),
            route("GET", f"{provider}/inventories", self._inventories),
            route("GET", f"{provider}/usages", self._provider_usages),
            route("GET", "/allocation_candidates", self._candidates),
            route("GET", "/usages", self._usages),
        ]

    def understand(self, asked: Asked) -> str:
        """No version in the path."""
        return asked.path

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """Placement's form of an error."""
        error = {"status": refusal.status, "title": "Error", "detail": refusal.message}
        return Said(status=refusal.status, body={"errors": [error]}, headers=refusal.headers)

    def finish(self, asked: Asked, said: Said) -> Said:
        """The version in effect, in lower case."""
        named = asked.headers.get("openstack-api-version", "placement 1.0")
        said.headers |= {"openstack-api-version": named, "vary": "openstack-api-version"}
        return said

    def _versions(self, asked: Asked) -> Said:
        version = {"id": "v1.0", "max_version": "1.39", "min_version": "1.0", "status": "CURRENT"}
        return Said(body={"versions": [{**version, "links": [{"rel": "self", "href": ""}]}]})

    def _providers(self, asked: Asked) -> Said:
        return Said(body={"resource_providers": [{"uuid": self.host_id, "name": self.nova.host, "generation": 1}]})

    def _inventories(self, asked: Asked, provider_id: str) -> Said:
        made = {name: {"total": total, "reserved": 0, "allocation_ratio": 1.0} for name, total in self.totals.items()}
        return Said(body={"inventories": made, "resource_provider_generation": 1})

    def _provider_usages(self, asked: Asked, provider_id: str) -> Said:
        return Said(body={"usages": self._used(None), "resource_provider_generation": 1})

    def _usages(self, asked: Asked) -> Said:
        return Said(body={"usages": self._used(asked.one("project_id"))})

    def _candidates(self, asked: Asked) -> Said:
        wanted: Json = {}
        for part in (asked.one("resources") or "").split(","):
            name, _, amount = part.partition(":")
            wanted[name] = int(amount or 0)
        used = self._used(None)
        fits = all(used.get(name, 0) + amount <= self.totals.get(name, 0) for name, amount in wanted.items())
        made = [{"allocations": {self.host_id: {"resources": wanted}}}] if fits else []
        return Said(body={"allocation_requests": made, "provider_summaries": {}})

    def _used(self, project_id: str | None) -> dict[str, int]:
        mine = [one["_flavor"] for one in self.nova.servers.values() if project_id in (None, one["_project"])]
        return {name: sum(int(flavor[field]) for flavor in mine) for name, field in _FIELDS.items()}
