# SPDX-License-Identifier: Apache-2.0
"""Does every file keep the house rules that no linter knows: sizes, names, first lines?

Run by ``make check``. Prints one line per breach and exits 1 when there is any. Limits: a module at most 400 lines
(100-300 wanted), of tests and of the fakes 600; a function at most 60 lines, nesting at most 4 levels, at most 6
positional parameters; no room or module named for leftovers; every module opens with the SPDX line and a docstring.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tricircle", "tricircle_neutron", "osc", "lab", "tools", "benchmarks", "conformance", "tests")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "tools_misc", "stuff"}
MODULE_LINES = 400
#: Of tests, and of the fakes that they run against: one long list of cases is still easy to read.
TEST_MODULE_LINES = 600
FUNCTION_LINES = 60
NESTING = 4
PARAMETERS = 6
#: Statements that open a level a reader has to keep in mind.
_LEVELS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)


def _depth(node: ast.AST, level: int = 0) -> int:
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        # An elif is an If in the orelse of an If: the same level to the reader's eye.
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        opens = isinstance(child, _LEVELS) and not is_elif
        deepest = max(deepest, _depth(child, level + 1 if opens else level))
    return deepest


def _function_breaches(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_test: bool) -> Iterator[str]:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if lines > FUNCTION_LINES:
        yield f"{function.name} has {lines} lines (at most {FUNCTION_LINES})"
    if (depth := _depth(function)) > NESTING:
        yield f"{function.name} is nested {depth} deep (at most {NESTING})"
    parameters = [a for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in {"self", "cls"}]
    if len(parameters) > PARAMETERS and not is_test:
        yield f"{function.name} takes {len(parameters)} positional parameters (at most {PARAMETERS})"


def breaches(path: Path) -> Iterator[str]:
    """What is wrong with one file, as sentences."""
    text = path.read_text(encoding="utf-8")
    if path.stem in BANNED_NAMES:
        yield f"the name {path.stem!r} says nothing: name the module for its noun"
    if not text.strip():
        return
    if not text.startswith("# SPDX-License-Identifier: Apache-2.0\n"):
        yield "the first line is not the SPDX line"
    parts = path.relative_to(ROOT).parts
    is_test = "tests" in parts
    limit = TEST_MODULE_LINES if is_test or "testing" in parts else MODULE_LINES
    if (lines := text.count("\n")) > limit:
        yield f"{lines} lines (at most {limit})"
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield "no module docstring: say what question the module answers"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for breach in _function_breaches(node, is_test=is_test):
                yield f"line {node.lineno}: {breach}"


def main() -> int:
    """Exit code 1 when any file breaks a rule."""
    found = 0
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for breach in breaches(path):
                found += 1
                print(f"{path.relative_to(ROOT)}: {breach}")
            for parent in path.relative_to(ROOT).parents:
                if parent.name in BANNED_NAMES:
                    found += 1
                    print(f"{parent}: the name {parent.name!r} says nothing")
    print(f"house check: {found} breaches" if found else "house check: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
