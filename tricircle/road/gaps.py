# SPDX-License-Identifier: Apache-2.0
"""What do lists, sums and searches lack, and who is told? Users read AZs, operators pods and reasons."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tricircle.model.pod import Pod
from tricircle.observe import metrics
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: Names the AZs from which an answer may lack something; see ``docs/reference/headers.md``.
INCOMPLETE_HEADER = b"openstack-incomplete-azs"
#: Why a pod is missing that does not have the microversion, that an operator has switched off, that is silent or sends
#: 5xx, that says what no service says.
TOO_OLD, DISABLED, SILENT, NONSENSE = "version", "disabled", "no answer", "nonsense"


@dataclass(frozen=True, slots=True)
class Gap:
    """A pod whose part an answer lacks. ``reason`` is a word, the name of an error or a status, never a text."""

    pod: Pod
    reason: str


def refusal_of(pod: Pod, reply: Reply) -> Gap:
    """The part of a pod that refuses to say it."""
    return Gap(pod, f"status {reply.status}")


def told(door: str, path: str, gaps: Iterable[Gap]) -> list[tuple[bytes, bytes]]:
    """The header that names what is missing, by AZ: pods are nobody's business. Operators find pods and reasons in the
    log and in the metric that ``tricircle-manage pod lists`` reads: a pod counts once in an answer.
    """
    by_pod: dict[str, Gap] = {}
    for gap in gaps:
        by_pod.setdefault(gap.pod.id, gap)
    for gap in by_pod.values():
        metrics.list_incomplete(door, gap.pod.name, gap.reason)
        LOG.warning("%s lacks pod %s: %s", path, gap.pod.name, gap.reason)
    zones = sorted({gap.pod.az_name for gap in by_pod.values()})
    return [(INCOMPLETE_HEADER, ", ".join(zones).encode())] if zones else []
