# SPDX-License-Identifier: Apache-2.0
"""What does an operator type at ``openstack multiregion networking ...``, and which call of the Admin API is that?

Words: *plugin* (what openstackclient loads), *client* (the calls of the Admin API v1.0), *command* (one class per verb,
in ``v1``). May use: ``osc_lib`` and ``keystoneauth1``. Must never: import ``tricircle``; it is a distribution of
its own for client machines.
"""
