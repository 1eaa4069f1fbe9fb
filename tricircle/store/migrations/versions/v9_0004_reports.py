# SPDX-License-Identifier: Apache-2.0
"""History of jobs: what a run did, in facts that programs can read."""

import sqlalchemy as sa
from alembic import op

revision = "9_0004"
down_revision = "9_0003"
branch_labels = None
depends_on = None

_TABLE = "tricircle_job_history"


def upgrade() -> None:
    """Add what is missing."""
    if "report" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}:
        op.add_column(_TABLE, sa.Column("report", sa.JSON))


def downgrade() -> None:
    """Remove the column."""
    if "report" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}:
        op.drop_column(_TABLE, "report")
