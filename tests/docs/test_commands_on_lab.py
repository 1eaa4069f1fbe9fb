# SPDX-License-Identifier: Apache-2.0
"""Do the blocks that begin with ``source .lab/openrc`` work as they are, typed into a shell beside the running lab?"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, name, pages

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

FIRST = "source .lab/openrc"
#: What such a block may run; ``make`` verbs start and end the lab, which others are using.
PROGRAMS = ("source", "openstack", "curl", ".venv/bin/tricircle-manage")


def sessions() -> list[object]:
    """One shell session for each block, with the name of its page."""
    found = []
    for page in pages():
        for block in blocks(page):
            if block.startswith(FIRST):
                lines = [line for line in block.splitlines() if line.split("#")[0].strip()]
                found.append(pytest.param([line for line in lines if line.split()[0] != "make"], id=name(page)))
    return found


@pytest.mark.parametrize("lines", sessions())
def test_session(lines: list[str], tmp_path: Path) -> None:
    assert {line.split()[0] for line in lines} <= set(PROGRAMS)
    script = tmp_path / "session.sh"
    # A failed line is told with its number, and the shell is as strict as a careful reader.
    script.write_text(
        "set -e -o pipefail\nexport PATH=.venv/bin:.lab/venv/bin:$PATH\nset -x\n" + "\n".join(lines) + "\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    done = subprocess.run(
        ["bash", str(script)], cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_readme_has_a_session() -> None:
    assert any(block.startswith(FIRST) for block in blocks(ROOT / "README.md"))
