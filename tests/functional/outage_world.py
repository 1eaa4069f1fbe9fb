# SPDX-License-Identifier: Apache-2.0
"""A gateway and a worker of a test's own, before the lab's services, with a gate before each that can be shut.

Database and central services stay as they are: only these two processes do not reach them any more. Keystone is really
stopped: everybody finds it in its own catalog.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.process import Supervisor
from lab.services import keystone as lab_keystone
from lab.services import tricircle as lab_tricircle
from lab.topology import load_lab
from tests.functional.other_gateway import free_port, is_healthy, running
from tests.functional.region_world import CONF, ROOT, eventually
from tests.gates import Gate, gate_loop

#: What has a gate: name in this module -> what the lab calls the service.
_CENTRAL = {"nova": "compute_url", "cinder": "block_storage_url", "glance": "image_url", "neutron": "network_url"}
PLACES = ("database", "memcached", *_CENTRAL)
#: Seconds for which a token is believed without asking.
TOKEN_CACHE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Outages:
    """The two processes and their gates. ``front``: where the doors are."""

    front: str
    gates: dict[str, Gate]
    processes: dict[str, subprocess.Popen[bytes]]
    folder: Path

    @property
    def are_alive(self) -> bool:
        """Whether both processes still are those that were started."""
        return all(process.poll() is None for process in self.processes.values())


@contextmanager
def outages(folder: Path) -> Iterator[Outages]:
    """Everything open and running; the lab's own worker rests meanwhile, so that ours has all jobs."""
    lab = load_lab(ROOT)
    supervisor = Supervisor(lab.run, lab.logs)
    (worker,) = [one for one in lab_tricircle.services(lab) if one.name == "tricircle-worker"]
    with ExitStack() as stack:
        loop = stack.enter_context(gate_loop())
        text = CONF.read_text()
        gates = {name: Gate(loop, _target(text, name, str(lab.socket))).open() for name in PLACES}
        front, file = _configured(text, gates, folder)
        record = supervisor.running(worker.name)
        if record is not None:
            supervisor.stop([record])
            stack.callback(supervisor.start, worker)
        programs = {"gateway": "tricircle.cmd.gateway", "worker": "tricircle.cmd.worker"}
        processes = {name: stack.enter_context(running(module, file, folder)) for name, module in programs.items()}
        eventually(lambda: is_healthy(front), lambda good: good, "the gateway answers")
        yield Outages(front=front, gates=gates, processes=processes, folder=folder)
        for gate in gates.values():
            gate.open()


@contextmanager
def keystone_stopped() -> Iterator[None]:
    """Nobody answers for Keystone; it runs again afterwards."""
    lab = load_lab(ROOT)
    supervisor, service = Supervisor(lab.run, lab.logs), lab_keystone.service(lab)
    record = supervisor.running(service.name)
    assert record is not None
    supervisor.stop([record])
    try:
        yield
    finally:
        supervisor.start(service)
        supervisor.wait_ready([service])


def _target(text: str, name: str, unix_socket: str) -> str | tuple[str, int]:
    if name == "database":
        return unix_socket
    option = {"memcached": "memcached_servers", **_CENTRAL}[name]
    found = re.search(rf"^{option} = (?:http://)?([^:]+):(\d+)", text, re.MULTILINE)
    assert found is not None, option
    return found[1], int(found[2])


def _configured(text: str, gates: dict[str, Gate], folder: Path) -> tuple[str, Path]:
    doors, admin = free_port(), free_port()
    front = f"http://127.0.0.1:{doors}"
    text = re.sub(r"@localhost/(\w+)\?unix_socket=\S+", rf"@127.0.0.1:{gates['database'].port}/\1", text)
    old_front = re.search(r"^public_endpoint = (\S+)", text, re.MULTILINE)
    assert old_front is not None
    text = text.replace(old_front[1], front)
    # The first port is that of [gateway].
    text = re.sub(r"^port = .*", f"port = {doors}\ntoken_cache_s = {TOKEN_CACHE_S}", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^admin_port = .*", f"admin_port = {admin}", text, flags=re.MULTILINE)
    text = re.sub(
        r"^memcached_servers = .*", f"memcached_servers = 127.0.0.1:{gates['memcached'].port}", text, flags=re.M
    )
    for name, option in _CENTRAL.items():
        text = re.sub(rf"^{option} = .*", f"{option} = http://127.0.0.1:{gates[name].port}", text, flags=re.MULTILINE)
    file = folder / "tricircle.conf"
    file.write_text(text)
    return front, file
