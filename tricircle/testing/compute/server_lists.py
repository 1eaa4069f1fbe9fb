# SPDX-License-Identifier: Apache-2.0
"""Which servers does the fake Nova list, and in which order? Also those that were deleted, for who asks for changes."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from tricircle.testing.compute.declared import marker_refusal
from tricircle.testing.exchange import Asked, Json, Refusal
from tricircle.testing.lists import Manner, matching

_SORT_KEYS = {
    "created_at": "created", "display_name": "name", "name": "name", "uuid": "id", "updated_at": "updated",
    "vm_state": "status", "key_name": "key_name", "user_id": "user_id", "project_id": "_project",
    "availability_zone": "_number", "terminated_at": "_terminated",
}  # fmt: skip
_KNOWN_IN_QUERIES = {
    "limit", "marker", "sort_key", "sort_dir", "name", "status", "all_tenants", "deleted", "project_id", "tenant_id",
    "changes-since", "changes-before", "availability_zone", "flavor", "image", "ip", "host", "reservation_id",
}  # fmt: skip
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_TRUE = ("1", "t", "true", "on", "y", "yes")


class ServerLists:
    """What of ``living`` and ``gone`` servers a list is about.

    :param zone: the AZ that a server shows
    """

    def __init__(
        self, living: Mapping[str, Json], gone: Mapping[str, Json], zone: Callable[[Json], str], max_limit: int
    ) -> None:
        self._living, self._gone, self._zone, self.max_limit = living, gone, zone, max_limit
        #: As in ``Manner``.
        self.is_ideal = False

    def chosen(self, asked: Asked) -> list[Json]:
        """Those that the query is about, in no order. :raises Refusal: 400, 403"""
        unknown = sorted({name for name, _ in asked.query} - _KNOWN_IN_QUERIES)
        if unknown and asked.version >= (2, 75):
            raise Refusal(400, f"Invalid input for query parameters. Additional properties are not allowed {unknown}")
        found = _changed(asked, self._of_projects(asked, self._there(asked)))
        if (reservation := asked.one("reservation_id")) is not None:
            found = [one for one in found if one["_reservation"] == reservation]
        if (name := asked.one("name")) is not None:
            found = [one for one in found if re.search(name, one["name"])]
        zone = asked.one("availability_zone")
        if zone is not None and (asked.caller.is_admin or asked.version >= (2, 83)):
            found = [one for one in found if re.search(zone, self._zone(one))]
        return matching(found, asked, ("status",))

    def manner(self) -> Manner:
        """How servers are sorted and cut into pages. Any server is known as a marker, but for those in no cell."""
        return Manner(
            sort_keys=_SORT_KEYS,
            marker_refusal=marker_refusal,
            max_limit=self.max_limit,
            unique="uuid",
            is_ideal=self.is_ideal,
            is_first=lambda server: bool(server["_is_queued"]),
            marks=lambda: (one for one in (*self._living.values(), *self._gone.values()) if not one["_is_queued"]),
        )

    def _there(self, asked: Asked) -> Iterable[Json]:
        """The living, the deleted, or both: who asks for changes and does not say gets all, as far as it is known."""
        wanted = asked.one("deleted") if asked.caller.is_admin else None
        if "DELETED" in [value.upper() for name, value in asked.query if name == "status"]:
            if not asked.caller.is_admin:
                raise Refusal(403, "Only administrators may list deleted instances")
            wanted = "true"
        if wanted is not None:
            return self._gone.values() if wanted.lower() in _TRUE else self._living.values()
        return (*self._living.values(), *self._gone.values()) if _moments(asked) else self._living.values()

    @staticmethod
    def _of_projects(asked: Asked, servers: Iterable[Json]) -> list[Json]:
        if (wanted := asked.one("all_tenants")) is None or (wanted and wanted.lower() not in _TRUE):
            return [one for one in servers if one["_project"] == asked.caller.project_id]
        if not asked.caller.is_admin:
            raise Refusal(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
        projects = {value for name, value in asked.query if name in ("project_id", "tenant_id")}
        return [one for one in servers if not projects or one["_project"] in projects]


def _changed(asked: Asked, servers: Iterable[Json]) -> list[Json]:
    """Those that changed between two moments. Who waits for a cell has no time of a change, and is always there."""
    moments = _moments(asked)
    since, before = moments.get("changes-since", _EARLIEST), moments.get("changes-before", _LATEST)
    if before < since:
        raise Refusal(400, "The value of changes-since must be less than or equal to changes-before.")
    return [one for one in servers if one["_is_queued"] or since <= _moment(one["updated"]) <= before]


def _moments(asked: Asked) -> dict[str, datetime]:
    """What the query says of changes, as far as the version has it."""
    known = ["changes-since", *(["changes-before"] if asked.version >= (2, 66) else [])]
    found: dict[str, datetime] = {}
    for name in known:
        if (text := asked.one(name)) is None:
            continue
        try:
            found[name] = _moment(text)
        except ValueError as error:
            text = f"Invalid input for query parameters {name}. Value: {text}. {text!r} is not a 'date-time'"
            raise Refusal(400, text) from error
    return found


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
