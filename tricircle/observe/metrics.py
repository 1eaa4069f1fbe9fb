# SPDX-License-Identifier: Apache-2.0
"""Which numbers does a process count, and how are those of several processes shown as one?

Names begin with ``tricircle_``; times are seconds. With ``PROMETHEUS_MULTIPROC_DIR`` in the environment when this
module is first imported, all processes that share the folder show the same sums; ``tricircle-gateway`` sets it for
its workers.
"""

import os
import struct
from collections.abc import Mapping

from prometheus_client import REGISTRY as OWN
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tricircle.observe.tally import Tally

#: Content type of :func:`exposition`.
CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

_CLASSES = [f"{number}xx" for number in range(10)]

REQUESTS = Counter("tricircle_requests", "Answered requests of the listeners.", ("door", "status"))
REQUEST_SECONDS = Histogram(
    "tricircle_request_seconds",
    "Time from a request's head to the end of its answer.",
    ("door",),
    buckets=_SECONDS,
)
IN_FLIGHT = Gauge("tricircle_requests_in_flight", "Requests that are being answered now.", multiprocess_mode="livesum")
UPSTREAM_REQUESTS = Counter(
    "tricircle_upstream_requests", "Answers of pods and central services, by class of status.", ("target", "status")
)
UPSTREAM_SECONDS = Histogram(
    "tricircle_upstream_seconds", "Time until a pod or a central service had answered.", ("target",), buckets=_SECONDS
)
UPSTREAM_FAILURES = Counter(
    "tricircle_upstream_failures", "Calls to pods and central services without an answer.", ("target", "reason")
)
LISTS_INCOMPLETE = Counter(
    "tricircle_lists_incomplete", "Lists that lacked what a pod holds, by pod and why.", ("door", "pod", "reason")
)
TOKENS = Counter("tricircle_tokens", "Tokens checked, by where the result came from.", ("source",))
EVENTS = Counter("tricircle_events", "Observations that are written to the log, by code.", ("code",))
JOBS = Counter("tricircle_jobs", "Runs of jobs that ended, by type and how.", ("type", "outcome"))
JOB_SECONDS = Histogram("tricircle_job_seconds", "Time that runs of jobs took.", ("type",), buckets=_SECONDS)
QUEUE_JOBS = Gauge(
    "tricircle_queue_jobs", "Jobs in the queue, by type and state.", ("type", "state"), multiprocess_mode="mostrecent"
)
QUEUE_OLDEST = Gauge(
    "tricircle_queue_oldest_seconds",
    "How long the oldest job waits that is due, or has failed before.",
    ("type",),
    multiprocess_mode="mostrecent",
)
QUARANTINED = Gauge(
    "tricircle_quarantined",
    "Identifiers that pods have not let go of, by sort (vlan, address, mac).",
    ("what",),
    multiprocess_mode="mostrecent",
)
IMAGE_BYTES = Counter(
    "tricircle_image_bytes",
    "Bytes of image data that were carried out into a pod's own Glance, or home from there.",
    ("pod", "direction"),
)
SWEEP_FINDINGS = Counter(
    "tricircle_sweep_findings", "What sweeps saw that did not agree, by pod, how, and kind.", ("pod", "what", "kind")
)

CONSOLES_OPEN = Gauge("tricircle_consoles_open", "Consoles that are open now.", multiprocess_mode="livesum")
CONSOLES_OPENED = Counter("tricircle_consoles_opened", "Consoles that were opened, by type.", ("type",))
CONSOLES_CLOSED = Counter("tricircle_consoles_closed", "Consoles that ended, by type and by whom.", ("type", "by"))
CONSOLES_REFUSED = Counter("tricircle_consoles_refused", "Consoles that were not opened, by reason.", ("reason",))
CONSOLE_BYTES = Counter(
    "tricircle_console_bytes", "Bytes of consoles that ended, to the pod and to the user.", ("direction",)
)

#: How often the files of all processes are read before it counts as a defect.
_READS = 5
_TALLY = Tally(_SECONDS)
_in_flight = 0


def request_began() -> None:
    """A listener has a request to answer."""
    global _in_flight  # noqa: PLW0603 - a number of the process, like the metrics themselves
    _in_flight += 1
    _TALLY.level(IN_FLIGHT, _in_flight)


def request_answered(door: str, status: int, seconds: float) -> None:
    """A listener answered. ``door`` is one of a few names, never a path."""
    global _in_flight  # noqa: PLW0603
    _in_flight -= 1
    _TALLY.level(IN_FLIGHT, _in_flight)
    _TALLY.count(REQUESTS, door, str(status))
    _TALLY.time(REQUEST_SECONDS, seconds, door)


def upstream_answered(target: str, status: int, seconds: float) -> None:
    """An upstream answered."""
    _TALLY.count(UPSTREAM_REQUESTS, target, _CLASSES[status // 100])
    _TALLY.time(UPSTREAM_SECONDS, seconds, target)


def upstream_failed(target: str, reason: str) -> None:
    """An upstream could not be reached or did not answer."""
    UPSTREAM_FAILURES.labels(target, reason).inc()


def upstream_refused(target: str) -> None:
    """An upstream was not asked, because its breaker is open."""
    UPSTREAM_FAILURES.labels(target, "breaker_open").inc()


def list_incomplete(door: str, pod: str, reason: str) -> None:
    """A merged list lacks what a pod holds. ``reason`` is the name of an error or a status, never a text."""
    LISTS_INCOMPLETE.labels(door, pod, reason).inc()


def token_checked(source: str) -> None:
    """A token was checked: ``cache``, ``keystone`` or ``refused``."""
    _TALLY.count(TOKENS, source)


def event_happened(code: str) -> None:
    """An observation was written to the log."""
    EVENTS.labels(code).inc()


def job_ended(type_: str, outcome: str, seconds: float) -> None:
    """A run ended: ``done``, ``later``, ``failed``, ``stopped``, ``interrupted`` or ``lost``."""
    JOBS.labels(type_, outcome).inc()
    JOB_SECONDS.labels(type_).observe(seconds)


def queue_counted(type_: str, counts: Mapping[str, int], oldest_s: float) -> None:
    """The queue was counted: jobs of one type by state, and the age of the oldest that waits."""
    for state, number in counts.items():
        QUEUE_JOBS.labels(type_, state).set(number)
    QUEUE_OLDEST.labels(type_).set(oldest_s)


def queue_unknown() -> None:
    """The queue cannot be counted now."""
    QUEUE_JOBS.clear()
    QUEUE_OLDEST.clear()


def quarantined(what: str, number: int) -> None:
    """So many identifiers of a sort wait for pods."""
    QUARANTINED.labels(what).set(number)


def image_carried(pod: str, direction: str, number: int) -> None:
    """Image data was passed on: ``out`` into a pod or ``home`` from it, bytes."""
    IMAGE_BYTES.labels(pod, direction).inc(number)


def sweep_found(pod: str, what: str, kind: str) -> None:
    """A sweep saw something that does not agree. ``what``: see ``audit/findings.py``."""
    SWEEP_FINDINGS.labels(pod, what, kind).inc()


def consoles_open(number: int) -> None:
    """So many consoles are open in this process."""
    CONSOLES_OPEN.set(number)


def console_opened(type_: str) -> None:
    """A console is open."""
    CONSOLES_OPENED.labels(type_).inc()


def console_closed(type_: str, by: str, *, sent: int, received: int) -> None:
    """A console has ended: by the ``user``, the ``pod``, the ``limit`` of time, or it ``failed``."""
    CONSOLES_CLOSED.labels(type_, by).inc()
    CONSOLE_BYTES.labels("up").inc(sent)
    CONSOLE_BYTES.labels("down").inc(received)


def console_refused(reason: str) -> None:
    """A console was not opened: ``token``, ``origin``, ``too_many``, ``unavailable``, ``handshake`` or ``unknown``."""
    CONSOLES_REFUSED.labels(reason).inc()


def forget_process(pid: int) -> None:
    """A process has ended: what it counted stays, what it was doing does not."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def write_down() -> None:
    """Let what was counted in memory be seen by others now; a process that ends does this last."""
    _TALLY.write()


def exposition() -> bytes:
    """All numbers of all processes in the text form of Prometheus."""
    _TALLY.write()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(OWN)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    for _ in range(_READS - 1):
        try:
            return generate_latest(registry)
        except (OSError, ValueError, struct.error):
            # A process that begins has made its file and not filled it yet, or one that ended has taken it away.
            continue
    return generate_latest(registry)
