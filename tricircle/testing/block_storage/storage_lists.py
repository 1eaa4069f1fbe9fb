# SPDX-License-Identifier: Apache-2.0
"""How does the fake Cinder list what is made of volumes? Each collection in pages, with links and words of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tricircle.testing.exchange import Asked, Json, Refusal
from tricircle.testing.lists import Manner, matching, next_href, page

_KEYS = ("created_at", "id", "name", "size", "status", "updated_at", "host", "availability_zone", "bootable")
_FIELDS = {name: name for name in _KEYS} | {"display_name": "name", "display_description": "description"}
#: Since when filters that nobody knows are refused, and when all are counted.
_REJECTS, _COUNTS = (3, 31), (3, 45)
_TRUE = ("1", "t", "true", "on", "y", "yes")


class Pager(Protocol):
    """How all of a Cinder's lists are cut."""

    max_limit: int


def links_to(asked: Asked, behind: str) -> list[Json]:
    """Links to one thing, by its path behind the version."""
    return [
        {"rel": "self", "href": f"{asked.root}{asked.prefix}/{behind}"},
        {"rel": "bookmark", "href": f"{asked.root}{asked.prefix.removeprefix('/v3')}/{behind}"},
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageList:
    """One collection.

    :ivar links: JSON key of the page links; None: it sends none
    :ivar unknown: what is said to an unknown marker, with ``{}`` for it
    :ivar filters: names in the query, which are fields of the stored resource
    :ivar sort_keys: as in ``Manner``
    :ivar is_counted: whether the number of all is told to who asks for it
    :ivar has_links_to_details: whether the link of a detailed list leads to a detailed list
    """

    collection: str
    links: str | None
    unknown: str
    filters: tuple[str, ...] = ("name", "status")
    sort_keys: Mapping[str, str] = field(default_factory=lambda: _FIELDS)
    is_counted: bool = False
    has_links_to_details: bool = True

    def manner(self, pager: Pager, known: Callable[[], Iterable[Json]]) -> Manner:
        """How it is sorted and cut into pages. ``known``: what may be a marker."""
        return Manner(
            sort_keys=dict(self.sort_keys),
            max_limit=pager.max_limit,
            # It puts a default into the place of no value.
            is_ideal=True,
            ties=("created_at", "id"),
            marker_refusal=lambda marker: Refusal(404, self.unknown.format(marker)),
            marks=known,
        )

    def body(self, asked: Asked, mine: Iterable[Json], manner: Manner, shown: Callable[[Json, bool], Json]) -> Json:
        """The answer: one page of what the caller has. ``shown``: one of it, in detail or not."""
        found = matching(mine, asked, self.filters)
        taken, more = page(found, asked, manner)
        is_detail = asked.path.endswith("detail")
        body: Json = {self.collection: [shown(one, is_detail) for one in taken]}
        wants_count = asked.one("with_count", "false") or ""
        is_counted = self.is_counted and asked.version >= _COUNTS and wants_count.lower() in _TRUE
        if _REJECTS <= asked.version < _COUNTS and asked.one("with_count") is not None and not asked.caller.is_admin:
            raise Refusal(400, "Invalid filters with_count are found in query options.")
        # Asked for the number of all, Cinder takes a page for full when all would fill it.
        fills = bool(taken) and len(found) >= min(int(asked.one("limit") or manner.max_limit), manner.max_limit)
        if self.links is not None and (more or (is_counted and fills)):
            path = f"{asked.prefix}/{self.collection}{'/detail' if is_detail and self.has_links_to_details else ''}"
            body[self.links] = [{"rel": "next", "href": next_href(asked, path, taken[-1]["id"])}]
        if is_counted:
            body["count"] = len(found)
        return body


VOLUMES = StorageList(
    collection="volumes",
    links="volumes_links",
    unknown="Volume {} could not be found.",
    filters=("name", "status", "bootable"),
    is_counted=True,
)
SNAPSHOTS = StorageList(
    collection="snapshots",
    links="snapshots_links",
    unknown="Snapshot {} could not be found.",
    filters=("name", "status", "volume_id"),
    is_counted=True,
)
BACKUPS = StorageList(
    collection="backups",
    links="backups_links",
    unknown="Backup {} could not be found.",
    filters=("name", "status", "volume_id"),
    is_counted=True,
)
GROUPS = StorageList(
    collection="groups",
    links="group_links",
    unknown="Group {} could not be found.",
    filters=("name",),
    sort_keys={name: name for name in ("created_at", "id", "name", "status", "description")},
    has_links_to_details=False,
)
MESSAGES = StorageList(
    collection="messages",
    links="messages_links",
    unknown="Message {} could not be found.",
    filters=("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    sort_keys={
        **{name: name for name in ("created_at", "id", "event_id", "message_level", "resource_uuid", "request_id")},
        "expires_at": "guaranteed_until",
    },
)
ATTACHMENTS = StorageList(
    collection="attachments",
    links=None,
    unknown="Volume attachment could not be found with filter: attachment_id = {}.",
    filters=("volume_id", "instance_id"),
    sort_keys={
        **{name: name for name in ("created_at", "id", "volume_id")},
        "instance_uuid": "instance",
        "attach_status": "status",
    },
)
TRANSFERS = StorageList(
    collection="transfers",
    links="transfers_links",
    unknown="Transfer {} could not be found.",
    filters=("name",),
    sort_keys={"created_at": "created_at", "id": "id", "display_name": "name", "volume_id": "volume_id"},
)
