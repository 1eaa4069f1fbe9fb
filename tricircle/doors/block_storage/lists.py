# SPDX-License-Identifier: Apache-2.0
"""Which lists are gathered from all pods, and what do their brief forms show? As Cinder's own views."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tricircle.doors.block_storage.operators.hosts import adapting
from tricircle.doors.block_storage.volumes.derived import Derivation, Derived
from tricircle.doors.block_storage.volumes.volume_views import VOLUME, ZONED
from tricircle.model.microversion import version_of
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.listing import Declared, Listing, Order, Paging, Query
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row
from tricircle.road.zone_filter import ZoneFilter

#: From here on Cinder takes the filters of its ``resource_filters.json`` from members, and refuses all others.
_FILTERS_SINCE = (3, 31)
#: Types that a pod has of its own are shown with their ids there, and found by them.
_TYPED = {"volume_type_id": Declared(Kind.VOLUME_TYPE)}
#: The order of lists that take no other.
NEWEST: Order = (("created_at", True), ("id", True))
#: Names of columns in what shows them as users named them.
_NAMED = {"display_name": "name", "display_description": "description"}
_ANY = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """One collection of pods.

    :ivar noun: what an unknown marker is called
    :ivar links: JSON key of the page links; None when Cinder sends none
    :ivar brief: what the brief list shows; the detailed one shows all
    :ivar adapt: a pod's query from the client's
    :ivar fields, hidden, zone_filter, declared: as in ``Listing``
    """

    kind: Kind
    noun: str
    collection: str
    links: str | None
    brief: tuple[str, ...]
    order: Order = (("created_at", True),)
    shape: Shape | None = None
    adapt: Callable[[Query, Pod], Query | None] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    zone_filter: ZoneFilter | None = None
    declared: Mapping[str, Declared] = field(default_factory=dict)

    def rows(self, path: str) -> Iterator[Row]:
        """The brief list at ``path`` and the detailed one below it. Only detail carries the sort keys."""
        for where, brief in ((path, self.brief), (f"{path}/detail", None)):
            listing = Listing(
                paging=Paging.CINDER,
                order=self.order,
                ties=("created_at", "id"),
                noun=self.noun,
                links=self.links,
                brief=brief,
                adapt=self.adapt,
                fields=self.fields,
                hidden=self.hidden,
                zone_filter=self.zone_filter,
                declared=self.declared,
            )
            yield Row(
                ("GET",),
                where,
                Behaviour.GATHER,
                kind=self.kind,
                collection=self.collection,
                detail_path=None if brief is None else f"{path}/detail",
                listing=listing,
                shape=self.shape,
            )


VOLUMES = List(
    kind=Kind.VOLUME,
    noun="Volume",
    collection="volumes",
    links="volumes_links",
    brief=("id", "name", "links"),
    shape=VOLUME,
    adapt=adapting("host", "cluster_name"),
    fields={
        **_NAMED,
        "host": "os-vol-host-attr:host",
        "migration_status": "os-vol-mig-status-attr:migstat",
        "project_id": "os-vol-tenant-attr:tenant_id",
    },
    zone_filter=ZoneFilter(),
    declared=_TYPED,
)
SNAPSHOTS = List(
    kind=Kind.SNAPSHOT,
    noun="Snapshot",
    collection="snapshots",
    links="snapshots_links",
    brief=("id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"),
    fields={**_NAMED, "project_id": "os-extended-snapshot-attributes:project_id"},
    zone_filter=ZoneFilter(members=(_FILTERS_SINCE, None)),
    declared=_TYPED,
)
BACKUPS = List(
    kind=Kind.BACKUP,
    noun="Backup",
    collection="backups",
    links="backups_links",
    brief=("id", "name", "links"),
    shape=ZONED,
    fields=_NAMED,
    zone_filter=ZoneFilter(members=None),
)
ATTACHMENTS = List(
    kind=Kind.ATTACHMENT,
    noun="Volume attachment could not be found with filter: attachment_id = {}.",
    collection="attachments",
    links=None,
    brief=("id", "status", "instance", "volume_id"),
    fields={"instance_uuid": "instance", "attach_status": "status"},
    # Their ages, by which they are sorted, they do not show.
    hidden=frozenset(("created_at",)),
)
_TRANSFERS = List(
    kind=Kind.TRANSFER,
    noun="Transfer",
    collection="transfers",
    links="transfers_links",
    brief=("id", "volume_id", "name", "links"),
    fields=_NAMED,
)


def transfers(path: str) -> Iterator[Row]:
    """The lists of transfers: oldest first below 3.59, like all others from then on.

    Below 3.59 Cinder takes every parameter for a filter, limits too, and then finds nothing: so pods are asked for all.
    """
    oldest = (("created_at", False), ("id", False))
    return paged_since(_TRANSFERS.rows(path), "3.59", order=oldest)


def paged_since(rows: Iterable[Row], since: str, *, order: Order = NEWEST) -> Iterator[Row]:
    """Rows of lists that have no pages and sort keys below a microversion, but all in one order."""
    major, minor = version_of(since)
    for row in rows:
        whole = None if row.listing is None else replace(row.listing, paging=Paging.NONE, order=order)
        yield replace(row, listing=whole, max_version=f"{major}.{minor - 1}")
        yield replace(row, min_version=since)


def by_version(rows: Iterable[Row], since: str) -> Iterator[Row]:
    """Rows that exist from a microversion on; those that begin later, or end before, stay as they are."""
    for row in rows:
        is_later = row.min_version is not None and version_of(row.min_version) > version_of(since)
        yield row if is_later else replace(row, min_version=since)


def below(path: str, kind: Kind, id_param: str, *, singular: str, shape: Shape | None = None) -> Iterator[Row]:
    """One thing, and everything below its id: where it lives."""
    one = f"{path}/{{{id_param}}}"
    yield Row(("GET", "PUT"), one, Behaviour.ROUTE, kind=kind, id_param=id_param, singular=singular, shape=shape)
    yield Row(("DELETE",), one, Behaviour.ROUTE, kind=kind, id_param=id_param)
    yield Row(_ANY, one + "/{rest...}", Behaviour.ROUTE, kind=kind, id_param=id_param)


def made(path: str, derivation: Derivation, derived: Derived) -> Row:
    """What is made of something that is in a pod."""
    return Row(("POST",), path, Behaviour.PLACE, kind=derivation.kind, handler=derived.making(derivation))
