# SPDX-License-Identifier: Apache-2.0
"""The real gateway process in front of recorders, spoken to with raw bytes.

Keystone is a stub that finds one token good. One recorder is the compute and block storage API of a pod, another one
all central services: which of them hears what is what the tests look at.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stub_keystone import PROJECT, TOKEN
from tests.security.recorder import Recorder
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.ledger.routings import Routings
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.model.routing import Kind
from tricircle.store.engine import create_engine
from tricircle.store.pods import PodRows
from tricircle.store.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "https://cloud.example"
PATIENCE_S = 30.0
SERVER = "11111111-2222-4333-8444-555555555555"
#: Servers of another project, in the same pod: the gateway remembers for a moment what nobody had.
FOREIGN = tuple(f"99999999-2222-4333-8444-5555555555{number:02}" for number in range(20))
POD_NAME = "SecretPodName"
_CONFIG = """
[DEFAULT]
debug = true
[database]
connection = sqlite+aiosqlite:///{folder}/tricircle.sqlite
[gateway]
port = {port}
admin_port = {admin_port}
public_endpoint = {public}
list_deadline_s = 3
request_deadline_s = 5
boot_deadline_s = 5
head_timeout_s = 3
[upstream]
stream_idle_s = 5
breaker_failures = 1000
[central]
compute_url = http://127.0.0.1:{centre}/central-compute
block_storage_url = http://127.0.0.1:{centre}/central-volume
image_url = http://127.0.0.1:{centre}/central-image
network_url = http://127.0.0.1:{centre}/central-network
identity_url = http://127.0.0.1:{centre}/central-identity
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:{keystone}/v3
username = tricircle
password = {password}
user_domain_name = Default
project_name = service
project_domain_name = Default
[service_user]
auth_type = password
auth_url = http://127.0.0.1:{keystone}/v3
username = tricircle
password = {password}
user_domain_name = Default
project_name = service
project_domain_name = Default
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The running gateway. ``log`` is all that it wrote."""

    port: int
    admin_port: int
    pod: Recorder
    centre: Recorder
    log: Path
    password: str

    def heard(self) -> int:
        """How many requests reached any upstream."""
        return len(self.pod.heard) + len(self.centre.heard)

    def talk(self, *parts: bytes, wait_s: float = 3.0, gap_s: float = 0.05, half_close: bool = False) -> bytes:
        """Send raw bytes and return all that comes back until the gateway hangs up or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as peer:
            for number, part in enumerate(parts):
                if number:
                    time.sleep(gap_s)
                try:
                    peer.sendall(part)
                except OSError:
                    break
            if half_close:
                peer.shutdown(socket.SHUT_WR)
            return listen(peer, wait_s)


def listen(peer: socket.socket, wait_s: float) -> bytes:
    """All that comes until the end, or until ``wait_s`` seconds of silence after the first bytes."""
    peer.settimeout(PATIENCE_S)
    found = b""
    try:
        while chunk := peer.recv(65536):
            found += chunk
            peer.settimeout(wait_s)
    except OSError:
        pass
    return found


def head(line: str, *headers: str, token: str | None = TOKEN) -> bytes:
    """The head of a request with the good token."""
    lines = [line, "Host: gateway.example", *headers]
    if token is not None:
        lines.append(f"X-Auth-Token: {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    """The statuses of all final answers in what came back."""
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3})", answer) if not found.startswith(b"1")]


@contextmanager
def front(folder: Path) -> Iterator[Front]:
    """Start everything; end it afterwards."""
    password = "service-password-" + uuid.uuid4().hex
    pod, centre = Recorder(), Recorder()
    keystone, port, admin_port = _free_ports(3)
    asyncio.run(_remember(folder, f"http://127.0.0.1:{pod.port}"))
    values = {"folder": folder, "port": port, "admin_port": admin_port, "public": PUBLIC, "password": password}
    (folder / "tricircle.conf").write_text(_CONFIG.format(**values, centre=centre.port, keystone=keystone))
    log = folder / "gateway.log"
    started = [_python(folder / "keystone.log", "benchmarks.stub_keystone", str(keystone))]
    try:
        _wait(keystone, started)
        started.append(_python(log, "tricircle.cmd.gateway", "--config-file", str(folder / "tricircle.conf")))
        _wait(port, started)
        _wait(admin_port, started)
        yield Front(port=port, admin_port=admin_port, pod=pod, centre=centre, log=log, password=password)
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        pod.close()
        centre.close()


async def _remember(folder: Path, url: str) -> None:
    engine = create_engine(DatabaseSettings(connection=f"sqlite+aiosqlite:///{folder}/tricircle.sqlite"))
    compute = Endpoint(
        service=Service.COMPUTE, url=f"{url}/pod-compute", prefix="/v2.1", min_version="2.1", max_version="2.96"
    )
    volume = Endpoint(
        service=Service.BLOCK_STORAGE, url=f"{url}/pod-volume", prefix="/v3", min_version="3.0", max_version="3.70"
    )
    endpoints = {Service.COMPUTE: compute, Service.BLOCK_STORAGE: volume}
    pod = Pod(id=PodId(str(uuid.uuid4())), name=POD_NAME, az_name="az1", endpoints=endpoints)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await PodRows.insert(connection, pod)
    routings = Routings(engine)
    await routings.record(Kind.SERVER, SERVER, pod.id, ProjectId(PROJECT))
    for foreign in FOREIGN:
        await routings.record(Kind.SERVER, foreign, pod.id, ProjectId("f" * 32))
    await engine.dispose()


def _python(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    out = log.open("ab")
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=out, stderr=out, env=environment)


def _wait(port: int, started: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert all(process.poll() is None for process in started)
            assert time.monotonic() < until
            time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
