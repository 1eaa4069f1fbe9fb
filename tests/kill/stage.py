# SPDX-License-Identifier: Apache-2.0
"""On what does the play take place? Gateway and workers of our own, with settings that lead through the relays.

They take the place of the lab's gateway and worker, which rest meanwhile: same ports, same tables, same pods. Pods are
reached at the catalog's *admin* endpoints (``[upstream] interface``), which lead to the relays as long as the stage
stands; nobody else in the lab uses them. Everything shortened here is a setting that operators have too.
"""

import configparser
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pymysql

from lab.identity import pod_endpoints
from lab.process import Supervisor
from lab.services import tricircle as lab_tricircle
from lab.services.sections import DATABASE_USER
from lab.topology import HOST, PASSWORD, Lab, load_lab
from tests.functional.region_world import PATIENCE, ROOT, Json, Region, ask, eventually, sign_in
from tests.kill.proxies import Delays, Proxies
from tests.kill.trigger import Caller, Party, Role, Trigger
from tests.kill.whose import Line, children, holder, listeners

WORKERS = 2
#: Processes of the gateway.
_DOORS = 2
#: Relays listen this far above what they lead to, and below the ports that the kernel gives to clients.
SHIFT = 8_000
_PLACES = {"compute": "nova", "network": "neutron", "block-storage": "cinder", "volumev3": "cinder"}
_CENTRAL = {"compute_url": "nova", "block_storage_url": "cinder", "network_url": "neutron"}


def _seconds(usual: float) -> str:
    """A deadline, longer where machines are slow."""
    return f"{usual * PATIENCE:g}"


#: A dead process's leases and precautions are over soon.
SHORT: dict[str, dict[str, str]] = {
    "gateway": {
        "workers": str(_DOORS),
        "request_deadline_s": _seconds(60),
        "list_deadline_s": _seconds(20),
        "boot_deadline_s": _seconds(80),
        "settle_margin_s": "5",
        "stop_timeout_s": "5",
    },
    "worker": {
        "lease_s": _seconds(4),
        "poll_s": _seconds(0.2),
        "job_deadline_s": _seconds(40),
        "max_attempts": "100",
        "retry_s": "0.5",
        "retry_max_s": "4",
        "sweep_interval_s": "0",
        "stop_timeout_s": "5",
    },
    # Calls that are lost one after the other are no reason here to ask the pod no more.
    "upstream": {"interface": "admin", "breaker_failures": "1000"},
}


class Stage:
    """Our processes, and the relays that they speak through."""

    def __init__(self, lab: Lab, trigger: Trigger, delays: Delays) -> None:
        self.lab = lab
        self.trigger = trigger
        self.folder = lab.state / "kill"
        self.folder.mkdir(exist_ok=True)
        self.conf = self.folder / "tricircle.conf"
        self.proxies = Proxies(trigger, self._whose, delays)
        self._gateway: subprocess.Popen[bytes] | None = None
        self._workers: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Open the relays and start everything."""
        for place in _CENTRAL.values():
            self.proxies.http(Party.CENTRE, self.lab.url(place), self.lab.port(place) + SHIFT)
        for pod in self.lab.pods:
            for place in sorted(set(_PLACES.values())):
                self.proxies.http(Party.POD, pod.url(place), pod.port(place) + SHIFT)
        self.proxies.database(str(self.lab.socket), self.lab.port("mariadb") + SHIFT)
        self._write_conf()
        self._gateway = self._run("tricircle-gateway", "gateway")
        for number in range(WORKERS):
            self._start_worker(number)

    def tend(self) -> None:
        """Start workers anew that were killed, as systemd would; the gateway's parent does so by itself, after a
        second in which another death would leave nobody who listens.
        """
        for number, worker in self._workers.items():
            if worker.poll() is not None:
                self._start_worker(number)
        ports = self.lab.port("doors"), self.lab.port("admin-api")
        everybody = [_DOORS, 1]
        eventually(lambda: [*map(listeners, ports)], lambda found: found == everybody, "the whole gateway listens")

    def stop(self) -> None:
        """End everything that was started here."""
        started = [process for process in (self._gateway, *self._workers.values()) if process is not None]
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
        self.proxies.close()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A ``tricircle-manage`` command; not through the relays' trigger, since it is no process that may die."""
        command = [self._program("tricircle-manage"), "--config-file", str(self.conf), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment())

    def rows(self, statement: str, *values: object) -> list[Json]:
        """What stands in our tables, past everything."""
        database = pymysql.connect(
            unix_socket=str(self.lab.socket),
            user=DATABASE_USER,
            password=PASSWORD,
            database="neutron_central",
            cursorclass=pymysql.cursors.DictCursor,
            autocommit=True,
        )
        with database, database.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _whose(self, line: Line) -> Caller | None:
        roles = {worker.pid: Role.WORKER for worker in self._workers.values()}
        if self._gateway is not None:
            roles |= dict.fromkeys(children(self._gateway.pid), Role.GATEWAY)
        pid = holder(line, roles)
        return None if pid is None else Caller(role=roles[pid], pid=pid)

    def _start_worker(self, number: int) -> None:
        self._workers[number] = self._run("tricircle-worker", f"worker-{number}")

    def _run(self, program: str, log: str) -> subprocess.Popen[bytes]:
        command = [self._program(program), "--config-file", str(self.conf)]
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._environment()
            )

    def _program(self, name: str) -> str:
        return str(self.lab.root / ".venv" / "bin" / name)

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

    def _write_conf(self) -> None:
        conf = configparser.ConfigParser(interpolation=None)
        conf.read(self.lab.etc / "tricircle.conf")
        conf.read_dict(SHORT)
        port = self.lab.port("mariadb") + SHIFT
        login = f"{DATABASE_USER}:{PASSWORD}"
        conf["database"]["connection"] = f"mysql+asyncmy://{login}@{HOST}:{port}/neutron_central"
        for option, place in _CENTRAL.items():
            conf["central"][option] = f"http://{HOST}:{self.lab.port(place) + SHIFT}"
        with self.conf.open("w") as file:
            conf.write(file)
        self.conf.chmod(0o600)


@contextmanager
def stage(trigger: Trigger, delays: Delays) -> Iterator[Stage]:
    """The stage, set up in the running lab; afterwards the lab is as it was before."""
    lab = load_lab(ROOT)
    made = Stage(lab, trigger, delays)
    with in_place_of_the_labs(lab, made):
        yield made


class Programs(Protocol):
    """Programs of a test's own, behind relays."""

    def start(self) -> None:
        """Open the relays and start everything."""

    def stop(self) -> None:
        """End everything that was started."""


@contextmanager
def in_place_of_the_labs(lab: Lab, made: Programs) -> Iterator[None]:
    """These programs run while the lab's own rest, and pods are reached through relays; afterwards it is as before."""
    Region().registered()
    supervisor = Supervisor(lab.run, lab.logs)
    supervisor.stop([record for record in supervisor.records() if record.group == "tricircle"])
    try:
        _point_endpoints(lab, SHIFT)
        made.start()
        _await_doors(lab)
        _survey(Region())
        yield
    finally:
        try:
            made.stop()
        finally:
            _as_before(lab, supervisor)


def _as_before(lab: Lab, supervisor: Supervisor) -> None:
    """The lab's own programs are back, whatever became of those in their place: other tests need them."""
    _point_endpoints(lab, 0)
    ours = lab_tricircle.services(lab)
    for service in ours:
        supervisor.start(service)
    supervisor.wait_ready(ours)
    _await_doors(lab)
    _survey(Region())


def _point_endpoints(lab: Lab, shift: int) -> None:
    """Let the admin endpoints of all pods lead to ports that are this much higher than the services'."""
    admin = sign_in(lab.keystone, "admin", PASSWORD, {"name": "admin", "domain": {"id": "default"}}, {})
    headers = {"X-Auth-Token": admin.token}
    services = {
        str(service["id"]): str(service["type"])
        for service in ask("GET", f"{lab.keystone}/services", headers=headers).json()["services"]
    }
    for pod in lab.pods:
        wanted = pod_endpoints(lab, pod)
        query = f"region_id={pod.region}&interface=admin"
        for endpoint in ask("GET", f"{lab.keystone}/endpoints?{query}", headers=headers).json()["endpoints"]:
            kind = services[endpoint["service_id"]]
            if kind not in _PLACES:
                continue
            port = pod.port(_PLACES[kind])
            url = wanted[kind].replace(f":{port}", f":{port + shift}")
            body = {"endpoint": {"url": url}}
            answer = ask("PATCH", f"{lab.keystone}/endpoints/{endpoint['id']}", headers=headers, json=body)
            assert answer.status_code == 200, answer.text


def _survey(region: Region) -> None:
    """Have the pods' addresses read anew, as an operator does after they changed."""
    for pod in region.operate("GET", "/pods").json()["pods"]:
        if pod["az_name"]:
            answer = region.operate("PUT", f"/pods/{pod['pod_id']}", {"pod": {"state": "enabled"}})
            assert answer.status_code == 200, answer.text
    # A process believes what it knows of pods for two seconds.
    time.sleep(2.5)


def _await_doors(lab: Lab) -> None:
    def look() -> int:
        try:
            admin = ask("GET", f"{lab.url('admin-api')}/healthz").status_code
            return max(admin, ask("GET", f"{lab.url('doors')}/healthz").status_code)
        except OSError:
            return 0

    eventually(look, lambda status: status == 200, "the gateway answers")


def log_tails(folder: Path, lines: int = 40) -> str:
    """What our processes said last."""
    parts = [f"--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-lines:]) for path in folder.glob("*.log")]
    return "\n".join(parts)
