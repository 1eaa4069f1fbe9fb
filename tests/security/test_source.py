# SPDX-License-Identifier: Apache-2.0
"""What must not stand in the product at all? Linters look for the ways to do these things wrong; we do not do them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = [
    path
    for room in ("tricircle", "tricircle_neutron", "osc")
    for path in sorted((ROOT / room).rglob("*.py"))
    if "testing" not in path.parts
]
#: They make objects of bytes that others sent, or start programs.
DANGEROUS = {"pickle", "marshal", "shelve", "dill", "yaml", "subprocess", "xml", "telnetlib", "ftplib", "xmlrpc"}
#: Where certificates may be left unverified, because the operator said so (``[upstream] insecure``).
UNVERIFIED = {"tricircle/upstream/trust.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_nothing_dangerous_is_used(path: Path) -> None:
    text = path.read_text()
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}
    assert not imported & DANGEROUS
    for word in ("CERT_NONE", "verify=False", "_create_unverified_context"):
        assert word not in text or name(path) in UNVERIFIED


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_an_exception_from_a_security_rule_has_its_reason(path: Path) -> None:
    for line in path.read_text().splitlines():
        _, noqa, rest = line.partition("# noqa: S")
        if noqa and rest[:1].isdigit():
            assert len(rest.split(maxsplit=1)) == 2, line
