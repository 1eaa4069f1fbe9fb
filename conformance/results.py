# SPDX-License-Identifier: Apache-2.0
"""What came of each test at each target? Kept line by line, so that a run that was cut off goes on."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

#: How Tempest calls what is done once for all tests of a class.
_OF_CLASS = ("setUpClass (", "tearDownClass (")


@dataclass(frozen=True, slots=True)
class Result:
    """``status``: passed, failed or skipped; ``reason``: the end of the traceback, or why it was skipped.

    ``again``: the test had failed in the same run before.
    """

    test: str
    status: str
    reason: str = ""
    again: bool = False


def append(file: Path, result: Result) -> None:
    """Write one result down."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(result)) + "\n")


def load(file: Path) -> dict[str, Result]:
    """The last result of every test, failures of whole classes included."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return {line["test"]: Result(**line) for line in lines}


def forget(file: Path, *statuses: str, classes: Container[str] | None = None) -> set[str]:
    """Let everything (of these classes) that ended so be run again; the classes of what is forgotten."""
    results = load(file)
    ended = {test for test, result in results.items() if result.status in statuses}
    gone = {test for test in ended if classes is None or (_class_prepared(test) or class_of(test)) in classes}
    file.unlink(missing_ok=True)
    for result in results.values():
        if result.test not in gone:
            append(file, result)
    return {_class_prepared(test) or class_of(test) for test in gone}


def _class_prepared(test: str) -> str | None:
    """The class that a result of its preparation is about; None for a test's own."""
    prefix = next((prefix for prefix in _OF_CLASS if test.startswith(prefix)), None)
    return test.removeprefix(prefix).removesuffix(")") if prefix else None


def status_of(test: str, results: Mapping[str, Result]) -> Result:
    """The result of one test; when its class could not be prepared, that of the class; else ``absent``."""
    if test in results:
        return results[test]
    for prefix in _OF_CLASS[:1]:
        of_class = results.get(f"{prefix}{class_of(test)})")
        if of_class is not None:
            return replace(of_class, test=test)
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
