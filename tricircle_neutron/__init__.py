# SPDX-License-Identifier: Apache-2.0
"""How does the central Neutron tell the worker what changed, and show the pods as its hosts?

The only code of ours that imports Neutron; it runs inside the central Neutron's process. It may use our records and
tables (``tricircle.model``, ``tricircle.store.tables``). It must never call a pod, never commit, and never wait for
another machine: it appends job rows on the database session of the user's own transaction and reads our tables on the
same session.
"""
