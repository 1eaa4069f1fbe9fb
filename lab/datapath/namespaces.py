# SPDX-License-Identifier: Apache-2.0
"""How are network namespaces made so that each one, and no other, is deleted again?

A file with the name is written before a namespace is made, and removed after it is deleted. What has no such file is
somebody else's. Used by the lab's commands and, for guests, inside the pods' Nova.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS = 20.0  # for one command
END_SECONDS = 2.0  # between asking the processes of a namespace to end, and ending them
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class PathError(Exception):
    """A command of the data path failed; the text holds the command and its complaint."""


def run(*command: str, seconds: float = SECONDS) -> str:
    """What the command printed. Raises PathError when it fails or does not end in time."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PathError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise PathError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def inside(namespace: str, *command: str) -> tuple[str, ...]:
    """The command that runs another one in a namespace."""
    return ("ip", "netns", "exec", namespace, *command)


class Namespaces:
    """The namespaces of one lab, recorded in a directory."""

    def __init__(self, records: Path) -> None:
        self._records = records

    def recorded(self) -> list[str]:
        """Names of all that were made and not deleted since, in order."""
        return sorted(path.name for path in self._records.glob("*"))

    def existing(self) -> set[str]:
        """Names of all namespaces of the machine, ours or not."""
        return {line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()}

    def add(self, name: str) -> bool:
        """Make a namespace unless it is there; True when made."""
        self._records.mkdir(parents=True, exist_ok=True)
        (self._records / name).touch()
        if name in self.existing():
            return False
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        return True

    def delete(self, name: str) -> bool:
        """End what runs in a namespace of ours and delete it; True when it was there."""
        record = self._records / name
        if not record.exists():
            return False
        found = name in self.existing()
        if found:
            self._end(name)
            run("ip", "netns", "delete", name)
        record.unlink(missing_ok=True)
        return found

    def delete_all(self) -> list[str]:
        """Delete all that were made; the names of those that were there."""
        return [name for name in self.recorded() if self.delete(name)]

    def _end(self, name: str) -> None:
        began = time.monotonic()
        while pids := _members(name):
            is_late = time.monotonic() - began > END_SECONDS
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
            if time.monotonic() - began > 2 * END_SECONDS:
                raise PathError(f"processes {pids} in namespace {name} do not end")
            time.sleep(0.02)


def _members(name: str) -> Sequence[int]:
    return [int(pid) for pid in run("ip", "netns", "pids", name).split()]
