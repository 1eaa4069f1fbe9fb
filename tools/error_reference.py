# SPDX-License-Identifier: Apache-2.0
"""Which errors are there, and how do callers see them? Writes ``docs/reference/errors.md`` from the classes themselves.

Usage: ``python tools/error_reference.py`` writes the page; with ``--check`` it only says whether the page is fresh.
"""

import inspect
import re
import sys
from pathlib import Path

from tricircle import errors
from tricircle.http.dialects import Dialect
from tricircle.http.faults import _status

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "errors.md"
HEAD = """\
# Errors

Every error that tricircle raises on purpose has a stable code. Log lines carry it
(`A request failed: <code>: <text>`, or `<door> <code>: <text>` for a refusal), so it can be searched for. Callers see
a status and a text in the words of the service that they speak to; the code itself never reaches them. What is none of
these is a 500 with a traceback in the log, under the code `internal`.

Statuses in brackets hold for the named door only; `-` means that the error never becomes an answer. A 503 always comes
with `Retry-After`: nothing was done, and the call may be repeated. A 504 has none, because it may have been carried
out. Where a service's own router knows paths only together with their verbs (compute, block storage), a 405 is that
service's 404.

This page is generated from the classes: change their docstrings, then run `python tools/error_reference.py`.

| code | status | meaning |
|---|---|---|
"""
_DOORS = {
    Dialect.COMPUTE: "compute",
    Dialect.BLOCK_STORAGE: "block storage",
    Dialect.IMAGE: "image",
    Dialect.NETWORK: "network",
    Dialect.IDENTITY: "identity",
    Dialect.ADMIN: "Admin API",
}


def page() -> str:
    """The text of the page."""
    lines = [_line(kind) for kind in sorted(_kinds(), key=lambda kind: kind.code)]
    return HEAD + "\n".join(lines) + "\n"


def _kinds() -> list[type[errors.TricircleError]]:
    found = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, errors.TricircleError)]


def _line(kind: type[errors.TricircleError]) -> str:
    return f"| `{kind.code}` | {_statuses(kind)} | {_meaning(kind)} |"


def _statuses(kind: type[errors.TricircleError]) -> str:
    """One status, or the usual one and those of single doors."""
    if kind is errors.TricircleError:
        return "500"
    # Only the class decides, so an instance without its facts will do.
    by_door = {_DOORS[dialect]: _status(kind.__new__(kind), dialect) for dialect in Dialect}
    values = list(by_door.values())
    usual = max(values, key=values.count)
    if usual is None:
        return "-"
    others = [f"{door} {status}" for door, status in by_door.items() if status != usual]
    return f"{usual} ({', '.join(others)})" if others else str(usual)


def _meaning(kind: type[errors.TricircleError]) -> str:
    """The docstring's sentences, without its parameters and without the statuses, which have a column of their own."""
    text = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    text = re.sub(r" \([^()]*\b[45]\d\d\b[^()]*\)", "", text)
    return text.replace("``", "`").replace("|", "\\|")


def main() -> int:
    """Write or check the page; 1 when a check finds it stale."""
    fresh = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.is_file() or PAGE.read_text() != fresh:
            sys.stderr.write("docs/reference/errors.md is stale: run python tools/error_reference.py\n")
            return 1
        return 0
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
