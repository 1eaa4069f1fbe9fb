# SPDX-License-Identifier: Apache-2.0
"""Consoles that users were given."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "9_0006"
down_revision = "9_0005"
branch_labels = None
depends_on = None

_TABLE = "tricircle_consoles"
_INDEX = "ix_tricircle_consoles_expires"
_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _ident(length: int) -> sa.types.TypeEngine[str]:
    ascii_ = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(ascii_, "mysql", "mariadb")


def upgrade() -> None:
    """Create what is missing."""
    op.create_table(
        _TABLE,
        sa.Column("id", _ident(32), primary_key=True),
        sa.Column("token_hash", _ident(64), nullable=False, unique=True),
        sa.Column("type", _ident(32), nullable=False),
        sa.Column("server_id", _ident(36), nullable=False),
        sa.Column("pod_id", _ident(36), nullable=False),
        sa.Column("project_id", _ident(64), nullable=False),
        sa.Column("user_id", _ident(64), nullable=False),
        sa.Column("base", sa.String(512), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    if _INDEX not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(_TABLE)}:
        op.create_index(_INDEX, _TABLE, ["expires_at"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table(_TABLE, if_exists=True)
