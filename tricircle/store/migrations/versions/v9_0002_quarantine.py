# SPDX-License-Identifier: Apache-2.0
"""Quarantine: identifiers that must not be given out before every pod has let go of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "9_0002"
down_revision = "9_0001"
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


def _text(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def _index(name: str, table: str, columns: list[str]) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Create what is missing."""
    op.create_table(
        "tricircle_quarantine",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("what", _ident(16), nullable=False),
        sa.Column("scope", _text(255), nullable=False),
        sa.Column("value", _ident(64), nullable=False),
        sa.Column("kind", _ident(32), nullable=False),
        sa.Column("central_id", _text(320), nullable=False),
        sa.Column("pod_id", _ident(36)),
        sa.Column("revision", sa.BigInteger),
        sa.Column("created_at", _INSTANT, nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    _index("ix_tricircle_quarantine_value", "tricircle_quarantine", ["scope", "what", "value"])
    _index("ix_tricircle_quarantine_central", "tricircle_quarantine", ["central_id", "kind"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("tricircle_quarantine", if_exists=True)
