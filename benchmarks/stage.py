# SPDX-License-Identifier: Apache-2.0
"""What must run to compare the gateway with nginx: a stub pod, nginx as a proxy, a stub Keystone, and the gateway
itself.

The gateway is the real program with all its doors and an SQLite database that holds one pod and one routing; only
Keystone and the pod are stubs. The pod is nginx too, answering from memory, so that it is never what is measured.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import family
from benchmarks.stub_keystone import PROJECT, TOKEN
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.ledger.routings import Routings
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.model.routing import Kind
from tricircle.store.engine import create_engine
from tricircle.store.pods import PodRows
from tricircle.store.tables import metadata

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_S = 30.0
_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx-{name}.pid;
error_log {folder}/nginx-{name}.log;
events {{ worker_connections 512; }}
http {{
    access_log {access};
    keepalive_requests 10000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {inside}
}}
"""
_POD = """
    server {{
        listen 127.0.0.1:{port};
        location / {{
            default_type application/json;
            add_header OpenStack-API-Version "compute 2.1";
            add_header X-OpenStack-Nova-API-Version "2.1";
            add_header Vary "OpenStack-API-Version";
            add_header x-openstack-request-id "req-00000000-0000-4000-8000-000000000000";
            return 200 '{body}';
        }}
    }}
"""
_PROXY = """
    upstream pod {{ server 127.0.0.1:{pod}; keepalive 64; keepalive_requests 10000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://pod;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""
_CONFIG = """
[DEFAULT]
log_file = {folder}/gateway.log
[database]
connection = sqlite+aiosqlite:///{folder}/tricircle.sqlite
[gateway]
port = {port}
admin_port = {admin_port}
public_endpoint = http://127.0.0.1:{port}
token_cache_s = 60
[central]
identity_url = http://127.0.0.1:{keystone}
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:{keystone}/v3
username = tricircle
password = x
user_domain_name = Default
project_name = service
project_domain_name = Default
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where things are.

    :ivar direct_port: the stub pod itself
    :ivar nginx_port: nginx as a proxy in front of it
    :ivar gateway_port: the doors
    """

    direct_port: int
    nginx_port: int
    gateway_port: int
    pod_pids: list[int]
    nginx_pids: list[int]
    gateway_pids: list[int]
    server_id: str


def server_body(server_id: str, host: str) -> str:
    """A server as Nova shows it; links begin with ``host``."""
    base = f"http://{host}"
    server = {
        "id": server_id,
        "name": "vm1",
        "status": "ACTIVE",
        "tenant_id": PROJECT,
        "user_id": "u" * 32,
        "metadata": {"role": "web"},
        "hostId": "f" * 56,
        "image": {
            "id": "3fa2c1de-0000-4000-8000-000000000001",
            "links": [{"rel": "bookmark", "href": f"{base}/images/3fa2c1de-0000-4000-8000-000000000001"}],
        },
        "flavor": {"id": "1", "links": [{"rel": "bookmark", "href": f"{base}/flavors/1"}]},
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:01:00Z",
        "addresses": {
            "net1": [
                {"version": 4, "addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:1"}
            ]
        },
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [
            {"rel": "self", "href": f"{base}/v2.1/servers/{server_id}"},
            {"rel": "bookmark", "href": f"{base}/servers/{server_id}"},
        ],
        "OS-DCF:diskConfig": "MANUAL",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": "key1",
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:30.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
    }
    return json.dumps({"server": server})


@contextmanager
def set_up(folder: Path) -> Iterator[Stage]:
    """Start everything in ``folder``; end it afterwards. :raises FileNotFoundError: nginx is not installed"""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if nginx is None:
        raise FileNotFoundError("nginx is missing: apt-get install nginx-light")
    pod, proxy, keystone, doors, admin = free_ports(5)
    server_id = str(uuid.uuid4())
    asyncio.run(_remember(folder, server_id, f"http://127.0.0.1:{pod}"))
    (folder / "tricircle.conf").write_text(
        _CONFIG.format(folder=folder, port=doors, admin_port=admin, keystone=keystone)
    )
    inside = _POD.format(port=pod, body=server_body(server_id, "$http_host"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_nginx(nginx, folder, "pod", inside, access="off"))
        access = f"{folder}/access.log"
        started.append(_nginx(nginx, folder, "proxy", _PROXY.format(port=proxy, pod=pod), access=access))
        started.append(start_python(folder, "benchmarks.stub_keystone", str(keystone)))
        config = str(folder / "tricircle.conf")
        started.append(start_python(folder, "tricircle.cmd.gateway", "--config-file", config))
        for port, path in ((pod, "/"), (proxy, "/"), (keystone, "/v3"), (doors, "/healthz")):
            wait_for(f"http://127.0.0.1:{port}{path}", started)
        pods, proxies, _, gateway = (family(process.pid) for process in started)
        yield Stage(
            direct_port=pod,
            nginx_port=proxy,
            gateway_port=doors,
            pod_pids=pods,
            nginx_pids=proxies,
            gateway_pids=gateway,
            server_id=server_id,
        )
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


async def _remember(folder: Path, server_id: str, url: str) -> None:
    """Write one pod and one routing into the database."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite+aiosqlite:///{folder}/tricircle.sqlite"))
    endpoint = Endpoint(service=Service.COMPUTE, url=url, prefix="/v2.1", min_version="2.1", max_version="2.96")
    pod = Pod(id=PodId(str(uuid.uuid4())), name="Pod1", az_name="az1", endpoints={Service.COMPUTE: endpoint})
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await PodRows.insert(connection, pod)
    await Routings(engine).record(Kind.SERVER, server_id, pod.id, ProjectId(PROJECT))
    await engine.dispose()


def _nginx(program: str, folder: Path, name: str, inside: str, *, access: str) -> subprocess.Popen[bytes]:
    file = folder / f"nginx-{name}.conf"
    file.write_text(_NGINX.format(folder=folder, name=name, inside=inside, access=access))
    log = (folder / f"nginx-{name}.log").open("ab")
    return subprocess.Popen([program, "-c", str(file), "-p", str(folder)], stdout=log, stderr=log)


def start_python(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A module as a program; its output is in ``folder``."""
    log = (folder / f"{arguments[0]}.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=log, stderr=log)


def wait_for(url: str, started: list[subprocess.Popen[bytes]]) -> None:
    """Wait until ``url`` answers. :raises RuntimeError: it does not, or one of ``started`` has ended"""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            dead = [process.args for process in started if process.poll() is not None]
            if dead or time.monotonic() > until:
                raise RuntimeError(f"{url} does not answer ({error}); ended: {dead}") from error
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def request(stage: Stage, path: str) -> bytes:
    """``GET path`` as a client with a token sends it."""
    lines = (
        f"GET {path}/{stage.server_id} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: openstacksdk/4.4 keystoneauth1/5.8 python-requests/2.32 CPython/3.11",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        f"X-Auth-Token: {TOKEN}",
        "OpenStack-API-Version: compute 2.1",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
