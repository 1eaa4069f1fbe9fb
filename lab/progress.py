# SPDX-License-Identifier: Apache-2.0
"""What does somebody see who waits for the lab?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WIDTH = 44


class Progress:
    """One line for each step, with its seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; what is appended to the list is shown behind it."""
        notes: list[str] = []
        began = time.monotonic()
        sys.stderr.write(f"{name + ' ':.<{_WIDTH}} ")
        sys.stderr.flush()
        try:
            yield notes
        except BaseException:
            sys.stderr.write("failed\n")
            raise
        note = f"  {', '.join(notes)}" if notes else ""
        sys.stderr.write(f"{time.monotonic() - began:5.1f} s{note}\n")

    def end(self, text: str) -> None:
        sys.stderr.write(f"{text} after {time.monotonic() - self._began:.1f} s\n")
