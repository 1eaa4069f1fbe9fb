# SPDX-License-Identifier: Apache-2.0
"""Which tests pass directly and not through tricircle, and why? Causes are kept in ``differences.toml``.

A difference without a cause is a defect, and so is a cause without a difference. Passes are a ratchet: what passed once
has to pass.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

KEPT = Path(__file__).with_name("differences.toml")
#: What differs only while one of three pods is of an older release.
KEPT_OLDER = Path(__file__).with_name("differences-older.toml")
#: One row of ``docs/conformance.json``.
Row = Mapping[str, str]
_THROUGH = ("one", "three")
_TARGETS = ("pod", *_THROUGH)


@dataclass(frozen=True, slots=True)
class Difference:
    """Tests with one cause: patterns of their short names."""

    tests: tuple[str, ...]
    cause: str

    def holds(self, test: str) -> bool:
        """Whether it is about the test."""
        return any(fnmatchcase(short(test), pattern) for pattern in self.tests)


def kept(file: Path = KEPT) -> tuple[Difference, ...]:
    """All that is known."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("difference", [])
    return tuple(Difference(tuple(entry["tests"]), str(entry["cause"])) for entry in entries)


def short(test: str) -> str:
    """A test's id as people read it.

    >>> short("tempest.api.image.v2.Images.test_list[id-1,smoke]")
    'image.v2.Images.test_list'
    """
    return test.partition("[")[0].removeprefix("tempest.api.")


def differing(rows: Iterable[Row]) -> list[Row]:
    """Those that pass directly and end otherwise through tricircle; what was not run there says nothing."""
    return [
        row
        for row in rows
        if row["pod"] == "passed" and any(row[name] not in ("passed", "absent") for name in _THROUGH)
    ]


def cause_of(test: str, known: Sequence[Difference]) -> str | None:
    """Why a test differs, if that is known."""
    return next((difference.cause for difference in known if difference.holds(test)), None)


def unexplained(rows: Iterable[Row], known: Sequence[Difference]) -> list[str]:
    """Tests that differ and nobody knows why."""
    return [row["test"] for row in differing(rows) if cause_of(row["test"], known) is None]


def idle(rows: Iterable[Row], known: Sequence[Difference]) -> list[str]:
    """Patterns that no difference needs any more."""
    names = [short(row["test"]) for row in differing(rows)]
    return [
        pattern
        for difference in known
        for pattern in difference.tests
        if not any(fnmatchcase(name, pattern) for name in names)
    ]


def lost(before: Iterable[Row], now: Iterable[Row]) -> list[tuple[str, str]]:
    """Targets and tests that passed there once, were run there now, and did not pass."""
    ended = {row["test"]: row for row in now}
    return [
        (name, row["test"])
        for row in before
        for name in _TARGETS
        if row.get(name) == "passed" and ended.get(row["test"], {}).get(name) in ("failed", "skipped")
    ]


def left_out(rows: Iterable[Row], names: Iterable[str]) -> list[tuple[str, str]]:
    """Targets and tests that should have been run there, and have not ended."""
    return [(name, row["test"]) for row in rows for name in names if row[name] == "absent"]


def published(file: Path) -> list[Row]:
    """The rows of the report that is kept in the project; none when there is none yet."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
