# SPDX-License-Identifier: Apache-2.0
"""Which pods are there, how are they, and which one gets a new resource?

Words: *pod*, *AZ*, *binding* (a project may use a pod), *candidate* (a pod with what is known of it at this moment),
*wish* (what a request needs of a pod). May use: ``http``, ``upstream``, ``keystone``, ``store``, ``model`` and
below. Must never: show a pod's name or address to a tenant, register what was not seen answering, or leave half a
pod behind.
"""
