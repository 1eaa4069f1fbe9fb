# SPDX-License-Identifier: Apache-2.0
"""Does what the pods hold agree with what is written down, and what is done where it does not?

Words: *inventory* (everything in a pod that can be ours, page by page), *holding* (one object of it), *finding* (a
difference between holdings, routings and central objects), *repair* (a job that is filed, or a row that is written or
forgotten), *sweep* (all of it for one pod, as a job). May use: ``copies``, ``jobs`` and below. Must never: change an
object in a pod by itself - jobs do, under the routing's lease - or believe a list that did not end well.
"""
