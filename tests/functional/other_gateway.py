# SPDX-License-Identifier: Apache-2.0
"""A gateway of a test's own beside the lab's: the same services, the same books, other options."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from tests.functional.region_world import CONF, ROOT, ask, eventually

_STOP_S = 20


@contextmanager
def gateway(folder: Path, **options: str) -> Iterator[str]:
    """Where its doors are, once they answer. ``options``: of the section ``[gateway]``."""
    doors = free_port()
    front = f"http://127.0.0.1:{doors}"
    chosen = {"port": str(doors), "admin_port": str(free_port()), "public_endpoint": front, **options}
    text = CONF.read_text()
    for name in chosen:
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
    lines = "".join(f"{name} = {value}\n" for name, value in chosen.items())
    file = folder / "tricircle.conf"
    file.write_text(text.replace("[gateway]\n", f"[gateway]\n{lines}"))
    with running("tricircle.cmd.gateway", file, folder):
        eventually(lambda: is_healthy(front), lambda good: good, "the gateway answers")
        yield front


@contextmanager
def running(module: str, file: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours with these settings; its log is ``folder/<module>.log``."""
    with (folder / f"{module}.log").open("ab") as log:
        command = [sys.executable, "-m", module, "--config-file", str(file)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        process.kill()
        process.wait()


def is_healthy(front: str) -> bool:
    """Whether the doors there answer."""
    try:
        return ask("GET", f"{front}/healthz").status_code == 200
    except requests.ConnectionError:
        time.sleep(0.1)
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
