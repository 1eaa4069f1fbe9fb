# SPDX-License-Identifier: Apache-2.0
"""How is Tempest run over a list of tests, with progress, so that it can be cut off and go on?"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from conformance import configuration, environment
from conformance.results import Result, append, class_of, forget, load, missing
from conformance.shares import timed
from conformance.targets import Place, Target
from lab.topology import Lab

POWERED = Path(__file__).with_name("powered-2020.06.txt")
#: The packages of all API tests that count, and what needs a service that no lab has.
PACKAGES = ("tempest.api.compute", "tempest.api.volume", "tempest.api.image", "tempest.api.network")


def workspace(lab: Lab, target: Target) -> Path:
    """The folder of one target."""
    return environment.home(lab) / target.name


def file_of(lab: Lab, target: Target, *, is_sample: bool = False) -> Path:
    """Where the results of one target are; those of a sample, and of an older pod, beside those of everything."""
    name = "powered.jsonl" if is_sample else "results.jsonl"
    return workspace(lab, target) / (f"older-{name}" if lab.older_pods else name)


def times_of(lab: Lab, target: Target) -> Path:
    """Where it is written down when the target's tests ran."""
    return workspace(lab, target) / "times.jsonl"


def prepare(lab: Lab, target: Target, place: Place) -> None:
    """Make the workspace of a target."""
    folder = workspace(lab, target)
    for name in ("etc", "log", "lock"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    configuration.write(folder, place, site_packages=_site_packages(lab))
    if not (folder / ".stestr").exists():
        _stestr(lab, target, "init")


def every_test(lab: Lab, target: Target) -> list[str]:
    """The ids of all tests that there are, sorted."""
    return sorted(line for line in _stestr(lab, target, "list").splitlines() if line.startswith("tempest."))


def powered(every: Sequence[str]) -> list[str]:
    """The OpenStack Powered 2020.06 list, as far as this Tempest has it; object storage left out."""
    wanted = POWERED.read_text(encoding="utf-8").splitlines()
    present = set(every)
    return [test for test in wanted if test in present and ".object_storage." not in test]


def full(every: Sequence[str]) -> list[str]:
    """All API tests that count, admin tests included."""
    return [test for test in every if test.startswith(tuple(f"{package}." for package in PACKAGES))]


def run(lab: Lab, target: Target, tests: Sequence[str], out: Path, *, workers: int) -> None:
    """Run those of ``tests`` that have no result yet, and once more, one at a time, what failed; every result is
    written down as it comes.
    """
    _run(lab, target, list(missing(tests, load(out))), out, workers=workers)
    failed = forget(out, "failed", classes={class_of(test) for test in tests})
    again = [test for test in tests if class_of(test) in failed]
    _run(lab, target, list(missing(again, load(out))), out, workers=1, is_second=True)


def _run(lab: Lab, target: Target, left: Sequence[str], out: Path, *, workers: int, is_second: bool = False) -> None:
    if not left:
        return
    chosen = workspace(lab, target) / "chosen.txt"
    chosen.write_text("\n".join(left) + "\n")
    python = str(environment.python(lab))
    command = [python, "-m", "stestr", "run", "--subunit", "--load-list", str(chosen), "--concurrency", str(workers)]
    tempest = subprocess.Popen(
        command,
        cwd=workspace(lab, target),
        env=_variables(lab, target),
        stdout=subprocess.PIPE,
        stderr=(workspace(lab, target) / "stderr.txt").open("w"),
    )
    reader = subprocess.Popen(
        [python, str(Path(__file__).with_name("stream.py"))], stdin=tempest.stdout, stdout=subprocess.PIPE, text=True
    )
    with timed(times_of(lab, target)):
        title = f"{target.title}, once more" if is_second else target.title
        _follow(reader, out, title=title, count=len(left), is_second=is_second)
        tempest.wait()


def _follow(reader: "subprocess.Popen[str]", out: Path, *, title: str, count: int, is_second: bool) -> None:
    begun, seen = time.monotonic(), Counter[str]()
    for line in reader.stdout or ():
        result = Result(**json.loads(line), again=is_second)
        append(out, result)
        seen[result.status] += 1
        minutes = (time.monotonic() - begun) / 60
        words = f"{title} {sum(seen.values()):4}/{count} {minutes:5.1f} min {result.status:7} {result.test[:90]}"
        sys.stdout.write(words + "\n" if result.status == "failed" or not sys.stdout.isatty() else f"\r\x1b[K{words}")
        sys.stdout.flush()
    reader.wait()
    sys.stdout.write(f"\n{title}: {dict(seen)}\n")


def _stestr(lab: Lab, target: Target, verb: str) -> str:
    """What a command of the test runner prints."""
    done = subprocess.run(
        [str(environment.python(lab)), "-m", "stestr", verb],
        cwd=workspace(lab, target),
        env=_variables(lab, target),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise environment.InstallError(f"stestr {verb}: {(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def _site_packages(lab: Lab) -> Path:
    return environment.home(lab) / "venv" / "lib" / "python3.11" / "site-packages"


def _variables(lab: Lab, target: Target) -> dict[str, str]:
    return {
        "PATH": f"{environment.python(lab).parent}:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        "TEMPEST_CONFIG_DIR": str(workspace(lab, target) / "etc"),
        "TEMPEST_CONFIG": "tempest.conf",
        "OS_TEST_TIMEOUT": "600",
    }
