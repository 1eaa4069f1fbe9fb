# SPDX-License-Identifier: Apache-2.0
"""Our side of HTTP, the same for all doors: what comes in, what goes out, and how errors look.

Words: *fault* (an error as the caller sees it), *dialect* (the error form of one service API), *microversion*,
*policy* (who may do what we decide ourselves). May use: ``model``, ``observe``, ``conf``, ``context``, ``errors`` and
the rooms ``upstream``, ``keystone``, ``store``. Must never: tell a caller what went wrong inside, trust an identity
header, or know a door's paths.
"""
