# SPDX-License-Identifier: Apache-2.0
"""Where is the running lab, and which words must a tenant never see?"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class LabPaths:
    """What the tests need to know of the lab."""

    state: Path
    clouds: Path
    python: Path
    admin_url: str = "http://127.0.0.1:19999/v1.0"


@pytest.fixture(scope="session")
def lab_paths() -> LabPaths:
    """The lab's paths; skipping is no option: without a lab these tests must fail."""
    state = ROOT / ".lab"
    paths = LabPaths(state=state, clouds=state / "clouds.yaml", python=state / "venv" / "bin" / "python")
    assert paths.clouds.exists(), "the lab is not up: make lab-up"
    return paths


@pytest.fixture(scope="session")
def canary_words(lab_paths: LabPaths) -> list[str]:
    """Words that stand only in pods: region names, hosts, networks, and the pods' own addresses."""
    listed = json.loads((lab_paths.state / "canaries.json").read_text())
    words = listed if isinstance(listed, list) else [word for group in listed.values() for word in group]
    return [*words, "Pod1", "Pod2", "127.0.0.1:21", "127.0.0.1:22"]
