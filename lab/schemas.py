# SPDX-License-Identifier: Apache-2.0
"""Which schemas does the lab need, and how do they come into being within seconds?

Every service's migrations run once, in a schema of their own; the result is dumped and loaded for
every place that needs it. Dumps are kept by the hash of the pinned environment, those of an older
release under its name.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import compute_record, database, identity, ini
from lab.environment import lock_digest
from lab.services import keystone
from lab.services.processes import environment
from lab.services.sections import database_url, transport_url
from lab.topology import CENTRAL_REGION, PASSWORD, Lab, Mode, Pod, Release

AT_ONCE = 2
# Raise this when the same pins shall give other dumps.
GENERATION = 1
KEYSTONE = "keystone"
IDENTITY = "identity"  # Keystone's schema with all regions, users and endpoints in it
CENTRAL_CELL = "nova_central"  # the cell of the centre, with the record of a compute service in it
_CELL0 = "00000000-0000-0000-0000-000000000000"


class MigrationError(Exception):
    """A service's migration ended with an error; the text is the end of its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One schema of the lab, and the template it is loaded from."""

    name: str
    template: str
    after: str = ""  # SQL to run in it once it is loaded
    release: Release = Release.NEWEST  # whose migrations made the template


def wanted(lab: Lab) -> list[Schema]:
    """All schemas of the lab."""
    central = [
        Schema(name=KEYSTONE, template=IDENTITY if _dump(lab, IDENTITY).exists() else KEYSTONE),
        Schema(name="glance_central", template="glance"),
        Schema(name="neutron_central", template="neutron"),
        Schema(name="cinder_central", template="cinder"),
        Schema(name=compute_record.SCHEMA, template=CENTRAL_CELL),
        Schema(name="nova_api_central", template="nova_api", after=_cells(lab, None)),
    ]
    return central + [schema for pod in lab.pods for schema in _of_pod(lab, pod)]


def create(lab: Lab) -> list[str]:
    """Create and fill the schemas that are missing; their names. Makes templates that are missing."""
    present = database.schemas(lab)
    missing = [schema for schema in wanted(lab) if schema.name not in present]
    if missing:
        for release in lab.releases:
            needed = {schema.template for schema in missing if schema.release is release}
            make_templates(lab, {name for name in needed if not _dump(lab, name, release).exists()}, release)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda schema: _load(lab, schema), missing))
    if not compute_record.is_there(lab):
        compute_record.make(lab)
    for pod in lab.pods:
        # The process mode may have changed since the cell was written down.
        url = transport_url(lab, pod)
        database.run(
            lab,
            f"UPDATE cell_mappings SET transport_url='{url}' WHERE name='cell1'",
            schema=f"nova_api_{pod.name}",
        )
    return [schema.name for schema in missing]


def map_hosts(lab: Lab, pod: Pod, since: float) -> bool:
    """Put the pod's compute hosts into its cell, as `nova-manage cell_v2 discover_hosts` would.

    False while a host has not reported after `since`, in seconds since the epoch.
    """
    rows = database.run(
        lab,
        f"""
        INSERT INTO host_mappings (cell_id, host, created_at)
            SELECT c.id, n.host, NOW() FROM cell_mappings c,
                (SELECT DISTINCT host FROM nova_{pod.name}.compute_nodes WHERE deleted = 0) n
            WHERE c.name = 'cell1' AND n.host NOT IN (SELECT host FROM host_mappings);
        UPDATE nova_{pod.name}.compute_nodes SET mapped = 1;
        SELECT COUNT(*) FROM host_mappings m JOIN nova_{pod.name}.services s ON s.host = m.host
            WHERE s.`binary` = 'nova-compute' AND s.deleted = 0
            AND s.last_seen_up >= '{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S}';
        """,
        schema=f"nova_api_{pod.name}",
    )
    return int(rows[0][0]) >= (len(lab.hosts) if pod.mode is Mode.AIO else 1)


def make_templates(lab: Lab, names: set[str], release: Release = Release.NEWEST) -> None:
    """Run a release's migrations and dump the results."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda name: _make_template(lab, name, release), [n for n in MIGRATIONS if n in names]))


def keep_identity(lab: Lab) -> None:
    """Keep a Keystone that was just filled as a template of its own: some 150 calls less the next time."""
    if not _dump(lab, IDENTITY).exists():
        _write_dump(lab, KEYSTONE, IDENTITY)


def _of_pod(lab: Lab, pod: Pod) -> list[Schema]:
    # Other pods have other ids of their default types; only the template gives them all the same.
    cinder = "SET foreign_key_checks=0; UPDATE volume_types SET id=UUID();"
    cinder += "SET @g=UUID(); UPDATE group_type_specs SET group_type_id=@g; UPDATE group_types SET id=@g;"
    if pod.unlimited:
        # These rows win over the options of cinder.conf.
        cinder += "UPDATE quota_classes SET hard_limit=-1;"
    of_service = {
        f"nova_api_{pod.name}": ("nova_api", _cells(lab, pod)),
        f"nova_{pod.name}": ("nova", ""),
        f"nova_cell0_{pod.name}": ("nova", ""),
        f"neutron_{pod.name}": ("neutron", ""),
        f"cinder_{pod.name}": ("cinder", cinder),
        f"placement_{pod.name}": ("placement", ""),
    }
    if lab.has_own_glance(pod):
        of_service[f"glance_{pod.name}"] = ("glance", "")
    return [
        Schema(name=name, template=template, after=after, release=pod.release)
        for name, (template, after) in of_service.items()
    ]


def _cells(lab: Lab, pod: Pod | None) -> str:
    """What `nova-manage cell_v2` would write, without two starts of five seconds."""
    place = pod.name if pod else "central"
    is_green = pod is not None and pod.is_older
    cell0 = database_url(lab, f"nova_cell0_{place}", green=is_green)
    rows = [f"('{_CELL0}', 'cell0', 'none:///', '{cell0}', 0, NOW())"]
    if pod:
        cell = database_url(lab, f"nova_{place}", green=is_green)
        rows.append(f"(UUID(), 'cell1', '{transport_url(lab, pod)}', '{cell}', 0, NOW())")
    columns = "uuid, name, transport_url, database_connection, disabled, created_at"
    return f"INSERT INTO cell_mappings ({columns}) VALUES {', '.join(rows)};"


def _load(lab: Lab, schema: Schema) -> None:
    """Load one dump under a passing name, so that a broken load is not taken for a schema."""
    dump = _dump(lab, schema.template, schema.release).read_text()
    quick = "SET unique_checks=0; SET foreign_key_checks=0;\n"
    try:
        database.run(lab, f"CREATE DATABASE `{schema.name}`")
        database.run(lab, f"{quick}{dump}\nSET foreign_key_checks=1;\n{schema.after}", schema=schema.name)
    except database.SqlError:
        database.run(lab, f"DROP DATABASE IF EXISTS `{schema.name}`")
        raise


def _dump(lab: Lab, name: str, release: Release = Release.NEWEST) -> Path:
    parts = [lock_digest(lab, release), str(GENERATION)]
    if name == KEYSTONE:
        parts.append(str(lab.base))  # the bootstrapped catalog holds addresses
    if name == IDENTITY:
        parts.append(identity.digest(lab))
    if name == CENTRAL_CELL:
        parts.append(compute_record.digest(lab))
    key = hashlib.sha256("-".join(parts).encode()).hexdigest()[:12]
    return lab.templates / f"{_stem(name, release)}-{key}.sql"


def _stem(name: str, release: Release) -> str:
    return f"{name}-{release}" if release else name


def _make_template(lab: Lab, name: str, release: Release) -> None:
    schema = f"tpl_{name}"
    programs = lab.venv_of(release) / "bin"
    database.run(lab, f"DROP DATABASE IF EXISTS {schema}; CREATE DATABASE {schema}")
    for program, *arguments in MIGRATIONS[name](lab, schema):
        command = [str(programs / program), *arguments]
        done = subprocess.run(command, env=environment(lab), capture_output=True, text=True, check=False)
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise MigrationError(f"{' '.join(command)}:\n{end}")
    if name == CENTRAL_CELL:
        compute_record.make(lab, schema)
    _write_dump(lab, schema, name, release)
    database.run(lab, f"DROP DATABASE {schema}")


def _write_dump(lab: Lab, schema: str, name: str, release: Release = Release.NEWEST) -> None:
    """Dump a schema as the template of this name, and forget older ones."""
    dumped = subprocess.run(
        [
            "mariadb-dump",
            "--no-defaults",
            f"--socket={lab.socket}",
            "--user=lab",
            *("--skip-comments", "--skip-add-drop-table", "--skip-disable-keys"),
            schema,
        ],
        env=database.client_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    path = _dump(lab, name, release)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name != IDENTITY:  # of which there may be one for every number of pods
        for old in path.parent.glob(f"{_stem(name, release)}-????????????.sql"):
            old.unlink()
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(dumped.stdout)
    unfinished.rename(path)


Commands = list[list[str]]


def _config(lab: Lab, schema: str, sections: ini.Sections) -> str:
    path = lab.etc / "templates" / f"{schema}.conf"
    ini.write(path, ini.render(sections))
    return str(path)


def _connection(lab: Lab, schema: str) -> ini.Section:
    return {"connection": database_url(lab, schema, green=True)}


def _nova(lab: Lab, schema: str, *arguments: str) -> Commands:
    section = _connection(lab, schema)
    path = _config(lab, schema, {"api_database": section, "database": section})
    return [["nova-manage", "--config-file", path, *arguments]]


def _plain(lab: Lab, schema: str, program: str, section: str, *arguments: str) -> Commands:
    path = _config(lab, schema, {"DEFAULT": {}, section: _connection(lab, schema)})
    return [[program, "--config-file", path, *arguments]]


def _neutron(lab: Lab, schema: str) -> Commands:
    sections = {"DEFAULT": {"core_plugin": "ml2"}, "database": _connection(lab, schema)}
    path = _config(lab, schema, sections)
    return [["neutron-db-manage", "--config-file", path, "upgrade", "heads"]]


def _keystone(lab: Lab, schema: str) -> Commands:
    program = ["keystone-manage", "--config-file", str(keystone.write(lab, schema))]
    bootstrap = ["bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", CENTRAL_REGION]
    for interface in ("public", "internal", "admin"):
        bootstrap += [f"--bootstrap-{interface}-url", lab.keystone]
    return [[*program, "db_sync"], [*program, *bootstrap]]


# The slowest first: two run at a time.
MIGRATIONS: dict[str, Callable[[Lab, str], Commands]] = {
    "neutron": _neutron,
    "keystone": _keystone,
    "nova": lambda lab, schema: _nova(lab, schema, "db", "sync", "--local_cell"),
    CENTRAL_CELL: lambda lab, schema: _nova(lab, schema, "db", "sync", "--local_cell"),
    "nova_api": lambda lab, schema: _nova(lab, schema, "api_db", "sync"),
    "cinder": lambda lab, schema: _plain(lab, schema, "cinder-manage", "database", "db", "sync"),
    "glance": lambda lab, schema: _plain(lab, schema, "glance-manage", "database", "db_sync"),
    "placement": lambda lab, schema: _plain(lab, schema, "placement-manage", "placement_database", "db", "sync"),
}
