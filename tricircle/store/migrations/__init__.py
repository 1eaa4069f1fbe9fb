# SPDX-License-Identifier: Apache-2.0
"""How did our tables come to be what they are, step by step? Alembic's folder; run by ``tricircle.store.schema``."""
