# SPDX-License-Identifier: Apache-2.0
"""How does the lab get its own Python environments, one for each release, from pinned distributions only?"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from lab.topology import Lab, Release

PYTHON = "3.11"
_MARKER = ".lab-installed"
_PROJECT_MARKER = ".lab-project"


class EnvironmentFailedError(Exception):
    """The environment cannot be made; the text says what to do or what uv said."""


def lock_digest(lab: Lab, release: Release = Release.NEWEST) -> str:
    """Which set of pins the environment of a release is made from."""
    return hashlib.sha256(lab.lock_of(release).read_bytes()).hexdigest()[:16]


def install(lab: Lab, release: Release = Release.NEWEST) -> bool:
    """Make the environment of a release from its lock unless it is there; True when something was installed."""
    venv = lab.venv_of(release)
    marker = venv / _MARKER
    if marker.exists() and marker.read_text() == lock_digest(lab, release):
        return False
    if not (venv / "bin" / "python").exists():
        _uv(lab, "venv", "--quiet", "--python", PYTHON, str(venv))
    _uv(lab, "pip", "sync", "--quiet", *_into(venv), str(lab.lock_of(release)))
    _compile(venv)
    (venv / _PROJECT_MARKER).unlink(missing_ok=True)
    marker.write_text(lock_digest(lab, release))
    return True


def install_project(lab: Lab) -> bool:
    """Put this project into the environment, editable and without its dependencies.

    The central Neutron finds our drivers, and the openstackclient our commands, by entry points.
    True when something was installed.
    """
    distributions = [path for path in (lab.root, lab.root / "osc") if _is_project(path)]
    digest = hashlib.sha256()
    for path in distributions:
        digest.update((path / "pyproject.toml").read_bytes())
    marker = lab.venv / _PROJECT_MARKER
    if not distributions or (marker.exists() and marker.read_text() == digest.hexdigest()):
        return False
    targets = [part for path in distributions for part in ("--editable", str(path))]
    _uv(lab, "pip", "install", "--quiet", "--no-deps", *_into(lab.venv), *targets)
    marker.write_text(digest.hexdigest())
    return True


def _compile(venv: Path) -> None:
    """Make the bytecode now: a start of the services is mostly the time of their imports.

    The services' own tests are two fifths of all code; the few of them that the lab loads can wait.
    """
    command = [str(venv / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", "-x", "/tests/"]
    subprocess.run([*command, str(venv / "lib")], capture_output=True, check=False)


def _is_project(path: Path) -> bool:
    return (path / "pyproject.toml").exists()


def _into(venv: Path) -> tuple[str, str]:
    return "--python", str(venv / "bin" / "python")


def _uv(lab: Lab, *arguments: str) -> None:
    program = shutil.which("uv")
    if program is None:
        raise EnvironmentFailedError(
            "uv is missing. Install it: https://docs.astral.sh/uv/getting-started/installation/"
        )
    variables = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        [program, *arguments],
        cwd=lab.root,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvironmentFailedError(f"uv {' '.join(arguments)}:\n{done.stdout[-4000:]}")
