# SPDX-License-Identifier: Apache-2.0
"""How is a configuration file written, and did it change?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Value = str | int | bool | Path | Sequence[str]
Section = Mapping[str, Value]
Sections = Mapping[str, Section]


def render(sections: Sections) -> str:
    """The text of an INI file as oslo.config reads it; lists become comma separated."""
    blocks = []
    for name, options in sections.items():
        lines = [f"[{name}]", *(f"{option} = {_text(value)}" for option, value in options.items())]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def merge(*layers: Sections) -> dict[str, dict[str, Value]]:
    """Sections of several layers as one; where two name the same option, the later one wins."""
    merged: dict[str, dict[str, Value]] = {}
    for layer in layers:
        for name, options in layer.items():
            merged.setdefault(name, {}).update(options)
    return merged


def write(path: Path, text: str, mode: int = 0o600) -> bool:
    """Write the file unless it already reads so; True when it changed."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.write_text(text)
    return True


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, Path)):
        return str(value)
    return ",".join(value)
