# SPDX-License-Identifier: Apache-2.0
"""On which connection, and on which tables, do the steps run?

The schema belongs to the central Neutron too: our own version table, and no look at a table whose name is not ours.
"""

from alembic import context

from tricircle.store.schema import comparison_options

connection = context.config.attributes["connection"]
context.configure(connection=connection, **comparison_options())
with context.begin_transaction():
    context.run_migrations()
