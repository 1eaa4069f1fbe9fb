# SPDX-License-Identifier: Apache-2.0
"""What is still to be done so that pods agree with the centre, and who does it now?

Words: *job* (a row: "make pod P agree with central resource X"), *key* (type, resource, pod; rows of one key are folded
into one run), *claim* (the key's lease and the ids of the rows that the run settles), *body* (the coroutine that does
it, handed in by ``app``). May use: ``ledger``, ``store``, ``observe`` and below. Must never: know what a body does, or
make an append wait.
"""
