# SPDX-License-Identifier: Apache-2.0
"""How do two commands on the same lab keep out of each other's way? The second one waits."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab.topology import Lab


@contextmanager
def turn(lab: Lab) -> Iterator[None]:
    """Hold the lab's lock; the kernel gives it back when the process ends in whatever way."""
    lab.state.mkdir(exist_ok=True)
    with (lab.state / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Another command works on this lab; waiting for it.\n")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
