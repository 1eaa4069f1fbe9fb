# SPDX-License-Identifier: Apache-2.0
"""What came of a sweep?"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEnd:
    """How a sweep of a pod ended.

    :ivar status: ``done``, or ``failed`` when it was given up, with ``error``
    :ivar report: ``seen`` (objects by part), ``found`` (``what``, ``kind``, ``count``), ``incomplete`` (reasons by
        part), ``named`` (the first findings)
    """

    status: str
    error: str | None = None
    report: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether everything was looked at."""
        return self.status == "done" and not self.report.get("incomplete") and not self.report.get("skipped")
