# SPDX-License-Identifier: Apache-2.0
"""``[gateway]``: where do the doors stand, and what do they bear?"""

from oslo_config import cfg

OPTIONS = [
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
        "admin_role",
        default="admin",
        help="The role that the services' policies take for an administrator's. The service user must have it in its "
        "project, or nothing is done in its name: to others, services say that things are not there which they only "
        "hide. Callers who have it are shown what administrators see; what they may do, policies say, ours too "
        "([oslo_policy]). Where another role implies admin, leave this as it is: tokens hold both.",
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
