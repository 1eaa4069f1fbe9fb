# SPDX-License-Identifier: Apache-2.0
"""The whole block storage service of a pod in one process: Cinder's API, scheduler, volume and backup services."""

import gc

gc.disable()  # until everything is loaded, see lab.pod.wsgi

from cinder import monkey_patch  # noqa: E402

monkey_patch.patch()

from lab.pod import bus  # noqa: E402

bus.install()

import logging as python_logging  # noqa: E402
import shlex  # noqa: E402
import sys  # noqa: E402

import os_brick  # noqa: E402
import oslo_service.service  # noqa: E402
from cinder import coordination, i18n, objects, rpc, service, utils, version  # noqa: E402
from cinder.cmd import volume as volume_command  # noqa: E402  (registers backend_host)
from cinder.common import config, constants  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log as logging  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402

CONF = cfg.CONF


class OneOfSeveral(service.Service):
    """A service that reports for itself: Cinder keeps the id of *the* service of a process in the class."""

    def report_state(self):
        service.Service.service_id = self.origin_service_id
        super().report_state()


def main():
    """Serve until told to end."""
    i18n.enable_lazy()
    objects.register_all()
    CONF(sys.argv[1:], project="cinder", version=version.version_string())
    config.set_middleware_defaults()
    logging.setup(CONF, "cinder")
    python_logging.captureWarnings(True)
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(CONF)
    rpc.init(CONF)
    coordination.COORDINATOR.start()

    launcher = oslo_service.service.ServiceLauncher(CONF)
    launcher.launch_service(OneOfSeveral.create(binary="cinder-scheduler"))
    for backend in CONF.enabled_backends:
        CONF.register_opt(volume_command.host_opt, group=backend)
        host = f"{getattr(CONF, backend).backend_host or CONF.host}@{backend}"
        launcher.launch_service(
            OneOfSeveral.create(host=host, service_name=backend, binary=constants.VOLUME_BINARY, coordination=False)
        )
    launcher.launch_service(
        OneOfSeveral.create(service_name="backup", binary=constants.BACKUP_BINARY, coordination=False)
    )
    launcher.launch_service(service.WSGIService("osapi_volume"))
    gc.freeze()
    gc.enable()
    launcher.wait()


if __name__ == "__main__":
    main()
