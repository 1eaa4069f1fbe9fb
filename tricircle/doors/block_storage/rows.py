# SPDX-License-Identifier: Apache-2.0
"""What happens to each call of Cinder's v3 API? The table; paths are those of Cinder's own router."""

from collections.abc import Iterator
from dataclasses import dataclass

from tricircle.doors.block_storage import central_rows, operator_rows
from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.derived import Derivation, Derived
from tricircle.doors.block_storage.handovers import Handovers
from tricircle.doors.block_storage.limits import Limits
from tricircle.doors.block_storage.lists import ATTACHMENTS, BACKUPS, SNAPSHOTS, VOLUMES, List, by_version, transfers
from tricircle.doors.block_storage.operator_rows import refused
from tricircle.doors.block_storage.qos import QosSpecs
from tricircle.doors.block_storage.quota import of_backup, of_snapshot, of_volume
from tricircle.doors.block_storage.somewhere import Somewhere
from tricircle.doors.block_storage.type_changes import TypeChanges
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volume_actions import VolumeActions
from tricircle.doors.block_storage.volume_views import GROUP, VOLUME, ZONED
from tricircle.doors.block_storage.volumes import Volumes
from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row

NAME, PREFIX = "block_storage", "/volume"
ANY = ("GET", "POST", "PUT", "DELETE")


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
    somewhere: Somewhere
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
        *_group_rows(specials.derived),
        *_group_snapshot_rows(specials.derived),
        *central_rows.rows(specials.limits, specials.types, specials.qos),
        Row(("GET",), zones, Behaviour.OURS, handler=specials.zones.index, policy="volume:availability_zone_list"),
        *operator_rows.rows(specials.somewhere),
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


def _below(path: str, kind: Kind, id_param: str, *, singular: str, shape: Shape | None = None) -> Iterator[Row]:
    """One thing, and everything below its id: where it lives."""
    one = f"{path}/{{{id_param}}}"
    yield Row(("GET", "PUT"), one, Behaviour.ROUTE, kind=kind, id_param=id_param, singular=singular, shape=shape)
    yield Row(("DELETE",), one, Behaviour.ROUTE, kind=kind, id_param=id_param)
    yield Row(ANY, one + "/{rest...}", Behaviour.ROUTE, kind=kind, id_param=id_param)


def _made(path: str, derivation: Derivation, derived: Derived) -> Row:
    return Row(("POST",), path, Behaviour.PLACE, kind=derivation.kind, handler=derived.making(derivation))


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
    yield from _below("/volumes", Kind.VOLUME, "volume_id", singular="volume", shape=VOLUME)


def _snapshot_rows(derived: Derived) -> Iterator[Row]:
    snapshot = Derivation(
        entity="snapshot", kind=Kind.SNAPSHOT, sources=(("volume_id", Kind.VOLUME),), takes_null=True, price=of_snapshot
    )
    yield from SNAPSHOTS.rows("/snapshots")
    yield _made("/snapshots", snapshot, derived)
    yield from _below("/snapshots", Kind.SNAPSHOT, "snapshot_id", singular="snapshot")


def _backup_rows(specials: Specials) -> Iterator[Row]:
    backup = Derivation(
        entity="backup",
        kind=Kind.BACKUP,
        sources=(("volume_id", Kind.VOLUME),),
        price=of_backup,
        shape=ZONED,
    )
    yield from BACKUPS.rows("/backups")
    yield _made("/backups", backup, specials.derived)
    # A record says nothing of the pod that can read it.
    yield Row(("POST",), "/backups/import_record", Behaviour.OURS, handler=refused)
    restore, param = specials.handovers.restore, "backup_id"
    path = "/backups/{backup_id}/restore"
    yield Row(("POST",), path, Behaviour.ROUTE, kind=Kind.BACKUP, id_param=param, handler=restore)
    yield from _below("/backups", Kind.BACKUP, param, singular="backup", shape=ZONED)


def _attachment_rows(derived: Derived) -> Iterator[Row]:
    attachment = Derivation(entity="attachment", kind=Kind.ATTACHMENT, sources=(("volume_uuid", Kind.VOLUME),))
    yield from by_version(ATTACHMENTS.rows("/attachments"), "3.27")
    yield from by_version([_made("/attachments", attachment, derived)], "3.27")
    yield from by_version(_below("/attachments", Kind.ATTACHMENT, "attachment_id", singular="attachment"), "3.27")


def _transfer_rows(specials: Specials) -> Iterator[Row]:
    transfer = Derivation(entity="transfer", kind=Kind.TRANSFER, sources=(("volume_id", Kind.VOLUME),))
    accept, param = specials.handovers.accept, "transfer_id"
    for path, since in (("/os-volume-transfer", None), ("/volume-transfers", "3.55")):
        where = f"{path}/{{{param}}}/accept"
        made = [
            *transfers(path),
            _made(path, transfer, specials.derived),
            Row(("POST",), where, Behaviour.ROUTE, kind=Kind.TRANSFER, id_param=param, handler=accept),
            *_below(path, Kind.TRANSFER, param, singular="transfer"),
        ]
        yield from made if since is None else by_version(made, since)


def _group_rows(derived: Derived) -> Iterator[Row]:
    """Generic groups. Making one of nothing needs copies of group types, which nobody makes yet."""
    group = Derivation(
        entity="create-from-src",
        kind=Kind.GROUP,
        sources=(("group_snapshot_id", Kind.GROUP_SNAPSHOT), ("source_group_id", Kind.GROUP)),
        price=of_volume,
        once={"groups": 1},
        answered_as="group",
        shape=GROUP,
    )
    listed = List(
        kind=Kind.GROUP, noun="Group", collection="groups", links="group_links", brief=("id", "name"), shape=GROUP
    )
    made = [
        *listed.rows("/groups"),
        Row(("POST",), "/groups", Behaviour.OURS, handler=refused),
        _made("/groups/action", group, derived),
        *_below("/groups", Kind.GROUP, "group_id", singular="group", shape=GROUP),
    ]
    yield from by_version(made, "3.13")
    for path in ("/consistencygroups", "/cgsnapshots"):
        # Cinder itself keeps only what was made before groups were there; nobody behind us has any.
        yield Row(ANY, path, Behaviour.OURS, handler=refused)
        yield Row(ANY, path + "/{rest...}", Behaviour.OURS, handler=refused)


def _group_snapshot_rows(derived: Derived) -> Iterator[Row]:
    sources = (("group_id", Kind.GROUP),)
    snapshot = Derivation(entity="group_snapshot", kind=Kind.GROUP_SNAPSHOT, sources=sources, price=of_snapshot)
    listed = List(
        kind=Kind.GROUP_SNAPSHOT,
        noun="GroupSnapshot",
        collection="group_snapshots",
        links="group_snapshot_links",
        brief=("id", "name"),
    )
    made = [
        *listed.rows("/group_snapshots"),
        _made("/group_snapshots", snapshot, derived),
        *_below("/group_snapshots", Kind.GROUP_SNAPSHOT, "group_snapshot_id", singular="group_snapshot"),
    ]
    yield from by_version(made, "3.14")
