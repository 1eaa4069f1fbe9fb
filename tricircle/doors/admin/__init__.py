# SPDX-License-Identifier: Apache-2.0
"""How does an operator look after pods and bindings? The Admin API v1.0, on a listener of its own.

Words as in the API: ``tenant_id`` is a project, ``pod_name`` a Keystone region, ``az_name`` the AZ that tenants see,
``pod_az_name`` the one passed to the pod. May use: ``road`` (rows), ``pods``, ``http`` and below. Must never: drop a
field or a filter that it does not know, or do anything that policy was not asked about.
"""
