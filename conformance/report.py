# SPDX-License-Identifier: Apache-2.0
"""What do all results say together? Pure: the table that people read, and the list that programs read."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from conformance.results import Result, status_of
from conformance.targets import TARGETS

_STATUSES = ("passed", "failed", "skipped", "absent")
By = Mapping[str, Mapping[str, Result]]


def as_json(tests: Sequence[str], results: By) -> str:
    """``[{"test": ..., "pod": ..., "one": ..., "three": ...}]``."""
    rows = [{"test": test, **{name: status_of(test, results[name]).status for name in TARGETS}} for test in tests]
    return json.dumps(rows, indent=1) + "\n"


def as_markdown(sets: Mapping[str, Sequence[str]], results: By, shares: Mapping[str, object]) -> str:
    """The page: totals for each set and target, then every test that passes directly and not through tricircle."""
    lines = [
        "# Conformance",
        "",
        "Tempest, unmodified, on the lab: directly on a pod, and through tricircle. Made by `make conformance`;",
        "every test is in [conformance.json](conformance.json).",
        "",
    ]
    for title, tests in sets.items():
        lines += [f"## {title}: {len(tests)} tests", "", *_totals(tests, results), ""]
    everything = sorted({test for tests in sets.values() for test in tests})
    lines += ["## Passes directly, not through tricircle", "", *_differences(everything, results), ""]
    if shares:
        lines += ["## Servers that each pod received, all runs together", ""]
        lines += ["| pod | servers |", "|---|---|", *(f"| {pod} | {count} |" for pod, count in shares.items()), ""]
    return "\n".join(lines)


def _totals(tests: Sequence[str], results: By) -> list[str]:
    rows = ["| target | " + " | ".join(_STATUSES) + " |", "|---|" + "---|" * len(_STATUSES)]
    for name, target in TARGETS.items():
        counts = Counter(status_of(test, results[name]).status for test in tests)
        rows.append(f"| {target.title} | " + " | ".join(str(counts[status]) for status in _STATUSES) + " |")
    return rows


def _differences(tests: Sequence[str], results: By) -> list[str]:
    rows = []
    for test in tests:
        if status_of(test, results["pod"]).status != "passed":
            continue
        ended = {name: status_of(test, results[name]) for name in ("one", "three")}
        if all(result.status in ("passed", "absent") for result in ended.values()):
            continue
        short = test.partition("[")[0].removeprefix("tempest.api.")
        said = next((last_line(result.reason) for result in ended.values() if result.reason), "")
        rows.append(f"| {short} | {ended['one'].status} | {ended['three'].status} | {said} |")
    return ["| test | one | three | what it said |", "|---|---|---|---|", *rows] if rows else ["None."]


def last_line(reason: str) -> str:
    """The line of a traceback that says what was wrong, fit for a table."""
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if not line.startswith(("}", "]", "'"))), "")
    return told.replace("|", "/")[:160]
