# SPDX-License-Identifier: Apache-2.0
"""How do we speak HTTP to a pod or to a central service?

Words: *target* (one service of one pod, or of the centre), *reply* (what it answered), *pool* (its connections),
*breaker* (whether it is worth asking). May use: ``model``, ``observe``, ``conf``, ``context``, ``errors``. Must
never: wait without a deadline, retry a call that may have been carried out, know a token's origin (it comes as an
argument), or follow a redirect.
"""
