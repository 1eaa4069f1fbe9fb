# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder show of its hosts, and how is what lies on one managed?"""

from collections.abc import Sequence
from typing import Protocol

from tricircle.testing.block_storage.volume_types import VolumeTypes
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, route


class Owner(Protocol):
    """What hosts ask of the fake Cinder."""

    zone: str
    host: str
    volumes: dict[str, Json]
    types: VolumeTypes

    def manage(self, asked: Asked, given: Json, size: int) -> Json:
        """A volume of something that was there before, as it is shown."""
        ...


class VolumeHosts:
    """Services, hosts, pools and capabilities; what Cinder left of volumes can be managed again."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.disabled: set[str] = set()
        #: Sizes of what nobody manages, by name.
        self.left: dict[str, int] = {}

    def routes(self) -> Sequence[Route]:
        """Paths of operators."""
        return [
            route("GET", "/scheduler-stats/get_pools", self._pools),
            route("GET", "/os-services", self._services),
            route("PUT", "/os-services/enable", self._switch),
            route("PUT", "/os-services/disable", self._switch),
            route("PUT", "/os-services/get-log", self._levels),
            route("GET", "/os-hosts", self._hosts),
            route("GET", "/os-hosts/{host}", self._host),
            route("GET", "/capabilities/{host}", self._capabilities),
            route("GET", "/manageable_volumes", self._manageable),
            route("POST", "/manageable_volumes", self._manage),
        ]

    @property
    def backend(self) -> str:
        """The host without its pool."""
        return self._owner.host.partition("#")[0]

    def leave(self, volume_id: str) -> None:
        """Forget a volume; its data stays."""
        self.left[f"volume-{volume_id}"] = self._owner.volumes.pop(volume_id)["size"]

    def _places(self) -> dict[str, str]:
        return {"cinder-scheduler": self.backend.partition("@")[0], "cinder-volume": self.backend}

    def _pools(self, asked: Asked) -> Said:
        asked.need_admin("scheduler_extension:scheduler_stats:get_pools")
        kind = self._owner.types.wanted(asked, asked.one("volume_type")) if asked.version >= (3, 35) else None
        backend_name = self._owner.host.partition("@")[2].partition("#")[0]
        is_fitting = kind is None or kind["extra_specs"].get("volume_backend_name") in (None, backend_name)
        return Said(body={"pools": [{"name": self._owner.host}] if is_fitting else []})

    def _services(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:services:index")
        shown = [
            {"binary": binary, "host": place, "zone": self._owner.zone, "state": "up",
             "status": "disabled" if binary in self.disabled else "enabled"}
            for binary, place in self._places().items()
        ]  # fmt: skip
        host = asked.one("host")
        mine = [one for one in shown if asked.one("binary") in (None, one["binary"])]
        return Said(body={"services": [one for one in mine if host in (None, one["host"], one["host"].split("@")[0])]})

    def _switch(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:services:update")
        body = asked.json()
        if not body.get("host"):
            raise Refusal(400, "Invalid input received: Host field is missing.")
        if self._places().get(body.get("binary", "")) != body["host"]:
            raise Refusal(404, f"Service {body.get('binary')} could not be found on host {body['host']}.")
        is_disabled = asked.path.endswith("disable")
        (self.disabled.add if is_disabled else self.disabled.discard)(body["binary"])
        status = "disabled" if is_disabled else "enabled"
        said = {"host": body["host"], "service": "", "binary": body["binary"], "status": status}
        return Said(body={**said, "disabled": is_disabled})

    def _levels(self, asked: Asked) -> Said:
        if asked.version < (3, 32):
            raise Refusal(404, "The resource could not be found.")
        asked.need_admin("volume_extension:services:update")
        body = asked.json()
        levels = [
            {"host": place, "binary": binary, "levels": {str(body.get("prefix")): "INFO"}}
            for binary, place in self._places().items()
            if body.get("binary") in (None, "", "*", binary) and body.get("server") in (None, "", place)
        ]
        return Said(body={"log_levels": levels})

    def _hosts(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:hosts")
        shown = [
            {"host_name": place, "service": binary, "zone": self._owner.zone, "service-status": "available",
             "service-state": "enabled"}
            for binary, place in self._places().items()
        ]  # fmt: skip
        return Said(body={"hosts": [one for one in shown if asked.one("zone") in (None, one["zone"])]})

    def _host(self, asked: Asked, host: str) -> Said:
        if host != self.backend:
            raise Refusal(404, f"Service cinder-volume could not be found on host {host}.")
        asked.need_admin("volume_extension:hosts")
        total = {"host": host, "project": "(total)", "volume_count": str(len(self._owner.volumes))}
        return Said(body={"host": [{"resource": total}]})

    def _capabilities(self, asked: Asked, host: str) -> Said:
        asked.need_admin("volume_extension:capabilities")
        if host != self.backend:
            raise Refusal(404, f"Can't find service: {host}")
        return Said(body={"namespace": f"OS::Storage::Capabilities::{host}", "vendor_name": "Open Source"})

    def _manageable(self, asked: Asked) -> Said:
        self._need_host(asked, asked.one("host"), "volume_extension:list_manageable")
        shown = [{"reference": {"source-name": name}, "size": size, "safe_to_manage": True}
                 for name, size in self.left.items()]  # fmt: skip
        return Said(body={"manageable-volumes": shown})

    def _manage(self, asked: Asked) -> Said:
        given = asked.part("volume")
        self._need_host(asked, given.get("host"), "volume_extension:volume_manage")
        name = given["ref"]["source-name"]
        return Said(status=202, body={"volume": self._owner.manage(asked, given, self.left.pop(name))})

    def _need_host(self, asked: Asked, host: str | None, rule: str) -> None:
        if asked.version < (3, 8):
            raise Refusal(404, "The resource could not be found.")
        asked.need_admin(rule)
        if not host:
            raise Refusal(400, "Invalid input received: One and only one of cluster and host must be set.")
        if host.partition("#")[0] != self.backend:
            raise Refusal(404 if asked.method == "GET" else 503, f"Host '{host}' not found")
