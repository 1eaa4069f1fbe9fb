# SPDX-License-Identifier: Apache-2.0
"""How does a declared resource come to exist in one pod, follow its changes, and go again?

One module per noun; job bodies included. Words: a *copy* carries our mark (``description = tricircle:<central id>``)
where its API has a place for one; *ensure* finds or creates it under the lease of its routing row (``ensure.py``, the
only get-or-create in the house); a job's body *agrees* a copy with the centre. May use ``jobs`` (to append), ``pods``,
``ledger``, ``upstream``. Must never decide which pod is used, read Neutron's tables, adopt an object by its mark alone,
or answer a tenant with words of a pod.
"""
