# SPDX-License-Identifier: Apache-2.0
"""Where is the running lab, and which words must a tenant never see?"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.topology import load_lab

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class LabPaths:
    """What the tests need to know of the lab."""

    state: Path
    clouds: Path
    python: Path
    admin_url: str
    pod_ports: tuple[int, ...]


@pytest.fixture(scope="session")
def lab_paths() -> LabPaths:
    """The lab's paths; skipping is no option: without a lab these tests must fail."""
    lab = load_lab(ROOT)
    clouds = lab.state / "clouds.yaml"
    assert clouds.exists(), "the lab is not up: make lab-up"
    return LabPaths(
        state=lab.state,
        clouds=clouds,
        python=lab.venv / "bin" / "python",
        admin_url=lab.url("admin-api") + "/v1.0",
        pod_ports=tuple(port for pod in lab.pods for port in pod.ports.values()),
    )


@pytest.fixture(scope="session")
def canary_words(lab_paths: LabPaths) -> list[str]:
    """Words that stand only in pods: region names, hosts, networks, and the pods' own addresses."""
    listed = json.loads((lab_paths.state / "canaries.json").read_text())
    words = listed if isinstance(listed, list) else [word for group in listed.values() for word in group]
    return [*words, "Pod1", "Pod2", *(f"127.0.0.1:{port}" for port in lab_paths.pod_ports)]
