# SPDX-License-Identifier: Apache-2.0
"""Is a newcomer told what is wrong? Only commands that are refused before they touch anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.__main__ import _parser as lab_parser
from tests.docs.pages import ROOT


@pytest.mark.parametrize("number", ["0", "-1"])
def test_a_lab_of_no_pods_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        lab_parser().parse_args(["up", "--pods", number])
    assert end.value.code == 2
    assert "at least 1" in capsys.readouterr().err


def test_who_has_no_configuration_file_is_told_so(tmp_path: Path) -> None:
    """The default database is on port 3306 of this host, or not there: either way it is no database of tricircle's."""
    done = subprocess.run(
        [sys.executable, "-m", "tricircle.cmd.manage", "pod", "check", "Nope"],
        cwd=ROOT,
        env={"HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "no configuration file was found; name one with --config-file" in done.stderr
