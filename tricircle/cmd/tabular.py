# SPDX-License-Identifier: Apache-2.0
"""How does a command show rows to an operator? Plain columns, as wide as what stands in them."""

from collections.abc import Sequence


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under titles, two spaces apart, ending in a newline.

    >>> print(table(("NAME", "AZ"), [("Pod1", "az1")]), end="")
    NAME  AZ
    Pod1  az1
    """
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(titles))]
    text = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(text) + "\n"
