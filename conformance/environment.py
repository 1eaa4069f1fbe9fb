# SPDX-License-Identifier: Apache-2.0
"""How does Tempest get an environment of its own, from pinned distributions only?"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from lab.topology import Lab

LOCK = Path(__file__).with_name("requirements.lock")
_MARKER = ".installed"


class InstallError(Exception):
    """The environment cannot be made; the text says why."""


def home(lab: Lab) -> Path:
    """Where Tempest, its configurations and all results are."""
    return lab.state / "conformance"


def python(lab: Lab) -> Path:
    """The interpreter that has Tempest."""
    return home(lab) / "venv" / "bin" / "python"


def install(lab: Lab) -> None:
    """Make the environment unless it is there. :raises InstallError: uv is missing, or refuses."""
    venv = home(lab) / "venv"
    marker = venv / _MARKER
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if marker.exists() and marker.read_text() == digest:
        return
    program = shutil.which("uv")
    if program is None:
        raise InstallError("uv is missing: pip install uv")
    for arguments in (
        ("venv", "--quiet", "--allow-existing", "--python", "3.11", str(venv)),
        ("pip", "sync", "--quiet", "--python", str(python(lab)), str(LOCK)),
    ):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(f"uv {' '.join(arguments)}:\n{done.stderr[-4000:]}")
    marker.write_text(digest)
