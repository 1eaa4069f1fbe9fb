# SPDX-License-Identifier: Apache-2.0
"""How do we speak the identity API? Keystone answers all of it; we only narrow what it shows.

Words: *narrowed catalog* (only the central region's endpoints). May use: ``road`` and everything below. Must never: log
a body or a query, decide about a credential, or show a tenant the name of a pod's region.
"""
