# SPDX-License-Identifier: Apache-2.0
"""How much of what a run reports is kept? Pure.

A report is for programs and people to look at, not a store: facts are kept whole while they fit, in their order, and
those that do not are named.
"""

import json
from collections.abc import Mapping

#: Characters of a report as JSON, about.
REPORT_LENGTH = 16_000
#: Names of facts that were left out, at most.
_NAMES = 50
LEFT_OUT = "left_out"
#: Facts about what a run did, for history: names and what JSON can say.
Report = Mapping[str, object]


def bounded(report: Report, *, length: int = REPORT_LENGTH) -> dict[str, object]:
    """The report as plain JSON of about ``length`` characters at most; what JSON has no word for becomes a string.

    :raises ValueError: it contains itself

    >>> bounded({"checked": 3, "odd": "x" * 50}, length=40)
    {'checked': 3, 'left_out': ['odd']}
    """
    kept: dict[str, object] = {}
    left_out: list[str] = []
    room = length
    for name, value in report.items():
        text = json.dumps({str(name): value}, default=str, skipkeys=True)
        if len(text) <= room:
            room -= len(text)
            kept.update(json.loads(text))
        else:
            left_out.append(str(name)[:100])
    if left_out:
        kept[LEFT_OUT] = left_out[:_NAMES]
    return kept
