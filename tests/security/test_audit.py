# SPDX-License-Identifier: Apache-2.0
"""Does the audit of dependencies fail when it must, and never keep silent about what it did not look at?"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found and could not be audited"}
HOLED = {"name": "c", "version": "2", "vulns": [{"id": "GHSA-1", "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("found", "complaint", "code", "words"),
    [
        ([CLEAN], "", 0, "no known vulnerabilities in 1 packages"),
        ([CLEAN, SKIPPED], "", 0, "1 NOT AUDITED"),
        ([SKIPPED], "", 0, "NOT AUDITED"),
        ([], "ERROR: no route", 0, "NOT AUDITED, the vulnerability data cannot be reached from here (ERROR: no route)"),
        ([CLEAN, HOLED, SKIPPED], "", 1, "c 2: GHSA-1, fixed in 2.1"),
    ],
)
def test_the_verdict(audit: ModuleType, found: list[object], complaint: str, code: int, words: str) -> None:
    got, said = audit.verdict(found, complaint, len(found))
    assert got == code
    assert words in "\n".join(said)


def test_an_auditor_that_cannot_work_is_a_complaint(audit: ModuleType) -> None:
    for command in (
        [sys.executable, "-c", "import sys; sys.exit('no route to anywhere')"],
        [sys.executable, "-c", "print('no JSON')"],
        ["/nonexistent/pip-audit"],
    ):
        found, complaint = audit.asked(["a==1"], command)
        assert found == []
        assert complaint


def test_everything_that_runs_is_looked_at(audit: ModuleType) -> None:
    """The lock of what runs is that of what is tested."""
    runs = audit.pinned((ROOT / "requirements" / "runtime.lock").read_text())
    tested = audit.pinned((ROOT / "requirements" / "dev.lock").read_text())
    assert {"granian", "httptools", "keystonemiddleware"} <= {line.partition("=")[0] for line in runs}
    assert set(runs) <= set(tested)
