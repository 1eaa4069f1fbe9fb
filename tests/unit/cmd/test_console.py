# SPDX-License-Identifier: Apache-2.0
"""The console proxy as a real process: it starts, shows its numbers, shares its port, and stops."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cmd.test_gateway import free_port

PATIENCE_S = 90.0


@contextmanager
def console(folder: Path, port: int, options: str = "") -> Iterator["subprocess.Popen[str]"]:
    config = folder / f"{time.monotonic_ns()}.conf"
    config.write_text(
        f"[DEFAULT]\ndebug = true\n[database]\nconnection = sqlite:///{folder}/none\n"
        f"[service_user]\nauth_type = password\nauth_url = http://127.0.0.1:1\nusername = x\npassword = canary-pw\n"
        f"[console]\nport = {port}\n{options}"
    )
    command = [sys.executable, "-m", "tricircle.cmd.console", "--config-file", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def page(port: int, path: str) -> tuple[int, bytes]:
    until = time.monotonic() + PATIENCE_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()


def ready(process: "subprocess.Popen[str]") -> str:
    """What a process says until it is ready: two share a port, so an answer does not tell which one is."""
    said = ""
    assert process.stdout is not None
    while "Ready: consoles are at port" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_it_serves_and_stops(tmp_path: Path) -> None:
    port, numbers = free_port(), free_port()
    with console(tmp_path, port, f"metrics_port = {numbers}\n") as process, console(tmp_path, port) as second:
        begun = {one: ready(one) for one in (process, second)}
        assert page(port, "/healthz") == (200, b'{"status": "ok"}')
        assert b"tricircle_consoles_open" in page(numbers, "/metrics")[1]
        for one in (second, process):
            one.send_signal(signal.SIGTERM)
            said, _ = one.communicate(timeout=PATIENCE_S)
            assert one.returncode == 0, said
            assert "canary-pw" not in begun[one] + said


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with console(tmp_path, taken.getsockname()[1]) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 1
            assert "Cannot listen on 127.0.0.1" in said


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("tls_certificate = /x", "tls_key is missing"), ("public_endpoint = ftp://x", "public_endpoint"),
        ("sessions = 0", "sessions"), ("nothing = 1", "no option nothing"),
    ],
)  # fmt: skip
def test_wrong_settings_end_it(tmp_path: Path, wrong: str, words: str) -> None:
    with console(tmp_path, free_port(), f"{wrong}\n") as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 64
        assert "[console]" in said
        assert words in said
