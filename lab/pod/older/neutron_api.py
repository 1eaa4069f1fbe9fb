# SPDX-License-Identifier: Apache-2.0
"""The older Neutron's API with the in-memory bus in place, in native threads: its own start would bring eventlet."""

from lab.pod import bus

bus.install()

from neutron import server  # noqa: E402
from neutron.server.api_eventlet import eventlet_api_server  # noqa: E402
from neutron_lib.callbacks import events, registry, resources  # noqa: E402

application = server.boot_server(eventlet_api_server)
# Said by newer ones themselves; the imitated agents wait for it.
registry.publish(resources.PROCESS, events.AFTER_INIT, None)

__all__ = ["application"]
