# SPDX-License-Identifier: Apache-2.0
"""The whole compute service of a pod in one process: Nova's API, conductor, scheduler and compute, and Placement.

Run by uWSGI with two sockets, or three where guests ask for metadata; the environment names the ports of the others
than Nova's API: LAB_PLACEMENT_PORT and LAB_METADATA_PORT. LAB_HOSTS names the compute hosts, the first of which is
that of the configuration.
"""

# Nova first: it decides for native threads, and reads the configuration.
from nova.wsgi import osapi_compute  # isort: skip

import os
import threading

import os_brick
import os_vif
from nova import objects, service
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.conf import CONF
from nova.scheduler import rpcapi as scheduler_rpcapi
from oslo_log import log as logging

from lab.pod import bus, hypervisor, patience

LOG = logging.getLogger(__name__)
# Placement asks for two answers of this process while it starts; nothing may block the loading.
START_DELAY_SECONDS = 0.1

SERVICES = (
    ("nova-conductor", conductor_rpcapi.RPC_TOPIC, None),
    ("nova-scheduler", scheduler_rpcapi.RPC_TOPIC, None),
    ("nova-compute", compute_rpcapi.RPC_TOPIC, compute_rpcapi.RPC_TOPIC_ALT),
)
_running = []


def _start_services():
    patience.wait_for_identity()
    first, *others = os.environ["LAB_HOSTS"].split(",")
    for binary, topic, second_topic, host in [
        *((*one, first) for one in SERVICES),
        *((*SERVICES[-1], host) for host in others),
    ]:
        try:
            made = service.Service.create(host=host, binary=binary, topic=topic, topic_alt=second_topic)
            made.start()
        except BaseException:
            LOG.exception("%s does not start", binary)
            os._exit(1)  # a pod without hands must be seen at once, not at the first boot
        _running.append(made)


bus.install()
hypervisor.install()
os_brick.setup(CONF)
os_vif.initialize()

from placement.wsgi import api as placement_api  # noqa: E402  (it sets logging up for itself)

logging.setup(CONF, "nova")
objects.Service.enable_min_version_cache()
threading.Timer(START_DELAY_SECONDS, _start_services).start()

_OTHERS = {os.environ["LAB_PLACEMENT_PORT"]: placement_api.application}
if "LAB_METADATA_PORT" in os.environ:
    from nova.wsgi import metadata

    _OTHERS[os.environ["LAB_METADATA_PORT"]] = metadata.application


def application(environ, start_response):
    """Hand the request to the service whose port it came in by."""
    asked = _OTHERS.get(environ["SERVER_PORT"], osapi_compute.application)
    return asked(environ, start_response)
