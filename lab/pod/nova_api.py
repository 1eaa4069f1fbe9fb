# SPDX-License-Identifier: Apache-2.0
"""Nova's API alone, with the in-memory bus in place: what it casts to nobody is not kept."""

from nova.wsgi.osapi_compute import application

from lab.pod import bus

bus.install()

__all__ = ["application"]
