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
    doors = _free_port()
    front = f"http://127.0.0.1:{doors}"
    chosen = {"port": str(doors), "admin_port": str(_free_port()), "public_endpoint": front, **options}
    text = CONF.read_text()
    for name in chosen:
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
    lines = "".join(f"{name} = {value}\n" for name, value in chosen.items())
    file = folder / "tricircle.conf"
    file.write_text(text.replace("[gateway]\n", f"[gateway]\n{lines}"))
    with (folder / "gateway.log").open("ab") as log:
        command = [sys.executable, "-m", "tricircle.cmd.gateway", "--config-file", str(file)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(front), lambda good: good, "the gateway answers")
        yield front
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        process.kill()
        process.wait()


def _answers(front: str) -> bool:
    try:
        return ask("GET", f"{front}/healthz").status_code == 200
    except requests.ConnectionError:
        time.sleep(0.1)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
