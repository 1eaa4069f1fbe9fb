# SPDX-License-Identifier: Apache-2.0
"""The stock ``openstack`` command with our plugin, as operators and tenants of the lab type it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

_LAB = Path(__file__).resolve().parents[2] / ".lab"


def openstack(*words: str, cloud: str = "tricircle-admin") -> subprocess.CompletedProcess[str]:
    """What came of one command."""
    environment = {"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": str(_LAB / "clouds.yaml"), "OS_CLOUD": cloud}
    command = [str(_LAB / "venv" / "bin" / "openstack"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


def shown(*words: str) -> Any:
    """The JSON of a command that must succeed."""
    done = openstack(*words, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
