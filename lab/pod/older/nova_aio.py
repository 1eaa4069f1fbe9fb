# SPDX-License-Identifier: Apache-2.0
"""The whole compute service of a pod of the older release in one process: Nova's API, conductor, scheduler and
compute, and Placement, all under eventlet.

The environment names the port of Placement, LAB_PLACEMENT_PORT, and the compute hosts, LAB_HOSTS, the first of which is
that of the configuration.
"""

import gc

gc.disable()  # until everything is loaded, see lab.pod.wsgi

import os  # noqa: E402

# The lab's other Novas run in native threads; this one cannot.
os.environ.pop("OS_NOVA_DISABLE_EVENTLET_PATCHING", None)

from nova import monkey_patch  # noqa: E402, F401  (patches when loaded)

from lab.pod import bus  # noqa: E402

bus.install()

import sys  # noqa: E402

import eventlet  # noqa: E402
import os_vif  # noqa: E402
from nova import config, objects, service, wsgi  # noqa: E402
from nova.compute import rpcapi as compute_rpcapi  # noqa: E402
from nova.conductor import rpcapi as conductor_rpcapi  # noqa: E402
from nova.conf import CONF  # noqa: E402
from nova.scheduler import rpcapi as scheduler_rpcapi  # noqa: E402
from oslo_log import log as logging  # noqa: E402
from oslo_service import service as oslo_service  # noqa: E402
from placement import wsgi as placement_api  # noqa: E402

from lab.pod import patience  # noqa: E402

LOG = logging.getLogger(__name__)
SERVICES = (
    ("nova-conductor", conductor_rpcapi.RPC_TOPIC),
    ("nova-scheduler", scheduler_rpcapi.RPC_TOPIC),
    ("nova-compute", compute_rpcapi.RPC_TOPIC),
)
_HOST = "127.0.0.1"


def _start_services(launcher):
    patience.wait_for_identity()
    first, *others = os.environ["LAB_HOSTS"].split(",")
    for binary, topic, host in [*((*one, first) for one in SERVICES), *((*SERVICES[-1], host) for host in others)]:
        try:
            launcher.launch_service(service.Service.create(host=host, binary=binary, topic=topic))
        except BaseException:
            LOG.exception("%s does not start", binary)
            os._exit(1)  # a pod without hands must be seen at once, not at the first boot


def main():
    """Serve until told to end."""
    config.parse_args(sys.argv)
    from lab.pod import hypervisor  # it reads the configuration when loaded

    hypervisor.install()
    objects.register_all()
    os_vif.initialize()
    # Placement sets logging up for itself.
    placement = placement_api.init_application()
    logging.setup(CONF, "nova")
    objects.Service.enable_min_version_cache()

    launcher = oslo_service.ServiceLauncher(CONF)
    launcher.launch_service(service.WSGIService("osapi_compute"))
    launcher.launch_service(wsgi.Server("placement", placement, host=_HOST, port=int(os.environ["LAB_PLACEMENT_PORT"])))
    eventlet.spawn(_start_services, launcher)
    gc.freeze()
    gc.enable()
    launcher.wait()


if __name__ == "__main__":
    main()
