# SPDX-License-Identifier: Apache-2.0
"""Which servers' usage is on one page (2.40 and later), and what does it add up to? Pure.

Nova orders servers by project and id. A client that asks page after page adds them up itself and ends when a page has
no servers: so a page holds those behind its marker, and no others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.errors import InvalidRequestError

Usage = dict[str, object]

#: Totals of a project, and what of a server is multiplied with its hours; nothing: the hours alone.
_TOTALS = {
    "total_local_gb_usage": "local_gb",
    "total_vcpus_usage": "vcpus",
    "total_memory_mb_usage": "memory_mb",
    "total_hours": None,
}
_SERVERS = "server_usages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a client asks for. ``limit`` 0: all."""

    limit: int
    marker: str | None
    is_detailed: bool

    def of(self, whole: Sequence[Usage]) -> tuple[list[Usage], str | None]:
        """This page of all projects' detailed usages, and the next one's marker if there is one to be asked for.

        :raises InvalidRequestError: nobody knows the marker (Nova's words)
        """
        rows = sorted(
            ((usage, server) for usage in whole for server in _servers_of(usage)),
            key=lambda row: (str(row[0].get("tenant_id")), _id_of(row[1])),
        )
        if self.marker is not None:
            places = [place for place, (_, server) in enumerate(rows) if _id_of(server) == self.marker]
            if not places:
                raise InvalidRequestError(f"Marker {self.marker} could not be found.")
            rows = rows[places[0] + 1 :]
        is_full = 0 < self.limit <= len(rows)
        rows = rows[: self.limit] if self.limit else rows
        usages: dict[str, Usage] = {}
        for usage, server in rows:
            self._add(usages.setdefault(str(usage.get("tenant_id")), self._empty(usage)), server)
        return list(usages.values()), _id_of(rows[-1][1]) if is_full else None

    def _empty(self, usage: Usage) -> Usage:
        started: Usage = {name: value for name, value in usage.items() if name != _SERVERS}
        return {**started, **dict.fromkeys(_TOTALS, 0.0), **({_SERVERS: []} if self.is_detailed else {})}

    def _add(self, usage: Usage, server: Mapping[str, object]) -> None:
        hours = _number(server.get("hours"))
        for total, factor in _TOTALS.items():
            amount = hours if factor is None else hours * _number(server.get(factor))
            usage[total] = _number(usage[total]) + amount
        if isinstance(servers := usage.get(_SERVERS), list):
            servers.append(server)


def _servers_of(usage: Usage) -> list[Mapping[str, object]]:
    servers = usage.get(_SERVERS)
    return [server for server in servers if isinstance(server, dict)] if isinstance(servers, list) else []


def _id_of(server: Mapping[str, object]) -> str:
    return str(server.get("instance_id"))


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
