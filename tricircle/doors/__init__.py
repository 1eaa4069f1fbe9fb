# SPDX-License-Identifier: Apache-2.0
"""What do we speak? Per service API a table of rows (``rows.py``) and the special cases; nothing else is code.

Words: *door* (one service API that we speak), *row* (one line of its table: path -> behaviour), *shape* (see
``road/rewrite.py``).
May use: ``road`` and everything below. Must never: import another door, open a connection of its own, or answer with
what only a pod knows (its id, name, host or URL).
"""
