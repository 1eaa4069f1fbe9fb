# SPDX-License-Identifier: Apache-2.0
"""First tables: pods, bindings, routings, list cursors, jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "9_0001"
down_revision = None
branch_labels = None
depends_on = None

_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_INDEXES = {
    "ix_tricircle_routings_pod_resource": ("tricircle_routings", ["pod_id", "kind", "pod_resource_id"]),
    "ix_tricircle_routings_project": ("tricircle_routings", ["project_id", "kind", "pod_id"]),
    "ix_tricircle_routings_server": ("tricircle_routings", ["server_id"]),
    "ix_tricircle_cursors_used_at": ("tricircle_cursors", ["used_at"]),
    "ix_tricircle_jobs_due": ("tricircle_jobs", ["failed_at", "not_before", "pod_id"]),
    "ix_tricircle_jobs_key": ("tricircle_jobs", ["resource_id", "type", "pod_id"]),
    "ix_tricircle_job_history_finished": ("tricircle_job_history", ["finished_at"]),
}
_TABLES = (
    "tricircle_job_history",
    "tricircle_job_keys",
    "tricircle_jobs",
    "tricircle_cursors",
    "tricircle_routings",
    "tricircle_bindings",
    "tricircle_pod_endpoints",
    "tricircle_pods",
)


def _ident(length: int) -> sa.types.TypeEngine[str]:
    ascii_ = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(ascii_, "mysql", "mariadb")


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    """Create what is missing: a first run that was cut off may have left a part."""
    _create_pods()
    _create_routings()
    _create_jobs()
    inspector = sa.inspect(op.get_bind())
    for name, (table, columns) in _INDEXES.items():
        if name not in {index["name"] for index in inspector.get_indexes(table)}:
            op.create_index(name, table, columns)


def downgrade() -> None:
    """Remove every table of ours; the version table stays."""
    for name in _TABLES:
        op.drop_table(name, if_exists=True)


def _create_pods() -> None:
    op.create_table(
        "tricircle_pods",
        sa.Column("id", _ident(36), primary_key=True),
        sa.Column("name", _text(255), nullable=False, unique=True),
        sa.Column("az_name", _text(255), nullable=False, server_default=""),
        sa.Column("pod_az_name", _text(255), nullable=False, server_default=""),
        sa.Column("dc_name", _text(255), nullable=False, server_default=""),
        sa.Column("state", _ident(16), nullable=False, server_default="enabled"),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_pod_endpoints",
        sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("service", _ident(32), primary_key=True),
        sa.Column("url", sa.String(512), nullable=False),
        sa.Column("prefix", sa.String(255), nullable=False, server_default=""),
        sa.Column("min_version", _ident(16)),
        sa.Column("max_version", _ident(16)),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_bindings",
        sa.Column("id", _ident(36), primary_key=True),
        sa.Column("project_id", _ident(64), nullable=False),
        sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id"), nullable=False),
        sa.Column("are_limits_lifted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT),
        sa.UniqueConstraint("project_id", "pod_id", name="uq_tricircle_bindings_project_pod"),
        if_not_exists=True,
        **_OPTIONS,
    )


def _create_routings() -> None:
    op.create_table(
        "tricircle_routings",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("central_id", _text(320), nullable=False),
        sa.Column("kind", _ident(32), nullable=False),
        sa.Column("pod_id", _ident(36), sa.ForeignKey("tricircle_pods.id"), nullable=False),
        sa.Column("project_id", _ident(64), nullable=False),
        sa.Column("pod_resource_id", _text(255)),
        sa.Column("owner", _ident(128)),
        sa.Column("lease_until", _INSTANT),
        sa.Column("revision", _ident(64)),
        sa.Column("server_id", _ident(36)),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("resources", sa.JSON, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT),
        sa.UniqueConstraint("central_id", "kind", "pod_id", name="uq_tricircle_routings_central_kind_pod"),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_cursors",
        sa.Column("list_key", _ident(64), primary_key=True),
        sa.Column("marker", _text(255), primary_key=True),
        sa.Column("positions", sa.JSON, nullable=False),
        sa.Column("used_at", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )


def _job_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("type", _ident(32), nullable=False),
        sa.Column("resource_id", _text(320), nullable=False),
        sa.Column("pod_id", _ident(36), nullable=False, server_default=""),
        sa.Column("project_id", _ident(64), nullable=False, server_default=""),
    ]


def _create_jobs() -> None:
    op.create_table(
        "tricircle_jobs",
        *_job_columns(),
        sa.Column("revision", sa.BigInteger),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("last_error", sa.Text),
        sa.Column("failed_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_job_keys",
        sa.Column("type", _ident(32), primary_key=True),
        sa.Column("resource_id", _text(320), primary_key=True),
        sa.Column("pod_id", _ident(36), primary_key=True),
        sa.Column("owner", _ident(128), nullable=False),
        sa.Column("token", _ident(36), nullable=False),
        sa.Column("taken_at", _INSTANT, nullable=False),
        sa.Column("lease_until", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_job_history",
        *_job_columns(),
        sa.Column("status", _ident(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("started_at", _INSTANT),
        sa.Column("finished_at", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
