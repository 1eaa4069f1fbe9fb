# SPDX-License-Identifier: Apache-2.0
"""What runs inside the services of a pod: the imitated hypervisor, storage, agents and bus.

Imported by the services, in the lab's own environment, never by the lab itself. This file stays
empty of imports: Cinder must patch its sockets before anything else is loaded.
"""
