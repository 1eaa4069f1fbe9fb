# SPDX-License-Identifier: Apache-2.0
"""Which tables are ours? They stand in the schema of the central Neutron; every name begins with ``tricircle_``.

No foreign key leads to a table of Neutron: our rows outlive the objects they speak of. Times are UTC by the
*database's* clock with microseconds; leases are compared in SQL only. Columns with a ``default`` fill themselves in
every INSERT made from these tables, also in those of the driver inside the central Neutron: an append of a job names
only its facts.
"""

import string
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from tricircle.store.clock import Instant, now

metadata = sa.MetaData()

#: How every name of ours begins: the schema is shared with Neutron.
PREFIX = "tricircle_"
#: SQLite only counts up by itself on INTEGER.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: Ids and names compare byte by byte, whatever the server's default collation.
_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_PRINTABLE = string.punctuation + " "


class Ident(sa.types.TypeDecorator[str]):
    """ASCII text. Ids come from paths and queries too: MariaDB fails a comparison with what no ASCII column can hold,
    where the answer is that there is no such row. So other characters are percent-encoded, here and in what is written.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
        """The column type of this dialect."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.VARCHAR(self.length, **_ASCII))
        return dialect.type_descriptor(sa.String(self.length))

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """What is ASCII stays as it is."""
        return value if value is None or value.isascii() else quote(value, safe=_PRINTABLE, errors="replace")


def _ident(length: int) -> sa.types.TypeEngine[str]:
    return Ident(length)


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


_TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}

pods = sa.Table(
    "tricircle_pods",
    metadata,
    sa.Column("id", _ident(36), primary_key=True),
    sa.Column("name", _text(255), nullable=False, unique=True),
    sa.Column("az_name", _text(255), nullable=False, server_default=""),
    sa.Column("pod_az_name", _text(255), nullable=False, server_default=""),
    sa.Column("dc_name", _text(255), nullable=False, server_default=""),
    sa.Column("state", _ident(16), nullable=False, server_default="enabled"),
    sa.Column("facts", sa.JSON, nullable=False, default=dict),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Column("updated_at", Instant),
    **_TABLE_OPTIONS,
)

pod_endpoints = sa.Table(
    "tricircle_pod_endpoints",
    metadata,
    sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("service", _ident(32), primary_key=True),
    sa.Column("url", sa.String(512), nullable=False),
    sa.Column("prefix", sa.String(255), nullable=False, server_default=""),
    sa.Column("min_version", _ident(16)),
    sa.Column("max_version", _ident(16)),
    **_TABLE_OPTIONS,
)

bindings = sa.Table(
    "tricircle_bindings",
    metadata,
    sa.Column("id", _ident(36), primary_key=True),
    sa.Column("project_id", _ident(64), nullable=False),
    sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id"), nullable=False),
    sa.Column("are_limits_lifted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Column("updated_at", Instant),
    sa.UniqueConstraint("project_id", "pod_id", name="uq_tricircle_bindings_project_pod"),
    **_TABLE_OPTIONS,
)

routings = sa.Table(
    "tricircle_routings",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("central_id", _text(320), nullable=False),
    sa.Column("kind", _ident(32), nullable=False),
    sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id"), nullable=False),
    sa.Column("project_id", _ident(64), nullable=False),
    # The id in the pod; NULL until bound. A keypair's is its name.
    sa.Column("pod_resource_id", _text(255)),
    sa.Column("owner", _ident(128)),
    sa.Column("lease_until", Instant),
    sa.Column("revision", _ident(64)),
    # For a port: the server it belongs to; for a server that was made with others: their reservation. The same as in
    # details, here for its index.
    sa.Column("server_id", _ident(36)),
    sa.Column("details", sa.JSON, nullable=False, default=dict),
    sa.Column("resources", sa.JSON, nullable=False, default=dict),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Column("updated_at", Instant),
    sa.UniqueConstraint("central_id", "kind", "pod_id", name="uq_tricircle_routings_central_kind_pod"),
    sa.Index("ix_tricircle_routings_pod_resource", "pod_id", "kind", "pod_resource_id"),
    sa.Index("ix_tricircle_routings_project", "project_id", "kind", "pod_id"),
    sa.Index("ix_tricircle_routings_server", "server_id"),
    **_TABLE_OPTIONS,
)

cursors = sa.Table(
    "tricircle_cursors",
    metadata,
    # Digest of (project, door, collection, query without marker and limit); see road/positions.py.
    sa.Column("list_key", _ident(64), primary_key=True),
    sa.Column("marker", _text(255), primary_key=True),
    # Per pod id: the last id that was taken from it, or null when nothing was.
    sa.Column("positions", sa.JSON, nullable=False),
    sa.Column("used_at", Instant, nullable=False, default=now()),
    sa.Index("ix_tricircle_cursors_used_at", "used_at"),
    **_TABLE_OPTIONS,
)

jobs = sa.Table(
    "tricircle_jobs",
    metadata,
    # No unique key but the id: appending must never block or fail a tenant's transaction.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("type", _ident(32), nullable=False),
    sa.Column("resource_id", _text(320), nullable=False),
    sa.Column("pod_id", _ident(36), nullable=False, server_default=""),
    sa.Column("project_id", _ident(64), nullable=False, server_default=""),
    sa.Column("revision", sa.BigInteger),
    sa.Column("payload", sa.JSON, nullable=False, default=dict),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text),
    # Set when the attempts are used up: the row stays, with its error, and is not run until somebody asks or the key
    # changes.
    sa.Column("failed_at", Instant),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Column("not_before", Instant, nullable=False, default=now()),
    # The pod stands in the index so that the many due rows of a pod that is busy or down are stepped over cheaply.
    sa.Index("ix_tricircle_jobs_due", "failed_at", "not_before", "pod_id"),
    sa.Index("ix_tricircle_jobs_key", "resource_id", "type", "pod_id"),
    **_TABLE_OPTIONS,
)

# Who runs a key now. A row of its own and not a column of the jobs: rows of one key may be committed at any time and in
# any order, so no job row can stand for the key, and on Galera only a common row makes two claims collide.
job_keys = sa.Table(
    "tricircle_job_keys",
    metadata,
    sa.Column("type", _ident(32), primary_key=True),
    sa.Column("resource_id", _text(320), primary_key=True),
    sa.Column("pod_id", _ident(36), primary_key=True),
    sa.Column("owner", _ident(128), nullable=False),
    # Fresh for every claim: a worker that lost a key and took it again is not mistaken for its former self.
    sa.Column("token", _ident(36), nullable=False),
    sa.Column("taken_at", Instant, nullable=False, default=now()),
    sa.Column("lease_until", Instant, nullable=False),
    **_TABLE_OPTIONS,
)

job_history = sa.Table(
    "tricircle_job_history",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    # By which id the job was known that the line is about; of several that one run settled the newest's, and the others
    # as ",3,5," in ``folded``. NULL in lines of an older release.
    sa.Column("job_id", sa.BigInteger),
    sa.Column("folded", sa.Text),
    sa.Column("type", _ident(32), nullable=False),
    sa.Column("resource_id", _text(320), nullable=False),
    sa.Column("pod_id", _ident(36), nullable=False, server_default=""),
    sa.Column("project_id", _ident(64), nullable=False, server_default=""),
    sa.Column("status", _ident(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant, nullable=False, default=now()),
    # What the run did, in facts that programs can read; NULL when its body says nothing.
    sa.Column("report", sa.JSON),
    sa.Index("ix_tricircle_job_history_finished", "finished_at"),
    sa.Index("ix_tricircle_job_history_job", "job_id"),
    **_TABLE_OPTIONS,
)

# Identifiers that tenants have let go of and pods perhaps not. Written in the tenant's own transaction, always: whether
# a pod still holds one is seen from its routings at the moment when somebody wants it.
quarantine = sa.Table(
    "tricircle_quarantine",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    # vlan, address or mac
    sa.Column("what", _ident(16), nullable=False),
    # the physical network of a VLAN id, the network of an address or a MAC
    sa.Column("scope", _text(255), nullable=False),
    sa.Column("value", _ident(64), nullable=False),
    # Whose routings tell which pods still hold it; NULL: in any pod.
    sa.Column("kind", _ident(32), nullable=False),
    sa.Column("central_id", _text(320), nullable=False),
    sa.Column("pod_id", _ident(36)),
    # For a change: the central revision without the identifier; NULL after a deletion.
    sa.Column("revision", sa.BigInteger),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Index("ix_tricircle_quarantine_value", "scope", "what", "value"),
    sa.Index("ix_tricircle_quarantine_central", "central_id", "kind"),
    **_TABLE_OPTIONS,
)

# What a project used in a pod when the pod was asked last. The row without a pod is the lock of (project, service).
usages = sa.Table(
    "tricircle_usages",
    metadata,
    sa.Column("project_id", _ident(64), primary_key=True),
    sa.Column("service", _ident(32), primary_key=True),
    sa.Column("pod_id", _ident(36), primary_key=True),
    sa.Column("amounts", sa.JSON, nullable=False, default=dict),
    sa.Column("seen_at", Instant, nullable=False, default=now()),
    **_TABLE_OPTIONS,
)

# What is being made and may not yet be seen in the pod's own usage.
reservations = sa.Table(
    "tricircle_reservations",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("project_id", _ident(64), nullable=False),
    sa.Column("service", _ident(32), nullable=False),
    sa.Column("pod_id", _ident(36), nullable=False, server_default=""),
    sa.Column("amounts", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    # No call that could use it is under way after this.
    sa.Column("until", Instant, nullable=False),
    # What the pod is making of it; NULL until the pod has said so.
    sa.Column("resource_id", _ident(64)),
    # When the pod's own count was known to include it: a usage asked for later does.
    sa.Column("bound_at", Instant),
    sa.Index("ix_tricircle_reservations_project", "project_id", "service"),
    **_TABLE_OPTIONS,
)

# Consoles that users were given. Without the token, of which only the digest is here, nothing in a row opens anything.
consoles = sa.Table(
    "tricircle_consoles",
    metadata,
    # Stands in the addresses of the pages; no secret.
    sa.Column("id", _ident(32), primary_key=True),
    # SHA-256 of the token, hexadecimal.
    sa.Column("token_hash", _ident(64), nullable=False, unique=True),
    sa.Column("type", _ident(32), nullable=False),
    sa.Column("server_id", _ident(36), nullable=False),
    sa.Column("pod_id", _ident(36), nullable=False),
    sa.Column("project_id", _ident(64), nullable=False),
    sa.Column("user_id", _ident(64), nullable=False),
    sa.Column("base", sa.String(512), nullable=False),
    # The pod's token and WebSocket, encrypted with a key that is made of our token.
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("uses", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", Instant, nullable=False, default=now()),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_tricircle_consoles_expires", "expires_at"),
    **_TABLE_OPTIONS,
)
