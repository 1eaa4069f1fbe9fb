# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova show operators: its one host, services, aggregates?"""

import itertools
import uuid
from collections.abc import Callable, Sequence

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route


class Services:
    """Services of the control plane and of the one host.

    :param hosts: hosts that run servers
    :param zone: the AZ that they are in
    """

    def __init__(self, hosts: Callable[[], Sequence[str]], control_host: str, zone: str) -> None:
        self._hosts = hosts
        self._control_host = control_host
        self._zone = zone
        self._disabled: dict[str, str | None] = {}

    def routes(self) -> Sequence[Route]:
        """Paths of services."""
        return [
            route("GET", "/os-services", self._list),
            route("PUT", "/os-services/{service_id}", self._change),
        ]

    def _all(self, asked: Asked) -> list[Json]:
        known = [("nova-scheduler", self._control_host, "internal"), ("nova-conductor", self._control_host, "internal")]
        known += [("nova-compute", host, self._zone) for host in self._hosts()]
        return [self._shown(asked, number, one) for number, one in enumerate(known, 1)]

    def _shown(self, asked: Asked, number: int, service: tuple[str, str, str]) -> Json:
        binary, host, zone = service
        shown = {
            "id": number, "binary": binary, "host": host, "zone": zone, "state": "up",
            "status": "disabled" if host in self._disabled and binary == "nova-compute" else "enabled",
            "disabled_reason": self._disabled.get(host), "forced_down": False,
        }  # fmt: skip
        if asked.version >= (2, 53):
            shown["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{id(self)}/{binary}/{host}"))
        return shown

    def _list(self, asked: Asked) -> Said:
        asked.need_admin("os_compute_api:os-services:list")
        wanted = {key: value for key in ("host", "binary") if (value := asked.one(key)) is not None}
        shown = [one for one in self._all(asked) if all(one[key] == value for key, value in wanted.items())]
        return Said(body={"services": shown})

    def _change(self, asked: Asked, service_id: str) -> Said:
        asked.need_admin("os_compute_api:os-services:update")
        given = asked.json()
        if asked.version < (2, 53):
            if given["host"] not in self._hosts():
                raise Refusal(404, f"Host '{given['host']}' is not mapped to any cell")
            self._set(given["host"], f"{service_id}d", None)
            return Said(body={"service": {"host": given["host"], "binary": "nova-compute", "status": f"{service_id}d"}})
        found = next((one for one in self._all(asked) if one["id"] == service_id), None)
        if found is None:
            raise Refusal(404, f"Service {service_id} could not be found.")
        if not given.keys() & {"status", "forced_down"}:
            raise Refusal(400, "No updates were requested. Fields 'status' or 'forced_down' should be specified.")
        self._set(found["host"], str(given.get("status", found["status"])), given.get("disabled_reason"))
        return Said(body={"service": next(one for one in self._all(asked) if one["id"] == service_id)})

    def _set(self, host: str, status: str, reason: str | None) -> None:
        if status == "disabled":
            self._disabled[host] = reason
        else:
            self._disabled.pop(host, None)


class Aggregates:
    """Host aggregates; only operators see them."""

    def __init__(self, hosts: Callable[[], Sequence[str]]) -> None:
        self.stored: dict[str, Json] = {}
        self._hosts = hosts
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Paths of aggregates."""
        return [
            route("GET", "/os-aggregates", self._list),
            route("POST", "/os-aggregates", self._create),
            route("GET", "/os-aggregates/{aggregate_id}", self._show),
            route("PUT", "/os-aggregates/{aggregate_id}", self._update),
            route("DELETE", "/os-aggregates/{aggregate_id}", self._delete),
            route("POST", "/os-aggregates/{aggregate_id}/action", self._act),
        ]

    def _list(self, asked: Asked) -> Said:
        asked.need_admin("os_compute_api:os-aggregates:index")
        return Said(body={"aggregates": list(self.stored.values())})

    def _create(self, asked: Asked) -> Said:
        asked.need_admin("os_compute_api:os-aggregates:create")
        given = asked.part("aggregate")
        if any(one["name"] == given["name"] for one in self.stored.values()):
            raise Refusal(409, f"Aggregate {given['name']} already exists.")
        zone = given.get("availability_zone")
        made = {
            "id": next(self._numbers), "uuid": new_id(), "name": given["name"], "availability_zone": zone,
            "hosts": [], "metadata": {"availability_zone": zone} if zone else {}, "deleted": False,
        }  # fmt: skip
        self.stored[str(made["id"])] = made
        return Said(body={"aggregate": made})

    def _get(self, asked: Asked, aggregate_id: str) -> Json:
        asked.need_admin("os_compute_api:os-aggregates:show")
        if aggregate_id not in self.stored:
            raise Refusal(404, f"Aggregate {aggregate_id} could not be found.")
        return self.stored[aggregate_id]

    def _show(self, asked: Asked, aggregate_id: str) -> Said:
        return Said(body={"aggregate": self._get(asked, aggregate_id)})

    def _update(self, asked: Asked, aggregate_id: str) -> Said:
        found = self._get(asked, aggregate_id)
        given = asked.part("aggregate")
        found |= given
        if "availability_zone" in given:
            found["metadata"] |= {"availability_zone": given["availability_zone"]}
        return Said(body={"aggregate": found})

    def _delete(self, asked: Asked, aggregate_id: str) -> Said:
        if self._get(asked, aggregate_id)["hosts"]:
            text = f"Cannot remove host from aggregate {aggregate_id}. Reason: Host aggregate is not empty."
            raise Refusal(400, text)
        del self.stored[aggregate_id]
        return Said()

    def _act(self, asked: Asked, aggregate_id: str) -> Said:
        asked.need_admin("os_compute_api:os-aggregates:set_metadata")
        action, given = next(iter(asked.json().items()))
        if action == "add_host":
            return self._add(asked, aggregate_id, given["host"])
        found = self._get(asked, aggregate_id)
        if action == "remove_host":
            if given["host"] not in found["hosts"]:
                raise Refusal(404, f"Cannot remove host {given['host']} in aggregate {aggregate_id}")
            found["hosts"].remove(given["host"])
        else:
            found["metadata"] |= given.get("metadata", {})
            found["availability_zone"] = found["metadata"].get("availability_zone")
        return Said(body={"aggregate": found})

    def _add(self, asked: Asked, aggregate_id: str, host: str) -> Said:
        if host not in self._hosts():
            raise Refusal(404, f"Compute host {host} could not be found.")
        found = self._get(asked, aggregate_id)
        if host in found["hosts"]:
            raise Refusal(409, f"Aggregate {aggregate_id} already has host {host}.")
        found["hosts"].append(host)
        return Said(body={"aggregate": found})

    def zone_names(self) -> list[str]:
        """The AZs that aggregates with hosts make."""
        return sorted(
            {one["availability_zone"] for one in self.stored.values() if one["availability_zone"] and one["hosts"]}
        )
