# SPDX-License-Identifier: Apache-2.0
"""Has every call of Cinder's API a row, and does each row do what the resource needs?"""

import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from tests.unit.road.lists.fake_lists import context
from tricircle.doors.block_storage import rows
from tricircle.doors.block_storage.availability_zones import AvailabilityZones
from tricircle.doors.block_storage.declared.qos import QosSpecs
from tricircle.doors.block_storage.declared.type_changes import TypeChanges
from tricircle.doors.block_storage.operators.backup_records import BackupRecords
from tricircle.doors.block_storage.operators.everywhere import Everywhere
from tricircle.doors.block_storage.operators.host_calls import HostCalls
from tricircle.doors.block_storage.operators.manage import Manage
from tricircle.doors.block_storage.operators.operator_rows import Operating
from tricircle.doors.block_storage.operators.pools import Pools
from tricircle.doors.block_storage.operators.somewhere import Somewhere
from tricircle.doors.block_storage.quotas.limits import Limits
from tricircle.doors.block_storage.versions import Versions
from tricircle.doors.block_storage.volumes.derived import Derived
from tricircle.doors.block_storage.volumes.group_rows import Grouping
from tricircle.doors.block_storage.volumes.groups import Groups
from tricircle.doors.block_storage.volumes.handovers import Handovers
from tricircle.doors.block_storage.volumes.volume_actions import VolumeActions
from tricircle.doors.block_storage.volumes.volumes import Volumes
from tricircle.http.policy.rules import list_rules
from tricircle.model.job import JobType
from tricircle.model.routing import Kind
from tricircle.road.lists.paging import LONGEST_PAGE, wish_of
from tricircle.road.row import Behaviour, Row
from tricircle.road.table import DoorTable, Match, Split, Version

ROUTES = [
    line.split(" ", 1)
    for line in Path(__file__).with_name("cinder_routes.txt").read_text().splitlines()
    if not line.startswith("#")
]
DERIVED = Derived(carrier=None, quota=None)  # type: ignore[arg-type]
CALLS = HostCalls(carrier=None, hosts=None)  # type: ignore[arg-type]
DOOR = rows.door(
    rows.Specials(
        volumes=create_autospec(Volumes),
        actions=create_autospec(VolumeActions),
        derived=DERIVED,
        handovers=create_autospec(Handovers),
        zones=create_autospec(AvailabilityZones),
        limits=create_autospec(Limits),
        types=create_autospec(TypeChanges),
        qos=create_autospec(QosSpecs),
        manage=create_autospec(Manage),
        records=create_autospec(BackupRecords),
        grouping=Grouping(groups=create_autospec(Groups), derived=DERIVED),
        operating=Operating(
            calls=CALLS,
            everywhere=create_autospec(Everywhere),
            pools=create_autospec(Pools),
            somewhere=Somewhere(None),  # type: ignore[arg-type]
        ),
        versions=create_autospec(Versions),
    )
)
TABLE = DoorTable(DOOR.rows, versions=DOOR.versions, is_project_optional=True)


def row_of(method: str, path: str, version: Version = (3, 71)) -> Row | None:
    segments = tuple(re.sub(r"\{\w+\}", "x", part) for part in path.split("/") if part)
    match = TABLE.match(method, Split("/v3", None, segments))
    found = match.at(version) if isinstance(match, Match) else None
    return found[0] if found else None


def test_an_operators_policy_guards_what_cinders_would() -> None:
    """We answer it ourselves: nobody else asks the policy."""
    row = row_of("GET", "/os-availability-zone")
    assert row is not None
    assert row.policy == "volume:availability_zone_list"
    assert row.policy in {rule.name for rule in list_rules()}


def test_every_call_of_cinder_has_a_row() -> None:
    assert [(method, path) for method, path in ROUTES if row_of(method, path) is None] == []


@pytest.mark.parametrize(
    ("method", "path", "behaviour"),
    [
        ("GET", "/", Behaviour.OURS),
        ("POST", "/volumes", Behaviour.PLACE),
        ("GET", "/volumes", Behaviour.GATHER),
        ("GET", "/volumes/detail", Behaviour.GATHER),
        ("GET", "/volumes/summary", Behaviour.SUM),
        ("GET", "/volumes/x", Behaviour.ROUTE),
        ("PUT", "/volumes/x/metadata/key", Behaviour.ROUTE),
        ("POST", "/volumes/x/action", Behaviour.ROUTE),
        ("POST", "/snapshots", Behaviour.PLACE),
        ("POST", "/snapshots/x/action", Behaviour.ROUTE),
        ("POST", "/backups", Behaviour.PLACE),
        ("GET", "/backups/x/export_record", Behaviour.ROUTE),
        ("POST", "/attachments", Behaviour.PLACE),
        ("POST", "/os-volume-transfer/x/accept", Behaviour.ROUTE),
        ("POST", "/groups/action", Behaviour.PLACE),
        ("POST", "/groups/x/action", Behaviour.ROUTE),
        ("POST", "/group_snapshots", Behaviour.PLACE),
        ("GET", "/types", Behaviour.CENTRAL),
        ("POST", "/types", Behaviour.CENTRAL),
        ("GET", "/types/x/extra_specs", Behaviour.CENTRAL),
        ("GET", "/qos-specs/x/associate", Behaviour.DECLARE),
        ("GET", "/limits", Behaviour.SUM),
        ("GET", "/os-quota-sets/x", Behaviour.SUM),
        ("PUT", "/os-quota-sets/x", Behaviour.CENTRAL),
        ("GET", "/os-availability-zone", Behaviour.OURS),
        ("GET", "/os-services", Behaviour.GATHER),
        ("GET", "/scheduler-stats/get_pools", Behaviour.GATHER),
        ("GET", "/messages", Behaviour.GATHER),
        ("PUT", "/os-services/failover_host", Behaviour.OURS),
        ("PUT", "/os-services/set-log", Behaviour.OURS),
        ("PUT", "/os-hosts/x", Behaviour.OURS),
        ("GET", "/capabilities/x", Behaviour.OURS),
        ("PUT", "/clusters/enable", Behaviour.OURS),
        ("POST", "/workers/cleanup", Behaviour.OURS),
        ("GET", "/manageable_snapshots/detail", Behaviour.OURS),
        ("POST", "/manageable_snapshots", Behaviour.PLACE),
        ("POST", "/os-volume-manage", Behaviour.PLACE),
        ("POST", "/backups/import_record", Behaviour.PLACE),
        ("POST", "/groups", Behaviour.PLACE),
        ("PUT", "/groups/x", Behaviour.ROUTE),
        ("PUT", "/group_types/x", Behaviour.DECLARE),
        ("POST", "/group_types/x/group_specs", Behaviour.DECLARE),
        ("DELETE", "/group_types/x", Behaviour.DECLARE),
        ("GET", "/consistencygroups/detail", Behaviour.GATHER),
        ("POST", "/consistencygroups", Behaviour.PLACE),
        ("POST", "/consistencygroups/create_from_src", Behaviour.PLACE),
        ("PUT", "/consistencygroups/x/update", Behaviour.ROUTE),
        ("DELETE", "/cgsnapshots/x", Behaviour.ROUTE),
    ],
)
def test_behaviours(method: str, path: str, behaviour: Behaviour) -> None:
    row = row_of(method, path)
    assert row is not None
    assert row.behaviour is behaviour


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/types/x"),
        ("DELETE", "/types/x"),
        ("POST", "/types/x/action"),
        ("POST", "/types/x/extra_specs"),
        ("DELETE", "/types/x/extra_specs/key"),
        ("POST", "/types/x/encryption"),
    ],
)
def test_copies_of_a_type_follow_every_change(method: str, path: str) -> None:
    row = row_of(method, path)
    assert row is not None
    assert (row.behaviour, row.jobs) == (Behaviour.DECLARE, ((JobType.VOLUME_TYPE, "type_id"),))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/volumes/x", Kind.VOLUME),
        ("/snapshots/x/metadata", Kind.SNAPSHOT),
        ("/backups/x", Kind.BACKUP),
        ("/attachments/x", Kind.ATTACHMENT),
        ("/volume-transfers/x", Kind.TRANSFER),
        ("/groups/x", Kind.GROUP),
        ("/group_snapshots/x", Kind.GROUP_SNAPSHOT),
    ],
)
def test_what_is_below_an_id_goes_where_it_lives(path: str, kind: Kind) -> None:
    row = row_of("GET", path)
    assert row is not None
    assert row.kind is kind


@pytest.mark.parametrize(
    ("path", "since"),
    [("/attachments", (3, 27)), ("/groups", (3, 13)), ("/group_snapshots", (3, 14)), ("/messages", (3, 3)),
     ("/clusters", (3, 7)), ("/volumes/summary", (3, 12))],
)  # fmt: skip
def test_paths_begin_with_a_microversion(path: str, since: Version) -> None:
    before = row_of("GET", path, (since[0], since[1] - 1))
    assert before is None or before.path != path
    assert row_of("GET", path, since) is not None


def test_transfers_have_both_paths_in_every_version() -> None:
    for path in ("/os-volume-transfer", "/volume-transfers"):
        row = row_of("GET", f"{path}/detail", (3, 0))
        assert row is not None
        assert row.path == f"{path}/detail"


def test_transfers_were_listed_oldest_first() -> None:
    for version, is_falling in (((3, 58), False), ((3, 59), True)):
        row = row_of("GET", "/os-volume-transfer/detail", version)
        assert row is not None
        assert row.listing is not None
        assert row.listing.order[0] == ("created_at", is_falling)


@pytest.mark.parametrize(
    ("path", "since"),
    [("/messages", (3, 5)), ("/group_snapshots", (3, 29)), ("/group_snapshots/detail", (3, 29)),
     ("/volume-transfers", (3, 59))],
)  # fmt: skip
def test_lists_that_had_no_pages(path: str, since: tuple[int, int]) -> None:
    """They came whole and in one order, whatever was asked for."""
    query = [("limit", "1"), ("marker", "x"), ("sort", "id:asc")]
    for version in (since, (since[0], since[1] - 1)):
        row = row_of("GET", path, version)
        assert row is not None
        assert row.listing is not None
        wish = wish_of(query, row.listing)
        assert (wish.limit, wish.marker) == ((1, "x") if version == since else (LONGEST_PAGE, None))
        assert [name for name, _ in wish.order] == (["id", "created_at"] if version == since else ["created_at", "id"])


@pytest.mark.parametrize(
    ("path", "members", "admins"),
    [
        ("/volumes", {(3, 0), (3, 30), (3, 31)}, True),
        ("/snapshots", {(3, 31)}, True),
        ("/backups", set(), True),
        ("/groups", {(3, 30)}, True),
        ("/consistencygroups", {(3, 0), (3, 30), (3, 31)}, True),
        ("/group_snapshots", set(), False),
        ("/attachments", set(), False),
        ("/volume-transfers", set(), False),
        ("/messages", set(), False),
    ],
)
def test_who_filters_by_az(path: str, members: set[tuple[int, int]], admins: bool) -> None:
    """As Cinder and the ``resource_filters.json`` that it ships."""
    member = context()
    admin = replace(member, roles=frozenset({"admin"}))
    honoured = {}
    for who in (member, admin):
        honoured[who.is_admin] = {
            version
            for version in ((3, 0), (3, 30), (3, 31))
            if (row := row_of("GET", path, version)) is not None
            and row.listing is not None
            and row.listing.zone_filter is not None
            and row.listing.zone_filter.is_honoured(who, version)
        }
    assert honoured[False] == members
    assert bool(honoured[True]) == admins
