# SPDX-License-Identifier: Apache-2.0
"""``[upstream]``: how are services waited for, and whom do we trust?"""

from oslo_config import cfg

OPTIONS = [
    cfg.FloatOpt(
        "connect_timeout_s",
        default=3.0,
        min=0.05,
        help="Seconds to wait for a connection to a pod or a central service. What could not connect was not sent: "
        "the caller gets 503 and may try again.",
    ),
    cfg.IntOpt(
        "connections_per_target",
        default=64,
        min=1,
        help="Connections that each process opens at most to one service of one pod. Requests above it wait for "
        "their turn within their deadline.",
    ),
    cfg.FloatOpt(
        "idle_s",
        default=4.0,
        min=0.0,
        help="Seconds for which an unused connection is kept. Keep it below the keep-alive timeout of the services "
        "(Apache 5, nginx 75), so that no request meets a connection that the other side is closing.",
    ),
    cfg.FloatOpt(
        "stream_idle_s",
        default=60.0,
        min=0.1,
        help="Seconds without a byte after which an upload or a download of image data is given up. The whole may "
        "take longer than any other deadline.",
    ),
    cfg.StrOpt(
        "interface",
        default="public",
        choices=["public", "internal", "admin"],
        help="Which of a pod's endpoints in Keystone's catalog to call. Set it to internal where the public ones are "
        "not meant for servers, or should not be reachable at all. A service without such an endpoint is called at "
        "its public one. Read when a pod is registered or enabled.",
    ),
    cfg.StrOpt(
        "ca_file",
        default="",
        help="PEM file of the certificate authorities to trust for https:// services. Empty: those of the operating "
        "system.",
    ),
    cfg.BoolOpt(
        "insecure",
        default=False,
        help="Do not verify the certificates of services. For tests only: tokens could be read by whoever stands in "
        "between.",
    ),
    cfg.IntOpt(
        "breaker_failures",
        default=3,
        min=1,
        help="Failures in a row (no connection, no answer in time) after which a service of a pod is not asked any "
        "more, so that it slows nobody down.",
    ),
    cfg.FloatOpt(
        "breaker_probe_s",
        default=5.0,
        min=0.05,
        help="Seconds after which one request is let through to a service that is not asked, to see whether it is "
        "back; its caller waits half a second at most. It is also the longest time a pod stays missing after it is "
        "back.",
    ),
]
