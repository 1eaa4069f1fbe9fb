# SPDX-License-Identifier: Apache-2.0
"""Which pages are there, and what do they hold that can be checked: blocks of code, commands, links, tables?"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line in a page. One with placeholders or options in brackets is a *form*, not to be parsed whole."""

    page: str
    text: str

    @property
    def is_form(self) -> bool:
        """Whether it stands for many command lines."""
        return bool(re.search(r"<[^>]+>|\[|\.\.\.|\|", self.text))

    @property
    def words(self) -> list[str]:
        """As a shell would cut it."""
        return shlex.split(self.text, comments=True)


def pages() -> Iterator[Path]:
    """Every page of the project."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in ("docs", "lab", "osc"):
        yield from sorted((ROOT / folder).rglob("*.md"))


def name(page: Path) -> str:
    """What a page is called in messages."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str | None = None) -> list[str]:
    """Fenced blocks of code, without their fences; drawings and output are fenced as ``text`` and left out."""
    wanted = (lambda said: said == language) if language else (lambda said: said != "text")
    return [text for said, text in _FENCE.findall(page.read_text()) if wanted(said)]


def commands(*programs: str) -> Iterator[Command]:
    """Command lines of these programs (``make``, ``python -m lab``) in blocks of code and in code within sentences."""
    for page in pages():
        for line in _lines_of_code(page):
            text = line.removeprefix(".venv/bin/")
            for program in programs:
                if text == program or text.startswith(program + " "):
                    yield Command(page=name(page), text=text)


def links(page: Path) -> list[str]:
    """Targets of links that stay within the project, without anchors."""
    found = [target.split("#")[0] for target in _LINK.findall(_FENCE.sub("", page.read_text()))]
    return [target for target in found if target and "://" not in target and not target.startswith("mailto:")]


def table_rows(page: Path) -> list[list[str]]:
    """The cells of all rows of all tables, blanks removed; titles and rulers are left out."""
    rows = []
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        is_title = number + 1 < len(lines) and re.match(r"\|[\s:|-]+\|$", lines[number + 1])
        if line.startswith("|") and not is_title and not re.match(r"\|[\s:|-]+\|$", line):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])])
    return rows


def _lines_of_code(page: Path) -> Iterator[str]:
    text = page.read_text()
    for block in [*blocks(page), *_INDENTED.findall(_FENCE.sub("\n", text))]:
        yield from _joined(block)
    for span in _SPAN.findall(_FENCE.sub("", text)):
        yield span.strip()


def _joined(block: str) -> Iterator[str]:
    """Lines, each with its continuations: after a backslash, or indented further than the line itself."""
    line, depth = "", 0
    for raw in block.splitlines():
        indent = len(raw) - len(raw.lstrip())
        if line and (line.endswith("\\") or (raw.strip() and indent > depth + 4)):
            line = line.removesuffix("\\").rstrip() + " " + raw.strip()
            continue
        if line:
            yield line
        line, depth = raw.strip().removeprefix("$ "), indent
    if line:
        yield line
