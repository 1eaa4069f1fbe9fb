# SPDX-License-Identifier: Apache-2.0
"""Who may do what we decide ourselves? Everything else is decided by the service that a request is forwarded to.

Words: *rule* (a name and its default, ``rules.py``), *enforcer* (asks oslo.policy, ``enforcer.py``).
"""
