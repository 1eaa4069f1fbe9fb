# SPDX-License-Identifier: Apache-2.0
"""What is really in a pod, as its operator sees it?"""

from pathlib import Path
from typing import Any

import openstack

MARK = "tricircle:"


class PodBehind:
    """One pod of the lab, asked directly with its administrator's account."""

    def __init__(self, name: str, clouds: Path) -> None:
        self.name = name
        config = openstack.config.OpenStackConfig(config_files=[str(clouds)])
        self._cloud = openstack.connection.Connection(config=config.get_one(cloud=name))

    def _get(self, service: str, path: str, key: str, **headers: str) -> Any:
        answer = getattr(self._cloud, service).get(path, headers=headers)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()[key]

    def server(self, server_id: str) -> Any:
        """The server with all fields, or None."""
        return self._get("compute", f"/servers/{server_id}", "server", **{"OpenStack-API-Version": "compute 2.79"})

    def volume(self, volume_id: str) -> Any:
        """The volume, or None."""
        return self._get("block_storage", f"/volumes/{volume_id}", "volume")

    def marked(self) -> dict[str, list[dict[str, Any]]]:
        """Everything in the pod's Neutron that carries our mark, by collection; empty collections are left out."""
        found = {}
        for collection in ("networks", "subnets", "ports", "security_groups", "routers"):
            rows = self._get("network", f"/{collection.replace('_', '-')}", collection)
            if mine := [row for row in rows if (row.get("description") or "").startswith(MARK)]:
                found[collection] = mine
        return found

    def network_named(self, name: str) -> list[dict[str, Any]]:
        """Networks of that name."""
        rows: list[dict[str, Any]] = self._get("network", f"/networks?name={name}", "networks")
        return rows

    def flavors_named(self, name: str) -> list[dict[str, Any]]:
        """Flavors whose name is, or ends with, ``name``."""
        rows: list[dict[str, Any]] = self._get("compute", "/flavors/detail?is_public=None", "flavors")
        return [row for row in rows if row["name"].endswith(name)]
