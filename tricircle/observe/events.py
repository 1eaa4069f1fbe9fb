# SPDX-License-Identifier: Apache-2.0
"""What may an operator want to know of? Every observation that is more than a number, as a type.

An event becomes one log line (``<code> field=value ...``) and, where it has a name there, one count in the metrics.
Codes are stable.
"""

import dataclasses
import logging
from dataclasses import dataclass
from typing import ClassVar

from tricircle.observe import metrics

LOG = logging.getLogger("tricircle.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened:
    """An upstream is not asked any more until a probe succeeds."""

    code: ClassVar[str] = "upstream.breaker_opened"
    level: ClassVar[int] = logging.WARNING
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed:
    """An upstream that was away answered a probe."""

    code: ClassVar[str] = "upstream.breaker_closed"
    level: ClassVar[int] = logging.INFO
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRepaired:
    """Something in a pod did not agree with what is written down; a job was filed, or a row changed."""

    code: ClassVar[str] = "sweep.repaired"
    level: ClassVar[int] = logging.INFO
    pod: str
    what: str
    kind: str
    central_id: str
    pod_resource_id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReported:
    """Something in a pod does not agree, and only an operator can say what is to become of it."""

    code: ClassVar[str] = "sweep.reported"
    level: ClassVar[int] = logging.WARNING
    pod: str
    what: str
    kind: str
    central_id: str
    pod_resource_id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepIncomplete:
    """A part of a sweep could not be done; nothing was concluded from what it had seen."""

    code: ClassVar[str] = "sweep.incomplete"
    level: ClassVar[int] = logging.WARNING
    pod: str
    part: str
    reason: str


Event = BreakerOpened | BreakerClosed | SweepRepaired | SweepReported | SweepIncomplete


def happened(event: Event) -> None:
    """Write the event to the log and count it."""
    facts = " ".join(f"{field.name}={getattr(event, field.name)}" for field in dataclasses.fields(event))
    LOG.log(event.level, "%s %s", event.code, facts)
    metrics.event_happened(event.code)
