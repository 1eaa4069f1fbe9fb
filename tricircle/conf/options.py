# SPDX-License-Identifier: Apache-2.0
"""Which options are there, and what does each one do?

Every help text says the unit, the effect, and when to change it. ``etc/tricircle.conf.sample`` is generated from here.
"""

from collections.abc import Sequence

from keystoneauth1 import loading
from keystonemiddleware.auth_token import list_opts as list_auth_token_opts
from oslo_config import cfg
from oslo_log import _options as log_options
from oslo_policy import opts as policy_options

#: The section with the credentials of the service user.
SERVICE_USER = "service_user"

DATABASE = [
    cfg.StrOpt(
        "connection",
        secret=True,
        default="mysql+asyncmy:///neutron",
        help="SQLAlchemy URL of the database that holds the tricircle_* tables: the schema of the central Neutron, "
        "so that a tenant's change and the job it causes are one transaction. mysql:// and mysql+pymysql:// URLs "
        "are accepted and opened with the asynchronous driver.",
    ),
    cfg.IntOpt(
        "pool_size",
        default=5,
        min=1,
        help="Connections that each process keeps open. Raise it when the metric of waiting for a connection grows; "
        "all processes together must stay below max_connections of the server.",
    ),
    cfg.IntOpt(
        "max_overflow",
        default=10,
        min=0,
        help="Connections that a process may open for a moment on top of pool_size; they are closed when they are "
        "given back.",
    ),
    cfg.FloatOpt(
        "pool_timeout_s",
        default=5.0,
        min=0.1,
        help="Seconds that a request waits for a free connection before it is answered with 503.",
    ),
    cfg.IntOpt(
        "recycle_s",
        default=1800,
        min=1,
        help="Seconds after which a pooled connection is replaced. Keep it below wait_timeout of the server and of "
        "proxies in between.",
    ),
    cfg.FloatOpt(
        "connect_timeout_s",
        default=5.0,
        min=0.1,
        help="Seconds to wait for a new connection to the database server.",
    ),
    cfg.StrOpt(
        "ca_file",
        default="",
        help="PEM file of the certificate authority that signed the database server's certificate. Empty: the "
        "connection is not encrypted unless the URL says so.",
    ),
]

GATEWAY = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address on which the doors listen."),
    cfg.PortOpt(
        "port", default=20080, help="Port on which the doors listen. Load balancers and public_endpoint point here."
    ),
    cfg.HostAddressOpt("admin_host", default="127.0.0.1", help="Address on which the Admin API listens."),
    cfg.PortOpt("admin_port", default=19999, help="Port on which the Admin API listens."),
    cfg.BoolOpt(
        "open_metrics",
        default=False,
        help="Show /metrics on the Admin API's listener without a token, for a Prometheus that has none. The numbers "
        "name every pod and every service behind it: set it only where nobody but operators reaches admin_host.",
    ),
    cfg.IntOpt(
        "workers",
        default=1,
        min=1,
        help="Processes that serve the doors. One per processor core is a good start. The Admin API always has one "
        "of its own.",
    ),
    cfg.URIOpt(
        "public_endpoint",
        default="http://127.0.0.1:20080",
        schemes=["http", "https"],
        help="Address by which users reach the doors, without a path of a door. All links in answers and the "
        "catalog that users see are made from it, never from a request's Host header.",
    ),
    cfg.URIOpt(
        "admin_endpoint",
        default="http://127.0.0.1:19999",
        schemes=["http", "https"],
        help="Address by which operators reach the Admin API. Links in its answers are made from it.",
    ),
    cfg.StrOpt(
        "central_region", default="RegionOne", help="Keystone region that users see and in which the centre stands."
    ),
    cfg.StrOpt(
        "older_pods",
        default="lower",
        choices=["lower", "skip"],
        help="What a pod of an older release means for the microversions of compute and block storage. 'lower': users "
        "are offered only what all pods have. 'skip': they are offered what the newest pods and the centre have; calls "
        "that name more than a pod has leave it out: boots go elsewhere, lists are marked as incomplete, calls to its "
        "own resources get 406; 'latest' stays what all pods have. 'tricircle-manage pod check' names the pods "
        "that are behind. Set it to 'skip' when users need what only newer pods have.",
    ),
    cfg.IntOpt(
        "body_limit",
        default=114688,
        min=1024,
        help="Largest body, in bytes, of a request that is read as a whole; above it the answer is 413. Uploads of "
        "images are streamed and not bounded by it. The default is that of OpenStack services.",
    ),
    cfg.FloatOpt(
        "head_timeout_s",
        default=30.0,
        min=0.1,
        help="Seconds that a client may take to send the head of a request, and for which an unused connection of a "
        "client is kept. Lower it when many slow clients hold connections; keep it above the time for which load "
        "balancers in front keep unused connections.",
    ),
    cfg.FloatOpt(
        "request_deadline_s",
        default=60.0,
        min=0.1,
        help="Seconds after which nobody waits any more for an ordinary request: what is still open then is "
        "answered with 503 or 504. Keep it below the timeout of load balancers in front.",
    ),
    cfg.FloatOpt(
        "list_deadline_s",
        default=5.0,
        min=0.1,
        help="Seconds to wait for pods when a list is gathered from many, all pages of theirs together. A pod that is "
        "later is left out, and the list is marked incomplete. Raise it for pods behind slow lines.",
    ),
    cfg.FloatOpt(
        "boot_deadline_s",
        default=120.0,
        min=0.1,
        help="Seconds for a call that creates something in a pod, such as a server or a volume, instead of "
        "request_deadline_s: choosing the pod, making copies of what the request names there, and the creation itself. "
        "Keep it below the timeout of load balancers in front.",
    ),
    cfg.FloatOpt(
        "settle_margin_s",
        default=60.0,
        min=0.0,
        help="Seconds after the longest deadline of a request until what it began counts as abandoned: ports of a "
        "boot that nobody finished are let go then, and sweeps touch nothing that is younger. It covers clocks that "
        "differ and services that go on after we stopped waiting.",
    ),
    cfg.FloatOpt(
        "stop_timeout_s",
        default=30.0,
        min=0.0,
        help="Seconds that a stopping process waits for requests in flight before it ends them.",
    ),
    cfg.IntOpt(
        "backlog",
        default=1024,
        min=128,
        help="Connections that may wait in the kernel for each process to accept them.",
    ),
    cfg.StrOpt(
        "tls_certificate",
        default="",
        help="PEM file with the certificate (and intermediates) for both listeners. Empty: plain HTTP, for use "
        "behind a load balancer that ends TLS.",
    ),
    cfg.StrOpt("tls_key", default="", help="PEM file with the private key that belongs to tls_certificate."),
    cfg.FloatOpt(
        "token_cache_s",
        default=30.0,
        min=0.0,
        max=60.0,
        help="Seconds for which a valid token is believed without asking again, never beyond its expiry. A revoked "
        "token works at most this much longer (plus token_cache_time of [keystone_authtoken], which is cut so that "
        "both together stay below 60). 0 asks for every request.",
    ),
    cfg.IntOpt(
        "token_cache_size",
        default=10000,
        min=1,
        help="Validated tokens that each process remembers; about 2 kB each. The longest unused one is forgotten "
        "first.",
    ),
    cfg.IntOpt(
        "token_threads",
        default=8,
        min=1,
        help="Tokens that each process validates at the same time. Raise it when many different tokens arrive and "
        "Keystone is far away.",
    ),
]

CENTRAL = [
    cfg.StrOpt(
        "compute_url",
        default="http://127.0.0.1:20774",
        help="Root of the central Nova API as the gateway reaches it, without version. Users never see it.",
    ),
    cfg.StrOpt(
        "block_storage_url", default="http://127.0.0.1:20776", help="Root of the central Cinder API, without version."
    ),
    cfg.StrOpt("image_url", default="http://127.0.0.1:20292", help="Root of the central Glance, without version."),
    cfg.StrOpt("network_url", default="http://127.0.0.1:20696", help="Root of the central Neutron, without version."),
    cfg.StrOpt("identity_url", default="http://127.0.0.1:20500", help="Root of Keystone, without version."),
]

UPSTREAM = [
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

NETWORKING = [
    cfg.IntOpt(
        "rules_per_remote_group",
        default=64,
        min=0,
        help="In pods whose Neutron has no security-groups-remote-address-group (before Wallaby), a security group "
        "rule that names a group becomes one rule for each address of its members, up to this number. Of a group with "
        "more members such a rule knows those in its own pod only: traffic from others stays closed. 0: always.",
    ),
]

WORKER = [
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

CONSOLE = [
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

#: Our own sections, in the order of the sample file.
SECTIONS: dict[str, list[cfg.Opt]] = {
    "database": DATABASE,
    "gateway": GATEWAY,
    "central": CENTRAL,
    "upstream": UPSTREAM,
    "networking": NETWORKING,
    "worker": WORKER,
    "console": CONSOLE,
}


def list_service_user_opts(auth_type: str = "password") -> list[cfg.Opt]:
    """Options of ``[service_user]`` for one authentication plugin of keystoneauth1 (plus those of its HTTP session)."""
    return [
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options(auth_type),
        *loading.get_session_conf_options(),
    ]


def list_own_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options that tricircle reads itself, by section."""
    return [*SECTIONS.items(), (SERVICE_USER, list_service_user_opts())]


def list_library_opts(auth_type: str = "password") -> list[tuple[str, list[cfg.Opt]]]:
    """The options that libraries read from the same file: logs, policy, token validation."""
    found: dict[str, list[cfg.Opt]] = {"DEFAULT": [], "oslo_policy": []}
    found["DEFAULT"] += [opt for _group, opts in log_options.list_opts() for opt in opts]
    for group, opts in policy_options.list_opts():
        found.setdefault(group, []).extend(opts)
    for group, opts in list_auth_token_opts():
        found.setdefault(group, []).extend(opts)
    found["keystone_authtoken"] += loading.get_auth_plugin_conf_options(auth_type)
    return list(found.items())


def list_opts() -> Sequence[tuple[str, list[cfg.Opt]]]:
    """Everything that may stand in the file, for ``oslo-config-generator`` (entry point ``oslo.config.opts``)."""
    return [*list_library_opts()[:1], *list_own_opts(), *list_library_opts()[1:]]
