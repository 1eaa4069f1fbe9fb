# SPDX-License-Identifier: Apache-2.0
"""Where is it, who works on it, and what is taken of limits? The one owner of transactions on routings, leases,
reservations and list positions.

Words: *routing* (this resource lives in that pod under that id), *bound* (the id in the pod is known), *lease* (who
works on a routing, until when by the database's clock; the only lock), *position* (the last id that a list took from a
pod), *reading* (what a project uses in a pod, as the pod said), *reservation* (what a pod is being asked for). May
use: ``store``, ``model`` and below. Must never: call a pod, or hold a transaction open while somebody else is asked.
"""
