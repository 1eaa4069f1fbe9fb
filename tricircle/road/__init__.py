# SPDX-License-Identifier: Apache-2.0
"""How is a request carried? The same for all doors.

The road: *identify* (who asks) -> *parse* (the door's table finds the row) -> *authorise* (what we ourselves decide)
-> *plan and execute* (route, place, gather, sum, central, ours, declare) -> *merge and rewrite* (pure) -> *answer*,
with the request ids of both sides and the time that each stage took. Words: *row*, *behaviour*, *carrier* (what a
door's special cases are given to call pods and the centre with), *shape* (how a body that comes from a pod is made
ours), *listing* (what a row says of its collection). Lists of many pods are a room of their own, ``lists``.

May use: ``copies``, ``jobs``, ``pods``, ``ledger``, ``http``, ``upstream``, ``keystone`` and what lies below. Must
never: know a door by name, speak SQL, send a service token with a call of the user's, or say 404 before every pod that
could hold it has.
"""
