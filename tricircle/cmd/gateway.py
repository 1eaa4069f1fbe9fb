# SPDX-License-Identifier: Apache-2.0
"""``tricircle-gateway``: the doors and the Admin API, until it is told to stop.

``[gateway] workers`` processes serve the doors, one serves the Admin API; a parent keeps them running. SIGTERM and
SIGINT stop them: the sockets close, requests in flight finish within ``[gateway] stop_timeout_s``. Exit codes: 0
stopped as told, 1 could not start or had to be killed, 64 wrong settings.
"""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from oslo_log import log

from tricircle.conf.load import load_or_exit
from tricircle.conf.settings import Settings

if TYPE_CHECKING:
    from tricircle.cmd import serving

PROG = "tricircle-gateway"
LOG = log.getLogger(__name__)
#: Where the processes put their numbers, so that ``/metrics`` can show the sums of all of them.
_NUMBERS = "PROMETHEUS_MULTIPROC_DIR"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gateway. Returns the exit code; wrong settings end the process with 64."""
    folder = None
    if _NUMBERS not in os.environ:
        # Read by the metrics' library when it is first imported, so this comes before every import that leads there.
        folder = os.environ[_NUMBERS] = tempfile.mkdtemp(prefix="tricircle-metrics-")
    try:
        return _run(argv)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(argv: Sequence[str] | None) -> int:
    from tricircle.observe import logs

    logs.prepare()
    settings = load_or_exit(argv, prog=PROG)
    logs.setup(settings.raw, PROG)
    # Imported before the fork: the processes share the memory.
    from tricircle.app.gateway import admin, gateway

    return run(settings, gateway=gateway, admin=admin)


def run(settings: Settings, *, gateway: "serving.Build", admin: "serving.Build") -> int:
    """Serve both listeners. ``gateway`` and ``admin`` make the applications, each in its own process.

    Returns the exit code.
    """
    from tricircle.cmd import serving
    from tricircle.cmd.processes import Flock, Member
    from tricircle.observe import metrics

    chosen = settings.gateway
    doors = serving.Address(chosen.host, chosen.port)
    operators = serving.Address(chosen.admin_host, chosen.admin_port)
    taken = [address for address in (doors, operators) if not address.is_free()]
    if taken:
        LOG.error("Cannot listen on %s: the address is in use, or not ours", ", ".join(map(str, taken)))
        return 1
    members = [
        Member(f"doors-{number}", partial(serving.serve, gateway, settings, doors))
        for number in range(1, chosen.workers + 1)
    ]
    members.append(Member("admin", partial(serving.serve, admin, settings, operators)))
    # What was imported stays for good: the collector of each process need not look at it, nor copy its pages.
    gc.collect()
    gc.freeze()
    flock = Flock(members, grace_s=chosen.stop_timeout_s, on_death=metrics.forget_process)
    return flock.run()


if __name__ == "__main__":
    sys.exit(main())
