# SPDX-License-Identifier: Apache-2.0
"""Which row does a call mean? Pure: a trie of path segments; a fixed segment goes before a parameter, that before a
tail."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tricircle.model.microversion import version_of
from tricircle.road.path import Path
from tricircle.road.row import Row

Version = tuple[int, int]
#: What Nova and Cinder accept as a project id in a path.
_PROJECT_ID = re.compile(r"[0-9a-f-]+\Z")


@dataclass(frozen=True, slots=True)
class _Entry:
    row: Row
    names: tuple[str, ...]
    lowest: Version | None
    highest: Version | None


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    tail: "_Node | None" = None
    entries: dict[str, list[_Entry]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A path and verb that the table knows; several rows when they differ by microversion."""

    entries: tuple[_Entry, ...]
    values: tuple[str, ...]

    def at(self, version: Version | None) -> tuple[Row, dict[str, str]] | None:
        """The row that exists at a microversion and the path's parameters; None when there is none at this one."""
        for entry in self.entries:
            if version is not None and entry.lowest is not None and version < entry.lowest:
                continue
            if version is not None and entry.highest is not None and version > entry.highest:
                continue
            return entry.row, dict(zip(entry.names, self.values, strict=True))
        return None

    @property
    def is_public(self) -> bool:
        """Whether every row that may be meant needs no token."""
        return all(entry.row.is_public for entry in self.entries)


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The path is known, the verb is not.

    :ivar is_fixed: a row has this very path, without a parameter: nothing in it can be an id
    """

    methods: tuple[str, ...]
    is_fixed: bool = False


class Table:
    """The rows of a door as a trie.

    >>> from tricircle.road.row import Behaviour, Row
    >>> table = Table([Row(("GET",), "/flavors/{flavor_id}", Behaviour.CENTRAL)])
    >>> table.match("GET", ["flavors", "7"]).at(None)[1]
    {'flavor_id': '7'}
    >>> table.match("PUT", ["flavors", "7"])
    NotAllowed(methods=('GET',), is_fixed=False)
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._root = _Node()
        for row in rows:
            self._add(row)

    def match(self, method: str, segments: Sequence[str]) -> Match | NotAllowed | None:
        """What stands at a path for a verb; None when nothing stands there."""
        allowed: set[str] = set()
        is_fixed = False
        for node, values in _find(self._root, segments, 0, ()):
            entries = node.entries.get(method)
            if entries:
                return Match(tuple(entries), values)
            allowed.update(node.entries)
            is_fixed = is_fixed or bool(node.entries and not values)
        return NotAllowed(tuple(sorted(allowed)), is_fixed) if allowed else None

    def knows(self, segment: str) -> bool:
        """Whether some row begins with this fixed segment."""
        return segment in self._root.fixed

    def _add(self, row: Row) -> None:
        node, names = self._root, []
        for part in (part for part in row.path.split("/") if part):
            if part.startswith("{") and part.endswith("...}"):
                node.tail = node.tail or _Node()
                node = node.tail
                names.append(part[1:-4])
            elif part.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
                names.append(part[1:-1])
            else:
                node = node.fixed.setdefault(part, _Node())
        entry = _Entry(row, tuple(names), _version(row.min_version), _version(row.max_version))
        for method in row.methods:
            _insert(node.entries.setdefault(method, []), entry)


class DoorTable:
    """A door's table together with its version and project segments."""

    def __init__(
        self, rows: Iterable[Row], *, versions: Iterable[str], root_rows: Iterable[Row] = (), is_project_optional: bool
    ) -> None:
        self._versions = frozenset(versions)
        self._table = Table(rows)
        self._root_table = Table(root_rows)
        self._is_project_optional = is_project_optional

    def split(self, path: Path) -> "Split":
        """Where in a path (behind the door's prefix) the version, the project id and the resource are."""
        if not path.segments or path.segments[0] not in self._versions:
            return Split("", None, path.segments)
        if self._is_project_optional and len(path.segments) > 1:
            second = path.segments[1]
            if _PROJECT_ID.match(second) and not self._table.knows(second):
                return Split(f"/{path.segments[0]}/{second}", second, path.segments[2:])
        return Split("/" + path.segments[0], None, path.segments[1:])

    def match(self, method: str, split: "Split") -> Match | NotAllowed | None:
        """As ``Table.match``, in the table that the path's beginning chooses."""
        return (self._table if split.root else self._root_table).match(method, split.rest)

    def knows(self, segment: str) -> bool:
        """Whether some row under a version begins with this fixed segment."""
        return self._table.knows(segment)


@dataclass(frozen=True, slots=True)
class Split:
    """A path behind a door's prefix: ``root`` is ``/v2.1`` or ``/v3/<project id>`` as the client wrote it, or
    nothing."""

    root: str
    project_id: str | None
    rest: tuple[str, ...]


def _find(
    node: _Node, segments: Sequence[str], index: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """All nodes that a path may mean, best first."""
    if index == len(segments):
        yield node, values
        return
    segment = segments[index]
    child = node.fixed.get(segment)
    if child is not None:
        yield from _find(child, segments, index + 1, values)
    if node.parameter is not None:
        yield from _find(node.parameter, segments, index + 1, (*values, segment))
    if node.tail is not None:
        yield node.tail, (*values, "/".join(segments[index:]))


def _version(text: str | None) -> Version | None:
    return None if text is None else version_of(text)


def _insert(entries: list[_Entry], entry: _Entry) -> None:
    """Keep rows without bounds last. :raises ValueError: when two rows say the same."""
    for other in entries:
        if (other.lowest, other.highest) == (entry.lowest, entry.highest):
            raise ValueError(f"two rows for {entry.row.methods} {entry.row.path}")
    entries.append(entry)
    entries.sort(key=lambda one: one.lowest is None and one.highest is None)
