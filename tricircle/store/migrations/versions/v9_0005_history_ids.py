# SPDX-License-Identifier: Apache-2.0
"""History of jobs: by which ids were the jobs known that a line speaks of?"""

import sqlalchemy as sa
from alembic import op

revision = "9_0005"
down_revision = "9_0004"
branch_labels = None
depends_on = None

_TABLE = "tricircle_job_history"
_INDEX = "ix_tricircle_job_history_job"


def upgrade() -> None:
    """Add what is missing."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}
    if "job_id" not in columns:
        op.add_column(_TABLE, sa.Column("job_id", sa.BigInteger))
    if "folded" not in columns:
        op.add_column(_TABLE, sa.Column("folded", sa.Text))
    if _INDEX not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(_TABLE)}:
        op.create_index(_INDEX, _TABLE, ["job_id"])


def downgrade() -> None:
    """Remove the columns."""
    if _INDEX in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(_TABLE)}:
        op.drop_index(_INDEX, _TABLE)
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}
    for name in ("job_id", "folded"):
        if name in columns:
            op.drop_column(_TABLE, name)
