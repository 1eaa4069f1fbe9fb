# SPDX-License-Identifier: Apache-2.0
"""Which lists are drawn, and what are the things in them, as their service keeps them?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tricircle.doors.block_storage.lists import ATTACHMENTS, BACKUPS, SNAPSHOTS, VOLUMES, transfers
from tricircle.doors.block_storage.operators.operator_rows import MESSAGES
from tricircle.doors.block_storage.volumes.group_rows import GROUPS
from tricircle.doors.compute.servers.server_lists import DETAILED
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.row import Behaviour, Row

Json = dict[str, Any]
_OF_GROUPS = ("name", "description", "status", "created_at")
BORN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    """What decides where something stands in a list, and in whose.

    :ivar second, changed, ended: when it was made, changed, deleted; None: it was not
    :ivar owner: the number of its project; those who ask are of the first
    """

    second: int
    name: str | None
    size: int = 1
    is_queued: bool = False
    owner: int = 0
    changed: int | None = None
    ended: int | None = None


@dataclass(frozen=True)
class Collection:
    """One list: the service that has it, the row of its details, where a fake keeps the things.

    :ivar body: what a thing's record holds, besides its id and its project
    :ivar updated: the field that says when it was changed last
    """

    service: Service
    root: str
    row: Row
    store: str
    microversion: str
    body: Callable[[Thing], Json]
    updated: str = "updated_at"

    @property
    def key(self) -> str:
        return str(self.row.collection)

    @property
    def links(self) -> str:
        assert self.row.listing is not None
        return self.row.listing.links or ""

    @property
    def path(self) -> str:
        return self.row.path

    @property
    def one(self) -> str:
        """What stands before the id of a single one."""
        return self.path.removesuffix("/detail")

    @property
    def brief(self) -> Row:
        """The brief list of the same things."""
        assert self.row.listing is not None
        if not self.path.endswith("/detail"):
            return self.row
        listing = replace(self.row.listing, brief=("id", "name"))
        return replace(self.row, path=self.one, detail_path=self.path, listing=listing)


def when(collection: Collection, second: int) -> str:
    """A moment as the collection's service writes it."""
    moment = BORN + timedelta(seconds=second)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if collection is SERVERS else f"{moment:%Y-%m-%dT%H:%M:%S}.000000"


def _server(thing: Thing) -> Json:
    flavor = {"id": "m1", "name": "m1", "vcpus": 1, "ram": 1, "disk": 1}
    changed = max(thing.changed or 0, thing.second)
    return {
        "name": thing.name or "", "status": "BUILD" if thing.is_queued else "ACTIVE", "_is_queued": thing.is_queued,
        "created": when(SERVERS, thing.second), "updated": when(SERVERS, changed), "_flavor": flavor, "image": "",
        "_zone": None, "key_name": None, "_devices": [], "_terminated": None, "metadata": {},
        "_reservation": "r",
    }  # fmt: skip


def _stored(thing: Thing) -> Json:
    """What all of block storage has."""
    changed = None if thing.changed is None else when(VOLUME_LIST, max(thing.changed, thing.second))
    return {
        "name": thing.name, "description": None, "size": thing.size, "status": "available", "metadata": {},
        "created_at": when(VOLUME_LIST, thing.second), "updated_at": changed, "volume_id": "v",
    }  # fmt: skip


def _volume(thing: Thing) -> Json:
    return {**_stored(thing), "_type": "", "_group": None}


def _message(thing: Thing) -> Json:
    return {
        "event_id": thing.name or "", "message_level": "ERROR", "user_message": "m", "request_id": "r",
        "resource_type": "VOLUME", "resource_uuid": f"v{thing.size}", "created_at": when(VOLUME_LIST, thing.second),
        "guaranteed_until": when(VOLUME_LIST, (thing.changed or 0) + 100),
    }  # fmt: skip


def _attachment(thing: Thing) -> Json:
    return {
        "volume_id": f"v{thing.size}", "instance": thing.name, "status": "attached", "instance_id": thing.name,
        "created_at": when(VOLUME_LIST, thing.second),
    }  # fmt: skip


def _group(thing: Thing) -> Json:
    shown = {key: value for key, value in _stored(thing).items() if key in _OF_GROUPS}
    return {**shown, "availability_zone": "nova", "group_type": "t", "volume_types": []}


def _transfer(thing: Thing) -> Json:
    return {**_stored(thing), "_no_snapshots": False, "_key": ""}


def _details(rows: Iterator[Row]) -> Row:
    """The newest row of detailed lists."""
    *_, row = (row for row in rows if row.path.endswith("detail"))
    return replace(row, shape=None, handler=None)


def _of_storage(rows: Iterator[Row], store: str, body: Callable[[Thing], Json]) -> Collection:
    return Collection(Service.BLOCK_STORAGE, "/v3", _details(rows), store, "volume 3.70", body)


SERVERS = Collection(
    Service.COMPUTE,
    "/v2.1",
    Row(("GET",), "/servers/detail", Behaviour.GATHER, kind=Kind.SERVER, collection="servers", listing=DETAILED),
    "servers",
    "compute 2.90",
    _server,
    "updated",
)
VOLUME_LIST = _of_storage(VOLUMES.rows("/volumes"), "volumes", _volume)
SNAPSHOT_LIST = _of_storage(SNAPSHOTS.rows("/snapshots"), "snapshots", _stored)
BACKUP_LIST = _of_storage(BACKUPS.rows("/backups"), "backups.stored", _stored)
GROUP_LIST = _of_storage(GROUPS.rows("/groups"), "groups.stored", _group)
TRANSFER_LIST = _of_storage(transfers("/volume-transfers"), "transfers.stored", _transfer)
ATTACHMENT_LIST = _of_storage(ATTACHMENTS.rows("/attachments"), "attachments", _attachment)
MESSAGE_LIST = Collection(
    Service.BLOCK_STORAGE,
    "/v3",
    Row(("GET",), "/messages", Behaviour.GATHER, collection="messages", listing=MESSAGES),
    "messages.stored",
    "volume 3.70",
    _message,
)
COLLECTIONS = (
    SERVERS, VOLUME_LIST, SNAPSHOT_LIST, BACKUP_LIST, GROUP_LIST, MESSAGE_LIST, TRANSFER_LIST, ATTACHMENT_LIST,
)  # fmt: skip
