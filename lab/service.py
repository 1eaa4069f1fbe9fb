# SPDX-License-Identifier: Apache-2.0
"""What is one process of the lab: its command, its files, and when is it ready?"""

from __future__ import annotations

import hashlib
import http.client
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.topology import HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOpen:
    """Ready when something listens on the port."""

    port: int

    def ready(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((HOST, self.port)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswers:
    """Ready when GET / is answered by anything but a server error."""

    port: int
    path: str = "/"

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Ready as soon as the process exists: it has nothing that could be asked."""

    def ready(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSays:
    """Ready when a command succeeds and prints a word."""

    command: tuple[str, ...]
    wanted: str

    def ready(self) -> bool:
        try:
            done = subprocess.run(self.command, capture_output=True, text=True, check=False, timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and self.wanted in done.stdout


Probe = PortOpen | HttpAnswers | Started | CommandSays


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process; `name` is also that of its log and of its record."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    probe: Probe
    files: tuple[Path, ...] = ()  # its configuration; a change of them asks for a restart
    grace: float = 2.0  # seconds between SIGTERM and SIGKILL
    nice: int = 8
    group: str = "centre"
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Changes when the command, the environment or a configuration file does."""
        digest = hashlib.sha256()
        for part in (*self.command, *(f"{k}={v}" for k, v in sorted(self.environment.items()))):
            digest.update(part.encode() + b"\0")
        for path in self.files:
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]
