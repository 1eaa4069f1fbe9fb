# SPDX-License-Identifier: Apache-2.0
"""How often does the metric of incomplete lists count a pod? What ``tricircle-manage pod lists`` reads."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import generate_latest

from tricircle.cmd.incomplete import counts


@contextmanager
def newly_counted() -> Iterator[dict[tuple[str, str, str], int]]:
    """(pod, door, reason) and how often it was counted within; filled at the end."""
    found: dict[tuple[str, str, str], int] = {}
    before = _now()
    yield found
    after = _now()
    found.update({key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)})


def _now() -> dict[tuple[str, str, str], int]:
    page = generate_latest().decode()
    return {(pod, door, reason): count for pod, door, reason, count in counts(page)}
