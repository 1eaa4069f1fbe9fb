# SPDX-License-Identifier: Apache-2.0
"""Which of some rows are the page that was asked for? Pure.

Neutron leaves pages to the core plugin and links to the next one as long as a page is full, so a list that knows no
limit would never end for who follows the links.
"""

from collections.abc import Iterable, Mapping, Sequence

Row = Mapping[str, object]


def page(
    rows: Iterable[Row],
    *,
    filters: Mapping[str, Sequence[object]],
    sorts: Sequence[tuple[str, bool]] | None = None,
    limit: int | None = None,
    marker: str | None = None,
    page_reverse: bool = False,
) -> list[Row]:
    """The rows behind ``marker`` that match; reversed those in front of it, in the same order. As in Neutron's own
    queries a marker counts whether it matches the filters or not, and one that is not there is none.

    :param filters: the values that each named field may have; without any they do not matter
    :param sorts: fields, and whether each ascends; the id decides between equals

    >>> rows = [{"id": name, "host": name} for name in "cab"]
    >>> [row["id"] for row in page(rows, filters={}, limit=1, marker="a")]
    ['b']
    """
    ordered = list(rows)
    for name, is_ascending in reversed([*(sorts or ()), ("id", True)]):
        # What is not set comes first, as in SQL.
        ordered.sort(key=lambda row: (row[name] is not None, row[name]), reverse=not is_ascending)
    at = next((number for number, row in enumerate(ordered) if limit and row["id"] == marker), None)
    if at is not None:
        ordered = ordered[:at] if page_reverse else ordered[at + 1 :]
    found = [row for row in ordered if matches(row, filters)]
    if not limit:
        return found
    return found[-limit:] if page_reverse else found[:limit]


def matches(row: Row, filters: Mapping[str, Sequence[object]]) -> bool:
    """Whether the row has one of the values in each field that is filtered by."""
    return all(row.get(name) in values for name, values in filters.items() if values)
