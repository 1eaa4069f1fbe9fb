# SPDX-License-Identifier: Apache-2.0
"""What happens to each call of Cinder's v3 API? The table; paths are those of Cinder's own router."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.declared import central_rows
from tricircle.doors.block_storage.declared.qos import QosSpecs
from tricircle.doors.block_storage.declared.type_changes import TypeChanges
from tricircle.doors.block_storage.lists import (
    ATTACHMENTS,
    BACKUPS,
    SNAPSHOTS,
    VOLUMES,
    below,
    by_version,
    made,
    transfers,
)
from tricircle.doors.block_storage.operators import operator_rows
from tricircle.doors.block_storage.operators.backup_records import BackupRecords
from tricircle.doors.block_storage.operators.manage import Manage
from tricircle.doors.block_storage.operators.operator_rows import Operating
from tricircle.doors.block_storage.quotas.limits import Limits
from tricircle.doors.block_storage.quotas.quota import of_backup, of_snapshot
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volumes import group_rows
from tricircle.doors.block_storage.volumes.derived import Derivation, Derived
from tricircle.doors.block_storage.volumes.group_rows import Grouping
from tricircle.doors.block_storage.volumes.handovers import Handovers
from tricircle.doors.block_storage.volumes.volume_actions import VolumeActions
from tricircle.doors.block_storage.volumes.volume_views import VOLUME, ZONED
from tricircle.doors.block_storage.volumes.volumes import Volumes
from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.row import Behaviour, Row

#: A snapshot, made or taken over.
SNAPSHOT = Derivation(
    entity="snapshot", kind=Kind.SNAPSHOT, sources=(("volume_id", Kind.VOLUME),), takes_null=True, price=of_snapshot
)
NAME, PREFIX = "block_storage", "/volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Specials:
    """The door's special cases."""

    volumes: Volumes
    actions: VolumeActions
    derived: Derived
    handovers: Handovers
    zones: AvailabilityZones
    limits: Limits
    types: TypeChanges
    qos: QosSpecs
    manage: Manage
    records: BackupRecords
    grouping: Grouping
    operating: Operating
    versions: Versions


def rows(specials: Specials) -> tuple[Row, ...]:
    """The table under ``/v3``, with or without a project id in front."""
    zones = "/os-availability-zone"
    return (
        Row(("GET",), "/", Behaviour.OURS, handler=specials.versions.one),
        *_volume_rows(specials),
        *_snapshot_rows(specials.derived),
        *_backup_rows(specials),
        *_attachment_rows(specials.derived),
        *_transfer_rows(specials),
        *_manage_rows(specials),
        *group_rows.rows(specials.grouping),
        *central_rows.rows(specials.limits, specials.types, specials.qos),
        Row(("GET",), zones, Behaviour.OURS, handler=specials.zones.index, policy="volume:availability_zone_list"),
        *operator_rows.rows(specials.operating),
    )


def door(specials: Specials) -> Door:
    """The block-storage door."""
    return Door(
        name=NAME,
        prefix=PREFIX,
        service=Service.BLOCK_STORAGE,
        dialect=Dialect.BLOCK_STORAGE,
        versions=frozenset({"v3"}),
        rows=rows(specials),
        root_rows=(Row(("GET",), "/", Behaviour.OURS, handler=specials.versions.all, is_public=True),),
        project_in_path=ProjectInPath.OPTIONAL,
        has_microversions=True,
        has_versioned_root=True,
    )


def _volume_rows(specials: Specials) -> Iterator[Row]:
    yield from VOLUMES.rows("/volumes")
    yield Row(("GET",), "/volumes/summary", Behaviour.SUM, handler=specials.limits.summary, min_version="3.12")
    yield Row(("POST",), "/volumes", Behaviour.PLACE, kind=Kind.VOLUME, handler=specials.volumes.create)
    yield Row(
        ("POST",),
        "/volumes/{volume_id}/action",
        Behaviour.ROUTE,
        kind=Kind.VOLUME,
        id_param="volume_id",
        handler=specials.actions.act,
    )
    yield from below("/volumes", Kind.VOLUME, "volume_id", singular="volume", shape=VOLUME)


def _snapshot_rows(derived: Derived) -> Iterator[Row]:
    yield from SNAPSHOTS.rows("/snapshots")
    yield made("/snapshots", SNAPSHOT, derived)
    yield from below("/snapshots", Kind.SNAPSHOT, "snapshot_id", singular="snapshot")


def _backup_rows(specials: Specials) -> Iterator[Row]:
    backup = Derivation(
        entity="backup",
        kind=Kind.BACKUP,
        sources=(("volume_id", Kind.VOLUME),),
        price=of_backup,
        shape=ZONED,
    )
    yield from BACKUPS.rows("/backups")
    yield made("/backups", backup, specials.derived)
    records, restore, param = specials.records, specials.handovers.restore, "backup_id"
    yield Row(("POST",), "/backups/import_record", Behaviour.PLACE, kind=Kind.BACKUP, handler=records.take)
    exported = "/backups/{backup_id}/export_record"
    yield Row(("GET",), exported, Behaviour.ROUTE, kind=Kind.BACKUP, id_param=param, handler=records.give)
    path = "/backups/{backup_id}/restore"
    yield Row(("POST",), path, Behaviour.ROUTE, kind=Kind.BACKUP, id_param=param, handler=restore)
    yield from below("/backups", Kind.BACKUP, param, singular="backup", shape=ZONED)


def _manage_rows(specials: Specials) -> Iterator[Row]:
    """What is on hosts and could become a volume or a snapshot; the newer paths are those of 3.8."""
    for noun, old in (("volumes", "/os-volume-manage"), ("snapshots", "/os-snapshot-manage")):
        managed = [
            *(
                Row(("GET",), path, Behaviour.OURS, handler=specials.operating.calls.manageable)
                for path in (old, f"{old}/detail")
            ),
            Row(("POST",), old, Behaviour.PLACE, kind=Kind.VOLUME, handler=specials.manage.volume)
            if noun == "volumes"
            else made(old, SNAPSHOT, specials.derived),
        ]
        yield from managed
        yield from by_version(
            [replace(row, path=row.path.replace(old, f"/manageable_{noun}")) for row in managed], "3.8"
        )


def _attachment_rows(derived: Derived) -> Iterator[Row]:
    attachment = Derivation(entity="attachment", kind=Kind.ATTACHMENT, sources=(("volume_uuid", Kind.VOLUME),))
    yield from by_version(ATTACHMENTS.rows("/attachments"), "3.27")
    yield from by_version([made("/attachments", attachment, derived)], "3.27")
    yield from by_version(below("/attachments", Kind.ATTACHMENT, "attachment_id", singular="attachment"), "3.27")


def _transfer_rows(specials: Specials) -> Iterator[Row]:
    transfer = Derivation(entity="transfer", kind=Kind.TRANSFER, sources=(("volume_id", Kind.VOLUME),))
    accept, param = specials.handovers.accept, "transfer_id"
    # The second is documented since 3.55, and there in every version.
    for path in ("/os-volume-transfer", "/volume-transfers"):
        where = f"{path}/{{{param}}}/accept"
        yield from transfers(path)
        yield made(path, transfer, specials.derived)
        yield Row(("POST",), where, Behaviour.ROUTE, kind=Kind.TRANSFER, id_param=param, handler=accept)
        yield from below(path, Kind.TRANSFER, param, singular="transfer")
