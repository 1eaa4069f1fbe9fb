# SPDX-License-Identifier: Apache-2.0
"""How do we speak Nova's API: what runs is in the pods, what is declared is at the centre?

Words: *boot* (``POST /servers``), *rehearsal* (the central Nova reads a body that it can never carry out, so that a
malformed one is refused in its words), *nic* (one network interface that a boot or an attach asks for), *view* (how a
server's body that comes from a pod is shown). May use: ``road`` and everything below. Must never: make anything in a
pod before the whole request is known to be good, leave a port behind when a boot fails, or show a pod's id, host,
zone or URL to a tenant.
"""
