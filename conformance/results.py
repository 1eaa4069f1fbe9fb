# SPDX-License-Identifier: Apache-2.0
"""What came of each test at each target? Kept line by line, so that a run that was cut off goes on."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: How Tempest calls what is done once for all tests of a class.
_OF_CLASS = ("setUpClass (", "tearDownClass (")


@dataclass(frozen=True, slots=True)
class Result:
    """``status``: passed, failed or skipped; ``reason``: the end of the traceback, or why it was skipped."""

    test: str
    status: str
    reason: str = ""


def append(file: Path, result: Result) -> None:
    """Write one result down."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"test": result.test, "status": result.status, "reason": result.reason}) + "\n")


def load(file: Path) -> dict[str, Result]:
    """The last result of every test, failures of whole classes included."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return {line["test"]: Result(line["test"], line["status"], line["reason"]) for line in lines}


def forget_failures(file: Path) -> None:
    """Let everything that failed be run again."""
    kept = [result for result in load(file).values() if result.status != "failed"]
    file.unlink(missing_ok=True)
    for result in kept:
        append(file, result)


def status_of(test: str, results: Mapping[str, Result]) -> Result:
    """The result of one test; when its class could not be prepared, that of the class; else ``absent``."""
    if test in results:
        return results[test]
    for prefix in _OF_CLASS[:1]:
        of_class = results.get(f"{prefix}{class_of(test)})")
        if of_class is not None:
            return Result(test, of_class.status, of_class.reason)
    return Result(test, "absent")


def class_of(test: str) -> str:
    """The class of a test's id.

    >>> class_of("tempest.api.image.v2.Images.test_list[id-1,smoke]")
    'tempest.api.image.v2.Images'
    """
    return test.partition("[")[0].rpartition(".")[0]


def missing(tests: Iterable[str], results: Mapping[str, Result]) -> Iterator[str]:
    """Those that have not ended yet."""
    return (test for test in tests if status_of(test, results).status == "absent")
