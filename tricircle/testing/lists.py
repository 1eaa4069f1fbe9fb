# SPDX-License-Identifier: Apache-2.0
"""How does a fake cut a list into pages, in the manner of Nova, Cinder and Neutron?"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tricircle.testing.exchange import Asked, Json, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one service lists one collection.

    :ivar sort_keys: name in the query -> field of the stored resource
    :ivar marker_refusal: what an unknown marker is answered with
    :ivar unique: Nova's: the key behind the client's, rising
    :ivar ties: Cinder's: the keys behind the client's, in the direction of the first
    :ivar is_first: Nova's: which stand before all others, whatever the order
    :ivar is_ideal: whether what lacks a value has its place behind markers, too: in no real Nova
    :ivar marks: what else is known as a marker: what the filters leave out, and in Nova what was deleted
    """

    sort_keys: dict[str, str]
    marker_refusal: Callable[[str], Refusal]
    max_limit: int = 1000
    unique: str | None = None
    ties: tuple[str, ...] = ()
    is_first: Callable[[Json], bool] | None = None
    marks: Callable[[], Iterable[Json]] = tuple
    is_ideal: bool = False


def page(resources: Iterable[Json], asked: Asked, manner: Manner) -> tuple[list[Json], bool]:
    """One page, newest first unless the query says otherwise, and whether a ``next`` link belongs to it."""
    marker = asked.one("marker")
    there = list(resources)
    marked = [] if any(one["id"] == marker for one in there) else [one for one in manner.marks() if one["id"] == marker]
    ordered = in_order([*there, *marked], asked, manner)
    limit = _limit(asked, manner.max_limit)
    if marker:
        start = next((i + 1 for i, one in enumerate(ordered) if one["id"] == marker), -1)
        if start < 0:
            raise manner.marker_refusal(marker)
        ordered = ordered[start:] if manner.is_ideal else _behind(ordered, start, asked, manner)
    start = int(asked.one("offset") or 0)
    taken = ordered[start : start + limit]
    return taken, bool(taken) and len(taken) == limit


def in_order(resources: Iterable[Json], asked: Asked, manner: Manner) -> list[Json]:
    """Sorted as the query says. Later made means greater: the hidden number breaks ties, as a database's id does."""
    ordered = sorted(resources, key=lambda one: int(one["_number"]), reverse=True)
    for name, descending in reversed(_sorting(asked, manner)):
        if name not in manner.sort_keys:
            raise Refusal(400, f"Sort key supplied is invalid: {name}")
        field = manner.sort_keys[name]
        ordered.sort(key=lambda one, n=field: _sortable(one.get(n)), reverse=descending)  # type: ignore[misc]
    if manner.is_first is not None:
        is_first = manner.is_first
        ordered.sort(key=lambda one: not is_first(one))
    return ordered


def _behind(ordered: Sequence[Json], start: int, asked: Asked, manner: Manner) -> list[Json]:
    """What a database finds behind the marker before ``start``: nothing is smaller or greater than no value, and what
    the marker lacks is not compared (``paginate_query`` of oslo.db). So some is left out, or found again."""
    marker = ordered[start - 1]
    if manner.is_first is not None and manner.is_first(marker):
        return list(ordered[start:])
    there = [one for one in ordered if manner.is_first is None or not manner.is_first(one)]
    keys = [(manner.sort_keys[name], descending) for name, descending in _sorting(asked, manner)]

    def is_behind(one: Json) -> bool:
        for field, descending in keys:
            if marker.get(field) is None:
                continue
            mine, its = _sortable(one.get(field)), _sortable(marker[field])
            if mine != its:
                return one.get(field) is not None and bool(mine < its if descending else mine > its)
        return False

    return [one for one in there if is_behind(one)]


def next_href(asked: Asked, path: str, last_id: str) -> str:
    """The address of the page behind ``last_id``, as services write it."""
    query = [(name, value) for name, value in asked.query if name != "marker"]
    return f"{asked.root}{path}?{urlencode([*query, ('marker', last_id)])}"


def matching(resources: Iterable[Json], asked: Asked, fields: Sequence[str]) -> list[Json]:
    """Those whose fields equal what the query names; several values of one name mean any of them."""
    wanted: dict[str, set[str]] = {}
    for name, value in asked.query:
        if name in fields:
            wanted.setdefault(name, set()).add(value)
    return [one for one in resources if all(_text(one.get(name)) in values for name, values in wanted.items())]


def _sorting(asked: Asked, manner: Manner) -> list[tuple[str, bool]]:
    if (sort := asked.one("sort")) is not None:
        pairs = [part.partition(":") for part in sort.split(",")]
        sorting = [(name.strip(), direction != "asc") for name, _, direction in pairs]
    else:
        keys = [value for name, value in asked.query if name == "sort_key"] or ["created_at"]
        directions = [value for name, value in asked.query if name == "sort_dir"] or ["desc"]
        if manner.unique is not None and manner.unique not in keys:
            # Nova adds a key and a direction each to its own list: they meet only when there was one for every key.
            keys, directions = [*keys, manner.unique], [*directions, "asc"]
        padded = directions + [directions[0]] * (len(keys) - len(directions))
        sorting = [(name, direction != "asc") for name, direction in zip(keys, padded, strict=False)]
    named = {name for name, _ in sorting}
    return sorting + [(name, sorting[0][1]) for name in manner.ties if name not in named]


def _limit(asked: Asked, max_limit: int) -> int:
    text = asked.one("limit")
    if text is None:
        return max_limit
    if not text.isdigit():
        raise Refusal(400, f"Invalid input for query parameters limit. Value: {text}.")
    return min(int(text), max_limit)


def _sortable(value: Any) -> tuple[int, Any]:
    # NULL comes first in MariaDB; fields of one name have one type.
    if isinstance(value, str):
        value = "".join(map(_letter, value)).rstrip()
    return (0, "") if value is None else (1, value)


def _letter(char: str) -> str:
    """A letter as MariaDB compares it, without case and accent; for the alphabets of names in tests."""
    if char in "ßйЙ" or ord(char) > 0xFFFF:
        return {"ß": "S", "й": "Й", "Й": "Й"}.get(char, "\ufffd")
    upper = unicodedata.normalize("NFD", char)[0].upper()
    return upper if len(upper) == 1 else char


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
