# SPDX-License-Identifier: Apache-2.0
"""What is really in a pod, as its operator sees it?"""

from pathlib import Path
from typing import Any

import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

MARK = "tricircle:"


class PodBehind:
    """One pod of the lab, asked directly with its administrator's account."""

    def __init__(self, name: str, clouds: Path) -> None:
        self.name = name
        cloud = yaml.safe_load(clouds.read_text())["clouds"][name]
        self._session = Session(auth=v3.Password(**cloud["auth"]))
        self._session.session.trust_env = False
        self._region = cloud["region_name"]
        # What others left or are using is not this walk's business.
        self._before: set[str] = set()
        self._before = {row["id"] for rows in self.marked().values() for row in rows}

    def _get(self, service: str, path: str, key: str, **headers: str) -> Any:
        adapter = Adapter(self._session, service_type=service, region_name=self._region, interface="public")
        answer = adapter.get(path, headers=headers, raise_exc=False)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()[key]

    def server(self, server_id: str) -> Any:
        """The server with all fields, or None."""
        return self._get("compute", f"/servers/{server_id}", "server", **{"OpenStack-API-Version": "compute 2.79"})

    def volume(self, volume_id: str) -> Any:
        """The volume, or None."""
        return self._get("block-storage", f"/volumes/{volume_id}", "volume")

    def marked(self) -> dict[str, list[dict[str, Any]]]:
        """What came into the pod's Neutron since this object was made and carries our mark, by collection; empty
        collections are left out."""
        found = {}
        for collection in ("networks", "subnets", "ports", "security_groups", "routers"):
            rows = self._get("network", f"/v2.0/{collection.replace('_', '-')}", collection)
            if mine := [row for row in rows if self._is_new_copy(row)]:
                found[collection] = mine
        return found

    def _is_new_copy(self, row: dict[str, Any]) -> bool:
        return (row.get("description") or "").startswith(MARK) and row["id"] not in self._before

    def marked_but_default_groups(self) -> dict[str, list[dict[str, Any]]]:
        """What carries our mark, without copies of ``default`` groups: these live as long as their projects."""
        found = self.marked()
        groups = [group for group in found.pop("security_groups", []) if not group["name"].startswith("tricircle-")]
        return found | ({"security_groups": groups} if groups else {})

    def network_named(self, name: str) -> list[dict[str, Any]]:
        """Networks of that name."""
        rows: list[dict[str, Any]] = self._get("network", f"/v2.0/networks?name={name}", "networks")
        return rows

    def flavors_named(self, name: str) -> list[dict[str, Any]]:
        """Flavors whose name is, or ends with, ``name``."""
        rows: list[dict[str, Any]] = self._get("compute", "/flavors/detail?is_public=None", "flavors")
        return [row for row in rows if row["name"].endswith(name)]
