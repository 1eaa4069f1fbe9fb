# SPDX-License-Identifier: Apache-2.0
"""``[worker]``: how are jobs carried out?"""

from oslo_config import cfg

OPTIONS = [
    cfg.IntOpt("concurrency", default=16, min=1, help="Jobs that one worker process carries out at the same time."),
    cfg.IntOpt(
        "per_pod",
        default=8,
        min=1,
        help="Jobs among them that may be about the same pod, so that a slow pod starves no other.",
    ),
    cfg.FloatOpt(
        "lease_s",
        default=30.0,
        min=1.0,
        help="Seconds after which another worker may take over the jobs of one that has died. A living worker "
        "renews its leases.",
    ),
    cfg.FloatOpt(
        "poll_s",
        default=0.5,
        min=0.01,
        help="Seconds between two looks for jobs while there are none. Smaller makes changes reach the pods sooner "
        "and asks the database more often.",
    ),
    cfg.FloatOpt(
        "job_deadline_s",
        default=120.0,
        min=1.0,
        help="Seconds that one run of a job may take before it is given up and tried again.",
    ),
    cfg.FloatOpt(
        "call_deadline_s",
        default=60.0,
        min=1.0,
        help="Seconds that a single call of a job may take. A service that leaves several in a row without an answer "
        "is left alone for a while; so this says how long one that accepts calls and answers none is waited for.",
    ),
    cfg.IntOpt(
        "max_attempts",
        default=20,
        min=1,
        help="Failures of a job after which it is not tried again by itself; it stays listed with its error until "
        "it is redone.",
    ),
    cfg.FloatOpt(
        "retry_s",
        default=1.0,
        min=0.01,
        help="Seconds before the first new attempt of a failed job; each further wait is twice as long, with jitter.",
    ),
    cfg.FloatOpt(
        "retry_max_s", default=300.0, min=0.01, help="Longest wait, in seconds, between two attempts of a job."
    ),
    cfg.FloatOpt(
        "sweep_interval_s",
        default=900.0,
        min=0.0,
        help="Seconds between two sweeps of a pod: everything in it is compared with what is written down, and what "
        "differs is repaired. 0: only when an operator asks (tricircle-manage sweep), or a pod comes back.",
    ),
    cfg.FloatOpt(
        "sweep_deadline_s",
        default=3600.0,
        min=1.0,
        help="Seconds that one sweep of a pod may take. It reads every list of the pod to the end: about a second "
        "for each thousand servers, volumes or ports.",
    ),
    cfg.FloatOpt(
        "image_deadline_s",
        default=21600.0,
        min=1.0,
        help="Seconds that it may take to carry the data of one image between the centre and a pod that has a Glance "
        "of its own; [upstream] stream_idle_s without a byte end it sooner.",
    ),
    cfg.FloatOpt(
        "stop_timeout_s",
        default=30.0,
        min=0.0,
        help="Seconds that a stopping worker waits for jobs that are running; what is not finished then is taken "
        "over by another.",
    ),
    cfg.HostAddressOpt(
        "metrics_host",
        default="127.0.0.1",
        help="Address on which a worker shows /metrics and /healthz. They ask for no token: let only your monitoring "
        "reach it.",
    ),
    cfg.PortOpt(
        "metrics_port",
        default=0,
        help="Port of these pages; 0: there are none. Of several workers on one machine each needs a port of its own.",
    ),
]
