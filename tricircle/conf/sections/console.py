# SPDX-License-Identifier: Apache-2.0
"""``[console]``: where are consoles served?"""

from oslo_config import cfg

OPTIONS = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address on which tricircle-console listens."),
    cfg.PortOpt(
        "port",
        default=20079,
        help="Port on which tricircle-console listens. Several processes on one machine may share it: the kernel "
        "spreads connections over them.",
    ),
    cfg.URIOpt(
        "public_endpoint",
        default="http://127.0.0.1:20079",
        schemes=["http", "https"],
        help="Address by which users reach tricircle-console; the URLs of consoles begin with it. Where it is https, "
        "serial consoles are wss. Give it a host name of its own, not that of the APIs or of a dashboard: scripts "
        "that pods deliver run in pages of this host. The gateway reads it too.",
    ),
    cfg.StrOpt(
        "spice_direct_endpoint",
        default="",
        help="Address of a proxy for SPICE's own protocol (such as Kerbside) that asks this region for tokens; what "
        "spice_direct_proxy_base_url is to Nova. Empty: consoles of type spice-direct are refused as unavailable.",
    ),
    cfg.ListOpt(
        "allowed_origins",
        default=[],
        help="Host names of other web sites whose pages may open consoles, such as a dashboard's. Pages of "
        "public_endpoint itself always may; clients that are no browsers name no site.",
    ),
    cfg.FloatOpt(
        "token_ttl_s",
        default=600.0,
        min=1.0,
        help="Seconds for which a console may be opened by the URL that a user was given. Consoles that are open stay "
        "open. Pods have a limit of their own (token_ttl of [consoleauth]); the shorter one counts.",
    ),
    cfg.IntOpt(
        "token_uses",
        default=0,
        min=0,
        help="How often one URL opens a console. 0: as often as one likes until it expires, as with Nova; then a page "
        "can be loaded again. 1: once.",
    ),
    cfg.IntOpt(
        "sessions",
        default=1000,
        min=1,
        help="Consoles that one process keeps open at the same time. Each may need some megabytes while a side is "
        "slow, and two file descriptors.",
    ),
    cfg.IntOpt(
        "sessions_per_user", default=32, min=1, help="Consoles among them that one user may have open in one process."
    ),
    cfg.FloatOpt(
        "session_limit_s",
        default=0.0,
        min=0.0,
        help="Seconds after which an open console is closed, used or not. 0: never, as with Nova.",
    ),
    cfg.FloatOpt(
        "open_timeout_s",
        default=15.0,
        min=0.1,
        help="Seconds until a console must be open, or a page of it delivered, the pod's part included.",
    ),
    cfg.FloatOpt(
        "ping_s",
        default=20.0,
        min=0.1,
        help="Seconds between two questions whether the other side of an open console is still there. Who does not "
        "answer for as long is gone. Keep it below the time after which load balancers close silent connections.",
    ),
    cfg.StrOpt(
        "tls_certificate",
        default="",
        help="PEM file with the certificate (and intermediates) for consoles. Empty: plain HTTP, for use behind a "
        "load balancer that ends TLS.",
    ),
    cfg.StrOpt("tls_key", default="", help="PEM file with the private key that belongs to tls_certificate."),
    cfg.HostAddressOpt(
        "metrics_host",
        default="127.0.0.1",
        help="Address on which tricircle-console shows /metrics and /healthz to your monitoring, without a token.",
    ),
    cfg.PortOpt(
        "metrics_port",
        default=0,
        help="Port of these pages; 0: there are none. Of several processes on one machine each needs a port of its "
        "own.",
    ),
]
