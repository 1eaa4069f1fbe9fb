# SPDX-License-Identifier: Apache-2.0
"""A real pod one of whose services is away for a while: its process is ended, and started again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import up
from lab.process import Supervisor
from lab.topology import load_lab


@contextmanager
def without_network_of(pod: str, root: Path = Path(".")) -> Iterator[None]:
    """Within the block nobody listens where ``pod`` (such as "Pod1") has its Neutron."""
    with without(f"{pod.lower()}-neutron", root):
        yield


@contextmanager
def without(name: str, root: Path = Path(".")) -> Iterator[None]:
    """Within the block nobody listens where a service of the lab (such as "pod2-nova") is."""
    lab = load_lab(root.resolve())
    supervisor = Supervisor(lab.run, lab.logs)
    service = next(one for one in up.openstack(lab) if one.name == name)
    supervisor.stop([record for record in supervisor.records() if record.name == service.name])
    try:
        yield
    finally:
        supervisor.start(service)
        supervisor.wait_ready([service])
