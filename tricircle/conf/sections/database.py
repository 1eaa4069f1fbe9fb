# SPDX-License-Identifier: Apache-2.0
"""``[database]``: how is the database reached?"""

from oslo_config import cfg

OPTIONS = [
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
