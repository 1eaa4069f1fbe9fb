# SPDX-License-Identifier: Apache-2.0
"""What happens to each call of Cinder's v3 API? The table; paths are those of Cinder's own router."""

from collections.abc import Iterator
from dataclasses import dataclass

from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.derived import Derivation, Derived
from tricircle.doors.block_storage.limits import Limits
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volume_views import GROUP, VOLUME, ZONED
from tricircle.doors.block_storage.volumes import Volumes
from tricircle.http.dialects import Dialect
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import not_carried
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.merge import Listing, Paging
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row

NAME, PREFIX = "block_storage", "/volume"
_ANY = ("GET", "POST", "PUT", "DELETE")
_BRIEF = ("id", "name", "links")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specials:
    """The door's special cases."""

    volumes: Volumes
    derived: Derived
    zones: AvailabilityZones
    limits: Limits
    versions: Versions


def rows(specials: Specials) -> tuple[Row, ...]:
    """The table under ``/v3``, with or without a project id in front."""
    return (
        Row(("GET",), "/", Behaviour.OURS, handler=specials.versions.one, is_public=True),
        *_volume_rows(specials.volumes),
        *_derived_rows(specials.derived),
        *_group_rows(specials.derived),
        *_central_rows(),
        Row(("GET",), "/limits", Behaviour.SUM, handler=specials.limits.limits),
        Row(("GET",), "/os-quota-sets/{project_id}", Behaviour.SUM, handler=specials.limits.quota_set),
        Row(("GET",), "/os-availability-zone", Behaviour.OURS, handler=specials.zones.index),
        *_operator_rows(),
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
    )


def _listing(noun: str, *, is_brief: bool, links: str | None) -> Listing:
    return Listing(
        paging=Paging.CINDER,
        ties=("created_at", "id"),
        noun=noun,
        links=links,
        brief=_BRIEF if is_brief else None,
    )


def _lists(path: str, kind: Kind, noun: str, collection: str, shape: Shape | None) -> Iterator[Row]:
    """The brief and the detailed list of a collection."""
    links = f"{collection.removesuffix('s')}s_links"
    for where, is_brief in ((path, True), (path + "/detail", False)):
        yield Row(
            ("GET",),
            where,
            Behaviour.GATHER,
            kind=kind,
            collection=collection,
            detail_path=path + "/detail" if is_brief else None,
            listing=_listing(noun, is_brief=is_brief, links=links),
            shape=shape,
        )


def _volume_rows(volumes: Volumes) -> Iterator[Row]:
    one = "/volumes/{volume_id}"

    def routed(methods: tuple[str, ...], path: str, *, singular: str | None = None, shape: Shape | None = None) -> Row:
        return Row(
            methods, path, Behaviour.ROUTE, kind=Kind.VOLUME, id_param="volume_id", singular=singular, shape=shape
        )

    acting = routed(("POST",), one + "/action")

    async def act(request: Request) -> Answer:
        return await volumes.act(request, acting)

    yield from _lists("/volumes", Kind.VOLUME, "Volume", "volumes", VOLUME)
    yield Row(("POST",), "/volumes", Behaviour.PLACE, kind=Kind.VOLUME, handler=volumes.create)
    yield Row(("GET",), "/volumes/summary", Behaviour.OURS, handler=_not_carried, min_version="3.12")
    yield routed(("GET", "PUT"), one, singular="volume", shape=VOLUME)
    yield routed(("DELETE",), one)
    yield Row(("POST",), one + "/action", Behaviour.ROUTE, kind=Kind.VOLUME, id_param="volume_id", handler=act)
    yield routed(_ANY, one + "/{rest...}")


def _derived_rows(derived: Derived) -> Iterator[Row]:
    snapshot = Derivation(
        entity="snapshot", kind=Kind.SNAPSHOT, sources=(("volume_id", Kind.VOLUME),), counts=("snapshots",)
    )
    backup = Derivation(
        entity="backup", kind=Kind.BACKUP, sources=(("volume_id", Kind.VOLUME),), counts=("backups",), shape=ZONED
    )
    attachment = Derivation(entity="attachment", kind=Kind.ATTACHMENT, sources=(("volume_uuid", Kind.VOLUME),))
    transfer = Derivation(entity="transfer", kind=Kind.TRANSFER, sources=(("volume_id", Kind.VOLUME),))
    yield from _made("/snapshots", "Snapshot", snapshot, derived, "snapshots")
    yield Row(("POST",), "/backups/import_record", Behaviour.OURS, handler=_not_carried)
    yield Row(("POST",), "/backups/{backup_id}/import_record", Behaviour.OURS, handler=_not_carried)
    yield from _made("/backups", "Backup", backup, derived, "backups")
    yield from _made("/attachments", "Attachment", attachment, derived, "attachments")
    yield from _made("/os-volume-transfer", "Transfer", transfer, derived, "transfers")
    yield from _made("/volume-transfers", "Transfer", transfer, derived, "transfers")


def _made(path: str, noun: str, derivation: Derivation, derived: Derived, collection: str) -> Iterator[Row]:
    """Lists, making, and everything below the id of one collection."""
    kind, shape, id_param = derivation.kind, derivation.shape, f"{derivation.kind}_id"
    yield from _lists(path, kind, noun, collection, shape)
    yield Row(("POST",), path, Behaviour.PLACE, kind=kind, handler=derived.making(derivation))
    one = f"{path}/{{{id_param}}}"
    yield Row(
        ("GET", "PUT"), one, Behaviour.ROUTE, kind=kind, id_param=id_param, singular=derivation.entity, shape=shape
    )
    yield Row(("DELETE",), one, Behaviour.ROUTE, kind=kind, id_param=id_param)
    yield Row(_ANY, one + "/{rest...}", Behaviour.ROUTE, kind=kind, id_param=id_param)


def _group_rows(derived: Derived) -> Iterator[Row]:
    """Generic groups. Making one needs copies of group types, which nobody makes yet; what is there can be used."""
    group_snapshot = Derivation(entity="group_snapshot", kind=Kind.GROUP_SNAPSHOT, sources=(("group_id", Kind.GROUP),))
    yield from _lists("/groups", Kind.GROUP, "Group", "groups", GROUP)
    yield Row(("POST",), "/groups", Behaviour.OURS, handler=_not_carried)
    yield Row(("POST",), "/groups/action", Behaviour.OURS, handler=_not_carried)
    one = "/groups/{group_id}"
    yield Row(("GET", "PUT"), one, Behaviour.ROUTE, kind=Kind.GROUP, id_param="group_id", singular="group", shape=GROUP)
    yield Row(_ANY, one + "/{rest...}", Behaviour.ROUTE, kind=Kind.GROUP, id_param="group_id")
    yield from _made("/group_snapshots", "GroupSnapshot", group_snapshot, derived, "group_snapshots")
    for path in ("/consistencygroups", "/cgsnapshots"):
        yield Row(_ANY, path, Behaviour.OURS, handler=_not_carried)
        yield Row(_ANY, path + "/{rest...}", Behaviour.OURS, handler=_not_carried)


def _central_rows() -> Iterator[Row]:
    """What is declared: the central Cinder answers, and copies of types follow."""
    follow = ((JobType.VOLUME_TYPE, "type_id"),)
    yield Row(("GET", "POST"), "/types", Behaviour.CENTRAL)
    yield Row(("GET",), "/types/{type_id}", Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), "/types/{type_id}", Behaviour.DECLARE, jobs=follow)
    yield Row(("GET",), "/types/{type_id}/{rest...}", Behaviour.CENTRAL)
    yield Row(("POST", "PUT", "DELETE"), "/types/{type_id}/{rest...}", Behaviour.DECLARE, jobs=follow)
    yield Row(("PUT", "DELETE"), "/os-quota-sets/{project_id}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-quota-sets/{project_id}/defaults", Behaviour.CENTRAL)
    for path in (
        "/qos-specs",
        "/group_types",
        "/default-types",
        "/os-quota-class-sets",
        "/resource_filters",
        "/extensions",
    ):
        yield Row(_ANY, path, Behaviour.CENTRAL)
        yield Row(_ANY, path + "/{rest...}", Behaviour.CENTRAL)


def _operator_rows() -> Iterator[Row]:
    """Lists over all pods; what changes one host of one pod is done at that pod."""
    plain = Listing(paging=Paging.NONE, zone_filter=None)
    yield Row(("GET",), "/os-services", Behaviour.GATHER, collection="services", listing=plain, shape=ZONED)
    yield Row(("GET",), "/scheduler-stats/get_pools", Behaviour.GATHER, collection="pools", listing=plain)
    yield Row(("GET",), "/os-hosts", Behaviour.GATHER, collection="hosts", listing=plain, shape=ZONED)
    for path in ("/clusters", "/clusters/detail"):
        yield Row(("GET",), path, Behaviour.GATHER, collection="clusters", listing=plain, min_version="3.7")
    yield Row(("GET",), "/messages", Behaviour.GATHER, collection="messages", listing=_messages(), min_version="3.3")
    for path in ("/manageable_volumes", "/manageable_snapshots", "/os-volume-manage", "/os-snapshot-manage", "/workers",
                 "/messages/{message_id}", "/capabilities/{host}"):  # fmt: skip
        yield Row(_ANY, path, Behaviour.OURS, handler=_not_carried)


def _messages() -> Listing:
    return _listing("Message", is_brief=False, links="messages_links")


async def _not_carried(request: Request) -> Answer:
    raise not_carried(request)
