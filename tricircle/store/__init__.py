# SPDX-License-Identifier: Apache-2.0
"""What is written down, and how is it asked for? The only room that speaks SQL; one repository module per noun.

Words: *table* (``tables.py``, plain Core metadata, shared with the driver inside the central Neutron), *repository* (a
class whose methods are named for the question and return records of ``tricircle.model``), *transaction* (one ``async
with engine.begin()``). May use: ``model``, ``observe``, ``conf``, ``context``, ``errors``. Must never: call another
machine than the database, or touch a table whose name does not begin with ``tricircle_``. This file imports nothing, so
that the driver may load ``tables`` alone.
"""
