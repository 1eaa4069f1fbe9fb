# SPDX-License-Identifier: Apache-2.0
"""Usage of projects in pods, and reservations of what is being made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "9_0003"
down_revision = "9_0002"
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


def _ident(length: int) -> sa.types.TypeEngine[str]:
    ascii_ = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(ascii_, "mysql", "mariadb")


def _index(name: str, table: str, columns: list[str]) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Create what is missing."""
    op.create_table(
        "tricircle_usages",
        sa.Column("project_id", _ident(64), primary_key=True),
        sa.Column("service", _ident(32), primary_key=True),
        sa.Column("pod_id", _ident(36), primary_key=True),
        sa.Column("amounts", sa.JSON, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "tricircle_reservations",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("project_id", _ident(64), nullable=False),
        sa.Column("service", _ident(32), nullable=False),
        sa.Column("pod_id", _ident(36), nullable=False, server_default=""),
        sa.Column("amounts", sa.JSON, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("until", _INSTANT, nullable=False),
        sa.Column("resource_id", _ident(64)),
        sa.Column("bound_at", _INSTANT),
        if_not_exists=True,
        **_OPTIONS,
    )
    _index("ix_tricircle_reservations_project", "tricircle_reservations", ["project_id", "service"])


def downgrade() -> None:
    """Remove the tables."""
    for name in ("tricircle_reservations", "tricircle_usages"):
        op.drop_table(name, if_exists=True)
