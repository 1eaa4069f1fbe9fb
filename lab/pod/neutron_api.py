# SPDX-License-Identifier: Apache-2.0
"""Neutron's API with the in-memory bus in place."""

from lab.pod import bus

bus.install()

from neutron.wsgi.api import application  # noqa: E402

__all__ = ["application"]
