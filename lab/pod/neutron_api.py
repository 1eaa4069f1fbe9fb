# SPDX-License-Identifier: Apache-2.0
"""Neutron's API with the in-memory bus in place, and with its policies read.

Neutron reads its policies at the first request, and a second request at that moment is refused for want of rules.
"""

from lab.pod import bus

bus.install()

from neutron import policy  # noqa: E402
from neutron.wsgi.api import application  # noqa: E402

policy.init()

__all__ = ["application"]
