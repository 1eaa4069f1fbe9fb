# SPDX-License-Identifier: Apache-2.0
"""What happens to groups of volumes, their snapshots, and consistency groups, as which Cinder shows them too?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tricircle.doors.block_storage.lists import List, below, by_version, made, paged_since
from tricircle.doors.block_storage.quotas.quota import of_snapshot, of_volume
from tricircle.doors.block_storage.volumes.derived import Derivation, Derived
from tricircle.doors.block_storage.volumes.groups import Groups
from tricircle.doors.block_storage.volumes.volume_views import GROUP, GROUP_SNAPSHOT
from tricircle.model.routing import Kind
from tricircle.road.listing import Declared
from tricircle.road.row import Behaviour, Row
from tricircle.road.zone_filter import ZoneFilter

_BRIEF = ("id", "name")
_TYPED = {"group_type_id": Declared(Kind.GROUP_TYPE)}
#: Generic groups.
GROUPS = List(
    kind=Kind.GROUP,
    noun="Group",
    collection="groups",
    links="group_links",
    brief=_BRIEF,
    shape=GROUP,
    # Later, Cinder's ``resource_filters.json`` says which filters there are for members.
    zone_filter=ZoneFilter(members=((0, 0), (3, 30))),
    declared=_TYPED,
)
_SNAPSHOTS = List(
    kind=Kind.GROUP_SNAPSHOT,
    noun="GroupSnapshot",
    collection="group_snapshots",
    links="group_snapshot_links",
    brief=_BRIEF,
    shape=GROUP_SNAPSHOT,
    declared=_TYPED,
)
_FROM_SOURCE = Derivation(
    entity="create-from-src",
    kind=Kind.GROUP,
    sources=(("group_snapshot_id", Kind.GROUP_SNAPSHOT), ("source_group_id", Kind.GROUP)),
    price=of_volume,
    once={"groups": 1},
    answered_as="group",
    shape=GROUP,
)
_SNAPSHOT = Derivation(
    entity="group_snapshot",
    kind=Kind.GROUP_SNAPSHOT,
    sources=(("group_id", Kind.GROUP),),
    price=of_snapshot,
    shape=GROUP_SNAPSHOT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The special cases of groups."""

    groups: Groups
    derived: Derived


def rows(grouping: Grouping) -> Iterator[Row]:
    """Generic groups, their snapshots, and both as before there were any."""
    yield from by_version(_group_rows(grouping), "3.13")
    yield from by_version(_snapshot_rows(grouping.derived), "3.14")
    yield from _legacy_group_rows(grouping)
    yield from _legacy_snapshot_rows(grouping.derived)


def _group_rows(grouping: Grouping) -> Iterator[Row]:
    yield from GROUPS.rows("/groups")
    yield Row(("POST",), "/groups", Behaviour.PLACE, kind=Kind.GROUP, handler=grouping.groups.create)
    yield made("/groups/action", _FROM_SOURCE, grouping.derived)
    yield from below("/groups", Kind.GROUP, "group_id", singular="group", shape=GROUP)


def _snapshot_rows(derived: Derived) -> Iterator[Row]:
    path = "/group_snapshots"
    yield from paged_since(_SNAPSHOTS.rows(path), "3.29")
    yield made(path, _SNAPSHOT, derived)
    shape = GROUP_SNAPSHOT
    yield from below(path, Kind.GROUP_SNAPSHOT, "group_snapshot_id", singular="group_snapshot", shape=shape)


def _legacy_group_rows(grouping: Grouping) -> Iterator[Row]:
    path, one = "/consistencygroups", "consistencygroup"
    legacy = replace(GROUPS, collection="consistencygroups", links="consistencygroup_links", zone_filter=ZoneFilter())
    yield from legacy.rows(path)
    yield Row(("POST",), path, Behaviour.PLACE, kind=Kind.GROUP, handler=grouping.groups.create_legacy)
    source = replace(
        _FROM_SOURCE,
        entity=f"{one}-from-src",
        sources=(("cgsnapshot_id", Kind.GROUP_SNAPSHOT), ("source_cgid", Kind.GROUP)),
        answered_as=one,
    )
    yield made(f"{path}/create_from_src", source, grouping.derived)
    yield from below(path, Kind.GROUP, "group_id", singular=one, shape=GROUP)


def _legacy_snapshot_rows(derived: Derived) -> Iterator[Row]:
    path, one = "/cgsnapshots", "cgsnapshot"
    yield from replace(_SNAPSHOTS, collection="cgsnapshots", links="cgsnapshot_links").rows(path)
    yield made(path, replace(_SNAPSHOT, entity=one, sources=(("consistencygroup_id", Kind.GROUP),)), derived)
    yield from below(path, Kind.GROUP_SNAPSHOT, "group_snapshot_id", singular=one, shape=GROUP_SNAPSHOT)
