# SPDX-License-Identifier: Apache-2.0
"""The gateway as real processes: it starts, serves, survives a death, and stops without cutting anybody off."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.authority import Authority

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """A running stub gateway and how to ask it."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, admin_port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.admin_port = admin_port
        self.log = log
        self.trust: ssl.SSLContext | None = None

    def connect(self, port: int | None = None) -> http.client.HTTPConnection:
        where = ("127.0.0.1", port or self.port)
        if self.trust is not None:
            return http.client.HTTPSConnection(*where, timeout=PATIENCE_S, context=self.trust)
        return http.client.HTTPConnection(*where, timeout=PATIENCE_S)

    def ask(self, path: str, *, port: int | None = None, method: str = "GET", body: bytes | None = None) -> str:
        connection = self.connect(port)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()
        finally:
            connection.close()

    def is_listening(self) -> bool:
        try:
            self.ask("/healthz")
            self.ask("/healthz", port=self.admin_port)
        except OSError:
            return False
        return True

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while text not in self.log.read_text():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextmanager
def gateway(folder: Path, options: str = "", *, environment: dict[str, str] | None = None) -> Iterator[Gateway]:
    port, admin_port = free_port(), free_port()
    config = folder / "tricircle.conf"
    config.write_text(f"[gateway]\nport = {port}\nadmin_port = {admin_port}\n{options}")
    log = folder / "out.log"
    (folder / "numbers").mkdir(exist_ok=True)
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.cmd.stub_gateway", "--config-file", str(config)],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder / "numbers"), **(environment or {})},
            text=True,
        )
        running = Gateway(process, port, admin_port, log)
        try:
            yield running
        finally:
            process.kill()
            process.wait()


def answer_status(connection: http.client.HTTPConnection) -> int | None:
    """The status that came; None when the connection was cut."""
    try:
        return connection.getresponse().status
    except (http.client.RemoteDisconnected, ConnectionError):
        return None


def started(running: Gateway) -> Gateway:
    until = time.monotonic() + PATIENCE_S
    while not running.is_listening():
        assert running.process.poll() is None, running.log.read_text()
        assert time.monotonic() < until, running.log.read_text()
        time.sleep(0.05)
    return running


def test_a_stop_lets_a_request_in_flight_finish(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        started(running)
        idle = running.connect()
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        found: list[str] = []
        asking = threading.Thread(target=lambda: found.append(running.ask("/slow")))
        asking.start()
        until = time.monotonic() + PATIENCE_S
        while "tricircle_requests_in_flight 1.0" not in running.ask("/metrics", port=running.admin_port):
            assert time.monotonic() < until
        assert running.stop() == 0
        asking.join(PATIENCE_S)
        assert len(found) == 1
        with pytest.raises(OSError, match="refused"):
            running.ask("/healthz")
    text = running.log.read_text()
    assert text.count("everything was closed") == 1
    assert "Traceback" not in text


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    with gateway(tmp_path, "stop_timeout_s = 0.5\n") as running:
        started(running)
        connection = running.connect()
        connection.request("GET", "/stuck")
        running.ask("/healthz")
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 5.0
        assert answer_status(connection) in (None, 500)
    assert "Requests were cut off" in running.log.read_text()


def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    with gateway(tmp_path, "workers = 2\n") as running:
        started(running)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            running.ask("/die")
        running.wait_for("anew")
        started(running)
        seen: set[str] = set()
        until = time.monotonic() + PATIENCE_S
        while len(seen) < 2:
            seen.add(running.ask("/pid"))
            assert time.monotonic() < until
        assert running.stop() == 0


def test_a_process_that_dies_again_as_it_starts_takes_nobody_along(tmp_path: Path) -> None:
    away = tmp_path / "database-is-away"
    with gateway(tmp_path, "workers = 2\n", environment={"STUB_FAILS": str(away)}) as running:
        started(running)
        running.wait_for("Ready: ")
        away.touch()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            running.ask("/die")
        running.wait_for("no database")
        assert running.ask("/pid").isdigit()
        away.unlink()
        seen: set[str] = set()
        until = time.monotonic() + PATIENCE_S
        while len(seen) < 2:
            seen.add(running.ask("/pid"))
            assert time.monotonic() < until
        assert running.stop() == 0


def test_the_numbers_of_all_processes_are_shown_as_one_to_operators_only(tmp_path: Path) -> None:
    with gateway(tmp_path, "workers = 2\n") as running:
        started(running)
        for _ in range(20):
            running.ask("/pid")
        until = time.monotonic() + PATIENCE_S
        wanted = 'tricircle_requests_total{door="stub",status="200"} 20.0'
        while wanted not in running.ask("/metrics", port=running.admin_port):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert '"stub":"ok"' in running.ask("/healthz?detail", port=running.admin_port)
        assert running.ask("/metrics").isdigit()
        assert running.stop() == 0


def test_both_listeners_speak_tls_with_a_private_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "private")
    certificate, key = authority.issue("127.0.0.1")
    with gateway(tmp_path, f"tls_certificate = {certificate}\ntls_key = {key}\n") as running:
        running.trust = ssl.create_default_context(cafile=str(authority.file))
        started(running)
        assert running.ask("/pid").isdigit()
        assert running.ask("/upload", method="POST", body=b"x" * 3_000_000) == "3000000"
        running.trust = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            running.ask("/pid")
        assert running.stop() == 0


def test_a_client_that_leaves_ends_its_stream(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        started(running)
        connection = running.connect()
        connection.request("GET", "/endless")
        connection.getresponse().read(5000)
        connection.close()
        running.wait_for("the stream was closed")
        assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()


def test_without_a_parent_nobody_stays(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        started(running)
        running.process.kill()
        running.process.wait()
        running.wait_for("everything was closed")
        until = time.monotonic() + PATIENCE_S
        while running.is_listening():
            assert time.monotonic() < until


def test_what_cannot_start_says_so_and_ends(tmp_path: Path) -> None:
    with gateway(tmp_path, environment={"STUB_FAILS": str(tmp_path)}) as running:
        assert running.process.wait(PATIENCE_S) == 1
    assert "no database" in running.log.read_text()


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "Cannot listen on 127.0.0.1" in running_on_taken_port(tmp_path, other.getsockname()[1])


def running_on_taken_port(folder: Path, port: int) -> str:
    config = folder / "taken.conf"
    config.write_text(f"[gateway]\nport = {port}\nadmin_port = {free_port()}\n")
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.cmd.stub_gateway", "--config-file", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_wrong_settings_end_the_program_with_64(tmp_path: Path) -> None:
    config = tmp_path / "wrong.conf"
    config.write_text("[gateway]\nprot = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "tricircle.cmd.gateway", "--config-file", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 64
    assert "prot" in done.stderr
