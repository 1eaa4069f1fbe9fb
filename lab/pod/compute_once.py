# SPDX-License-Identifier: Apache-2.0
"""nova-compute of the centre, once: it says that it is there, and ends (lab/compute_record.py).

It reads the database itself, since there is no conductor, and looks for no Placement: the centre has none. Else it is
Nova's own.
"""

from nova.cmd import compute  # isort: skip  (first: it decides for native threads)

import os
import sys

import os_brick
import os_vif
from nova import config, objects, service
from nova.compute import rpcapi
from nova.scheduler.client import report
from oslo_log import log as logging


def _nobody(client):
    client.clear_provider_cache(init=True)


def main():
    """Start the service, and end the process as soon as that is written down."""
    config.parse_args(sys.argv)
    logging.setup(compute.CONF, "nova")
    objects.register_all()
    os_brick.setup(compute.CONF)
    os_vif.initialize()
    report.SchedulerReportClient._create_client = _nobody  # noqa: SLF001
    service.Service.create(binary="nova-compute", topic=rpcapi.RPC_TOPIC).start()
    os._exit(0)  # its threads would go on


if __name__ == "__main__":
    main()
